//! `ebrec explain`: one process across all tables.

use std::io::Write;
use std::process::ExitCode;
use std::time::Duration;

use analyzer::{Filter, Gap, Moment, Rows, Session, SessionOptions};
use anyhow::Result;
use arrow::array::{Array, AsArray};

use crate::filter::parse_moment;
use crate::output::{self, Column, Format, Long, Options, write_table};
use crate::text;
use crate::traces::{self, Traces};

/// Rows of the time line unless told otherwise.
const ROWS_MAX: usize = 40;

/// Stretches that a whole life is told in.
const STRETCHES: i64 = 12;

const EXAMPLES: &str = "\
Examples:
  ebrec explain --pid 1234
  ebrec explain --pid 1234 --at '2026-11-22 17:44:16.5'
  ebrec explain --pid 1234 --at +10s --around 50ms --rows 0";

/// Tell what one process was and did, on one time line of all tables
///
/// First what is known of it, in numbers; then what it did in the order of time. Events that are many, such as system
/// calls of one name, are told together; with --at, every event around that moment is told on its own.
#[derive(clap::Args, Debug)]
#[command(after_long_help = EXAMPLES)]
pub struct Args {
    #[command(flatten)]
    traces: Traces,

    /// The process
    #[arg(short, long, value_name = "PID", value_parser = clap::value_parser!(i32).range(0..))]
    pid: i32,

    /// Tell what happened around this time: '2026-11-22 17:44:16.5' (UTC), +10s after the first event, -10s before the last
    #[arg(long, value_name = "TIME", value_parser = parse_moment, allow_hyphen_values = true)]
    at: Option<Moment>,

    /// How long before and after --at
    #[arg(long, value_name = "TIME", default_value = "100ms", value_parser = humantime::parse_duration, requires = "at")]
    around: Duration,

    /// Most rows of the time line; 0 for all
    #[arg(long, value_name = "N", default_value_t = ROWS_MAX)]
    rows: usize,

    /// In tables, write numbers as they are, without units
    #[arg(long)]
    raw: bool,
}

/// Prints the facts, and the time line.
pub fn run(args: Args, before: &Traces) -> Result<ExitCode> {
    let paths = args.traces.paths(before);
    let filter = Filter { pids: vec![args.pid], ..Default::default() };
    let options = SessionOptions { filter, ..Default::default() };
    let mut session = Session::open(traces::open(&paths)?, options)?;
    let mut out = output::stdout();
    let mut rows = analyzer::explain::facts(&session)?;
    let mut notes = session.notes(&rows)?;
    let mut limits = session.limits(&rows);
    print_facts(rows.by_ref(), &mut *out)?;
    writeln!(out)?;
    let (first, last) = session.whole_bounds()?.unwrap_or((0, 0));
    let every = match args.at {
        Some(moment) => {
            let at = moment.ns(first, last);
            let around = i64::try_from(args.around.as_nanos()).unwrap_or(i64::MAX);
            session.look_at(at.saturating_sub(around), at.saturating_add(around))?;
            0
        }
        None => ((last - first) / STRETCHES).max(1),
    };
    let mut rows = analyzer::explain::timeline(&session, every)?;
    notes.extend(session.notes(&rows)?);
    limits.extend(session.limits(&rows));
    let left_off = print_timeline(&mut rows, &args, &mut *out)?;
    writeln!(out)?;
    if left_off > 0 {
        writeln!(
            out,
            "{left_off} more rows; --rows 0 shows all, --at tells one moment in detail."
        )?;
    }
    notes.retain(|note| note.gap != Gap::NotRecorded);
    let mut lines: Vec<String> = notes.iter().map(|note| format!("Incomplete: {note}.")).collect();
    lines.extend(limits.iter().map(|limit| format!("Recorded: {limit}.")));
    lines.sort();
    lines.dedup();
    if notes.is_empty() {
        lines.push("Complete: nothing was lost of what this is made of.".to_string());
    }
    for line in lines {
        writeln!(out, "{}", text::escape(&line))?;
    }
    Ok(ExitCode::SUCCESS)
}

fn print_facts(rows: &mut Rows, out: &mut dyn Write) -> Result<()> {
    let columns = [Column::whole("process"), Column::text("")];
    let mut lines = Vec::new();
    for batch in rows {
        let batch = batch?;
        let (what, value) =
            (batch.column(1).as_string::<i32>(), batch.column(2).as_string::<i32>());
        for row in (0..batch.num_rows()).filter(|row| value.is_valid(*row)) {
            lines.push(vec![
                what.value(row).to_string(),
                text::escape(value.value(row)).into_owned(),
            ]);
        }
    }
    Ok(write_table(&columns, &lines, Long::Wrapped, output::terminal_width(), out)?)
}

/// Prints the time line, and tells how many rows were left off.
fn print_timeline(rows: &mut Rows, args: &Args, out: &mut dyn Write) -> Result<usize> {
    let schema = rows.schema().clone();
    let options = Options {
        format: Format::Table,
        is_raw: args.raw,
        rows_max: Some(args.rows).filter(|rows| *rows > 0),
        width: output::terminal_width(),
    };
    let mut batches = rows.by_ref().map(|batch| batch.map_err(anyhow::Error::from));
    Ok(output::write(&mut batches, &schema, &options, out)?.left_off)
}
