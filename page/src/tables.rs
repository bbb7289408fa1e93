//! The reports as tables: each is run once; its first rows are on the page, and it says how many there are.

use std::collections::BTreeMap;

use analyzer::check::Cell;
use analyzer::{JOBS, Limit, Note, Report, Reports, Session};
use serde::Serialize;
use serde_json::{Value, json};

use crate::axis::Axis;
use crate::clean::Cleaner;
use crate::error::Error;
use crate::names::Processes;
use crate::rows::{self, Unit};

/// Rows of a table that are on the page.
const ROWS_MAX: usize = 300;

/// Bytes that the rows of a table may take on the page: long texts leave room for fewer rows.
const BYTES_MAX: usize = 100_000;

/// Letters of a text in a cell.
const TEXT_MAX: usize = 240;

/// What is shown first of each job, with parameters that make a better first look than the defaults.
const FIRST: [(&str, &[(&str, &str)]); 21] = [
    ("top_talkers", &[("by", "pair")]),
    ("connections", &[]),
    ("connect_latency", &[]),
    ("retransmits", &[]),
    ("dns", &[]),
    ("syscalls", &[]),
    ("syscall_errors", &[]),
    ("file_io", &[]),
    ("slow_syscalls", &[]),
    ("leaks", &[]),
    ("heap_peak", &[]),
    ("memory_growth", &[]),
    ("memory_usage", &[]),
    ("process_tree", &[]),
    ("exits", &[]),
    ("containers", &[]),
    ("bottlenecks", &[]),
    ("lock_contention", &[]),
    ("cpu_hotspots", &[]),
    ("offcpu", &[]),
    ("runqueue_latency", &[]),
];

/// Of those, the ones that are open when the page is.
const OPEN_OF_JOB: usize = 2;

/// A report as a table.
pub struct Table {
    /// The name of the report.
    pub name: String,
    /// The job that it is of.
    pub job: String,
    /// Title.
    pub title: String,
    /// The question that it answers.
    pub question: String,
    /// How to read it: what the report says about itself beyond the question.
    pub doc: String,
    /// What the answer does not say.
    pub caveats: Vec<String>,
    /// The command that makes it.
    pub command: String,
    /// The query.
    pub sql: String,
    /// Columns.
    pub columns: Vec<Column>,
    /// Rows.
    pub rows: Vec<Vec<Cell>>,
    /// Rows there are, those included that are not on the page.
    pub total: usize,
    /// Of each row, the number of the process's name, where there is one that can be chosen.
    pub who: Vec<Option<usize>>,
    /// The column that says when a row began, and the one that says how long it lasted.
    pub when: Option<(usize, Option<usize>)>,
    /// What it lacks.
    pub notes: Vec<String>,
    /// Whether it is open when the page is.
    pub is_open: bool,
}

/// A column.
pub struct Column {
    /// Its name.
    pub name: String,
    /// The name without its unit.
    pub label: String,
    /// What it measures.
    pub unit: Unit,
    /// What it means.
    pub doc: String,
    /// Whether a bar shows it.
    pub is_bar: bool,
    /// Its largest value, for bars.
    pub max: f64,
}

/// Whose rows say when something happened as a distance from the first event.
const OFFSETS: [&str; 2] = ["at_ns", "started_ns"];

/// Columns that name a process, the best first.
const WHO: [&str; 4] = ["comm", "process", "who", "wakee"];

/// A report that is not on the page, and why.
pub struct Missing {
    /// The job that it is of.
    pub job: String,
    /// Its title.
    pub title: String,
    /// Why, in a sentence.
    pub why: String,
}

/// Makes a table of every report for which the tables were recorded.
pub fn read(
    session: &Session,
    reports: &Reports,
    axis: &Axis,
    processes: &Processes,
    names: &dyn Fn(&str) -> Option<usize>,
    command: &dyn Fn(&str) -> String,
) -> Result<(Vec<Table>, Vec<Missing>), Error> {
    let (mut tables, mut missing) = (Vec::new(), Vec::new());
    for report in ordered(reports) {
        let lacks: Vec<&str> = report
            .header
            .needs
            .iter()
            .filter(|table| !session.is_recorded(table))
            .map(String::as_str)
            .collect();
        let mut miss = |why: String| {
            let (job, title) = (report.job.clone(), report.header.title.clone());
            missing.push(Missing { job, title, why });
        };
        if !lacks.is_empty() {
            miss(format!("{} was not recorded", lacks.join(", ")));
            continue;
        }
        // One report that fails does not keep the others from being shown.
        match one(session, report, axis, processes, names, command) {
            Ok(table) => tables.push(table),
            Err(error) => miss(error.to_string()),
        }
    }
    let mut open: BTreeMap<String, usize> = BTreeMap::new();
    for table in &mut tables {
        let count = open.entry(table.job.clone()).or_default();
        table.is_open = *count < OPEN_OF_JOB && table.total > 0 && first(&table.name).is_some();
        *count += usize::from(table.is_open);
    }
    Ok((tables, missing))
}

