//! `ebrec query`: SQL over traces.

use std::io::{self, IsTerminal, Read, Write};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Instant;

use analyzer::{Error, Query, Session, SessionOptions};
use anyhow::{Context, Result, bail};
use schema::human;

use super::shell;
use crate::output::{self, Format, Options, Written};
use crate::text;
use crate::traces::{self, Traces};

/// Rows that a table shows unless told otherwise.
const ROWS_MAX: usize = 1000;

const EXAMPLES: &str = "\
Examples:
  ebrec query \"SELECT comm, count(*) FROM syscalls GROUP BY comm\"
  ebrec query \"SELECT ts, path, error FROM files\" --format csv -o files.csv
  ebrec query -t a -t b \"SELECT trace, count(*) FROM syscalls GROUP BY trace\"
  ebrec query                    the interactive shell";

/// Query a trace with SQL; without SQL, an interactive shell
///
/// `ebrec schema` lists the tables; the SQL is that of DataFusion, much like PostgreSQL's. Statements
/// are separated by semicolons. Without ORDER BY, rows come in the order of the trace, the same each
/// time. Several traces (-t) are one data set: each table has a column `trace` then. Without SQL, a
/// terminal gets an interactive shell; otherwise SQL is read from standard input.
///
/// In tables, times are UTC, numbers of columns that end in _ns or _bytes get a unit, and `-` is
/// NULL. Control characters are escaped on a terminal, in tables and in Markdown. In CSV a text that
/// a spreadsheet would take for a formula gets an apostrophe in front.
#[derive(clap::Args, Debug)]
#[command(after_long_help = EXAMPLES)]
pub struct Args {
    #[command(flatten)]
    traces: Traces,

    /// The query, or `-` to read it from standard input
    #[arg(value_name = "SQL", conflicts_with = "file")]
    sql: Option<String>,

    /// Read the query from a file
    #[arg(short, long, value_name = "FILE")]
    file: Option<PathBuf>,

    /// Format of the rows
    #[arg(long, value_enum, default_value_t = Format::Table)]
    format: Format,

    /// Write the rows to a file
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,

    /// Let SQL read any file that you can: SELECT * FROM 'x.parquet'
    #[arg(long)]
    allow_files: bool,

    /// Most rows that --format table shows; 0 for all
    #[arg(long, value_name = "N", default_value_t = ROWS_MAX, value_parser = parse_count, allow_negative_numbers = true)]
    rows: usize,

    /// In tables, write numbers as they are, without units
    #[arg(long)]
    raw: bool,

    /// Memory that a query may use, in MiB; beyond it, sorts use temporary files
    #[arg(long, value_name = "MIB", default_value_t = 1024, value_parser = parse_count, allow_negative_numbers = true)]
    memory: usize,
}

fn parse_count(text: &str) -> Result<usize, String> {
    text.parse().map_err(|_| "expected a whole number, such as 100".to_string())
}

/// Where the results of queries go.
pub struct Target {
    pub options: Options,
    pub output: Option<PathBuf>,
    /// Whether to say how many rows there were and how long they took.
    pub is_timed: bool,
}

/// Runs the queries, or the shell.
pub fn run(args: Args, before: &Traces) -> Result<ExitCode> {
    let is_terminal = args.output.is_none() && io::stdout().is_terminal();
    let is_interactive = args.sql.is_none() && args.file.is_none() && io::stdin().is_terminal();
    if args.format.is_binary() && (is_terminal || is_interactive) {
        bail!("a terminal cannot show this format; write it to a file with -o FILE");
    }
    let sql = if is_interactive { None } else { Some(sql(&args)?) };
    let memory_bytes = args.memory.saturating_mul(1 << 20);
    let session_options =
        SessionOptions { allow_files: args.allow_files, memory_bytes, ..Default::default() };
    let interrupt = session_options.interrupt.clone();
    let session = Session::open(traces::open(&args.traces.paths(before))?, session_options)?;
    let options = Options {
        format: args.format,
        is_raw: args.raw,
        rows_max: Some(args.rows).filter(|rows| *rows > 0),
        width: if is_terminal { output::terminal_width() } else { None },
    };
    let target = Target { options, output: args.output, is_timed: args.format == Format::Table };
    match sql {
        Some(sql) => run_all(&session, &sql, &target)?,
        None => shell::run(&session, target, &interrupt)?,
    }
    Ok(ExitCode::SUCCESS)
}

fn sql(args: &Args) -> Result<String> {
    match (&args.sql, &args.file) {
        (Some(sql), _) if sql != "-" => Ok(sql.clone()),
        (_, Some(path)) => {
            std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))
        }
        _ => {
            let mut sql = String::new();
            io::stdin().read_to_string(&mut sql).context("cannot read SQL from standard input")?;
            Ok(sql)
        }
    }
}

/// Runs every statement of `sql`, in order.
pub fn run_all(session: &Session, sql: &str, target: &Target) -> Result<()> {
    let queries = session.parse(sql).map_err(|error| pointed(sql, error))?;
    if queries.is_empty() {
        bail!("there is no SQL");
    }
    if queries.len() > 1 && (target.output.is_some() || target.options.format.is_binary()) {
        bail!("one file takes the rows of one statement, and these are {}", queries.len());
    }
    queries.iter().try_for_each(|query| run_one(session, sql, query, target))
}

fn run_one(session: &Session, sql: &str, query: &Query, target: &Target) -> Result<()> {
    let start = Instant::now();
    let mut rows = session.run(query).map_err(|error| pointed(sql, error))?;
    let schema = rows.schema().clone();
    let mut batches = rows.by_ref().map(|batch| batch.map_err(|error| pointed(sql, error)));
    let written = match &target.output {
        Some(path) => {
            let mut out = output::create(path)?;
            let written = output::write(&mut batches, &schema, &target.options, &mut out);
            // Half a file would be taken for a whole one.
            written.inspect_err(|_| output::remove(path))?
        }
        None => {
            output::write(&mut batches, &schema, &target.options, &mut *output::stdout_in_blocks())?
        }
    };
    footer(&written, start, target);
    for note in session.notes(&rows)? {
        eprintln!("note: {}", text::escape(&note.to_string()));
    }
    Ok(())
}

fn footer(written: &Written, start: Instant, target: &Target) {
    let Written { rows, left_off } = *written;
    if target.is_timed {
        let took = human::duration(start.elapsed().as_nanos() as i64);
        let plural = if rows + left_off == 1 { "" } else { "s" };
        let _ = writeln!(io::stderr(), "{} row{plural} in {took}", rows + left_off);
    }
    if left_off > 0 {
        let _ = writeln!(io::stderr(), "note: {left_off} rows were left off; --rows 0 shows all");
    }
}

/// An error with the line of SQL that it is about, and a mark below the place.
fn pointed(sql: &str, error: Error) -> anyhow::Error {
    let Error::Sql { message, place: Some(place) } = &error else {
        return error.into();
    };
    let Some(line) = sql.lines().nth(place.line.saturating_sub(1)) else {
        return error.into();
    };
    // Tabs would shift the mark.
    let line = line.replace('\t', " ");
    let column = place.column.saturating_sub(1);
    let width = place.width.min(line.chars().count().saturating_sub(column)).max(1);
    anyhow::anyhow!("{message}\n  {line}\n  {}{}", " ".repeat(column), "^".repeat(width))
}
