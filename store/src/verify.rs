//! Whether a trace adds up: for every kind, what the kernel side emitted is stored, dropped on
//! purpose, or known to be lost.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::datatypes::{Int64Type, TimestampNanosecondType};
use rayon::prelude::*;
use schema::events::EVENTS;
use schema::tables::TABLES;

use crate::error::{Error, Result};
use crate::intact::{check_sum, checksums, damaged, for_each_batch, for_each_batch_of};
use crate::trace::{Ending, Trace};

/// The sum for one event kind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KindReport {
    /// The kind.
    pub kind: String,
    /// Emitted by the kernel side until the last count; unknown without one.
    pub emitted: Option<u64>,
    /// Stored in the segments that are there.
    pub stored: u64,
    /// Stored in segments that were dropped since.
    pub dropped: u64,
    /// Lost until the last count.
    pub lost: Option<u64>,
}

/// What to make of a trace.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Everything that was emitted is accounted for, and nothing was lost.
    Complete,
    /// Everything is accounted for; so many records were lost, and the trace says so.
    Lost(u64),
    /// The recording did not end in order, or goes on.
    Unknown {
        /// Until when the counts are known: UTC, ns since 1970.
        accounted_until_ns: Option<i64>,
    },
    /// It does not add up.
    Broken(Vec<String>),
}

/// What [`verify`] found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// One entry per kind that occurred, in the order of their names in the schema.
    pub kinds: Vec<KindReport>,
    /// Segments that are there.
    pub segments: u64,
    /// Files that were read in full.
    pub files: u64,
    /// Rows in them.
    pub rows: u64,
    /// The conclusion.
    pub verdict: Verdict,
}

/// A row of the `segments` table.
struct Sum {
    stored: u64,
    stored_before: u64,
    emitted: Option<u64>,
    lost: Option<u64>,
}

/// The rows of one segment.
#[derive(Default)]
struct Segment {
    kinds: BTreeMap<String, Sum>,
    closed: bool,
    /// Checksum of the file of each table.
    checksums: BTreeMap<String, u32>,
}

/// Reads the whole trace and checks its sums.
pub fn verify(trace: &Trace) -> Result<Report> {
    let mut problems = Vec::new();
    let segments = read_segments(trace)?;
    let (files, rows) = read_all(trace, &segments, &mut problems)?;
    for pair in trace.segments().windows(2) {
        if pair[1] != pair[0] + 1 {
            problems.push(format!("segments {} to {} are missing", pair[0] + 1, pair[1] - 1));
        }
    }
    let is_finished = trace.ending() == Ending::Finished;
    let mut kinds = Vec::new();
    for event in EVENTS {
        let sums: Vec<(u64, Option<&Sum>)> = segments
            .iter()
            .map(|(number, segment)| (*number, segment.kinds.get(event.name)))
            .collect();
        if sums.iter().any(|(_, sum)| sum.is_some()) {
            kinds.push(sum_kind(event.name, &sums, &mut problems));
        }
        if let Some(table) = event.table {
            check_files(trace, table, &segments, event.name, &mut problems);
        }
    }
    check_rows(&rows, &segments, &mut problems);
    check_sealed(trace, &mut problems)?;
    // A recording of nothing has no kinds, but its segments are there.
    let is_empty = kinds.is_empty() && problems.is_empty() && !trace.segments().is_empty();
    let closed = segments.last_key_value().is_some_and(|(_, segment)| segment.closed)
        || (is_empty && is_finished);
    if is_finished && !closed {
        problems.push("the recording ended in order, but its last segment is missing".to_string());
    }
    if closed {
        kinds.iter().for_each(|kind| problems.extend(imbalance(kind)));
    }
    let lost = kinds.iter().filter_map(|kind| kind.lost).sum();
    let verdict = if !problems.is_empty() {
        Verdict::Broken(problems)
    } else if !closed {
        Verdict::Unknown { accounted_until_ns: accounted_until_ns(trace)? }
    } else if lost > 0 {
        Verdict::Lost(lost)
    } else {
        Verdict::Complete
    };
    let rows = rows.values().sum();
    Ok(Report { kinds, segments: segments.len() as u64, files, rows, verdict })
}

/// Checks that no table has a segment that is not complete, which readers leave out.
fn check_sealed(trace: &Trace, problems: &mut Vec<String>) -> Result<()> {
    if trace.ending() == Ending::Recording {
        return Ok(());
    }
    let mut unsealed = BTreeMap::<u64, usize>::new();
    for table in TABLES {
        let segments = trace.folder().segments_of(table.name)?;
        for segment in segments.into_iter().filter(|segment| !trace.segments().contains(segment)) {
            *unsealed.entry(segment).or_default() += 1;
        }
    }
    problems.extend(unsealed.into_iter().map(|(segment, files)| {
        format!("segment {segment} has files of {files} tables, but neither that of `segments` nor a spool")
    }));
    Ok(())
}

