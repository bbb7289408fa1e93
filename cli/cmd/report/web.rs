//! `ebrec report --html`: everything as one page.

use std::path::Path;
use std::process::ExitCode;

use analyzer::check::Checks;
use analyzer::{Reports, Session};
use anyhow::Result;

use super::Show;
use crate::output::Target;
use crate::text;
use crate::traces::Traces;

/// Writes the page to a file.
pub fn write(show: &Show, redact: bool, path: &Path) -> Result<ExitCode> {
    // Before the work, which takes a while.
    let target = Target::new(path, show.force)?;
    let mut session = show.session(&Traces::default())?;
    let made = make(&mut session, &show.queries, show.traces.typed(), redact)?;
    if let Some(lost) = made.lost.as_ref().filter(|_| show.strict) {
        eprintln!("ebrec: {}; no page is made because of --strict", text::escape(lost));
        return Ok(ExitCode::from(1));
    }
    target.write(made.html.as_bytes())?;
    Ok(ExitCode::SUCCESS)
}

/// Makes the page; `typed` are the traces as a shell takes them.
pub fn make(
    session: &mut Session,
    queries: &[std::path::PathBuf],
    typed: Vec<String>,
    is_redacted: bool,
) -> Result<page::Made> {
    let reports = Reports::load(queries)?;
    for error in &reports.broken {
        eprintln!("note: {}", text::escape(&error.to_string()));
    }
    let checks = Checks::load(&[])?;
    let version = env!("CARGO_PKG_VERSION").to_string();
    let options = page::Options { traces: typed, is_redacted, version };
    Ok(page::make(session, &reports, &checks, &options)?)
}
