//! `ebrec verify`: whether every event is stored or counted as lost.

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Result;
use serde_json::json;
use store::{Report, Trace, Verdict};

use crate::output::{self, Column};
use crate::{text, traces};

/// Check that every event is stored or counted as lost.
///
/// For each kind of event: emitted in the kernel = stored + dropped on purpose + lost. All files are
/// read in full. The exit code is 1 when something was lost or does not add up.
#[derive(clap::Args, Debug)]
pub struct Args {
    /// The trace; otherwise that of -t
    trace: Option<PathBuf>,

    /// Format of the result
    #[arg(long, value_enum, default_value_t = Format::Table)]
    format: Format,
}

/// A format of the result.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Format {
    /// Aligned columns for people
    Table,
    /// JSON
    Json,
}

/// Checks every trace.
pub fn run(args: Args, paths: &[PathBuf]) -> Result<ExitCode> {
    let paths = args.trace.map_or_else(|| paths.to_vec(), |path| vec![path]);
    let mut out = output::stdout();
    let mut is_clean = true;
    for path in &paths {
        let trace = traces::open_one(path)?;
        let report = store::verify(&trace)?;
        match args.format {
            Format::Table => print(&trace, &report, paths.len() > 1, &mut *out)?,
            Format::Json => writeln!(out, "{:#}", to_json(&trace, &report))?,
        }
        is_clean &= !matches!(report.verdict, Verdict::Lost(_) | Verdict::Broken(_));
    }
    Ok(if is_clean { ExitCode::SUCCESS } else { ExitCode::from(1) })
}

fn print(trace: &Trace, report: &Report, is_titled: bool, out: &mut dyn Write) -> Result<()> {
    if is_titled {
        writeln!(out, "{}", text::escape(&trace.name()))?;
    }
    let columns = ["emitted", "stored", "dropped", "lost"].map(Column::number);
    let columns: Vec<Column> = std::iter::once(Column::text("kind")).chain(columns).collect();
    let count =
        |count: Option<u64>| count.map_or_else(|| "-".to_string(), |count| count.to_string());
    let rows: Vec<Vec<String>> = report
        .kinds
        .iter()
        .map(|kind| {
            let (stored, dropped) = (kind.stored.to_string(), kind.dropped.to_string());
            vec![kind.kind.clone(), count(kind.emitted), stored, dropped, count(kind.lost)]
        })
        .collect();
    output::write_table(&columns, &rows, output::terminal_width(), out)?;
    writeln!(
        out,
        "\n{} rows in {} files of {} segments were read.",
        report.rows, report.files, report.segments
    )?;
    Ok(writeln!(out, "{}", text::escape(&sentence(&report.verdict)))?)
}

/// The verdict for people.
pub fn sentence(verdict: &Verdict) -> String {
    match verdict {
        Verdict::Complete => "Complete: every event that was emitted is stored.".to_string(),
        Verdict::Lost(lost) => format!(
            "Accounted for, but {lost} events were lost; the table `loss` says when and why."
        ),
        Verdict::Unknown { accounted_until_ns: None } => {
            "Unknown: the recording has not ended in order, and nothing was counted yet."
                .to_string()
        }
        Verdict::Unknown { accounted_until_ns: Some(ns) } => format!(
            "Unknown: the recording has not ended in order; events were counted until {}.",
            output::moment(*ns)
        ),
        Verdict::Broken(problems) => format!("Broken: {}.", problems.join("; ")),
    }
}

fn to_json(trace: &Trace, report: &Report) -> serde_json::Value {
    let kinds: Vec<_> = report
        .kinds
        .iter()
        .map(|kind| {
            json!({
                "kind": kind.kind, "emitted": kind.emitted, "stored": kind.stored,
                "dropped": kind.dropped, "lost": kind.lost,
            })
        })
        .collect();
    let (verdict, problems) = match &report.verdict {
        Verdict::Complete => ("complete", &[][..]),
        Verdict::Lost(_) => ("lost", &[][..]),
        Verdict::Unknown { .. } => ("unknown", &[][..]),
        Verdict::Broken(problems) => ("broken", problems.as_slice()),
    };
    json!({
        "trace": trace.name(), "verdict": verdict, "sentence": sentence(&report.verdict), "problems": problems,
        "kinds": kinds, "rows": report.rows, "files": report.files, "segments": report.segments,
    })
}
