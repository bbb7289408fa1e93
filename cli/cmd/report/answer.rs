//! One report: its rows, and what they lack.

use std::io::Write;
use std::process::ExitCode;

use analyzer::{Error, Gap, Limit, Note, Report, Session, Values};
use anyhow::{Context, Result};
use schema::human;

use super::Show;
use crate::output::{self, Format, Options};
use crate::text;

/// Rows that a table shows unless told otherwise.
const ROWS_MAX: usize = 20;

/// Prints the report. The exit code is 1 if it must be complete and is not.
pub fn print(session: &Session, report: &Report, values: &Values, show: &Show) -> Result<ExitCode> {
    let mut rows = report.run(session, values)?;
    let notes = session.notes(&rows)?;
    let lost: Vec<&Note> = notes.iter().filter(|note| note.gap != Gap::NotRecorded).collect();
    if let Some(note) = lost.first().filter(|_| show.strict) {
        eprintln!(
            "ebrec: {}; nothing is answered because of --strict",
            text::escape(&note.to_string())
        );
        return Ok(ExitCode::from(1));
    }
    let limits = session.limits(&rows);
    let format = show.format.unwrap_or(Format::Table);
    let options = Options {
        format,
        is_raw: show.raw,
        rows_max: Some(show.rows.unwrap_or(ROWS_MAX)).filter(|rows| *rows > 0),
        width: if show.output.is_none() { output::terminal_width() } else { None },
    };
    let is_table = format == Format::Table;
    let schema = rows.schema().clone();
    let mut batches = rows.by_ref().map(|batch| batch.map_err(anyhow::Error::from));
    let mut out: Box<dyn Write> = match &show.output {
        Some(path) => Box::new(output::create(path)?),
        None => output::stdout_in_blocks(),
    };
    if is_table {
        writeln!(out, "{}\n", title(session, report)?)?;
    }
    let written = output::write(&mut batches, &schema, &options, &mut out);
    let written = written.inspect_err(|_| {
        // Half a file would be taken for a whole one.
        show.output.as_deref().map(output::remove);
    })?;
    let mut footer = Vec::new();
    if is_table && written.rows == 0 {
        footer.push("No rows.".to_string());
    }
    if written.left_off > 0 {
        let all = written.rows + written.left_off;
        footer.push(format!("{} of {all} rows; --rows 0 shows all.", written.rows));
    }
    footer.extend(completeness(report, &notes));
    footer.extend(limits.iter().map(limit));
    let footer = footer.iter().map(|line| text::escape(line));
    match is_table {
        true => {
            writeln!(out)?;
            for line in footer {
                writeln!(out, "{line}")?;
            }
            out.flush().context("cannot write the report")?;
        }
        false => footer.for_each(|line| eprintln!("note: {line}")),
    }
    Ok(ExitCode::SUCCESS)
}

/// The title, with the stretch of time that is looked at.
fn title(session: &Session, report: &Report) -> Result<String, Error> {
    let title = match report.header.title.is_empty() {
        true => &report.name,
        false => &report.header.title,
    };
    Ok(match session.bounds()? {
        Some((first, last)) if first <= last => {
            format!("{title}: {} from {} UTC", human::duration(last - first), output::moment(first))
        }
        _ => format!("{title}: nothing was recorded then"),
    })
}

/// What was lost, and what that means for the columns.
fn completeness(report: &Report, notes: &[Note]) -> Vec<String> {
    if notes.is_empty() {
        return vec!["Complete: nothing was lost of what this is made of.".to_string()];
    }
    let mut lines: Vec<String> = notes.iter().map(|note| format!("Incomplete: {note}.")).collect();
    lines.extend(report.bounds(notes));
    lines
}

fn limit(limit: &Limit) -> String {
    let what = limit.to_string();
    match what.strip_prefix("only ") {
        Some(rest) => format!("Recorded: only {rest}."),
        None => format!("Recorded: {what}."),
    }
}
