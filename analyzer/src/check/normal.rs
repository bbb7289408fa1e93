//! What a baseline does not have, told like the findings of checks.

use std::time::{Duration, Instant};

use crate::baseline::{Baseline, Deviation, comparison};
use crate::check::run::{ancestry, filled_in};
use crate::check::{
    Cell, Check, CheckResult, FOLDER, Finding, NEXT, Severity, Suppressions, Verdict, Window,
};
use crate::completeness::Gap;
use crate::error::Error;
use crate::header::Header;
use crate::report::Report;
use crate::session::Session;

/// The name of the check that a baseline is.
pub(super) const NAME: &str = "baseline";

/// A baseline as checks: one for each severity that what is new can have.
#[derive(Debug, Clone)]
pub struct Normal {
    baseline: Baseline,
    checks: Vec<Check>,
}

impl Normal {
    /// The checks of a baseline, the most severe first.
    pub fn new(baseline: Baseline) -> Normal {
        let checks = Severity::ALL.into_iter().rev().map(check).collect();
        Normal { baseline, checks }
    }

    /// What is new in the session; one clean result if nothing is.
    pub fn look<'a>(
        &'a self,
        session: &Session,
        suppressions: &mut Suppressions,
    ) -> Result<Vec<CheckResult<'a>>, Error> {
        let began = Instant::now();
        let compared = comparison(session, &self.baseline)?;
        let mut results: Vec<CheckResult> = Vec::new();
        for check in &self.checks {
            let of = compared.deviations.iter().filter(|new| new.severity == check.severity);
            let mut findings: Vec<Finding> = of.map(finding).collect();
            if findings.is_empty() {
                continue;
            }
            ancestry(session, &mut findings)?;
            for finding in &mut findings {
                suppressions.apply(NAME, finding);
            }
            results.push(filled_in(check, Verdict::Found, findings));
        }
        if results.is_empty() {
            let lost = compared.notes.iter().filter(|note| note.gap != Gap::NotRecorded);
            let mut reasons = compared.unknown.clone();
            reasons.extend(lost.map(ToString::to_string));
            let verdict = match reasons.is_empty() {
                true => Verdict::Clean,
                false => Verdict::CannotTell(reasons),
            };
            results.extend(self.checks.last().map(|check| filled_in(check, verdict, Vec::new())));
        }
        if let Some(first) = results.first_mut() {
            first.notes = compared.notes;
            first.limits = compared.limits;
            first.elapsed = began.elapsed().max(Duration::ZERO);
        }
        Ok(results)
    }
}

fn check(severity: Severity) -> Check {
    let header = Header {
        title: "Not in the baseline".to_string(),
        doc: "Did a program do what it never did before? One row per program and thing."
            .to_string(),
        ..Header::default()
    };
    Check {
        report: Report {
            name: NAME.to_string(),
            job: FOLDER.to_string(),
            header,
            sql: String::new(),
            path: None,
        },
        severity,
        techniques: Vec::new(),
        rationale: "What is new in a program that always does the same was brought by somebody."
            .to_string(),
        false_positives: vec![
            "A new version, a new user, a rare task: learn it (`ebrec baseline`).".to_string(),
        ],
        evidence: String::new(),
        next: NEXT.to_string(),
        window: Window::All,
        fires: Vec::new(),
        silent: Vec::new(),
    }
}

fn finding(new: &Deviation) -> Finding {
    let at = new.ts.map_or_else(String::new, |ts| format!(" --at {}", Cell::Moment(ts).text()));
    let next = match new.pid {
        Some(pid) => format!("ebrec explain --pid {pid}{at}"),
        None => "ebrec report process_tree".to_string(),
    };
    let text = |text: &String| Cell::Text(text.clone());
    Finding {
        ts: new.ts,
        host: new.host.clone(),
        upid: new.upid,
        pid: new.pid,
        sentence: new.sentence.clone(),
        columns: vec![
            ("program".to_string(), text(&new.program)),
            ("what".to_string(), text(&new.kind)),
            ("item".to_string(), text(&new.item)),
            ("rarity".to_string(), Cell::Number(new.rarity)),
        ],
        ancestry: Vec::new(),
        evidence: new.evidence.clone(),
        next,
        id: super::finding::hash(&[NAME, &new.host, &new.program, &new.kind, &new.item]),
        suppressed: None,
    }
}
