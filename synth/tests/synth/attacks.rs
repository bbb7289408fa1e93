//! What checks have to find, and what they have to leave alone.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use crate::read::{Made, made, options};

const SCENARIOS: [(&str, &str); 2] = [("attacks", "finding"), ("lookalikes", "lookalike")];

/// The names of all checks.
fn checks() -> BTreeSet<String> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../queries/checks");
    let files = fs::read_dir(folder).unwrap().map(|file| file.unwrap().path());
    files.map(|file| file.file_stem().unwrap().to_str().unwrap().to_string()).collect()
}

#[test]
fn every_check_has_something_to_find_and_something_that_looks_like_it() {
    let checks = checks();
    assert!(!checks.is_empty());
    for (scenario, fact) in SCENARIOS {
        let (_, written) = made(&options(scenario));
        assert!(written.facts.iter().all(|told| told.fact == fact), "{scenario}");
        let of = |subject: &str| subject.split_once('|').unwrap().0.to_string();
        let planted: BTreeSet<String> =
            written.facts.iter().map(|told| of(&told.subject)).collect();
        assert_eq!(planted, checks, "{scenario}");
    }
}

#[test]
fn what_is_planted_is_planted_several_times_and_never_by_the_same_process() {
    let counts = |seed| {
        let (_, written) = made(&synth::Options { seed, ..options("attacks") });
        let mut counts: BTreeMap<String, i64> = BTreeMap::new();
        for fact in written.facts {
            let (check, _) = fact.subject.split_once('|').unwrap();
            *counts.entry(check.to_string()).or_default() += fact.value.unwrap();
        }
        counts
    };
    let first = counts(1);
    assert!(first.values().all(|count| (3..40).contains(count)), "{first:?}");
    assert!(first != counts(2));
}

#[test]
fn planted_processes_are_there_at_the_time() {
    for (scenario, _) in SCENARIOS {
        let (_, written) = made(&options(scenario));
        let made = Made::new(scenario);
        let processes = made.table("processes");
        let (pids, starts) = (processes.int("pid"), processes.int("start_ts"));
        let known: BTreeMap<i64, i64> =
            pids.into_iter().flatten().zip(starts.into_iter().flatten()).collect();
        for fact in written.facts {
            let (check, pid) = fact.subject.split_once('|').unwrap();
            if !pid.is_empty() {
                let start = known[&pid.parse().unwrap()];
                assert!(start <= fact.ts_ns.unwrap(), "{check} of {pid}");
            }
        }
    }
}

#[test]
fn events_are_of_threads_that_live_at_the_time_and_within_the_recording() {
    for (scenario, _) in SCENARIOS {
        let made = Made::new(scenario);
        let threads = made.table("threads");
        let mut lives: BTreeMap<(i64, i64), (i64, i64)> = BTreeMap::new();
        let (upids, tids) = (threads.int("upid"), threads.int("tid"));
        let (starts, ends) = (threads.int("start_ts"), threads.int("end_ts"));
        for row in 0..threads.len() {
            let key = (upids[row].unwrap(), tids[row].unwrap());
            let life = lives.entry(key).or_insert((0, i64::MAX));
            life.0 = starts[row].unwrap();
            life.1 = life.1.min(ends[row].unwrap_or(i64::MAX));
        }
        for table in schema::tables::TABLES.iter().filter(|table| table.is_of_threads()) {
            let rows = made.table(table.name);
            let (upids, tids, ts) = (rows.int("upid"), rows.int("tid"), rows.int("ts"));
            for row in 0..rows.len() {
                // What comes from outside is of nobody.
                let Some(upid) = upids[row] else { continue };
                let (from, to) = lives[&(upid, tids[row].unwrap())];
                let ts = ts[row].unwrap();
                assert!(ts <= to, "{}: {ts} is after {to}", table.name);
                // A socket may be older than the process that has it.
                assert!(from <= ts || table.name == "connections", "{}: {ts}", table.name);
            }
        }
    }
}

#[test]
fn a_process_that_runs_several_programs_is_the_last_of_them() {
    let made = Made::new("attacks");
    let rows = made.table("process_events");
    let (event, upid, exe) = (rows.text("event"), rows.int("upid"), rows.text("exe"));
    let mut last: BTreeMap<i64, String> = BTreeMap::new();
    let mut several = 0;
    for row in (0..rows.len()).filter(|row| event[*row].as_deref() == Some("exec")) {
        several += i32::from(last.insert(upid[row].unwrap(), exe[row].clone().unwrap()).is_some());
    }
    assert!(several > 0);
    let processes = made.table("processes");
    let (upid, exe) = (processes.int("upid"), processes.text("exe"));
    for row in 0..processes.len() {
        if let Some(exec) = last.get(&upid[row].unwrap()) {
            assert_eq!(exe[row].as_ref(), Some(exec));
        }
    }
    let containers = made.table("containers").text("container_id");
    let containers: BTreeSet<&str> = containers.iter().flatten().map(String::as_str).collect();
    assert!(!containers.is_empty());
    let inside = processes.text("container_id");
    let inside: BTreeSet<&str> = inside.iter().flatten().map(String::as_str).collect();
    assert_eq!(inside, containers);
}
