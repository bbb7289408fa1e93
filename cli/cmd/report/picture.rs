//! The picture of one report: in letters, or as SVG.

use std::io::Write;
use std::process::ExitCode;

use analyzer::{Gap, Report, Session, Values};
use anyhow::{Context, Result};

use super::Show;
use crate::output::{self, Target};
use crate::text;

/// Letters of a line where nobody knows how many there is room for.
const WIDTH: usize = 100;

/// Draws the report. What it lacks is told on standard error, since a picture has no room for it.
pub fn print(
    session: &Session,
    report: &Report,
    values: &Values,
    show: &Show,
    svg: Option<&Target>,
) -> Result<ExitCode> {
    let notes = session.notes(&report.run(session, values)?)?;
    let lost = notes.iter().find(|note| note.gap != Gap::NotRecorded);
    if let Some(note) = lost.filter(|_| show.strict) {
        let note = note.to_string();
        eprintln!("ebrec: {}; nothing is drawn because of --strict", text::escape(&note));
        return Ok(ExitCode::from(1));
    }
    match svg {
        Some(target) => target.write(page::svg::draw(session, report, values)?.as_bytes())?,
        None => {
            let width = output::terminal_width().unwrap_or(WIDTH);
            let mut out = output::stdout();
            writeln!(out, "{}\n", report.header.title)?;
            for line in page::terminal::draw(session, report, values, width)? {
                writeln!(out, "{}", text::escape(&line))?;
            }
            out.flush().context("cannot write the picture")?;
        }
    }
    for note in &notes {
        eprintln!("note: Incomplete: {}.", text::escape(&note.to_string()));
    }
    Ok(ExitCode::SUCCESS)
}
