//! Rings too small for what happens: what is lost is counted.

use serde_json::json;

use super::lab::Lab;

#[test]
fn what_a_full_ring_loses_is_counted() {
    let Some(lab) = Lab::open() else { return };
    check(&lab, &["--ring", "4096"]);
}

#[test]
fn what_is_lost_while_segments_change_is_counted_once() {
    let Some(lab) = Lab::open() else { return };
    check(&lab, &["--ring", "4096", "--rotate-size", "1MiB"]);
    assert!(lab.value("SELECT count(DISTINCT segment) FROM segments") > 2);
}

/// Records a storm with rings that are too small for it.
fn check(lab: &Lab, options: &[&str]) {
    let run = lab.record(options, &["storm", "1000000"]);
    assert!(run.err.contains("lost") && run.err.contains("--ring"), "{}", run.err);
    let (code, report) = lab.verify();
    assert_eq!((code, &report["verdict"]), (1, &json!("lost")), "{report:#}");
    let mut lost_in_all = 0;
    for kind in report["kinds"].as_array().unwrap() {
        let count = |name: &str| kind[name].as_i64().unwrap();
        assert_eq!(count("emitted"), count("stored") + count("lost"), "{kind}");
        lost_in_all += count("lost");
    }
    let calls = report["kinds"].as_array().unwrap().iter().find(|kind| kind["kind"] == "syscall");
    let calls = calls.unwrap();
    let (emitted, lost) = (calls["emitted"].as_i64().unwrap(), calls["lost"].as_i64().unwrap());
    assert!(emitted >= 1_000_000 && lost > 0, "{calls}");
    assert_eq!(lab.value("SELECT sum(lost) FROM loss"), lost_in_all);
    assert_eq!(lab.value("SELECT sum(lost) FROM loss WHERE kind = 'syscall'"), lost);
    assert_eq!(lab.value("SELECT count(*) FROM syscalls"), calls["stored"].as_i64().unwrap());
    let notes = lab.ebrec(&["query", "SELECT count(*) FROM syscalls"]).err;
    let plain: String = notes.chars().filter(|c| *c != ',').collect();
    let note = format!("note: syscalls: {lost} of {emitted} events were lost");
    assert!(plain.contains(&note), "{notes}");
    let table = lab.ebrec(&["verify"]).out;
    assert!(
        table.contains(&format!("Accounted for, but {lost_in_all} events were lost")),
        "{table}"
    );
}

#[test]
fn default_rings_lose_nothing_in_a_storm() {
    let Some(lab) = Lab::open() else { return };
    lab.record(&["-s", "syscalls"], &["storm", "1000000"]);
    lab.assert_complete();
    assert_eq!(lab.value("SELECT count(*) FROM syscalls WHERE syscall = 'getppid'"), 1_000_000);
}
