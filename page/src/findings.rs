//! What checks found, with the rows that prove it.

use std::collections::BTreeMap;

use analyzer::Session;
use analyzer::check::Cell;
use analyzer::check::{
    Check, CheckResult, Checks, Finding, Severity, Suppressions, Verdict, run, shell_word,
};

use serde::Serialize;

use crate::axis::Axis;
use crate::clean::Cleaner;
use crate::error::Error;
use crate::names::Names;
use crate::rows::{self, Unit, show};

/// Findings of one check that are on the page.
const FINDINGS_MAX: usize = 12;

/// Findings whose evidence is on the page.
const PROVED_MAX: usize = 30;

/// Rows of evidence of a finding.
const EVIDENCE_MAX: usize = 5;

/// Columns of evidence: those that say most come first in every table.
const COLUMNS_MAX: usize = 9;

/// Columns that say nothing to people.
const HIDDEN: [&str; 12] = [
    "host",
    "cpu",
    "upid",
    "cgroup_id",
    "stack_id",
    "tid",
    "via",
    "child_cgroup_id",
    "child_upid",
    "exec_upid",
    "truncated",
    "connection_id",
];

/// What came of all checks.
#[derive(Debug, Default, Serialize)]
pub struct Findings {
    /// Checks that found something, what matters most first.
    pub found: Vec<Found>,
    /// Findings of each severity, the highest first; none of those without.
    pub counts: Vec<(&'static str, usize)>,
    /// Checks that saw all they need and found nothing.
    pub clean: usize,
    /// Checks that could not see enough: title and why.
    pub unsure: Vec<(String, String)>,
    /// Checks that failed: title and why.
    pub failed: Vec<(String, String)>,
}

/// A check that found something.
#[derive(Debug, Serialize)]
pub struct Found {
    /// Its name.
    pub name: String,
    /// Its title.
    pub title: String,
    /// How much it matters.
    pub severity: &'static str,
    /// Techniques of ATT&CK.
    pub techniques: String,
    /// Why it matters.
    pub why: String,
    /// What harmless thing looks the same.
    pub harmless: Vec<String>,
    /// What it lacks.
    pub notes: Vec<String>,
    /// What it found.
    pub findings: Vec<One>,
    /// Findings that are not on the page.
    pub more: usize,
    /// The command that tells all.
    pub command: String,
}

/// A finding.
#[derive(Debug, Serialize)]
pub struct One {
    /// Its id on the page.
    pub id: String,
    /// What was found.
    pub sentence: String,
    /// When, from the beginning, ns.
    pub at: Option<i64>,
    /// When, for people.
    pub clock: String,
    /// The process and what it descends from.
    pub process: String,
    /// The number of the process's name.
    pub who: Option<usize>,
    /// The command that shows more.
    pub next: String,
    /// The command that shows the rows that prove it.
    pub query: String,
    /// Names of the columns of evidence.
    pub columns: Vec<String>,
    /// Rows of evidence.
    pub rows: Vec<Vec<String>>,
}

/// Lets all checks look at the session.
pub fn read(
    session: &mut Session,
    checks: &Checks,
    axis: &Axis,
    names: &Names,
    cleaner: &Cleaner,
    command: &dyn Fn(&str) -> String,
) -> Result<Findings, Error> {
    let chosen: Vec<&Check> = checks.all().collect();
    let results = run(session, &chosen, &BTreeMap::new(), &mut Suppressions::default(), None)?;
    let mut findings = Findings::default();
    let mut counts: BTreeMap<Severity, usize> = BTreeMap::new();
    let (mut number, mut proved) = (0, 0);
    for result in &results {
        let title = result.check.report.header.title.clone();
        match &result.verdict {
            Verdict::Clean => findings.clean += 1,
            Verdict::CannotTell(why) => {
                findings.unsure.push((title, cleaner.text(&why.join("; "))))
            }
            Verdict::Failed(why) => findings.failed.push((title, cleaner.text(why))),
            Verdict::Found => {
                *counts.entry(result.check.severity).or_default() += result.counted();
                let mut found = found(result, cleaner, command);
                for finding in result.findings.iter().take(FINDINGS_MAX) {
                    number += 1;
                    let mut one = one(finding, number, axis, names, cleaner, command);
                    // The first of each check; evidence of many would be a second trace.
                    if found.findings.is_empty() && proved < PROVED_MAX {
                        proved += 1;
                        evidence(session, finding, cleaner, &mut one);
                    }
                    found.findings.push(one);
                }
                findings.found.push(found);
            }
        }
    }
    findings.counts =
        counts.into_iter().rev().map(|(severity, count)| (severity.name(), count)).collect();
    Ok(findings)
}

fn found(result: &CheckResult, cleaner: &Cleaner, command: &dyn Fn(&str) -> String) -> Found {
    let check = result.check;
    Found {
        name: check.name().to_string(),
        title: check.report.header.title.clone(),
        severity: check.severity.name(),
        techniques: check.techniques.join(", "),
        why: check.rationale.clone(),
        harmless: check.false_positives.clone(),
        notes: result.notes.iter().map(|note| cleaner.text(&note.to_string())).collect(),
        findings: Vec::new(),
        more: (result.findings.len() + result.more).saturating_sub(FINDINGS_MAX),
        command: command(&format!("check {} --all", check.name())),
    }
}

fn one(
    finding: &Finding,
    number: usize,
    axis: &Axis,
    names: &Names,
    cleaner: &Cleaner,
    command: &dyn Fn(&str) -> String,
) -> One {
    let told = |subject: &analyzer::check::Subject| {
        format!("{} ({})", cleaner.escape(&subject.comm), subject.pid)
    };
    let mut process: Vec<String> = finding.ancestry.iter().take(6).map(told).collect();
    if let Some(subject) = finding.process().filter(|subject| !subject.argv.is_empty()) {
        let argv: String = subject.argv.chars().take(160).collect();
        process[0] = format!("{}: {}", process[0], cleaner.secret("argument", &argv));
    }
    let own = finding.next.strip_prefix("ebrec ").unwrap_or(&finding.next);
    One {
        id: format!("f{number}"),
        sentence: cleaner.text(&finding.sentence),
        at: finding.ts.map(|ts| ts.saturating_sub(axis.first)),
        clock: finding.ts.map(rows::clock).unwrap_or_default(),
        process: process.join(" ← "),
        who: finding.process().and_then(|process| names.index(&process.comm)),
        next: cleaner.text(&command(own)),
        query: cleaner.text(&command(&format!("query {}", shell_word(&finding.evidence)))),
        columns: Vec::new(),
        rows: Vec::new(),
    }
}

/// Puts the rows that prove a finding beside it; without them, the command still tells how to get them.
fn evidence(session: &Session, finding: &Finding, cleaner: &Cleaner, one: &mut One) {
    let Ok(mut answer) = session.sql(&finding.evidence) else { return };
    let fields: Vec<String> =
        answer.schema().fields().iter().map(|field| field.name().clone()).collect();
    let Ok(taken) = rows::take(&mut answer, EVIDENCE_MAX) else { return };
    let is_shown = |column: &usize| {
        !HIDDEN.contains(&fields[*column].as_str())
            && taken.rows.iter().any(|row| row[*column] != Cell::Null)
    };
    let shown: Vec<usize> = (0..fields.len()).filter(is_shown).take(COLUMNS_MAX).collect();
    one.columns = shown.iter().map(|column| fields[*column].replace('_', " ")).collect();
    let text = |row: &[Cell], column: usize| match &row[column] {
        Cell::Text(text) => {
            let text: String = text.chars().take(200).collect();
            cleaner.cell(&fields[column], &text)
        }
        Cell::Moment(ns) => rows::clock(*ns),
        Cell::Integer(n) if Unit::of_name(&fields[column]) == Unit::Count => n.to_string(),
        cell => show(cell, Unit::of_name(&fields[column])),
    };
    one.rows = taken
        .rows
        .iter()
        .map(|row| shown.iter().map(|column| text(row, *column)).collect())
        .collect();
}