/// Adds up one kind, and checks that each segment goes on where the one before it ended.
fn sum_kind(kind: &str, sums: &[(u64, Option<&Sum>)], problems: &mut Vec<String>) -> KindReport {
    let mut expected: Option<u64> = None;
    let mut report =
        KindReport { kind: kind.to_string(), emitted: None, stored: 0, dropped: 0, lost: None };
    for (number, sum) in sums {
        // A kind that has not occurred yet has no row.
        let (stored, before) =
            sum.map_or((0, expected.unwrap_or(0)), |sum| (sum.stored, sum.stored_before));
        if expected.is_none() {
            report.dropped = before;
        }
        if let Some(expected) = expected.filter(|expected| *expected != before) {
            problems.push(format!(
                "{kind}: {expected} are stored before segment {number}, which counts {before}"
            ));
        }
        report.stored += stored;
        expected = Some(before.saturating_add(stored));
        if let Some(sum) = sum {
            (report.emitted, report.lost) = (sum.emitted, sum.lost);
        }
    }
    report
}

/// What is wrong with the sum of a kind, the recording having ended.
fn imbalance(kind: &KindReport) -> Option<String> {
    let KindReport { kind, emitted, stored, dropped, lost } = kind;
    let (Some(emitted), Some(lost)) = (emitted, lost) else {
        return Some(format!("{kind}: {stored} are stored, but nobody counted what was emitted"));
    };
    let known = stored.saturating_add(*dropped).saturating_add(*lost);
    (*emitted != known).then(|| {
        format!("{kind}: {emitted} were emitted, but {stored} stored + {dropped} dropped + {lost} lost are {known}")
    })
}

/// Checks that a segment with events of a kind has the file for them.
fn check_files(
    trace: &Trace,
    table: &str,
    segments: &BTreeMap<u64, Segment>,
    kind: &str,
    problems: &mut Vec<String>,
) {
    let present: Vec<u64> = trace.files(table).iter().filter_map(|path| number(path)).collect();
    for (number, segment) in segments {
        let stored = segment.kinds.get(kind).map_or(0, |sum| sum.stored);
        if stored > 0 && !present.contains(number) {
            problems
                .push(format!("{kind}: segment {number} has {stored}, but no file for `{table}`"));
        }
    }
}

/// Checks that the files have as many rows as the segments say.
fn check_rows(
    rows: &BTreeMap<(&str, u64), u64>,
    segments: &BTreeMap<u64, Segment>,
    problems: &mut Vec<String>,
) {
    for ((table, number), rows) in rows {
        let mut kinds = EVENTS.iter().filter(|event| event.table == Some(*table)).peekable();
        if kinds.peek().is_none() {
            continue;
        }
        let stored = |kind: &str| segments.get(number)?.kinds.get(kind).map(|sum| sum.stored);
        let expected: u64 = kinds.map(|event| stored(event.name).unwrap_or(0)).sum();
        if *rows != expected {
            problems.push(format!(
                "`{table}` of segment {number} has {rows} rows, but {expected} were stored"
            ));
        }
    }
}

