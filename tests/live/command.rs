//! A command that is recorded keeps its exit code, its signals and its time.

use std::time::{Duration, Instant};

use super::lab::Lab;

#[test]
fn the_exit_code_is_that_of_the_command() {
    let Some(lab) = Lab::open() else { return };
    let check = |script: &str, code: i32| {
        let got = lab.ebrec(&["record", "--force", "--quiet", "--", "/bin/sh", "-c", script]);
        assert_eq!((got.code, got.out.as_str(), got.err.as_str()), (code, "", ""), "{script}");
        lab.assert_complete();
    };
    check("exit 0", 0);
    check("exit 7", 7);
    check("exit 255", 255);
    check("kill -TERM $$", 143);
    check("kill -KILL $$", 137);
    let exit = lab.rows("SELECT exit_code, signal FROM process_events WHERE event = 'exit'");
    assert_eq!(exit, [",SIGKILL"]);
}

#[test]
fn output_of_the_command_is_its_own() {
    let Some(lab) = Lab::open() else { return };
    let got = lab.ebrec(&["record", "-q", "--", "/bin/sh", "-c", "echo out; echo err >&2"]);
    assert_eq!((got.code, got.out.as_str(), got.err.as_str()), (0, "out\n", "err\n"));
}

#[test]
fn a_signal_to_the_recorder_reaches_the_command() {
    let Some(lab) = Lab::open() else { return };
    let script = "trap 'echo >caught; exit 5' TERM; while :; do sleep 0.02; done";
    let recorder = lab.start(&["-q", "--", "/bin/sh", "-c", script]);
    lab.await_calls("comm = 'sleep'");
    assert_eq!(recorder.stop(libc::SIGTERM).code, 5);
    assert!(lab.path().join("caught").exists());
    lab.assert_complete();
}

#[test]
fn a_command_that_a_signal_ends_gives_128_and_the_signal() {
    let Some(lab) = Lab::open() else { return };
    let recorder = lab.start(&["-q", "--", "/bin/sleep", "1000"]);
    assert_eq!(recorder.stop(libc::SIGTERM).code, 143);
    lab.assert_complete();
}

#[test]
fn a_recording_ends_when_its_time_is_up() {
    let Some(lab) = Lab::open() else { return };
    let load = lab.work(&["load", "marks.txt", "100"]);
    let began = Instant::now();
    let run = lab.ebrec(&["record", "-d", "2s", "-p", &load.pid()]);
    let took = began.elapsed();
    assert_eq!(run.code, 0, "{run:?}");
    assert!(run.err.contains("recorded until the time was up"), "{}", run.err);
    assert!(took > Duration::from_secs(2) && took < Duration::from_secs(20), "{took:?}");
    lab.assert_complete();
    let ns = lab.value("SELECT CAST(max(ts) AS BIGINT) - CAST(min(ts) AS BIGINT) FROM syscalls");
    assert!((1_900_000_000..2_500_000_000).contains(&ns), "{ns}");
}

#[test]
fn the_summary_says_what_to_type_next() {
    let Some(lab) = Lab::open() else { return };
    let run = lab.record(&[], &["storm", "10"]);
    for text in ["events stored, 0 lost", "next:  ebrec info", "ebrec query \"SELECT"] {
        assert!(run.err.contains(text), "{}", run.err);
    }
    let sql = run.err.lines().find_map(|line| line.split('"').nth(1)).unwrap();
    assert!(!lab.rows(sql).is_empty());
}
