//! What programs did in a recording: the queries of `queries/baseline/`, row by row.
//!
//! A file there has rows of things (`section`, `program`, `item`, ...) or of rates (`rate`, `program`, `ts`, ...). They
//! are aggregated in SQL: what comes out does not grow with the number of events.

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Int64Type, TimeUnit};

use super::Section;
use crate::completeness::{Gap, Limit, Note};
use crate::error::Error;
use crate::header::{self, Header};
use crate::library;
use crate::params::Values;
use crate::session::Session;

/// What the rows of programs themselves have in the place of a section.
pub const PROGRAMS: &str = "programs";

/// Bytes of a text that are kept.
pub const TEXT_MAX: usize = 4096;

/// The columns of things and of rates.
const COLUMNS: [&str; 10] =
    ["section", "program", "item", "times", "processes", "ts", "host", "upid", "pid", "example"];
const RATE_COLUMNS: [&str; 7] = ["rate", "program", "ts", "host", "upid", "pid", "value"];

/// The first time that something was done.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct First {
    /// When; nanoseconds since 1970.
    pub ts: Option<i64>,
    /// Machine.
    pub host: String,
    /// Process for good.
    pub upid: Option<i64>,
    /// Process id.
    pub pid: Option<i64>,
    /// As it was then, not generalised.
    pub example: String,
}

/// Something that a program did.
#[derive(Debug, Clone)]
pub enum Observation {
    /// It is there.
    Program { program: String, processes: u64, first: First },
    /// It did something.
    Thing {
        section: Section,
        program: String,
        item: String,
        times: u64,
        processes: u64,
        first: First,
    },
    /// In a second, it did so much.
    Second { rate: String, program: String, value: u64, first: First },
}

/// What a recording could show.
#[derive(Debug, Clone, Default)]
pub struct Seen {
    /// Sections and rates that it could.
    pub recorded: Vec<String>,
    /// What was lost of the tables.
    pub notes: Vec<Note>,
    /// What was left out of them.
    pub limits: Vec<Limit>,
}

/// The queries: name of the file, header, SQL.
fn queries() -> impl Iterator<Item = (&'static str, Header, &'static str)> {
    library::folder("baseline")
        .map(|(_, name, sql)| (*name, header::parse(sql).unwrap_or_default(), *sql))
}

/// Sections and rates that a query has rows of.
fn subjects(name: &str) -> &[&str] {
    match name {
        "files" => &["reads", "writes", "executes", "looks"],
        "bytes_per_second" => &["sent_bytes_per_second", "received_bytes_per_second"],
        _ => &[],
    }
}

/// Tells all that programs did, the programs themselves first. Of sections and rates for which `is_wanted` is false,
/// nothing is looked for.
pub fn observe(
    session: &Session,
    is_wanted: &dyn Fn(&str) -> bool,
    tell: &mut dyn FnMut(Observation) -> Result<(), Error>,
) -> Result<Seen, Error> {
    let mut seen = Seen::default();
    let mut queries: Vec<_> = queries().collect();
    queries.sort_by_key(|(name, ..)| *name != PROGRAMS);
    for (name, header, sql) in queries {
        let subjects = if subjects(name).is_empty() { &[name][..] } else { subjects(name) };
        let is_there = header.needs.iter().all(|table| session.is_recorded(table));
        if !is_there || !subjects.iter().any(|subject| is_wanted(subject)) {
            continue;
        }
        seen.recorded.extend(subjects.iter().map(|subject| subject.to_string()));
        let mut rows = session.sql_with(sql, &Values::new())?;
        seen.notes.extend(session.notes(&rows)?);
        seen.limits.extend(session.limits(&rows));
        for batch in rows.by_ref() {
            let batch = batch?;
            match batch.column_by_name("rate") {
                Some(_) => seconds(&batch, tell)?,
                None => things(&batch, tell)?,
            }
        }
    }
    // What a view could have read besides, and nobody asked to record, is not missing.
    seen.notes.retain(|note| note.gap != Gap::NotRecorded);
    seen.notes.sort_by_key(|note| note.to_string());
    seen.notes.dedup();
    seen.limits.sort_by_key(|limit| limit.to_string());
    seen.limits.dedup();
    Ok(seen)
}

fn things(
    batch: &RecordBatch,
    tell: &mut dyn FnMut(Observation) -> Result<(), Error>,
) -> Result<(), Error> {
    let [section, program, item] = ["section", "program", "item"].map(|name| texts(batch, name));
    let (section, program, item) = (section?, program?, item?);
    let (times, processes) = (numbers(batch, "times")?, numbers(batch, "processes")?);
    let firsts = Firsts::of(batch, texts(batch, "example")?)?;
    for row in 0..batch.num_rows() {
        let (Some(section), Some(program)) = (section.get(row), program.get(row)) else { continue };
        let (times, processes) = (count(times.get(row)), count(processes.get(row)));
        let first = firsts.get(row);
        if section == PROGRAMS {
            tell(Observation::Program { program, processes, first })?;
            continue;
        }
        let known = Section::by_name(&section)
            .ok_or_else(|| Error::Run(format!("there is no section {section} of baselines")))?;
        let Some(item) = item.get(row) else { continue };
        tell(Observation::Thing { section: known, program, item, times, processes, first })?;
    }
    Ok(())
}

