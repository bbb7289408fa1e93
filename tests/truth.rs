//! What is planted in made-up traces is what reports find, for every scenario and several seeds.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::fs;
use std::path::Path;

use serde_json::Value;

use crate::command::ebrec;

/// A planted fact, and where a report tells it.
struct Check {
    fact: &'static str,
    /// The report and its options.
    report: &'static [&'static str],
    /// Columns that make up what the fact is about, joined by `|`.
    subject: &'static [&'static str],
    column: &'static str,
    /// Rows of one subject are added up, or the largest counts.
    adds_up: bool,
    /// Share that the answer may be off: quantiles come from histograms.
    tolerance: f64,
}

const fn exact(
    fact: &'static str,
    report: &'static [&'static str],
    subject: &'static [&'static str],
    column: &'static str,
) -> Check {
    Check { fact, report, subject, column, adds_up: true, tolerance: 0.0 }
}

const fn largest(
    fact: &'static str,
    report: &'static [&'static str],
    subject: &'static [&'static str],
    column: &'static str,
    tolerance: f64,
) -> Check {
    Check { fact, report, subject, column, adds_up: false, tolerance }
}

const SERVICE: &[&str] = &["disk_latency", "--by", "disk"];

/// By scenario.
const CHECKS: &[(&str, &[Check])] = &[
    (
        "leaks",
        &[
            exact("unfreed_bytes", &["leaks"], &["stack"], "kept_bytes"),
            exact("left_bytes", &["leaks"], &["comm"], "leaked_bytes"),
            exact("allocations", &["allocation_hotspots"], &["stack"], "calls"),
            exact("allocated_bytes", &["allocation_hotspots"], &["stack"], "allocated_bytes"),
            exact("temporary", &["temporary_allocations"], &["stack"], "temporary"),
            largest("peak_bytes", &["heap_peak"], &["comm"], "peak_bytes", 0.0),
        ],
    ),
    (
        "hot",
        &[
            exact("self_ns", &["cpu_hotspots"], &["name"], "self_ns"),
            exact("total_ns", &["cpu_hotspots"], &["name"], "total_ns"),
        ],
    ),
    (
        "locks",
        &[
            exact("offcpu_ns", &["offcpu"], &["stack"], "time_ns"),
            exact("waited_for_ns", &["lock_contention"], &[], "total_ns"),
            exact("futex_waiters", &["lock_contention"], &["lock"], "waiters"),
            largest("longest_lock_wait_ns", &["lock_contention"], &[], "max_ns", 0.0),
            exact("run_queue_ns", &["runqueue_latency"], &["who"], "total_ns"),
        ],
    ),
    (
        "disk",
        &[
            largest("max_ns", SERVICE, &["name", "operation"], "max_ns", 0.0),
            largest("p50_ns", SERVICE, &["name", "operation"], "p50_ns", 0.008),
            largest("p99_ns", SERVICE, &["name", "operation"], "p99_ns", 0.008),
            largest("requests", SERVICE, &["name", "operation"], "requests", 0.0),
        ],
    ),
    (
        "storm",
        &[
            exact("calls", &["syscalls", "--by", "process_syscall"], &["comm", "syscall"], "calls"),
            exact(
                "duration_ns",
                &["syscalls", "--by", "process_syscall"],
                &["comm", "syscall"],
                "total_ns",
            ),
            largest(
                "slowest_ns",
                &["syscalls", "--by", "process_syscall"],
                &["comm", "syscall"],
                "max_ns",
                0.0,
            ),
            exact("errors", &["syscall_errors"], &["comm", "syscall", "error"], "errors"),
        ],
    ),
    (
        "retransmits",
        &[
            exact("sent_bytes", &["top_talkers", "--by", "peer"], &["peer"], "sent_bytes"),
            exact("received_bytes", &["top_talkers", "--by", "peer"], &["peer"], "received_bytes"),
            exact("retransmits", &["retransmits"], &["process"], "retransmits"),
        ],
    ),
];

/// A number of JSON.
fn number(value: &Value) -> f64 {
    value.as_f64().unwrap_or_default()
}

fn rows(folder: &Path, args: &[&str]) -> Vec<Value> {
    serde_json::from_str(&ebrec(folder, args).ok()).unwrap()
}

/// What the scenario planted, by fact and subject.
fn planted(folder: &Path, scenario: &str) -> BTreeMap<(String, String), f64> {
    let sql = format!(
        "SELECT fact, subject, value FROM truth WHERE scenario = '{scenario}' AND value IS NOT NULL"
    );
    let facts = rows(folder, &["query", "--format", "json", &sql]);
    let text = |row: &Value, name: &str| row[name].as_str().unwrap().to_string();
    facts
        .iter()
        .map(|row| ((text(row, "fact"), text(row, "subject")), number(&row["value"])))
        .collect()
}

/// What a report says, by subject.
fn told(folder: &Path, check: &Check) -> BTreeMap<String, f64> {
    let args = [&["report"], check.report, &["--format", "json"]].concat();
    let mut told = BTreeMap::new();
    for row in rows(folder, &args) {
        let subject: Vec<&str> =
            check.subject.iter().map(|name| row[*name].as_str().unwrap_or_default()).collect();
        let value = number(&row[check.column]);
        let so_far = told.entry(subject.join("|")).or_insert(0.0f64);
        *so_far = if check.adds_up { *so_far + value } else { so_far.max(value) };
    }
    told
}

