//! `ebrec replay`: the trace as a stream, in the order of time.

use std::io::Write;
use std::process::ExitCode;
use std::thread::sleep;
use std::time::{Duration, Instant};

use analyzer::{Session, SessionOptions};
use anyhow::{Context, Result};
use arrow::array::{Array, AsArray, Int32Array, RecordBatch, StringArray};
use arrow::compute::kernels::cast_utils::string_to_timestamp_nanos;
use arrow::datatypes::{Int32Type, Int64Type, TimestampNanosecondType};
use clap::builder::PossibleValuesParser;
use schema::events::EVENTS;

use crate::output::{self, Format, Options, moment};
use crate::text;
use crate::traces::{self, Traces};

const EXAMPLES: &str = "\
Examples:
  ebrec replay | less
  ebrec replay --kind exec,exit --pid 1234
  ebrec replay --speed 1 --from '2026-11-22 17:44:16'";

/// Print the events of a trace in the order of time
///
/// One line for each: time (UTC), name and id of the thread, what happened, and `<seconds>` it took.
/// An event is shown if it meets all conditions that are given.
#[derive(clap::Args, Debug)]
#[command(after_long_help = EXAMPLES)]
pub struct Args {
    #[command(flatten)]
    traces: Traces,

    /// How fast: 1 is as it happened, 10 is ten times as fast, `max` does not wait
    #[arg(long, default_value = "max", value_parser = parse_speed, allow_negative_numbers = true)]
    speed: Speed,

    /// Format of the lines
    #[arg(long, value_enum, default_value_t = LineFormat::Text)]
    format: LineFormat,

    /// Only these kinds of event, separated by commas, such as syscall,exec
    #[arg(long, value_name = "KIND", value_delimiter = ',', value_parser = kinds())]
    kind: Vec<String>,

    /// Only this process
    #[arg(short, long, value_name = "PID", value_parser = parse_pid, allow_negative_numbers = true)]
    pid: Option<i32>,

    /// Only threads of this name
    #[arg(long, value_name = "NAME")]
    comm: Option<String>,

    /// Only from this time on, such as '2026-11-22 17:44:16.5' (UTC)
    #[arg(long, value_name = "TIME", value_parser = parse_time)]
    from: Option<String>,

    /// Only before this time (UTC)
    #[arg(long, value_name = "TIME", value_parser = parse_time)]
    to: Option<String>,
}

/// Format of the lines.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum LineFormat {
    /// One line of text for each event
    Text,
    /// One JSON object for each event
    Ndjson,
}

/// How fast events follow each other.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Speed {
    /// As fast as they are read.
    Max,
    /// So many times as fast as they happened.
    Times(f64),
}

fn parse_speed(text: &str) -> Result<Speed, String> {
    match text.parse::<f64>() {
        _ if text == "max" => Ok(Speed::Max),
        Ok(times) if times.is_finite() && times > 0.0 => Ok(Speed::Times(times)),
        _ => Err("expected a number above zero, or `max`".to_string()),
    }
}

fn parse_pid(text: &str) -> Result<i32, String> {
    let pid = text.parse().ok().filter(|pid| *pid >= 0);
    pid.ok_or_else(|| "expected the number of a process, such as 1234".to_string())
}

/// The time stays text: SQL reads it in the same way.
fn parse_time(text: &str) -> Result<String, String> {
    match string_to_timestamp_nanos(text) {
        Ok(_) => Ok(text.to_string()),
        Err(_) => {
            Err("expected a time in UTC, such as '2026-11-22 17:44:16.5' or '2026-11-22'"
                .to_string())
        }
    }
}

/// The kinds that the view `events` can have.
fn kinds() -> PossibleValuesParser {
    let kinds = EVENTS.iter().filter(|event| event.table.is_some());
    PossibleValuesParser::new(kinds.map(|event| event.name))
}

/// Prints the events.
pub fn run(args: Args, before: &Traces) -> Result<ExitCode> {
    let session =
        Session::open(traces::open(&args.traces.paths(before))?, SessionOptions::default())?;
    let sql = format!("SELECT * FROM events{} ORDER BY ts", filter(&args));
    let mut rows = session.sql(&sql)?;
    let schema = rows.schema().clone();
    let mut clock = Clock { speed: args.speed, start: None };
    // Events that are shown as they happened must not wait in a buffer.
    let mut out =
        if args.speed == Speed::Max { output::stdout_in_blocks() } else { output::stdout() };
    match args.format {
        LineFormat::Text => {
            let mut line = String::new();
            for batch in rows.by_ref() {
                let batch = batch?;
                let events = Events::of(&batch).context("the view `events` lacks a column")?;
                for row in 0..batch.num_rows() {
                    clock.wait_for(events.ts(row));
                    line.clear();
                    events.render(row, &mut line);
                    out.write_all(line.as_bytes())?;
                }
            }
            out.flush()?;
        }
        LineFormat::Ndjson => {
            let width = output::terminal_width();
            let options = Options { format: Format::Ndjson, is_raw: true, rows_max: None, width };
            let mut singly =
                rows.by_ref().flat_map(|batch| paced(batch, args.speed)).map(|batch| {
                    let batch = batch?;
                    if let Some(events) = Events::of(&batch).filter(|_| batch.num_rows() > 0) {
                        clock.wait_for(events.ts(0));
                    }
                    Ok(batch)
                });
            output::write(&mut singly, &schema, &options, &mut *out)?;
        }
    }
    for note in session.notes(&rows)? {
        eprintln!("note: {}", text::escape(&note.to_string()));
    }
    Ok(ExitCode::SUCCESS)
}

