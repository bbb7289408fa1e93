//! `ebrec report` without a name: what stands out, ranked, each with the command that shows more.

use std::io::Write;
use std::process::ExitCode;

use analyzer::{Gap, Remark, Session, Summary};
use anyhow::{Result, bail};
use schema::human;
use serde_json::json;

use super::Show;
use crate::output::{self, Format, wrapped};
use crate::text;

/// Remarks that fit a terminal page.
const REMARKS_MAX: usize = 9;

/// Prints what stands out.
pub fn print(session: &Session, traces: &[String], show: &Show) -> Result<ExitCode> {
    let summary = analyzer::summary(session);
    let lost = summary.notes.iter().find(|note| note.gap != Gap::NotRecorded);
    if let Some(note) = lost.filter(|_| show.strict) {
        eprintln!(
            "ebrec: {}; nothing is answered because of --strict",
            text::escape(&note.to_string())
        );
        return Ok(ExitCode::from(1));
    }
    let mut out: Box<dyn Write> = match &show.output {
        Some(path) => Box::new(output::create(path)?),
        None => output::stdout(),
    };
    match show.format.unwrap_or(Format::Table) {
        Format::Table => page(session, &summary, traces, show, &mut *out)?,
        Format::Json => writeln!(out, "{:#}", to_json(&summary))?,
        _ => bail!("what stands out is written as table or json"),
    }
    out.flush()?;
    Ok(ExitCode::SUCCESS)
}

fn page(
    session: &Session,
    summary: &Summary,
    traces: &[String],
    show: &Show,
    out: &mut dyn Write,
) -> Result<()> {
    let width = output::terminal_width().unwrap_or(100).max(40);
    let names = traces.join(", ");
    match session.bounds()? {
        Some((first, last)) if first <= last => writeln!(
            out,
            "What stands out in {}: {} from {} UTC\n",
            text::escape(&names),
            human::duration(last - first),
            output::moment(first)
        )?,
        _ => writeln!(out, "There are no events in {}.\n", text::escape(&names))?,
    }
    let most = show.rows.unwrap_or(REMARKS_MAX);
    let most = if most == 0 { usize::MAX } else { most };
    for (number, remark) in summary.remarks.iter().take(most).enumerate() {
        let start = format!("{:2}. ", number + 1);
        wrapped(&start, &text::escape(&remark.sentence), width, out)?;
        writeln!(out, "      {}", text::escape(&command(remark, show)))?;
    }
    if summary.remarks.is_empty() {
        writeln!(out, "Nothing does, of what was recorded.")?;
    }
    let more = summary.remarks.len().saturating_sub(most);
    writeln!(out)?;
    if more > 0 {
        writeln!(out, "{more} more; --rows 0 shows all.")?;
    }
    for (job, error) in &summary.failed {
        wrapped("", &format!("{job}: {}", text::escape(&error.to_string())), width, out)?;
    }
    for (job, tables) in &summary.unknown {
        let line =
            format!("Not looked at for {job}, since it was not recorded: {}.", tables.join(", "));
        wrapped("", &line, width, out)?;
    }
    let lost: Vec<_> = summary.notes.iter().filter(|note| note.gap != Gap::NotRecorded).collect();
    for note in &lost {
        wrapped("", &format!("Incomplete: {}.", text::escape(&note.to_string())), width, out)?;
    }
    for limit in &summary.limits {
        wrapped("", &format!("Recorded: {}.", text::escape(&limit.to_string())), width, out)?;
    }
    if lost.is_empty() {
        writeln!(out, "Complete: nothing was lost of what this is made of.")?;
    }
    Ok(())
}

/// The command that shows more of a remark.
fn command(remark: &Remark, show: &Show) -> String {
    let traces = show.traces.typed();
    let traces: Vec<String> = traces.iter().map(|path| format!(" -t {path}")).collect();
    let options = match remark.options.is_empty() {
        true => String::new(),
        false => format!(" {}", remark.options),
    };
    format!("ebrec report {}{}{options}", remark.report, traces.concat())
}

fn to_json(summary: &Summary) -> serde_json::Value {
    let remarks: Vec<_> = summary
        .remarks
        .iter()
        .map(|remark| {
            json!({
                "score": remark.score, "job": remark.job, "sentence": remark.sentence,
                "report": remark.report, "options": remark.options,
            })
        })
        .collect();
    let texts = |items: Vec<String>| items;
    json!({
        "remarks": remarks,
        "not_recorded": summary.unknown.iter().map(|(job, tables)| json!({"job": job, "tables": tables})).collect::<Vec<_>>(),
        "failed": summary.failed.iter().map(|(job, error)| json!({"job": job, "error": error.to_string()})).collect::<Vec<_>>(),
        "incomplete": texts(summary.notes.iter().map(ToString::to_string).collect()),
        "recorded": texts(summary.limits.iter().map(ToString::to_string).collect()),
    })
}
