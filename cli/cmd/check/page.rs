//! Findings for people: by check, what matters most first, each with its process and the next command.

use std::io::Write;

use analyzer::Session;
use analyzer::check::{CheckResult, Finding, Severity, Verdict};
use anyhow::Result;
use schema::human;

use super::Told;
use crate::output::{self, wrapped};
use crate::text;

/// Generations that a line tells.
const GENERATIONS_SHOWN: usize = 5;

/// Letters of arguments that a line tells.
const ARGV_SHOWN: usize = 160;

/// Prints them.
pub fn print(
    session: &Session,
    told: &Told,
    is_for_terminal: bool,
    out: &mut dyn Write,
) -> Result<()> {
    let width = if is_for_terminal { output::terminal_width() } else { None };
    let width = width.unwrap_or(100).max(40);
    let names = text::escape(&told.traces.join(", ")).into_owned();
    match session.bounds()? {
        Some((first, last)) if first <= last => writeln!(
            out,
            "Checks of {names}: {} from {} UTC",
            human::duration(last - first),
            output::moment(first)
        )?,
        _ => writeln!(out, "There are no events in {names}.")?,
    }
    wrapped("", &totals(told.results), width, out)?;
    for result in told.results.iter().filter(|result| !result.findings.is_empty()) {
        one(result, told, width, out)?;
    }
    writeln!(out)?;
    footer(told, width, out)
}

/// How many findings of each severity, and how many checks found nothing.
fn totals(results: &[CheckResult]) -> String {
    let count = |severity: Severity| -> usize {
        let of = results.iter().filter(|result| result.check.severity == severity);
        of.map(CheckResult::counted).sum()
    };
    let found: Vec<String> = Severity::ALL
        .into_iter()
        .rev()
        .map(|severity| (severity, count(severity)))
        .filter(|(_, count)| *count > 0)
        .map(|(severity, count)| format!("{count} {severity}"))
        .collect();
    let is = |wanted: fn(&Verdict) -> bool| {
        results.iter().filter(|result| wanted(&result.verdict)).count()
    };
    let mut parts = vec![match found.is_empty() {
        true => "no findings".to_string(),
        false => format!("findings: {}", found.join(", ")),
    }];
    parts.push(format!("{} clean", checks(is(|verdict| *verdict == Verdict::Clean))));
    let unsure = is(|verdict| matches!(verdict, Verdict::CannotTell(_)));
    if unsure > 0 {
        parts.push(format!("{} cannot tell", checks(unsure)));
    }
    let told: usize = results.iter().map(|result| result.told).sum();
    if told > 0 {
        parts.push(format!("{told} told before"));
    }
    let all = results.iter().flat_map(|result| &result.findings);
    let suppressed = all.filter(|finding| finding.suppressed.is_some()).count();
    if suppressed > 0 {
        parts.push(format!("{suppressed} suppressed"));
    }
    parts.join("; ")
}

fn checks(count: usize) -> String {
    format!("{count} {}", if count == 1 { "check" } else { "checks" })
}

fn one(result: &CheckResult, told: &Told, width: usize, out: &mut dyn Write) -> Result<()> {
    let check = result.check;
    let open: Vec<&Finding> =
        result.findings.iter().filter(|finding| finding.suppressed.is_none()).collect();
    if open.is_empty() {
        return Ok(());
    }
    writeln!(out)?;
    let mut title = format!(
        "{}  {}: {}",
        check.severity.to_string().to_uppercase(),
        check.name(),
        check.report.header.title
    );
    if !check.techniques.is_empty() {
        title += &format!(" ({})", check.techniques.join(", "));
    }
    wrapped("", &text::escape(&title), width, out)?;
    for finding in open.iter().take(told.most) {
        print_finding(finding, told, width, out)?;
    }
    let more = open.len().saturating_sub(told.most) + result.more;
    if more > 0 {
        let how =
            if result.more > 0 { "--format json has the first 1,000" } else { "--all shows them" };
        writeln!(out, "  {more} more; {how}.")?;
    }
    Ok(())
}

fn print_finding(finding: &Finding, told: &Told, width: usize, out: &mut dyn Write) -> Result<()> {
    let when = finding.ts.map_or_else(|| "at an unknown time".to_string(), output::moment);
    // The day is in the first line of the page.
    let when = when.split_once(' ').map_or(when.as_str(), |(_, time)| time);
    let when = when.get(..12).unwrap_or(when);
    wrapped(&format!("  {when}  "), &text::escape(&finding.sentence), width, out)?;
    let indent = "                ";
    if let Some(process) = finding.process() {
        let mut argv: String = process.argv.chars().take(ARGV_SHOWN).collect();
        if argv.len() < process.argv.len() {
            argv += " ...";
        }
        if !argv.is_empty() {
            wrapped(indent, &text::escape(&argv), width, out)?;
        }
        let descent: Vec<String> = finding
            .ancestry
            .iter()
            .take(GENERATIONS_SHOWN)
            .map(|process| format!("{}[{}]", process.comm, process.pid))
            .collect();
        let mut line = descent.join(" < ");
        if finding.ancestry.len() > GENERATIONS_SHOWN {
            line += " < ...";
        }
        if let Some(uid) = process.uid {
            line += &format!(", user {uid}");
        }
        if let Some(container) = &process.container {
            line += &format!(", container {}", container.get(..12).unwrap_or(container));
        }
        wrapped(indent, &text::escape(&line), width, out)?;
    }
    writeln!(out, "{indent}{}", text::escape(&told.command(&finding.next)))?;
    if told.has_evidence {
        writeln!(out, "{indent}{}", text::escape(&told.query(&finding.evidence)))?;
    }
    Ok(())
}

fn footer(told: &Told, width: usize, out: &mut dyn Write) -> Result<()> {
    // Checks that lack the same are told together.
    let mut unsure: Vec<(String, Vec<&str>)> = Vec::new();
    for result in told.results {
        let Verdict::CannotTell(reasons) = &result.verdict else { continue };
        let reason = reasons.join("; ");
        match unsure.iter_mut().find(|(known, _)| *known == reason) {
            Some((_, checks)) => checks.push(result.check.name()),
            None => unsure.push((reason, vec![result.check.name()])),
        }
    }
    for (reason, checks) in unsure {
        let line = format!("Cannot tell, since {reason}: {}.", checks.join(", "));
        wrapped("", &text::escape(&line), width, out)?;
    }
    for result in told.results {
        if let Verdict::Failed(reason) = &result.verdict {
            let line = format!("{} failed: {reason}", result.check.name());
            wrapped("", &text::escape(&line), width, out)?;
        }
    }
    for line in lines(told) {
        wrapped("", &text::escape(&line), width, out)?;
    }
    for remark in &told.remarks {
        wrapped("", &text::escape(&format!("Note: {remark}.")), width, out)?;
    }
    Ok(())
}

/// What was lost and left out of the tables that were looked at.
pub fn lines(told: &Told) -> Vec<String> {
    let mut lines = Vec::new();
    for result in told.results {
        let lost = result.notes.iter().filter(|note| note.gap != analyzer::Gap::NotRecorded);
        lines.extend(lost.map(|note| format!("Incomplete: {note}.")));
        lines.extend(result.limits.iter().map(|limit| format!("Recorded: {limit}.")));
    }
    lines.sort();
    lines.dedup();
    lines
}