/// Reads every file to its end; returns how many, and the rows by table and segment.
#[expect(clippy::type_complexity, reason = "it is taken apart at once")]
fn read_all(
    trace: &Trace,
    segments: &BTreeMap<u64, Segment>,
    problems: &mut Vec<String>,
) -> Result<(u64, BTreeMap<(&'static str, u64), u64>)> {
    let all: Vec<(&'static str, &Path)> = TABLES
        .iter()
        .flat_map(|table| trace.files(table.name).iter().map(|path| (table.name, path.as_path())))
        .collect();
    let read: Vec<Result<u64>> = all
        .par_iter()
        .map(|(table, path)| {
            let segment = number(path).and_then(|number| segments.get(&number));
            if let Some(expected) = segment.and_then(|segment| segment.checksums.get(*table)) {
                check_sum(path, *expected)?;
            }
            let mut rows = 0;
            for_each_batch(path, |batch| rows += batch.num_rows() as u64)?;
            Ok(rows)
        })
        .collect();
    let mut rows = BTreeMap::new();
    for ((table, path), read) in all.iter().zip(read) {
        match (read, number(path)) {
            (Ok(read), Some(number)) => _ = rows.insert((*table, number), read),
            (Err(error @ Error::Damaged { .. }), _) => problems.push(error.to_string()),
            (Err(error), _) => return Err(error),
            (Ok(_), None) => {}
        }
    }
    Ok((all.len() as u64, rows))
}

fn read_segments(trace: &Trace) -> Result<BTreeMap<u64, Segment>> {
    let mut segments: BTreeMap<u64, Segment> =
        trace.segments().iter().map(|number| (*number, Segment::default())).collect();
    for path in trace.files("segments") {
        let Some(segment) = number(path).and_then(|number| segments.get_mut(&number)) else {
            continue;
        };
        segment.checksums = checksums(path)?;
        let mut complete = true;
        for_each_batch(path, |batch| complete &= add_rows(&batch, segment).is_some())?;
        if !complete {
            return Err(other_columns(path));
        }
    }
    Ok(segments)
}

fn other_columns(path: &Path) -> Error {
    damaged(path, "it does not have the columns of the `segments` table")
}

/// What was emitted, where it is known, and lost of each kind until the last segment.
pub fn counts(trace: &Trace) -> Result<BTreeMap<String, (Option<u64>, u64)>> {
    let one = |path: &PathBuf| {
        let (mut rows, mut complete) = (Vec::new(), true);
        for_each_batch_of(path, &["kind", "emitted", "lost"], |batch| {
            let counts = counts_of(&batch);
            complete &= counts.is_some();
            rows.extend(counts.unwrap_or_default());
        })?;
        if complete { Ok(rows) } else { Err(other_columns(path)) }
    };
    let segments: Result<Vec<_>> = trace.files("segments").par_iter().map(one).collect();
    let mut counts = BTreeMap::new();
    for (kind, emitted, lost) in segments?.into_iter().flatten() {
        // They count from the start of recording.
        let count: &mut (Option<u64>, u64) = counts.entry(kind).or_default();
        *count = (count.0.max(emitted), count.1.max(lost));
    }
    Ok(counts)
}

/// The counts of a batch of `segments`; `None` if it has other columns.
fn counts_of(batch: &RecordBatch) -> Option<Vec<(String, Option<u64>, u64)>> {
    let number = |name: &str| batch.column_by_name(name)?.as_primitive_opt::<Int64Type>();
    let kinds = batch.column_by_name("kind")?.as_string_opt::<i32>()?;
    let (emitted, lost) = (number("emitted")?, number("lost")?);
    let rows = kinds.iter().zip(emitted).zip(lost).filter_map(|((kind, emitted), lost)| {
        let positive = |count: i64| u64::try_from(count).unwrap_or(0);
        Some((kind?.to_string(), emitted.map(positive), lost.map_or(0, positive)))
    });
    Some(rows.collect())
}

/// Adds the rows of a batch of `segments`; `None` if it has other columns.
fn add_rows(batch: &RecordBatch, segment: &mut Segment) -> Option<()> {
    let number = |name: &str| batch.column_by_name(name)?.as_primitive_opt::<Int64Type>();
    let kind = batch.column_by_name("kind")?.as_string_opt::<i32>()?;
    let (stored, before) = (number("stored")?, number("stored_before")?);
    let (emitted, lost) = (number("emitted")?, number("lost")?);
    let closed = batch.column_by_name("closed")?.as_boolean_opt()?;
    for row in 0..batch.num_rows() {
        let optional =
            |array: &arrow::array::Int64Array| array.is_valid(row).then(|| array.value(row) as u64);
        let sum = Sum {
            stored: stored.value(row) as u64,
            stored_before: before.value(row) as u64,
            emitted: optional(emitted),
            lost: optional(lost),
        };
        segment.kinds.insert(kind.value(row).to_string(), sum);
        segment.closed = closed.value(row);
    }
    Some(())
}

/// When the clocks or the cost of the recorder were last written: counters come with them.
fn accounted_until_ns(trace: &Trace) -> Result<Option<i64>> {
    let mut latest = None;
    for path in ["cost", "clocks"].iter().flat_map(|table| trace.files(table)) {
        for_each_batch(path, |batch| {
            let column = batch
                .column_by_name("ts")
                .and_then(|ts| ts.as_primitive_opt::<TimestampNanosecondType>());
            latest = latest.max(column.and_then(arrow::compute::max));
        })?;
    }
    Ok(latest)
}

/// The segment that a file is of.
fn number(path: &Path) -> Option<u64> {
    path.file_stem()?.to_str()?.parse().ok()
}
