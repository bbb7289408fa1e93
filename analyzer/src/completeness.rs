//! What a query's tables lack: kinds of event that were not recorded, and events that were lost.

use std::fmt;

use arrow::array::AsArray;
use arrow::datatypes::Int64Type;
use schema::events::{EVENTS, EventDef, Stream};
use schema::tables::{self, Source, Table};
use store::Trace;

use crate::error::Error;
use crate::session::Session;

/// One thing that an answer lacks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Note {
    /// Which trace, when there are several.
    pub trace: Option<String>,
    /// Which table.
    pub table: String,
    /// What is missing.
    pub gap: Gap,
}

/// Why rows are missing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Gap {
    /// The recording did not ask for it.
    NotRecorded,
    /// Events were lost on their way.
    Lost {
        /// How many.
        lost: i64,
        /// Of how many, where it is known.
        emitted: Option<i64>,
    },
}

impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(trace) = &self.trace {
            write!(f, "{trace}: ")?;
        }
        match &self.gap {
            Gap::NotRecorded => write!(f, "{} was not recorded", self.table),
            Gap::Lost { lost, emitted: Some(emitted) } => write!(
                f,
                "{}: {} of {} events were lost (ebrec verify)",
                self.table,
                grouped(*lost),
                grouped(*emitted)
            ),
            Gap::Lost { lost, emitted: None } => {
                write!(f, "{}: {} events were lost (ebrec verify)", self.table, grouped(*lost))
            }
        }
    }
}

/// Digits in groups of three, for sentences.
fn grouped(n: i64) -> String {
    let digits = n.to_string();
    let mut out = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// The notes on `table` of `trace`, whose tables are in the SQL schema `schema`.
pub fn notes(
    session: &Session,
    trace: &Trace,
    schema: &str,
    label: Option<&str>,
    tables: &[&str],
) -> Result<Vec<Note>, Error> {
    let tables: Vec<&Table> = tables
        .iter()
        .filter_map(|name| tables::by_name(name.strip_suffix("_segments").unwrap_or(name)))
        .filter(|table| table.source != Source::Recorder)
        .collect();
    if tables.is_empty() {
        return Ok(Vec::new());
    }
    let counts = counts(session, schema)?;
    let mut notes = Vec::new();
    for table in tables {
        if let Some(gap) = gap(trace, table, &counts) {
            notes.push(Note {
                trace: label.map(str::to_string),
                table: table.name.to_string(),
                gap,
            });
        }
    }
    Ok(notes)
}

fn gap(trace: &Trace, table: &Table, counts: &[KindCount]) -> Option<Gap> {
    let source = schema::docs::source_name(table);
    let is_asked_for = trace.manifest().sources.iter().any(|known| known == source);
    if trace.files(table.name).is_empty()
        && !is_asked_for
        && matches!(table.source, Source::Stream(_) | Source::Stacks)
    {
        return Some(Gap::NotRecorded);
    }
    let counts = counts
        .iter()
        .filter(|count| EVENTS.iter().any(|event| event.name == count.kind && feeds(event, table)));
    let (mut lost, mut emitted) = (0, Some(0));
    for count in counts {
        lost += count.lost;
        emitted = emitted.zip(count.emitted).map(|(sum, one)| sum + one);
    }
    (lost > 0).then_some(Gap::Lost { lost, emitted })
}

/// Whether losing events of this kind leaves holes in the table.
fn feeds(event: &EventDef, table: &Table) -> bool {
    match table.source {
        Source::Stream(_) => event.table == Some(table.name),
        Source::Stacks => event.stream == Stream::Stacks,
        Source::Identity => event.stream == Stream::Processes,
        Source::Recorder => false,
    }
}

struct KindCount {
    kind: String,
    emitted: Option<i64>,
    lost: i64,
}

/// Emitted and lost of each kind until the last segment; both count from the start of recording.
fn counts(session: &Session, schema: &str) -> Result<Vec<KindCount>, Error> {
    let schema = schema.replace('"', "\"\"");
    let sql = format!(
        "SELECT kind, max(emitted), coalesce(max(lost), 0) FROM \"{schema}\".segments WHERE kind IS NOT NULL GROUP BY kind"
    );
    let mut counts = Vec::new();
    for batch in session.sql(&sql)? {
        let batch = batch?;
        let kinds = batch.column(0).as_string::<i32>();
        let emitted = batch.column(1).as_primitive::<Int64Type>();
        let lost = batch.column(2).as_primitive::<Int64Type>();
        counts.extend(kinds.iter().zip(emitted).zip(lost).map(|((kind, emitted), lost)| {
            KindCount {
                kind: kind.unwrap_or_default().to_string(),
                emitted,
                lost: lost.unwrap_or_default(),
            }
        }));
    }
    Ok(counts)
}
