//! Logins by SSH and sudo with servers and settings of the tests' own, right and wrong, and a container of a real runtime:
//! what was refused is found, and what was let in is not.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::Value;

use super::lab::Lab;
use crate::skip::{has_program, skip};

/// Records a stage of the script: what it says, by name.
fn record(lab: &Lab, stage: &str) -> BTreeMap<String, String> {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/programs/logins.sh");
    let script = script.to_str().unwrap();
    lab.record_telling("security", &[script, stage])
}

fn findings(lab: &Lab) -> Vec<Value> {
    let run = lab.ebrec(&["check", "--format", "json"]);
    let told: Value = serde_json::from_str(&run.out).unwrap_or_else(|_| panic!("{run:?}"));
    told["findings"].as_array().unwrap().clone()
}

/// Findings of a check.
fn of<'a>(findings: &'a [Value], check: &str) -> Vec<&'a Value> {
    findings.iter().filter(|finding| finding["check"] == check).collect()
}

/// Whether the tests can be the superuser, and a program is there; says so if not.
#[track_caller]
fn can_log_in(program: &str, arguments: &[&str], name: &str) -> bool {
    // SAFETY: no arguments.
    if unsafe { libc::geteuid() } != 0 {
        skip("only root can make users and views of the file system of its own");
        return false;
    }
    if !has_program(program, arguments) {
        skip(&format!("{name} is not installed"));
        return false;
    }
    true
}

#[test]
fn passwords_and_keys_that_sshd_refuses_are_guesses() {
    let Some(lab) = Lab::open() else { return };
    if !can_log_in("/usr/sbin/sshd", &["-V"], "openssh-server") {
        return;
    }
    let said = record(&lab, "ssh");
    // 22 times a key, once a password; twelve keys and twelve passwords that are wrong.
    assert_eq!((said["logged in"].as_str(), said["refused"].as_str()), ("23", "24"), "{said:?}");
    let findings = findings(&lab);
    let guesses = of(&findings, "login_brute_force");
    let by_direction = |direction: &str| {
        let mut found = guesses.iter().filter(|one| one["columns"]["direction"] == direction);
        found.next().unwrap_or_else(|| panic!("{direction}: {findings:#?}"))
    };
    // The server's processes are told as the server, the clients' as the script that starts them.
    assert_eq!(by_direction("in")["pid"].to_string(), said["server"], "{guesses:#?}");
    let by = by_direction("out")["sentence"].as_str().unwrap();
    assert!(by.contains("tried to log in to SSH at 127.0.0.1 port 2222"), "{by}");
}

#[test]
fn who_sshd_lets_in_guesses_nothing() {
    let Some(lab) = Lab::open() else { return };
    if !can_log_in("/usr/sbin/sshd", &["-V"], "openssh-server") {
        return;
    }
    let said = record(&lab, "right");
    assert_eq!(said["logged in"], "23", "{said:?}");
    let findings = findings(&lab);
    assert!(of(&findings, "login_brute_force").is_empty(), "{findings:#?}");
    // What is given out by the server is a shell of a user, and no shell that somebody called home with.
    for check in ["reverse_shell", "bind_shell", "web_shell", "setuid_escalation"] {
        assert!(of(&findings, check).is_empty(), "{check}: {findings:#?}");
    }
}

#[test]
fn passwords_that_sudo_refuses_are_guesses_and_becoming_root_is_none() {
    let Some(lab) = Lab::open() else { return };
    if !can_log_in("sudo", &["--version"], "sudo") {
        return;
    }
    let said = record(&lab, "sudo");
    assert_eq!(said["root"], "root", "{said:?}");
    let findings = findings(&lab);
    let failures = of(&findings, "sudo_failures");
    assert_eq!(failures.len(), 1, "{findings:#?}");
    let sentence = failures[0]["sentence"].as_str().unwrap();
    assert!(sentence.starts_with("sudo failed 6 times for user 2000"), "{sentence}");
    assert!(of(&findings, "setuid_escalation").is_empty(), "{findings:#?}");
}

#[test]
fn what_a_container_of_runc_does_is_told_of_the_container() {
    let Some(lab) = Lab::open() else { return };
    if !can_log_in("/usr/sbin/runc", &["--version"], "runc")
        || !can_log_in("busybox", &["true"], "busybox")
    {
        return;
    }
    let said = record(&lab, "runc");
    assert!(said["said"].starts_with("uid=0"), "{said:?}");
    let id = &said["container"];
    let sql = format!(
        "SELECT DISTINCT comm FROM processes WHERE container_id = '{id}' AND argv LIKE 'cat %'"
    );
    assert_eq!(lab.rows(&sql), ["cat"]);
    let findings = findings(&lab);
    let read = of(&findings, "password_file_read");
    assert!(
        read.iter().any(|finding| finding["process"]["container"] == id.as_str()
            || finding["container"].to_string().contains(id.as_str())),
        "{findings:#?}"
    );
    // The runtime does its work: it mounts, enters namespaces and runs itself from memory.
    for check in ["namespace_escape", "host_mount"] {
        assert!(of(&findings, check).is_empty(), "{check}: {findings:#?}");
    }
}
