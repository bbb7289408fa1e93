//! Signals, held against a script with known ones and against strace.

use std::collections::BTreeMap;
use std::process::Command;

use super::lab::Lab;
use crate::skip::{has_program, skip};

const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/programs/signals.sh");

/// Sent to somebody who is recorded.
const TO_US: &str = "event = 'sent' AND target_upid IN (SELECT upid FROM processes)";

#[test]
fn signals_are_those_that_the_script_sends() {
    let Some(lab) = Lab::open() else { return };
    let folder = lab.file("");
    lab.ebrec(&["record", "-s", "signals", "--", "sh", SCRIPT, &folder]).ok();
    lab.assert_complete();
    let sent = lab.rows(&format!(
        "SELECT signal, code, result, reach, sender_pid = pid, count(*) FROM signals \
         WHERE {TO_US} AND signal <> 'SIGCHLD' GROUP BY 1, 2, 3, 4, 5 ORDER BY 1, 3"
    ));
    assert_eq!(
        sent,
        [
            "SIGTERM,SI_USER,delivered,process,true,1",
            "SIGUSR1,SI_USER,delivered,process,true,7",
            "SIGUSR2,SI_USER,ignored,process,true,5",
            "SIGXFSZ,SI_USER,delivered,thread,true,1",
        ]
    );
    let received = lab.rows(
        "SELECT signal, code, action, count(*) FROM signals \
         WHERE event = 'received' AND signal NOT IN ('SIGCHLD', 'SIGKILL') GROUP BY 1, 2, 3 ORDER BY 1",
    );
    // A signal that ends a whole process arrives as SIGKILL; one with a core dump does not.
    assert_eq!(received, ["SIGUSR1,SI_USER,handler,7", "SIGXFSZ,SI_USER,default,1"]);
    let killed = "SELECT code IS NULL, action, sender_pid IS NULL FROM signals \
                  WHERE event = 'received' AND signal = 'SIGKILL'";
    assert_eq!(lab.rows(killed), ["true,default,true"]);
    let ended = "SELECT signal, count(*) FROM process_events \
                 WHERE event = 'exit' AND signal IS NOT NULL GROUP BY 1 ORDER BY 1";
    assert_eq!(lab.rows(ended), ["SIGTERM,1", "SIGXFSZ,1"]);
    let line = lab.ebrec(&["replay", "--kind", "signal_sent"]).ok();
    assert!(line.contains("SIGUSR2 -> sh["), "{line}");
}

#[test]
fn signals_are_those_that_strace_sees() {
    let Some(lab) = Lab::open() else { return };
    if !has_program("strace", &["-V"]) {
        skip("strace is not installed");
        return;
    }
    let (folder, log) = (lab.file(""), lab.file("strace.txt"));
    lab.ebrec(&["record", "-s", "signals", "--", "sh", SCRIPT, &folder]).ok();
    let traced = Command::new("strace")
        .args(["-f", "-e", "trace=none", "-o", &log, "sh", SCRIPT, &folder])
        .status()
        .unwrap();
    assert!(traced.success());
    // `12 --- SIGUSR1 {si_signo=SIGUSR1, si_code=SI_USER, si_pid=12, si_uid=0} ---`
    let mut seen = BTreeMap::new();
    for line in std::fs::read_to_string(&log).unwrap().lines() {
        let Some((_, rest)) = line.split_once("--- ") else { continue };
        let Some((signal, rest)) = rest.split_once(" {") else { continue };
        let code = rest.split_once("si_code=").unwrap().1.split([',', '}']).next().unwrap();
        *seen.entry(format!("{signal},{code}")).or_insert(0) += 1;
    }
    let seen: Vec<String> = seen.iter().map(|(what, count)| format!("{what},{count}")).collect();
    // strace also sees those that would be ignored, and not those that were pending already.
    let recorded = lab.rows(&format!(
        "SELECT signal, code, count(*) FROM signals \
         WHERE {TO_US} AND result <> 'already_pending' GROUP BY 1, 2 ORDER BY 1, 2"
    ));
    assert_eq!(recorded, seen);
}

#[test]
fn a_sender_out_of_scope_is_named() {
    let Some(lab) = Lab::open() else { return };
    let ours = lab.work(&["load", "marks.txt", "20"]);
    let recorder = lab.start(&["-p", &ours.pid(), "-s", "syscalls,signals"]);
    ours.signal(libc::SIGCONT);
    ours.signal(libc::SIGTERM);
    let pid = ours.pid();
    ours.finish();
    assert_eq!(recorder.stop(libc::SIGINT).code, 0);
    lab.assert_complete();
    let sent = format!(
        "SELECT signal, sender_pid, comm IS NULL, sender_comm IS NOT NULL, target_comm FROM signals \
         WHERE event = 'sent' AND target_pid = {pid} ORDER BY ts"
    );
    let us = std::process::id();
    assert_eq!(
        lab.rows(&sent),
        [format!("SIGCONT,{us},true,true,workload"), format!("SIGTERM,{us},true,true,workload")]
    );
}
