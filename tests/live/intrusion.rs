//! Attacks with harmless tools, recorded while they happen: each is found, with its process and those it descends from;
//! and checks on a trace that grows.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Stdio;

use serde_json::Value;

use super::lab::{Lab, Process, until};
use crate::command::command;

fn findings(lab: &Lab, args: &[&str]) -> Vec<Value> {
    let run = lab.ebrec(&[&["check", "--format", "json"], args].concat());
    let told: Value = serde_json::from_str(&run.out).unwrap_or_else(|_| panic!("{run:?}"));
    told["findings"].as_array().unwrap().clone()
}

/// Records a script of the project; the pairs that it prints, separated by a tab.
fn record(lab: &Lab, script: &str) -> Vec<(String, String)> {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join(script);
    let sources = "security,syscalls,packets,cpu";
    let args = ["record", "-q", "-s", sources, "--", "bash", script.to_str().unwrap()];
    let mut recorder = command(lab.path(), &args);
    let recorder = recorder.stdout(Stdio::piped()).stderr(Stdio::piped()).output().unwrap();
    let told = String::from_utf8_lossy(&recorder.stdout).into_owned();
    let err = String::from_utf8_lossy(&recorder.stderr).into_owned();
    assert!(recorder.status.success(), "{told}{err}");
    lab.assert_complete();
    let pairs = told.lines().filter_map(|line| line.split_once('\t'));
    pairs.map(|(one, other)| (one.to_string(), other.to_string())).collect()
}

/// Each of a script's attacks is found in the process that made it.
fn each_is_found(script: &str, least: usize) {
    let Some(lab) = Lab::open() else { return };
    let planted = record(&lab, script);
    assert!(planted.len() >= least, "{script}: {planted:?}");
    let findings = findings(&lab, &[]);
    let is_found = |(check, pid): &&(String, String)| {
        findings.iter().any(|finding| {
            finding["check"] == **check && finding["pid"].as_i64() == pid.parse().ok()
        })
    };
    let missing: Vec<_> = planted.iter().filter(|pair| !is_found(pair)).collect();
    assert!(missing.is_empty(), "{script}: not found: {missing:?}");
}

#[test]
fn execution_and_privileges() {
    each_is_found("tests/programs/attacks/execution.sh", 15);
}

#[test]
fn persistence_credentials_and_evasion() {
    each_is_found("tests/programs/attacks/persistence.sh", 25);
}

#[test]
fn behaviour_and_networks() {
    each_is_found("tests/programs/attacks/network.sh", 25);
}

#[test]
fn every_stage_of_an_intrusion_is_found() {
    let Some(lab) = Lab::open() else { return };
    let told = record(&lab, "scripts/intrusion.sh");
    let findings = findings(&lab, &[]);
    let mut missing = BTreeSet::new();
    for (check, ancestor) in &told {
        let is_it = |finding: &&Value| finding["check"] == *check;
        let names = |process: &Value| {
            process["comm"].as_str().is_some_and(|comm| comm == ancestor)
                || process["argv"].as_str().is_some_and(|argv| argv.contains(ancestor.as_str()))
        };
        let descends = |finding: &Value| {
            names(&finding["process"]) || finding["ancestry"].as_array().unwrap().iter().any(names)
        };
        if !findings.iter().filter(is_it).any(descends) {
            missing.insert(check);
        }
    }
    assert!(told.len() > 12, "{told:?}");
    let found: BTreeSet<&str> =
        findings.iter().filter_map(|finding| finding["check"].as_str()).collect();
    assert!(missing.is_empty(), "not found: {missing:?}; found: {found:?}");
}

/// What happened up to the last second is found while the recording goes on, and told once.
#[test]
fn a_growing_trace_is_checked_again_and_again() {
    let Some(lab) = Lab::open() else { return };
    let program = "import os, time
for turn in range(600):
    if os.path.exists('go'):
        os.unlink('go')
        if os.fork() == 0:
            d = os.memfd_create('x')
            os.write(d, open('/bin/true', 'rb').read())
            os.execv(f'/proc/self/fd/{d}', ['x'])
        os.wait()
    time.sleep(0.1)";
    let args = ["record", "-q", "-s", "security", "--", "/usr/bin/python3", "-ISB", "-c", program];
    let recorder = Process(command(lab.path(), &args).stderr(Stdio::piped()).spawn().unwrap());
    lab.await_calls("true");
    let state = lab.file("state.json");
    let check = ["fileless_exec", "--since-last", "--state", &state];
    assert_eq!(findings(&lab, &check).len(), 0);
    for _ in 0..2 {
        std::fs::write(lab.path().join("go"), "").unwrap();
        let mut told = 0;
        until("it is found", || {
            told += findings(&lab, &check).len();
            told > 0
        });
        assert_eq!(told, 1);
    }
    assert_eq!(findings(&lab, &check).len(), 0);
    assert_eq!(findings(&lab, &["fileless_exec"]).len(), 2);
    recorder.stop(libc::SIGTERM);
}