fn seconds(
    batch: &RecordBatch,
    tell: &mut dyn FnMut(Observation) -> Result<(), Error>,
) -> Result<(), Error> {
    let (rate, program) = (texts(batch, "rate")?, texts(batch, "program")?);
    let value = numbers(batch, "value")?;
    let firsts = Firsts::of(batch, texts(batch, "rate")?)?;
    for row in 0..batch.num_rows() {
        let (Some(rate), Some(program)) = (rate.get(row), program.get(row)) else { continue };
        let value = count(value.get(row));
        tell(Observation::Second { rate, program, value, first: firsts.get(row) })?;
    }
    Ok(())
}

fn count(number: Option<i64>) -> u64 {
    number.and_then(|number| u64::try_from(number).ok()).unwrap_or(0)
}

/// The columns that say when and where.
struct Firsts {
    ts: Numbers,
    host: Texts,
    upid: Numbers,
    pid: Numbers,
    example: Texts,
}

impl Firsts {
    fn of(batch: &RecordBatch, example: Texts) -> Result<Firsts, Error> {
        let ts = cast(column(batch, "ts")?, &DataType::Timestamp(TimeUnit::Nanosecond, None));
        let ts = ts.and_then(|ts| cast(&ts, &DataType::Int64)).map_err(failed)?;
        Ok(Firsts {
            ts: Numbers(ts),
            host: texts(batch, "host")?,
            upid: numbers(batch, "upid")?,
            pid: numbers(batch, "pid")?,
            example,
        })
    }

    fn get(&self, row: usize) -> First {
        First {
            ts: self.ts.get(row),
            host: self.host.get(row).unwrap_or_default(),
            upid: self.upid.get(row),
            pid: self.pid.get(row),
            example: self.example.get(row).unwrap_or_default(),
        }
    }
}

struct Texts(ArrayRef);
struct Numbers(ArrayRef);

impl Texts {
    fn get(&self, row: usize) -> Option<String> {
        let texts = self.0.as_string::<i32>();
        if texts.is_null(row) {
            return None;
        }
        let text = texts.value(row);
        Some(text[..text.floor_char_boundary(TEXT_MAX)].to_string())
    }
}

impl Numbers {
    fn get(&self, row: usize) -> Option<i64> {
        let numbers = self.0.as_primitive::<Int64Type>();
        numbers.is_valid(row).then(|| numbers.value(row))
    }
}

fn texts(batch: &RecordBatch, name: &str) -> Result<Texts, Error> {
    cast(column(batch, name)?, &DataType::Utf8).map(Texts).map_err(failed)
}

fn numbers(batch: &RecordBatch, name: &str) -> Result<Numbers, Error> {
    cast(column(batch, name)?, &DataType::Int64).map(Numbers).map_err(failed)
}

fn column<'a>(batch: &'a RecordBatch, name: &str) -> Result<&'a ArrayRef, Error> {
    batch
        .column_by_name(name)
        .ok_or_else(|| Error::Run(format!("a query of a baseline has no column {name}")))
}

fn failed(error: arrow::error::ArrowError) -> Error {
    Error::Run(error.to_string())
}

/// What is wrong with the queries, planned over tables without rows.
pub fn lint(session: &Session) -> Vec<String> {
    let mut wrong = Vec::new();
    for (_, name, sql) in library::folder("baseline") {
        let planned = header::parse(sql).map_err(Error::Report).and_then(|_| {
            let query = session.parse(sql)?;
            session.plan(query.first().ok_or_else(|| Error::Report("no SQL".into()))?)
        });
        match planned {
            Err(error) => wrong.push(format!("baseline/{name}: {error}")),
            Ok(plan) => {
                let columns: Vec<&str> =
                    plan.schema().fields().iter().map(|field| field.name().as_str()).collect();
                if columns != COLUMNS && columns != RATE_COLUMNS {
                    wrong.push(format!("baseline/{name}: it has the columns {columns:?}"));
                }
            }
        }
    }
    wrong
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_queries_have_the_columns_that_are_read() {
        let session = Session::empty().unwrap();
        assert_eq!(lint(&session), [] as [String; 0]);
    }

    #[test]
    fn every_section_has_a_query() {
        let mut known: Vec<&str> = queries()
            .flat_map(|(name, ..)| {
                let subjects = subjects(name);
                if subjects.is_empty() { vec![name] } else { subjects.to_vec() }
            })
            .filter(|name| !name.ends_with("_per_second") && *name != PROGRAMS)
            .collect();
        known.sort_unstable();
        let mut sections = Section::ALL.map(Section::name);
        sections.sort_unstable();
        assert_eq!(known, sections);
    }
}
