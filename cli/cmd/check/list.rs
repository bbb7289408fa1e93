//! What checks there are, what each says about itself, and what is wrong with them.

use std::fmt::Write as _;
use std::io::Write;
use std::process::ExitCode;

use analyzer::Session;
use analyzer::check::{Check, Checks, Window};
use anyhow::{Result, bail};
use schema::human;
use serde_json::{Value, json};

use super::Format;
use crate::output::{self, Column, Long, wrapped, write_table};
use crate::text;

/// Prints the list of checks, or all that they say about themselves.
pub fn print(checks: &[&Check], format: Format, is_whole: bool) -> Result<ExitCode> {
    let mut out = output::stdout();
    match format {
        Format::Table if is_whole => {
            let width = output::terminal_width().unwrap_or(100).max(40);
            for (index, check) in checks.iter().enumerate() {
                if index > 0 {
                    writeln!(out)?;
                }
                for line in about(check).lines() {
                    let text = line.trim_start();
                    wrapped(
                        &line[..line.len() - text.len()],
                        &text::escape(text),
                        width,
                        &mut *out,
                    )?;
                }
            }
        }
        Format::Table => {
            let columns = [
                Column::whole("severity"),
                Column::whole("check"),
                Column::text("technique"),
                Column::text("question"),
            ];
            let mut checks: Vec<&&Check> = checks.iter().collect();
            checks.sort_by_key(|check| (std::cmp::Reverse(check.severity), check.name()));
            let row = |check: &&&Check| {
                let techniques = check.techniques.join(", ");
                [check.severity.name(), check.name(), &techniques, check.report.header.question()]
                    .map(|cell| text::escape(cell).into_owned())
                    .to_vec()
            };
            let rows: Vec<_> = checks.iter().map(row).collect();
            write_table(&columns, &rows, Long::Wrapped, output::terminal_width(), &mut *out)?;
        }
        Format::Json => {
            let all: Vec<Value> = checks.iter().map(|check| to_json(check)).collect();
            writeln!(out, "{:#}", json!(all))?;
        }
        Format::Ndjson => {
            for check in checks {
                writeln!(out, "{}", to_json(check))?;
            }
        }
        Format::Markdown => write!(out, "{}", markdown(checks))?,
        Format::Sarif => bail!("the list of checks is written as table, json, ndjson or markdown"),
    }
    Ok(ExitCode::SUCCESS)
}

/// Prints what is wrong with the checks of the user's folders, or with all.
pub fn lint(checks: &Checks, chosen: &[&Check], is_own_only: bool) -> Result<ExitCode> {
    let session = Session::empty()?;
    let mut out = output::stdout();
    let mut wrong = 0;
    for error in &checks.broken {
        writeln!(out, "{}", text::escape(&error.to_string()))?;
        wrong += 1;
    }
    let mut count = 0;
    for check in chosen.iter().filter(|check| !is_own_only || check.report.path.is_some()) {
        count += 1;
        for problem in check.lint(&session) {
            writeln!(out, "{}: {}", check.name(), text::escape(&problem))?;
            wrong += 1;
        }
    }
    writeln!(out, "{count} checks, {wrong} problems")?;
    Ok(if wrong == 0 { ExitCode::SUCCESS } else { ExitCode::from(1) })
}

fn window(check: &Check) -> String {
    match check.window {
        Window::Ns(0) => "each event by itself".to_string(),
        Window::Ns(ns) => human::duration(ns),
        Window::All => "the whole recording".to_string(),
    }
}

/// All that a check says about itself; lines that are indented belong to what is above.
fn about(check: &Check) -> String {
    let header = &check.report.header;
    let mut out = format!(
        "{}: {} ({}, {})\n  {}\n  {}\n",
        check.name(),
        header.title,
        check.severity,
        check.techniques.join(", "),
        header.doc,
        check.rationale
    );
    for line in &check.false_positives {
        let _ = writeln!(out, "  Also harmless: {line}");
    }
    for line in &header.caveats {
        let _ = writeln!(out, "  {line}");
    }
    let _ = writeln!(out, "  Needs {}; looks at {}.", header.needs.join(", "), window(check));
    for param in &header.params {
        let (name, doc) = (&param.name, param.doc.trim_end_matches('.'));
        let default = param.default.as_deref().unwrap_or("none");
        let _ = writeln!(out, "  --set {}.{name}={default}: {doc}.", check.name());
    }
    out
}

fn to_json(check: &Check) -> Value {
    let header = &check.report.header;
    let params: Vec<_> = header
        .params
        .iter()
        .map(|param| json!({"name": param.name, "type": param.type_name(), "default": param.default, "doc": param.doc}))
        .collect();
    let columns: Vec<_> = header
        .columns
        .iter()
        .map(|column| json!({"name": column.name, "doc": column.doc}))
        .collect();
    json!({
        "name": check.name(), "title": header.title, "doc": header.doc, "question": header.question(),
        "severity": check.severity.name(), "techniques": check.techniques, "rationale": check.rationale,
        "false_positives": check.false_positives, "needs": header.needs, "params": params,
        "columns": columns, "caveats": header.caveats, "evidence": check.evidence, "next": check.next,
        "fires": check.fires, "silent": check.silent, "path": check.report.path,
    })
}

/// The reference page.
fn markdown(checks: &[&Check]) -> String {
    let mut out = String::from(
        "# Checks\n\nGenerated from the headers of the SQL files in `queries/checks/`. How to read a finding, and how to \
         write a check: [detections](detections.md).\n\n| check | severity | technique | question |\n|---|---|---|---|\n",
    );
    for check in checks {
        let _ = writeln!(
            out,
            "| [{0}](#{0}) | {1} | {2} | {3} |",
            check.name(),
            check.severity,
            check.techniques.join(", "),
            check.report.header.question()
        );
    }
    for check in checks {
        let header = &check.report.header;
        let _ = write!(
            out,
            "\n## {}\n\n**{}** ({}; {}). {}\n\n{}\n\n",
            check.name(),
            header.title,
            check.severity,
            check.techniques.join(", "),
            header.doc,
            check.rationale
        );
        for line in &check.false_positives {
            let _ = writeln!(out, "- Also harmless: {line}");
        }
        for line in &header.caveats {
            let _ = writeln!(out, "- {line}");
        }
        let needs: Vec<String> = header.needs.iter().map(|table| format!("`{table}`")).collect();
        let _ = writeln!(out, "\nNeeds {}; looks at {}.", needs.join(", "), window(check));
        if !header.params.is_empty() {
            out.push_str("\n| parameter | type | default | meaning |\n|---|---|---|---|\n");
            for param in &header.params {
                let default = param.default.as_deref().unwrap_or("");
                let _ = writeln!(
                    out,
                    "| `{}` | {} | {default} | {} |",
                    param.name,
                    param.type_name(),
                    param.doc
                );
            }
        }
    }
    out
}