/// Processes whose threads have names of their own: the truth is told of the process, a report of threads.
fn threaded(folder: &Path) -> Vec<String> {
    let sql = "SELECT DISTINCT p.comm FROM processes p JOIN threads t ON p.upid = t.upid WHERE t.comm <> p.comm";
    let names = rows(folder, &["query", "--format", "json", sql]);
    names.iter().map(|row| row["comm"].as_str().unwrap().to_string()).collect()
}

/// Facts that were found, of those planted that the report has rows for.
fn found(
    folder: &Path,
    scenario: &str,
    check: &Check,
    planted: &BTreeMap<(String, String), f64>,
) -> usize {
    let told = told(folder, check);
    let facts = planted.iter().filter(|((fact, _), _)| fact == check.fact);
    let threaded = threaded(folder);
    let mut count = 0;
    for ((_, subject), value) in facts {
        let is_by_name = check.subject.first() == Some(&"comm");
        if is_by_name && threaded.iter().any(|comm| subject.split('|').next() == Some(comm)) {
            continue;
        }
        let about = if check.subject.is_empty() { "" } else { subject };
        // A fact may be told of several things, such as processes and peers; a report tells of one.
        let Some(answer) = told.get(about) else { continue };
        let is_found = (answer - value).abs() <= check.tolerance * value.abs();
        assert!(
            is_found,
            "{scenario}: {} of {subject} is {value}, and {:?} says {answer}",
            check.fact, check.report
        );
        count += 1;
    }
    assert!(count > 0, "{scenario}: {:?} tells nothing of {}", check.report, check.fact);
    count
}

#[test]
fn what_is_planted_is_found() {
    let mut page = String::from(
        "# Planted truth\n\nMade by a test, which fails when one of these is not found: traces of \
         `ebrec synth`, and what reports say of what is planted in them. Exact but for quantiles, which may be \
         0.8 % off.\n\n| scenario | fact | report | column | facts found, seeds 1, 2, 3 | in `mixed` |\n|---|---|---|---|---|---|\n",
    );
    let folder = tempfile::tempdir().unwrap();
    let synth = |scenario: &str, seed: u32| {
        let path = folder.path().join(format!("{scenario}-{seed}"));
        fs::create_dir(&path).unwrap();
        let seed = seed.to_string();
        ebrec(&path, &["synth", "--scenario", scenario, "--events", "20000", "--seed", &seed]).ok();
        path
    };
    let mixed = synth("mixed", 4);
    for (scenario, checks) in CHECKS {
        let traces = [1, 2, 3].map(|seed| synth(scenario, seed));
        let truths = traces.each_ref().map(|trace| planted(trace, scenario));
        let truth_mixed = planted(&mixed, scenario);
        for check in *checks {
            let mut counts = Vec::new();
            for (trace, truth) in traces.iter().zip(&truths) {
                counts.push(found(trace, scenario, check, truth).to_string());
            }
            let in_mixed = found(&mixed, scenario, check, &truth_mixed);
            let report = check.report.join(" ");
            let _ = writeln!(
                page,
                "| {scenario} | {} | `{report}` | {} | {} | {in_mixed} |",
                check.fact,
                check.column,
                counts.join(", ")
            );
        }
    }
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/truth.md");
    let is_same = fs::read_to_string(&path).is_ok_and(|old| old == page);
    fs::write(path, page).unwrap();
    assert!(is_same, "docs/truth.md was stale: look at the change");
}

/// With losses, what is called a lower bound is never above the truth, in any report.
#[test]
fn what_was_lost_is_not_made_up() {
    let folder = tempfile::tempdir().unwrap();
    let list = rows(folder.path(), &["report", "--list", "--format", "json"]);
    // What the header calls a total or a largest value, the footer calls a lower bound.
    let is_bound = |check: &Check| {
        let report = list.iter().find(|report| report["name"] == check.report[0]).unwrap();
        let columns = report["columns"].as_array().unwrap();
        let column = columns.iter().find(|column| column["name"] == check.column).unwrap();
        ["total", "max"].iter().any(|kind| column["kind"] == *kind)
    };
    let (mut short, mut bounds) = (0, 0);
    for (scenario, checks) in CHECKS {
        let path = folder.path().join(scenario);
        fs::create_dir(&path).unwrap();
        let args = ["synth", "--scenario", scenario, "--events", "20000", "--loss", "30"];
        ebrec(&path, &args).ok();
        let truth = planted(&path, scenario);
        for check in checks.iter().filter(|check| is_bound(check)) {
            let told = told(&path, check);
            let answer = ebrec(&path, &[&["report"], check.report].concat()).ok();
            assert!(answer.contains("Incomplete: "), "{answer}");
            let bounded: Vec<&str> =
                answer.lines().filter(|line| line.contains("lower bound")).collect();
            assert!(bounded.iter().any(|line| line.contains(check.column)), "{answer}");
            for ((_, subject), value) in truth.iter().filter(|((fact, _), _)| fact == check.fact) {
                let about = if check.subject.is_empty() { "" } else { subject };
                let Some(answer) = told.get(about).copied() else { continue };
                assert!(answer <= *value, "{:?}: {subject}: {answer} of {value}", check.report);
                short += usize::from(answer < *value);
            }
            bounds += 1;
        }
    }
    assert!(short > 100 && bounds > 12, "{short} {bounds}");
}
