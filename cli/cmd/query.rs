//! `ebrec query`: SQL over traces.

use std::fs::File;
use std::io::{self, BufWriter, IsTerminal, Read, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Instant;

use analyzer::{Error, Query, Session, SessionOptions};
use anyhow::{Context, Result, bail};
use schema::human;

use super::shell;
use crate::output::{self, Format, Options, Written};
use crate::{text, traces};

/// Rows that a table shows unless told otherwise.
const ROWS_MAX: usize = 1000;

/// Query a trace with SQL.
///
/// The tables are those of `ebrec schema`; SHOW TABLES and DESCRIBE work. Several statements are
/// separated by semicolons. Rows come in the order of the trace unless ORDER BY says otherwise, the
/// same each time. Without SQL, a terminal gets an interactive shell; otherwise SQL is read from
/// standard input.
///
/// In tables, times are UTC, columns that end in _ns or _bytes are written with a unit, and `-` is
/// NULL. What a terminal or a page would act on is escaped. In CSV a text that a spreadsheet would
/// take for a formula gets an apostrophe in front.
#[derive(clap::Args, Debug)]
pub struct Args {
    /// The query; `-` reads it from standard input
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

    /// Let SQL read other files too: SELECT * FROM 'x.parquet'
    #[arg(long)]
    allow_files: bool,

    /// Most rows that a table shows; 0 for all
    #[arg(long, value_name = "N", default_value_t = ROWS_MAX)]
    rows: usize,

    /// Numbers as they are in tables, without units
    #[arg(long)]
    raw: bool,

    /// Memory of a query before it uses temporary files, in MiB
    #[arg(long, value_name = "MIB", default_value_t = 1024)]
    memory: usize,
}

/// Where the results of queries go.
pub struct Target {
    pub options: Options,
    pub output: Option<PathBuf>,
    /// Whether to say how many rows there were and how long they took.
    pub is_timed: bool,
}

/// Runs the queries, or the shell.
pub fn run(args: Args, paths: &[PathBuf]) -> Result<ExitCode> {
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
    let session = Session::open(traces::open(paths)?, session_options)?;
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
            let mut out = create(path)?;
            let written = output::write(&mut batches, &schema, &target.options, &mut out);
            // Half a file would be taken for a whole one.
            written.inspect_err(|_| remove(path))?
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

fn create(path: &Path) -> Result<BufWriter<File>> {
    let file = File::create(path).with_context(|| format!("cannot write {}", path.display()))?;
    Ok(BufWriter::with_capacity(1 << 20, file))
}

/// Removes a file that could not be finished; a device stays.
fn remove(path: &Path) {
    if path.is_file() {
        // The error that is on its way says more than another one here.
        let _ = std::fs::remove_file(path);
    }
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
