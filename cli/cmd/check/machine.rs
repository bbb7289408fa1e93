//! Findings for programs: JSON, and SARIF as code scanning reads it.

use std::io::Write;

use analyzer::check::{CheckResult, Finding, Severity, Subject, Verdict};
use anyhow::Result;
use serde_json::{Map, Value, json};

use super::{Told, page};

/// One object with everything.
pub fn json(told: &Told, out: &mut dyn Write) -> Result<()> {
    let findings: Vec<Value> =
        all(told).map(|(result, finding)| one(result, finding, told)).collect();
    let checks: Vec<Value> = told.results.iter().map(verdict).collect();
    let object = json!({
        "traces": told.traces, "findings": findings, "checks": checks,
        "completeness": page::lines(told), "remarks": told.remarks,
    });
    Ok(writeln!(out, "{object:#}")?)
}

/// A line for each finding, then one for each check.
pub fn ndjson(told: &Told, out: &mut dyn Write) -> Result<()> {
    for (result, finding) in all(told) {
        writeln!(out, "{}", one(result, finding, told))?;
    }
    for result in told.results {
        writeln!(out, "{}", verdict(result))?;
    }
    Ok(())
}

fn all<'a>(told: &'a Told) -> impl Iterator<Item = (&'a CheckResult<'a>, &'a Finding)> {
    told.results
        .iter()
        .flat_map(|result| result.findings.iter().map(move |finding| (result, finding)))
}

fn one(result: &CheckResult, finding: &Finding, told: &Told) -> Value {
    let columns: Map<String, Value> =
        finding.columns.iter().map(|(name, cell)| (name.clone(), cell.json())).collect();
    let suppressed = finding.suppressed.as_ref();
    json!({
        "kind": "finding",
        "check": result.check.name(),
        "title": result.check.report.header.title,
        "severity": result.check.severity.name(),
        "techniques": result.check.techniques,
        "ts": finding.cell("ts").map(|cell| cell.json()),
        "host": finding.host,
        "upid": finding.upid,
        "pid": finding.pid,
        "sentence": finding.sentence,
        "columns": columns,
        "process": finding.process().map(process),
        "ancestry": finding.ancestry.iter().skip(1).map(process).collect::<Vec<_>>(),
        "evidence": finding.evidence,
        "next": told.command(&finding.next),
        "id": finding.id,
        "suppressed": suppressed.map(|by| json!({"reason": by.reason, "expires": by.expires})),
    })
}

fn process(subject: &Subject) -> Value {
    json!({
        "pid": subject.pid, "comm": subject.comm, "exe": subject.exe, "argv": subject.argv,
        "uid": subject.uid, "container": subject.container,
    })
}

fn verdict(result: &CheckResult) -> Value {
    let (word, reasons) = match &result.verdict {
        Verdict::Found => ("found", Vec::new()),
        Verdict::Clean => ("clean", Vec::new()),
        Verdict::CannotTell(reasons) => ("cannot tell", reasons.clone()),
        Verdict::Failed(reason) => ("failed", vec![reason.clone()]),
    };
    json!({
        "kind": "check",
        "check": result.check.name(),
        "severity": result.check.severity.name(),
        "verdict": word,
        "reasons": reasons,
        "findings": result.findings.len() + result.more,
        "counted": result.counted(),
        "told_before": result.told,
        "elapsed_ms": u64::try_from(result.elapsed.as_millis()).unwrap_or(u64::MAX),
    })
}

/// The level that SARIF has for a severity.
fn level(severity: Severity) -> &'static str {
    match severity {
        Severity::Info | Severity::Low => "note",
        Severity::Medium => "warning",
        Severity::High | Severity::Critical => "error",
    }
}

/// The score that code scanning ranks by.
fn score(severity: Severity) -> &'static str {
    match severity {
        Severity::Info => "1.0",
        Severity::Low => "3.0",
        Severity::Medium => "5.5",
        Severity::High => "8.0",
        Severity::Critical => "9.5",
    }
}

/// SARIF 2.1.0.
pub fn sarif(told: &Told, out: &mut dyn Write) -> Result<()> {
    let rule = |result: &CheckResult| {
        let check = result.check;
        let header = &check.report.header;
        json!({
            "id": check.name(),
            "name": check.name(),
            "shortDescription": {"text": header.title},
            "fullDescription": {"text": format!("{} {}", header.doc, check.rationale)},
            "help": {"text": format!("False positives: {}", check.false_positives.join(" "))},
            "defaultConfiguration": {"level": level(check.severity)},
            "properties": {"tags": check.techniques, "security-severity": score(check.severity)},
        })
    };
    let found = |(result, finding): (&CheckResult, &Finding)| {
        let process = finding.process();
        let name = process.map_or_else(
            || finding.host.clone(),
            |process| format!("{}[{}]", process.comm, process.pid),
        );
        let mut value = json!({
            "ruleId": result.check.name(),
            "ruleIndex": told.results.iter().position(|other| other.check.name() == result.check.name()),
            "level": level(result.check.severity),
            "message": {"text": finding.sentence},
            "locations": [{
                "physicalLocation": {"artifactLocation": {"uri": uri(&told.traces[0])}},
                "logicalLocations": [{"name": name, "kind": "process"}],
            }],
            "partialFingerprints": {"finding/v1": finding.id},
            "properties": one(result, finding, told),
        });
        if let Some(by) = &finding.suppressed {
            value["suppressions"] = json!([{"kind": "external", "justification": format!("{} (until {})", by.reason, by.expires)}]);
        }
        value
    };
    let told_of = |result: &CheckResult| match &result.verdict {
        Verdict::CannotTell(reasons) => Some(json!({
            "descriptor": {"id": result.check.name()},
            "level": "warning",
            "message": {"text": format!("{} cannot tell: {}", result.check.name(), reasons.join("; "))},
        })),
        _ => None,
    };
    let log = json!({
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [{
            "tool": {"driver": {
                "name": "ebrec",
                "version": env!("CARGO_PKG_VERSION"),
                "rules": told.results.iter().map(rule).collect::<Vec<_>>(),
            }},
            "results": all(told).map(found).collect::<Vec<_>>(),
            "invocations": [{
                "executionSuccessful": !told.results.iter().any(|result| matches!(result.verdict, Verdict::Failed(_))),
                "toolExecutionNotifications": told.results.iter().filter_map(told_of).collect::<Vec<_>>(),
            }],
        }],
    });
    Ok(writeln!(out, "{log:#}")?)
}

/// A path as a relative or file URI.
fn uri(path: &str) -> String {
    let mut out = String::from(if path.starts_with('/') { "file://" } else { "" });
    for byte in path.bytes() {
        match byte {
            b'/' | b'-' | b'_' | b'.' | b'~' => out.push(byte as char),
            byte if byte.is_ascii_alphanumeric() => out.push(byte as char),
            byte => out.push_str(&format!("%{byte:02X}")),
        }
    }
    out
}
