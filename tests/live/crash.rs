//! A recorder that is killed costs at most the last second.

use std::fs;
use std::thread::sleep;
use std::time::{Duration, SystemTime};

use serde_json::json;

use super::lab::Lab;

/// A second, and what the clocks may differ by.
const OLD_ENOUGH_NS: i64 = 1_000_000_000;

#[test]
fn what_is_older_than_a_second_survives_kill_9_and_is_queryable_at_once() {
    let Some(lab) = Lab::open() else { return };
    check(&lab, &[]);
}

#[test]
fn so_it_does_with_several_segments() {
    let Some(lab) = Lab::open() else { return };
    check(&lab, &["--rotate", "1s"]);
}

fn check(lab: &Lab, options: &[&str]) {
    let load = lab.work(&["load", "marks.txt", "1000"]);
    let pid = load.pid();
    let mut args = vec!["-p", &pid];
    args.extend(options);
    let recorder = lab.start(&args);
    sleep(Duration::from_millis(3500));
    let killed_ns = SystemTime::UNIX_EPOCH.elapsed().unwrap().as_nanos() as i64;
    recorder.stop(libc::SIGKILL);

    // What the load says it did, from shortly after recording began to a second before the end.
    let began_ns = lab.value("SELECT CAST(min(ts) AS BIGINT) FROM syscalls");
    let marks = fs::read_to_string(lab.path().join("marks.txt")).unwrap();
    let marks: Vec<(i64, i64)> = marks
        .lines()
        .filter_map(|line| {
            let (calls, ns) = line.split_once(' ')?;
            Some((calls.parse().ok()?, ns.parse().ok()?))
        })
        .filter(|(_, ns)| (began_ns..killed_ns - OLD_ENOUGH_NS).contains(ns))
        .collect();
    let ((calls_before, from), (calls_after, to)) = (marks[0], *marks.last().unwrap());
    let calls = calls_after - calls_before;
    let rate = calls as f64 / ((to - from) as f64 / 1e9);
    assert!(calls >= 100_000 && rate > 50_000.0, "{calls} calls, {rate} a second");
    let found = lab.value(&format!(
        "SELECT count(*) FROM syscalls WHERE syscall = 'getppid' \
         AND CAST(ts AS BIGINT) > {from} AND CAST(ts AS BIGINT) <= {to}"
    ));
    assert_eq!(found, calls, "of those more than a second old");
    println!("{calls} calls at {rate:.0} a second, all there");

    let (code, report) = lab.verify();
    assert_eq!((code, &report["verdict"]), (1, &json!("unknown")), "{report:#}");
    let sentence = report["sentence"].as_str().unwrap();
    assert!(sentence.contains("nobody knows how many events after"), "{sentence}");
    let notes = lab.ebrec(&["query", "SELECT count(*) FROM syscalls"]).err;
    assert!(notes.contains("note:"), "{notes}");
    // Encoding makes an ordinary trace of it.
    let before = lab.value("SELECT count(*) FROM syscalls");
    lab.ebrec(&["encode"]).ok();
    assert_eq!(lab.value("SELECT count(*) FROM syscalls"), before);
    assert!(!lab.path().join("trace/spool/000001").exists());
}
