//! What a query's tables lack: kinds of event that were not recorded, events that were lost, and what the
//! recording was asked to leave out.

use std::fmt;

use arrow::array::AsArray;
use arrow::datatypes::Int64Type;
use schema::events::{EVENTS, EventDef, Stream};
use schema::human;
use schema::tables::{self, Source, Table};
use serde_json::Value;
use store::Trace;
use store::trace::Ending;

use crate::error::Error;
use crate::scope::Range;
use crate::session::Session;

/// More names than this are not told one by one.
const MANY: usize = 12;

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
                human::grouped(*lost),
                human::grouped(*emitted)
            ),
            Gap::Lost { lost, emitted: None } => {
                write!(
                    f,
                    "{}: {} events were lost (ebrec verify)",
                    self.table,
                    human::grouped(*lost)
                )
            }
        }
    }
}

/// What a recording left out because it was asked to, or could not know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limit {
    /// Which trace, when there are several.
    pub trace: Option<String>,
    /// What is there, in words: "only processes of the control group /x".
    pub what: String,
    /// Whether numbers are estimated from a sample.
    pub is_sample: bool,
}

impl fmt::Display for Limit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(trace) = &self.trace {
            write!(f, "{trace}: ")?;
        }
        f.write_str(&self.what)
    }
}

/// The notes on `tables` of `trace`, whose tables are in the SQL schema `schema`.
pub fn notes(
    session: &Session,
    trace: &Trace,
    schema: &str,
    label: Option<&str>,
    range: Range,
    tables: &[&str],
) -> Result<Vec<Note>, Error> {
    let tables: Vec<&Table> = tables
        .iter()
        .filter_map(|name| tables::by_name(name))
        .filter(|table| table.source != Source::Recorder)
        .collect();
    if tables.is_empty() {
        return Ok(Vec::new());
    }
    let counts = counts(session, trace, schema, range)?;
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

/// Whether a trace has what fills a table.
pub fn is_recorded(trace: &Trace, table: &Table) -> bool {
    let source = schema::docs::source_name(table);
    let is_asked_for = trace.manifest().sources.iter().any(|known| known == source);
    is_asked_for
        || !trace.files(table.name).is_empty()
        || !matches!(table.source, Source::Stream(_) | Source::Stacks)
}

fn gap(trace: &Trace, table: &Table, counts: &[KindCount]) -> Option<Gap> {
    if !is_recorded(trace, table) {
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

/// Emitted and lost of each kind: until the last segment; or lost in the intervals that a range of time touches,
/// when nobody knows how many were emitted.
fn counts(
    session: &Session,
    trace: &Trace,
    schema: &str,
    range: Range,
) -> Result<Vec<KindCount>, Error> {
    if range.is_all() {
        let counts = store::verify::counts(trace).map_err(|error| Error::Run(error.to_string()))?;
        let count = |(kind, (emitted, lost)): (String, (Option<u64>, u64))| KindCount {
            kind,
            emitted: emitted.map(|emitted| emitted as i64),
            lost: lost as i64,
        };
        return Ok(counts.into_iter().map(count).collect());
    }
    let sql = format!(
        "SELECT kind, sum(lost) FROM \"{}\".loss \
         WHERE CAST(ts AS BIGINT) < {} AND CAST(ts AS BIGINT) + duration_ns >= {} GROUP BY kind",
        schema.replace('"', "\"\""),
        range.to.unwrap_or(i64::MAX),
        range.from.unwrap_or(i64::MIN + 1)
    );
    let mut counts = Vec::new();
    for batch in session.sql(&sql)? {
        let batch = batch?;
        let kinds = batch.column(0).as_string::<i32>();
        let lost = batch.column(1).as_primitive::<Int64Type>();
        counts.extend(kinds.iter().zip(lost).map(|(kind, lost)| KindCount {
            kind: kind.unwrap_or_default().to_string(),
            emitted: None,
            lost: lost.unwrap_or_default(),
        }));
    }
    Ok(counts)
}

/// The system calls that were asked for; a set of them would fill a page.
fn named_syscalls(names: &[String]) -> String {
    match names {
        [first, .., last] if names.len() > MANY => format!(
            "only {} system calls, from {first} to {last} (trace.json has all of them)",
            names.len()
        ),
        _ => format!("only the system calls {}", names.join(", ")),
    }
}

/// What `trace` leaves out of `tables`, by the settings of its recording.
pub fn limits(trace: &Trace, label: Option<&str>, tables: &[&str]) -> Vec<Limit> {
    let options = &trace.manifest().options;
    let texts = |name: &str| -> Vec<String> {
        let values = options.get(name).and_then(Value::as_array);
        let text = |value: &Value| match value {
            Value::String(text) => text.clone(),
            other => other.to_string(),
        };
        values.map(|values| values.iter().map(text).collect()).unwrap_or_default()
    };
    let number = |name: &str| options.get(name).and_then(Value::as_i64).unwrap_or(0);
    let reads = |table: &str| tables.contains(&table);
    let mut limits = Vec::new();
    let mut add = |is_so: bool, what: String, is_sample: bool| {
        if is_so {
            limits.push(Limit { trace: label.map(str::to_string), what, is_sample });
        }
    };
    let mut scope = Vec::new();
    if let Some(command) = &trace.manifest().command {
        scope.push(format!("the command {} and its children", command.join(" ")));
    }
    let lists = [("pids", "process"), ("cgroups", "control group"), ("containers", "container")];
    for (name, what) in lists {
        let texts = texts(name);
        if !texts.is_empty() {
            scope.push(format!("{what} {}", texts.join(", ")));
        }
    }
    if let Some(comm) = options.get("comm").and_then(Value::as_str) {
        scope.push(format!("threads named {comm}"));
    }
    add(!scope.is_empty(), format!("only {}", scope.join("; ")), false);
    let syscalls = texts("syscalls");
    add(reads("syscalls") && !syscalls.is_empty(), named_syscalls(&syscalls), false);
    let size = number("allocation_size_min_bytes");
    add(
        reads("allocations") && size > 0,
        format!("only allocations of {} and more", human::bytes(size)),
        false,
    );
    let one_in = number("allocation_one_in");
    add(
        reads("allocations") && one_in > 1,
        format!("one of {one_in} allocations, by its address: numbers are estimates"),
        true,
    );
    let min = number("offcpu_min_ns");
    let is_of_sched = |table: &&str| {
        tables::by_name(table).is_some_and(|table| table.source == Source::Stream(Stream::Sched))
    };
    let reads_waits = tables.iter().any(is_of_sched);
    add(
        reads("stacks") && reads_waits && min > 0,
        format!("stacks only of intervals off the CPU of {} and more", human::duration(min)),
        false,
    );
    let is_crashed = trace.ending() == Ending::Crashed;
    add(
        is_crashed,
        "the recorder died: nobody knows what came after its last second".into(),
        false,
    );
    limits
}
