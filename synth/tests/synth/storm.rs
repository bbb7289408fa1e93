//! System calls, counted by process.

use std::collections::{BTreeMap, BTreeSet};

use crate::read::{Made, sums};

#[test]
fn calls_errors_and_durations_are_what_the_truth_says() {
    let made = Made::new("storm");
    let processes = made.processes();
    let rows = made.table("syscalls");
    let (upid, ts, ns) = (rows.int("upid"), rows.int("ts"), rows.int("duration_ns"));
    let (call, error, path) = (rows.text("syscall"), rows.text("error"), rows.text("path"));
    let comm = |row: usize| processes[&upid[row].unwrap()].clone();
    let name = |row: usize| format!("{}|{}", comm(row), call[row].as_ref().unwrap());
    let all = || 0..rows.len();
    made.check("calls", &sums(all().map(|row| (name(row), 1))));
    made.check("duration_ns", &sums(all().map(|row| (name(row), ns[row].unwrap()))));
    let failed: Vec<usize> = all().filter(|row| error[*row].is_some()).collect();
    let with_error = |row: &usize| format!("{}|{}", name(*row), error[*row].as_ref().unwrap());
    made.check("errors", &sums(failed.iter().map(|row| (with_error(row), 1))));
    let opened: Vec<usize> = all().filter(|row| call[*row].as_deref() == Some("openat")).collect();
    made.check("opens", &sums(opened.iter().map(|row| (path[*row].clone().unwrap(), 1))));

    let mut slowest: BTreeMap<String, usize> = BTreeMap::new();
    for row in all() {
        let known = slowest.entry(name(row)).or_insert(row);
        if ns[row] > ns[*known] {
            *known = row;
        }
    }
    for (name, row) in &slowest {
        assert_eq!(made.fact("slowest_ns", name), (ns[*row], ts[*row]), "{name}");
    }
    assert!(slowest.values().any(|row| ns[*row] == Some(2_718_281_828)));

    let denied = failed.iter().filter(|row| error[**row].as_deref() == Some("EACCES"));
    let denied: Vec<usize> = denied.copied().collect();
    assert!(denied.iter().all(|row| comm(*row) == "report-gen"));
    let (first, last) = (denied[0], denied[denied.len() - 1]);
    let count = Some(denied.len() as i64);
    assert_eq!(made.fact("burst_begin", "report-gen|EACCES"), (count, ts[first]));
    assert_eq!(made.fact("burst_end", "report-gen|EACCES"), (None, ts[last]));
    let paths = denied.iter().filter(|row| call[**row].as_deref() == Some("openat"));
    let paths: BTreeSet<&Option<String>> = paths.map(|row| &path[*row]).collect();
    assert_eq!(made.value("denied_paths", "report-gen"), paths.len() as i64);
}

#[test]
fn the_storm_of_switches_is_what_the_truth_says() {
    let made = Made::new("storm");
    let slices = made.table("sched_slices");
    assert_eq!(made.value("switches", "ping-pong"), slices.len() as i64);
    let mut seconds: BTreeMap<i64, i64> = BTreeMap::new();
    for ts in slices.int("ts").into_iter().flatten() {
        *seconds.entry(ts / 1_000_000_000 * 1_000_000_000).or_default() += 1;
    }
    let most = seconds.values().max().copied();
    let (told, at) = made.fact("switches_in_second", "ping-pong");
    assert_eq!((told, told), (most, seconds.get(&at.unwrap()).copied()));
}
