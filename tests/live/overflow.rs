//! Rings, or a disk, too small for what happens: what is lost is counted.

use std::process::Command;

use serde_json::json;

use super::lab::{Lab, workload};
use crate::command::run;
use crate::skip::{has_program, skip};

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

/// The rings are large enough for the burst, however late the recorder comes to empty them.
#[test]
fn default_rings_hold_a_burst() {
    let Some(lab) = Lab::open() else { return };
    lab.record(&["-s", "syscalls"], &["storm", "150000"]);
    lab.assert_complete();
    assert_eq!(lab.value("SELECT count(*) FROM syscalls WHERE syscall = 'getppid'"), 150_000);
}

#[test]
fn a_full_disk_ends_the_recording_and_leaves_what_was_written() {
    let Some(lab) = Lab::open() else { return };
    if !has_program("unshare", &["-m", "true"]) {
        return skip("a small disk cannot be made: unshare -m does not work");
    }
    // A file system of 8 MiB in a mount namespace of its own; the recording must not fit in it.
    let script = "mount -t tmpfs -o size=8m none \"$1\" && cd \"$1\" || exit 99\n\
        \"$0\" record -s syscalls -- \"$2\" storm 400000; echo \"code $?\"\n\
        \"$0\" verify\n\
        \"$0\" query --format csv \"SELECT reason, sum(lost) > 0 FROM loss GROUP BY reason\"";
    let mut command = Command::new("unshare");
    command.args(["-m", "sh", "-c", script, env!("CARGO_BIN_EXE_ebrec")]);
    let run = run(command.arg(lab.path()).arg(workload()).output().unwrap());
    assert!(run.out.contains("code 2"), "{run:?}");
    assert!(run.out.contains("Accounted for"), "{run:?}");
    assert!(run.out.contains("disk_full,true"), "{run:?}");
    assert!(run.err.contains("the disk was full"), "{run:?}");
}
