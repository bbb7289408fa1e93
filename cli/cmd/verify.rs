//! `ebrec verify`: whether every event is stored or counted as lost.

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Result;
use serde_json::json;
use store::trace::Ending;
use store::{Report, Trace, Verdict};

use crate::output::{self, Column, Long, TableOrJson};
use crate::text;
use crate::traces::{self, Traces};

const EXAMPLES: &str = "\
Examples:
  ebrec verify && echo complete
  ebrec verify /tmp/build --format json";

/// Check that every event is stored or counted as lost
///
/// For each kind of event, those emitted in the kernel are those stored, those dropped with old
/// segments (`record --keep`, `--max-size`), and those lost. All files are read in full.
///
/// The exit code is 0 when nothing is missing and while the recording goes on, and 1 when events were
/// lost, when the numbers do not add up, or when the recorder died and nobody knows.
#[derive(clap::Args, Debug)]
#[command(after_long_help = EXAMPLES)]
pub struct Args {
    /// Trace to read; the same as -t
    #[arg(value_name = "FOLDER", conflicts_with = "traces")]
    trace: Option<PathBuf>,

    #[command(flatten)]
    traces: Traces,

    /// Format of the result
    #[arg(long, value_enum, default_value_t = TableOrJson::Table)]
    format: TableOrJson,
}

/// Checks every trace.
pub fn run(args: Args, before: &Traces) -> Result<ExitCode> {
    let paths = args.trace.map_or_else(|| args.traces.paths(before), |path| vec![path]);
    let mut out = output::stdout();
    let mut is_clean = true;
    for path in &paths {
        let trace = traces::open_one(path)?;
        let report = store::verify(&trace)?;
        match args.format {
            TableOrJson::Table => print(&trace, &report, paths.len() > 1, &mut *out)?,
            TableOrJson::Json => writeln!(out, "{:#}", to_json(&trace, &report))?,
        }
        is_clean &= is_good(&report.verdict, trace.ending());
    }
    Ok(if is_clean { ExitCode::SUCCESS } else { ExitCode::from(1) })
}

/// Whether nothing is missing, as far as that can be known yet.
fn is_good(verdict: &Verdict, ending: Ending) -> bool {
    match verdict {
        Verdict::Complete => true,
        Verdict::Unknown { .. } => ending == Ending::Recording,
        Verdict::Lost(_) | Verdict::Broken(_) => false,
    }
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
    output::write_table(&columns, &rows, Long::Cut, output::terminal_width(), out)?;
    writeln!(
        out,
        "\nRead {} rows in {} files of {} segment{}.",
        report.rows,
        report.files,
        report.segments,
        if report.segments == 1 { "" } else { "s" }
    )?;
    Ok(writeln!(out, "{}", text::escape(&sentence(report, trace.ending())))?)
}

/// The verdict for people.
fn sentence(report: &Report, ending: Ending) -> String {
    match &report.verdict {
        Verdict::Complete => "Complete: every event that was emitted is stored.".to_string(),
        Verdict::Lost(lost) => format!(
            "Accounted for, but {} {} lost; the table `loss` says when and why.",
            events(*lost),
            if *lost == 1 { "was" } else { "were" }
        ),
        Verdict::Unknown { accounted_until_ns } => unknown(report, ending, *accounted_until_ns),
        Verdict::Broken(problems) => format!("Broken: {}.", problems.join("; ")),
    }
}

/// What is known of a recording that has not ended in order.
fn unknown(report: &Report, ending: Ending, accounted_until_ns: Option<i64>) -> String {
    if ending == Ending::Recording {
        let lost = match report.kinds.iter().filter_map(|kind| kind.lost).sum() {
            0 => "nothing".to_string(),
            lost => events(lost),
        };
        return format!(
            "Still being recorded: {lost} lost so far; whether it is complete is known when the recording ends."
        );
    }
    let died = "Unknown: the recorder died, so nobody knows how many events";
    match accounted_until_ns {
        Some(ns) => format!("{died} after {} UTC are missing.", output::moment(ns)),
        None => format!("{died} are missing; none were counted."),
    }
}

fn events(count: u64) -> String {
    format!("{count} event{}", if count == 1 { "" } else { "s" })
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
        "trace": trace.name(), "verdict": verdict, "sentence": sentence(report, trace.ending()), "problems": problems,
        "kinds": kinds, "rows": report.rows, "files": report.files, "segments": report.segments,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_recording_that_goes_on_is_good_and_one_that_broke_off_is_not() {
        let check =
            |ending: Ending, accounted_until_ns: Option<i64>, good: bool, expected: &str| {
                let verdict = Verdict::Unknown { accounted_until_ns };
                let report = Report { kinds: Vec::new(), segments: 1, files: 0, rows: 0, verdict };
                assert_eq!(is_good(&report.verdict, ending), good);
                let sentence = sentence(&report, ending);
                assert!(sentence.starts_with(expected), "{sentence}");
            };
        check(Ending::Recording, None, true, "Still being recorded: nothing lost so far");
        check(
            Ending::Crashed,
            Some(0),
            false,
            "Unknown: the recorder died, so nobody knows how many events after 1970-01-01 00:00:00.000000 UTC are",
        );
        check(Ending::Crashed, None, false, "Unknown: the recorder died");
    }
}