/// Where a report stands among those that are shown first.
fn first(name: &str) -> Option<usize> {
    FIRST.iter().position(|(known, _)| *known == name)
}

/// By job; in a job first what most people look for. Lists of single events are for `ebrec explain`.
fn ordered(reports: &Reports) -> Vec<&Report> {
    let mut all = reports.all();
    all.retain(|report| {
        let is_list = report.header.plot.as_ref().is_some_and(|plot| plot.kind == "timeline");
        !is_list || first(&report.name).is_some()
    });
    let job = |report: &Report| {
        JOBS.iter().position(|(known, _)| *known == report.job).unwrap_or(JOBS.len())
    };
    all.sort_by_key(|report| {
        (job(report), first(&report.name).unwrap_or(FIRST.len()), report.name.clone())
    });
    all
}

/// The parameters that a report gets on the page.
fn given(report: &Report, axis: &Axis) -> Vec<(String, String)> {
    let mut given: Vec<(String, String)> = FIRST
        .iter()
        .filter(|(name, _)| *name == report.name)
        .flat_map(|(_, params)| {
            params.iter().map(|(name, value)| (name.to_string(), value.to_string()))
        })
        .collect();
    for param in &report.header.params {
        // Stretches as long as fit the recording; flows are counted by the second.
        let least = match param.name.as_str() {
            "every" => 0,
            "bucket" => 1_000_000_000,
            _ => continue,
        };
        let ns = axis.report_width().max(least);
        given.push((param.name.clone(), span_option(ns)));
    }
    given
}

/// A length as an option takes it; it is round, so that one unit is enough.
fn span_option(ns: i64) -> String {
    match ns {
        ns if ns % 1_000_000_000 == 0 => format!("{}s", ns / 1_000_000_000),
        ns if ns % 1_000_000 == 0 => format!("{}ms", ns / 1_000_000),
        ns => format!("{ns}ns"),
    }
}

fn one(
    session: &Session,
    report: &Report,
    axis: &Axis,
    processes: &Processes,
    names: &dyn Fn(&str) -> Option<usize>,
    command: &dyn Fn(&str) -> String,
) -> Result<Table, Error> {
    let given = given(report, axis);
    let mut answer = report.run(session, &report.values(&given)?)?;
    let notes = session.notes(&answer)?;
    let limits = session.limits(&answer);
    let fields: Vec<(String, bool, bool)> = answer
        .schema()
        .fields()
        .iter()
        .map(|field| {
            let is_moment = matches!(field.data_type(), arrow::datatypes::DataType::Timestamp(..));
            (field.name().clone(), field.data_type().is_numeric(), is_moment)
        })
        .collect();
    let taken = rows::take(&mut answer, ROWS_MAX)?;
    let plotted = |name: &str| {
        report.header.plot.iter().any(|plot| plot.columns.iter().skip(1).any(|known| known == name))
    };
    let columns: Vec<Column> = fields
        .iter()
        .enumerate()
        .map(|(index, (name, is_number, is_moment))| {
            let about = report.header.columns.iter().find(|column| column.name == *name);
            let unit = match (is_number, is_moment) {
                (_, true) => Unit::Moment,
                (true, _) => Unit::of_name(name),
                _ => Unit::Text,
            };
            let number = |row: &Vec<Cell>| row.get(index).and_then(as_number);
            Column {
                // Where the unit is all that tells two columns apart, it stays.
                label: match label(name, unit) {
                    short
                        if fields.iter().any(|(other, _, _)| {
                            other.replace('_', " ") == short && other != name
                        }) =>
                    {
                        name.replace('_', " ")
                    }
                    short => short,
                },
                unit,
                doc: about.map(|column| column.doc.clone()).unwrap_or_default(),
                is_bar: unit.is_number() && plotted(name),
                max: taken.rows.iter().filter_map(number).fold(0.0, f64::max),
                name: name.clone(),
            }
        })
        .collect();
    let place = |name: &str| columns.iter().position(|column| column.name == name);
    let length = place("duration_ns");
    let when = columns
        .iter()
        .position(|column| column.unit == Unit::Moment)
        .or_else(|| OFFSETS.iter().find_map(|name| place(name)))
        .map(|begin| (begin, length.filter(|_| report.name != "connections")));
    let pid = place("pid");
    let called = WHO.iter().find_map(|name| place(name)).filter(|_| report.name != "process_tree");
    let who = taken
        .rows
        .iter()
        .map(|row| {
            let pid = pid.and_then(|pid| rows::integer(&row[pid]));
            let called = called.and_then(|called| rows::text(&row[called]));
            names(processes.of_row(pid, called)?)
        })
        .collect();
    let options: Vec<String> = given
        .iter()
        .map(|(name, value)| format!(" --{} {value}", name.replace('_', "-")))
        .collect();
    let question = report.header.question().to_string();
    Ok(Table {
        name: report.name.clone(),
        job: report.job.clone(),
        title: report.header.title.clone(),
        doc: report.header.doc[question.len()..].trim().to_string(),
        question,
        caveats: report.header.caveats.clone(),
        command: command(&format!("report {}{}", report.name, options.concat())),
        sql: report.sql.clone(),
        columns,
        total: taken.total,
        rows: taken.rows,
        who,
        when,
        notes: lacks(report, &notes, &limits),
        is_open: false,
    })
}