/// Batches of one row where events must come one by one.
fn paced(batch: Result<RecordBatch, analyzer::Error>, speed: Speed) -> Vec<Result<RecordBatch>> {
    match (batch, speed) {
        (Ok(batch), Speed::Times(_)) => {
            (0..batch.num_rows()).map(|row| Ok(batch.slice(row, 1))).collect()
        }
        (batch, _) => vec![batch.map_err(Into::into)],
    }
}

fn filter(args: &Args) -> String {
    let quoted = |text: &str| format!("'{}'", text.replace('\'', "''"));
    let mut conditions = Vec::new();
    if !args.kind.is_empty() {
        let kinds: Vec<String> = args.kind.iter().map(|kind| quoted(kind)).collect();
        conditions.push(format!("kind IN ({})", kinds.join(", ")));
    }
    conditions.extend(args.pid.map(|pid| format!("pid = {pid}")));
    conditions.extend(args.comm.as_ref().map(|comm| format!("comm = {}", quoted(comm))));
    conditions.extend(args.from.as_ref().map(|from| format!("ts >= {}", quoted(from))));
    conditions.extend(args.to.as_ref().map(|to| format!("ts < {}", quoted(to))));
    match conditions.is_empty() {
        true => String::new(),
        false => format!(" WHERE {}", conditions.join(" AND ")),
    }
}

/// Holds events back until their time.
struct Clock {
    speed: Speed,
    /// When the first event was shown, and when it happened.
    start: Option<(Instant, i64)>,
}

impl Clock {
    fn wait_for(&mut self, ts: i64) {
        let Speed::Times(times) = self.speed else {
            return;
        };
        let (shown, happened) = *self.start.get_or_insert_with(|| (Instant::now(), ts));
        let after = Duration::from_nanos(((ts - happened).max(0) as f64 / times) as u64);
        sleep(after.saturating_sub(shown.elapsed()));
    }
}

/// The columns of the view `events`.
struct Events<'a> {
    ts: &'a arrow::array::TimestampNanosecondArray,
    duration_ns: &'a arrow::array::Int64Array,
    pid: &'a Int32Array,
    tid: &'a Int32Array,
    comm: &'a StringArray,
    text: &'a StringArray,
    trace: Option<&'a StringArray>,
}

impl Events<'_> {
    fn of(batch: &RecordBatch) -> Option<Events<'_>> {
        let column = |name: &str| batch.column_by_name(name);
        Some(Events {
            ts: column("ts")?.as_primitive_opt::<TimestampNanosecondType>()?,
            duration_ns: column("duration_ns")?.as_primitive_opt::<Int64Type>()?,
            pid: column("pid")?.as_primitive_opt::<Int32Type>()?,
            tid: column("tid")?.as_primitive_opt::<Int32Type>()?,
            comm: column("comm")?.as_string_opt()?,
            text: column("text")?.as_string_opt()?,
            trace: column("trace").and_then(|column| column.as_string_opt()),
        })
    }

    fn ts(&self, row: usize) -> i64 {
        self.ts.value(row)
    }

    /// `17:44:16.123456 cat[80] read(3, ...) = 42 <0.000012>`; another thread than the first of its
    /// process is written `cat[80.81]`.
    fn render(&self, row: usize, line: &mut String) {
        use std::fmt::Write;
        let ts = moment(self.ts(row));
        // The day is left out, and what is below a microsecond.
        line.push_str(ts.get(11..26).unwrap_or(&ts));
        if let Some(trace) = self.trace {
            let _ = write!(line, " {}:", text::escape(trace.value(row)));
        }
        let comm = if self.comm.is_valid(row) { self.comm.value(row) } else { "?" };
        let (pid, tid) = (self.pid.value(row), self.tid.value(row));
        let _ = match pid == tid {
            true => write!(line, " {}[{pid}] ", text::escape(comm)),
            false => write!(line, " {}[{pid}.{tid}] ", text::escape(comm)),
        };
        if self.text.is_valid(row) {
            line.push_str(&text::escape(self.text.value(row)));
        }
        if self.duration_ns.is_valid(row) {
            let ns = self.duration_ns.value(row);
            let _ = write!(line, " <{}.{:06}>", ns / 1_000_000_000, ns % 1_000_000_000 / 1_000);
        }
        line.push('\n');
    }
}
