//! `ebrec diff`: what changed between two traces.

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use analyzer::{Change, Reports, Session, SessionOptions};
use anyhow::{Result, bail};
use schema::human;
use serde_json::json;

use crate::filter::Part;
use crate::output::{self, Column, Long, TableOrJson, write_table};
use crate::text;
use crate::traces;

/// Changes that a table shows unless told otherwise.
const ROWS_MAX: usize = 30;

const EXAMPLES: &str = "\
Examples:
  ebrec diff before/ after/
  ebrec diff before/ after/ --report syscalls --report leaks
  ebrec diff before/ after/ --comm server --format json";

/// Tell what changed between two traces
///
/// Both traces are cut into windows of equal length, and reports are made for each. A number changed if its values
/// in the windows of one trace rank apart from those of the other (Mann-Whitney test); `q` is the expected share of
/// false alarms among the changes that stand out at least as much, and those up to 0.05 are shown. Totals are told
/// for a second. What differs between two traces may also be what ran at the time: compare the same work.
#[derive(clap::Args, Debug)]
#[command(after_long_help = EXAMPLES)]
pub struct Args {
    /// The trace from before
    #[arg(value_name = "BEFORE")]
    before: PathBuf,

    /// The trace from after
    #[arg(value_name = "AFTER")]
    after: PathBuf,

    /// Compare this report; may be repeated (default: all that both traces have data for)
    #[arg(long = "report", value_name = "NAME")]
    reports: Vec<String>,

    /// Windows that each trace is cut into
    #[arg(long, value_name = "N", default_value_t = 12, value_parser = clap::value_parser!(u16).range(4..=200))]
    windows: u16,

    #[command(flatten)]
    part: Part,

    /// Show what did not change, too
    #[arg(long)]
    all: bool,

    /// Format of the changes
    #[arg(long, value_enum, default_value_t = TableOrJson::Table)]
    format: TableOrJson,

    /// Most rows that --format table shows; 0 for all
    #[arg(long, value_name = "N", default_value_t = ROWS_MAX)]
    rows: usize,

    /// Folder with reports of your own; may be repeated
    #[arg(long, value_name = "FOLDER", env = "EBREC_QUERIES", value_delimiter = ':')]
    queries: Vec<PathBuf>,
}

/// Compares two traces.
pub fn run(args: Args) -> Result<ExitCode> {
    let open = |path: &PathBuf| -> Result<Session> {
        let options = SessionOptions { filter: args.part.filter(), ..Default::default() };
        Ok(Session::open(vec![traces::open_one(path)?], options)?)
    };
    let (mut before, mut after) = (open(&args.before)?, open(&args.after)?);
    let reports = Reports::load(&args.queries)?;
    let mut changes = Vec::new();
    let mut compared = Vec::new();
    for report in reports.all() {
        let is_chosen = args.reports.contains(&report.name);
        if !is_chosen && !args.reports.is_empty() {
            continue;
        }
        let needs = &report.header.needs;
        let is_recorded = |session: &Session| needs.iter().all(|table| session.is_recorded(table));
        if !analyzer::is_comparable(report) {
            if is_chosen {
                bail!("the report {} has no rows that can be compared", report.name);
            }
            continue;
        }
        if !is_recorded(&before) || !is_recorded(&after) {
            if is_chosen {
                bail!(
                    "the report {} needs {}, which one trace has not",
                    report.name,
                    needs.join(", ")
                );
            }
            continue;
        }
        compared.push(report.name.clone());
        match analyzer::diff(report, &mut before, &mut after, usize::from(args.windows)) {
            Ok(found) => changes.extend(found),
            Err(error) => eprintln!("note: {}: {}", report.name, text::escape(&error.to_string())),
        }
    }
    for name in &args.reports {
        reports.get(name)?;
    }
    analyzer::rank(&mut changes);
    let count = changes.len();
    if !args.all {
        changes.retain(|change| change.q <= 0.05);
    }
    let mut out = output::stdout();
    match args.format {
        TableOrJson::Table => {
            table(&changes, &args, &mut *out)?;
            writeln!(
                out,
                "\n{} of {count} numbers of {} reports changed, by {} windows of each trace.",
                changes.iter().filter(|change| change.q <= 0.05).count(),
                compared.len(),
                args.windows
            )?;
        }
        TableOrJson::Json => {
            let changes: Vec<_> = changes.iter().map(to_json).collect();
            writeln!(
                out,
                "{:#}",
                json!({"changes": changes, "compared": count, "reports": compared})
            )?;
        }
    }
    let whole = (args.before, args.after);
    for path in [whole.0, whole.1] {
        let trace = traces::open_one(&path)?;
        let report = store::verify(&trace)?;
        if !matches!(report.verdict, store::Verdict::Complete) {
            let name = text::escape(&path.display().to_string()).into_owned();
            writeln!(out, "Incomplete: events of {name} are missing (ebrec verify).")?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn table(changes: &[Change], args: &Args, out: &mut dyn Write) -> Result<()> {
    let columns = [
        Column::whole("report"),
        Column::text("key"),
        Column::whole("column"),
        Column::number("before"),
        Column::number("after"),
        Column::number("change"),
        Column::number("q"),
    ];
    let most = if args.rows == 0 { usize::MAX } else { args.rows };
    let rows: Vec<Vec<String>> = changes
        .iter()
        .take(most)
        .map(|change| {
            let key: Vec<&str> = change.key.iter().map(|(_, value)| value.as_str()).collect();
            let column =
                if change.is_rate { format!("{}/s", change.column) } else { change.column.clone() };
            vec![
                change.report.clone(),
                text::escape(&key.join(" ")).into_owned(),
                column,
                value(&change.column, change.before),
                value(&change.column, change.after),
                ratio(change.before, change.after),
                format!("{:.4}", change.q),
            ]
        })
        .collect();
    write_table(&columns, &rows, Long::Cut, output::terminal_width(), out)?;
    if changes.len() > most {
        writeln!(out, "{} of {} changes; --rows 0 shows all.", most, changes.len())?;
    }
    Ok(())
}

/// A number with the unit that the name of its column ends in.
fn value(column: &str, number: f64) -> String {
    match column {
        name if name.ends_with("_ns") => human::duration(number as i64),
        name if name.ends_with("_bytes") || name == "bytes" => human::bytes(number as i64),
        _ if number.abs() >= 100.0 => format!("{number:.0}"),
        _ => format!("{number:.2}"),
    }
}

/// How much more or less it is.
fn ratio(before: f64, after: f64) -> String {
    match after / before {
        _ if before == after => "-".to_string(),
        ratio if !ratio.is_finite() => "new".to_string(),
        0.0 => "gone".to_string(),
        ratio if ratio >= 2.0 => format!("x{ratio:.1}"),
        ratio => format!("{:+.1} %", (ratio - 1.0) * 100.0),
    }
}

fn to_json(change: &Change) -> serde_json::Value {
    let key: serde_json::Map<_, _> =
        change.key.iter().map(|(name, value)| (name.clone(), json!(value))).collect();
    json!({
        "report": change.report, "key": key, "column": change.column, "per_second": change.is_rate,
        "before": change.before, "after": change.after, "more": change.more, "p": change.p, "q": change.q,
    })
}