/// A number in a cell.
pub fn as_number(cell: &Cell) -> Option<f64> {
    match cell {
        Cell::Integer(n) => Some(*n as f64),
        Cell::Number(n) => Some(*n),
        _ => None,
    }
}

/// A column's name without its unit, in words.
fn label(name: &str, unit: Unit) -> String {
    let ending = match unit {
        Unit::Ns => "_ns",
        Unit::Bytes => "_bytes",
        Unit::BytesPerSecond => "_bytes_per_second",
        Unit::Percent => "_percent",
        _ => "",
    };
    let label = name.strip_suffix(ending).unwrap_or(name).replace('_', " ");
    if unit == Unit::Percent { format!("{label} %") } else { label }
}

/// What an answer lacks, in sentences.
fn lacks(report: &Report, notes: &[Note], limits: &[Limit]) -> Vec<String> {
    let mut lines: Vec<String> = notes.iter().map(|note| format!("Incomplete: {note}.")).collect();
    lines.extend(report.bounds(notes));
    let samples = limits.iter().filter(|limit| limit.is_sample);
    lines.extend(samples.map(|limit| format!("Recorded: {limit}.")));
    lines
}

impl Table {
    /// Makes its texts safe to show, and leaves off rows for which there is no room.
    pub fn clean(&mut self, cleaner: &Cleaner) {
        let mut bytes = 0;
        let mut kept = 0;
        for row in &mut self.rows {
            for (cell, column) in row.iter_mut().zip(&self.columns) {
                if let Cell::Text(text) = cell {
                    // The tree of processes shows arguments under another name.
                    let is_argv = self.name == "process_tree" && column.name == "process";
                    let name = if is_argv { "argv" } else { &column.name };
                    let indent = text.len() - text.trim_start_matches(' ').len();
                    let clean = cut(&cleaner.cell(name, text.trim_start_matches(' ')));
                    *text = format!("{}{clean}", " ".repeat(indent));
                    bytes += text.len();
                }
                bytes += 8;
            }
            if bytes > BYTES_MAX {
                break;
            }
            kept += 1;
        }
        self.rows.truncate(kept.max(1));
        self.who.truncate(self.rows.len());
        for note in &mut self.notes {
            *note = cleaner.text(note);
        }
    }

    /// What the script needs of it.
    pub fn data(&self, axis: &Axis) -> TableData {
        let column = |column: &Column| json!([column.name, column.unit.name(), column.is_bar]);
        let cell = |cell: &Cell| match cell {
            Cell::Moment(ns) => whole(ns.saturating_sub(axis.first)),
            Cell::Integer(n) => whole(*n),
            other => other.json(),
        };
        let (begin, length) =
            self.when.map_or((None, None), |(begin, length)| (Some(begin), length));
        TableData {
            columns: self.columns.iter().map(column).collect(),
            rows: self.rows.iter().map(|row| row.iter().map(cell).collect()).collect(),
            total: self.total,
            begin,
            shift: match begin.map(|begin| self.columns[begin].unit) {
                Some(Unit::Moment) | None => 0,
                Some(_) => axis.shift(),
            },
            length,
            who: match self.who.iter().any(Option::is_some) {
                true => Some(self.who.clone()),
                false => None,
            },
        }
    }
}

/// A text with the middle left out if it is long; the end of a stack or a path says most.
fn cut(text: &str) -> String {
    let count = text.chars().count();
    if count <= TEXT_MAX {
        return text.to_string();
    }
    let begin: String = text.chars().take(TEXT_MAX / 3).collect();
    let end: String = text.chars().skip(count - TEXT_MAX * 2 / 3).collect();
    format!("{begin} … {end}")
}

/// A whole number as JSON: as text where JavaScript has no room for it.
fn whole(n: i64) -> Value {
    const EXACT: u64 = 1 << 53;
    if n.unsigned_abs() <= EXACT { json!(n) } else { json!(n.to_string()) }
}

/// A table for the script.
#[derive(Serialize)]
pub struct TableData {
    /// Name, unit, whether a bar shows it.
    pub columns: Vec<Value>,
    /// Cells; a moment is a distance from the beginning.
    pub rows: Vec<Vec<Value>>,
    /// Rows there are.
    pub total: usize,
    /// The column that says when a row began.
    pub begin: Option<usize>,
    /// What to take from it, when it counts from the first event on and not from the beginning of the axis.
    pub shift: i64,
    /// The column that says how long it lasted.
    pub length: Option<usize>,
    /// Of each row, the number of the process's name.
    pub who: Option<Vec<Option<usize>>>,
}
