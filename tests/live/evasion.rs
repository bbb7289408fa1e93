//! Ways around the calls that are looked at: files by io_uring, and calls of 32-bit programs. What is seen of them.

use std::fs;
use std::process::Command;

use serde_json::Value;

use super::lab::{Lab, workload};
use super::programs::build;
use crate::skip::skip;

/// What a check finds in the trace of a lab: the sentences.
fn sentences(lab: &Lab, check: &str) -> Vec<String> {
    let run = lab.ebrec(&["check", check, "--format", "json"]);
    let told: Value = serde_json::from_str(&run.out).unwrap_or_else(|_| panic!("{run:?}"));
    let findings = told["findings"].as_array().unwrap().iter();
    findings.map(|finding| finding["sentence"].as_str().unwrap().to_string()).collect()
}

/// A key of nobody's, which no program but those of SSH has to read.
fn key(lab: &Lab) -> String {
    fs::create_dir(lab.path().join(".ssh")).unwrap();
    fs::write(lab.path().join(".ssh/id_ed25519"), "none").unwrap();
    lab.file(".ssh/id_ed25519")
}

#[test]
fn an_open_by_io_uring_is_found() {
    let Some(lab) = Lab::open() else { return };
    let key = key(&lab);
    let run = lab.ebrec(&["record", "-q", "-s", "security", "--", &workload(), "ring-open", &key]);
    if run.code == 3 {
        return skip("the kernel refuses io_uring_setup");
    }
    assert_eq!(run.code, 0, "{run:?}");
    lab.assert_complete();
    let sql = "SELECT syscall, via, path, ret >= 0 FROM syscalls WHERE via = 'io_uring'";
    assert_eq!(lab.rows(sql), [format!("openat,io_uring,{key},true")]);
    // Nothing else opened it.
    let sql = format!("SELECT via FROM syscalls WHERE path = '{key}'");
    assert_eq!(lab.rows(&sql), ["io_uring"]);
    assert_eq!(sentences(&lab, "ssh_key_read"), [format!("workload read a private key: {key}")]);
}

/// Nor does it help to ask that nothing be said of a success.
#[test]
fn an_open_by_io_uring_without_a_completion_is_found() {
    let Some(lab) = Lab::open() else { return };
    let key = key(&lab);
    let Some(program) = build(&lab, "by_ring.c", "by_ring", &["-O1"]) else { return };
    let run = lab.ebrec(&["record", "-q", "-s", "security", "--", &program, "silent", &key]);
    if run.code == 3 {
        return skip("the kernel refuses io_uring_setup");
    }
    assert_eq!(run.code, 0, "{run:?}");
    lab.assert_complete();
    assert_eq!(sentences(&lab, "ssh_key_read"), [format!("by_ring read a private key: {key}")]);
}

/// A program of 32 bits, and one of 64 that uses the entry of those: both are told, with the file.
#[test]
fn a_call_of_32_bits_is_found() {
    if std::env::consts::ARCH != "x86_64" {
        return skip("only x86_64 has this entry");
    }
    let Some(lab) = Lab::open() else { return };
    let key = key(&lab);
    let free = ["-O1", "-nostdlib", "-static", "-ffreestanding", "-fno-pie", "-no-pie"];
    let Some(program) = build(&lab, "compat.c", "compat", &[&free[..], &["-m32"]].concat()) else {
        return;
    };
    // Without the entry in the kernel the program cannot be executed.
    if !Command::new(&program).arg("/dev/null").status().is_ok_and(|status| status.success()) {
        return skip("the kernel runs no programs of 32 bits");
    }
    let run = lab.ebrec(&["record", "-q", "-s", "security,syscalls", "--", &program, &key]);
    assert_eq!(run.code, 0, "{run:?}");
    lab.assert_complete();
    assert_eq!(
        lab.rows("SELECT syscall, path, ret >= 0 FROM syscalls WHERE via = 'compat' ORDER BY ts"),
        [format!("open,{key},true"), "exit,,".to_string()]
    );
    assert_eq!(sentences(&lab, "ssh_key_read"), [format!("compat read a private key: {key}")]);
    assert_eq!(
        sentences(&lab, "compat_syscalls"),
        ["compat made 2 32-bit system calls: exit, open"]
    );
}

/// Ways to a directory, for a program in Python that has `home`.
const WAYS: [(&str, &str); 6] = [
    (
        "step by step",
        "[os.chdir(part) for part in ['/'] + home.split('/')[1:] + ['.ssh']]; os.open('id_ed25519', 0)",
    ),
    ("fchdir", "d = os.open(home, 0); os.fchdir(os.dup(d)); os.open('.ssh/id_ed25519', 0)"),
    (
        "openat",
        "d = fcntl.fcntl(os.open(home + '/.ssh', 0), fcntl.F_DUPFD_CLOEXEC, 20); os.open('id_ed25519', 0, dir_fd=d)",
    ),
    (
        "fork",
        "os.chdir(home); os.waitpid(os.fork() or (os.chdir('.ssh'), os.open('id_ed25519', 0), os._exit(0)), 0)",
    ),
    ("/proc/self/cwd", "os.chdir(home + '/.ssh'); os.open('/proc/self/cwd/id_ed25519', 0)"),
    ("..", "os.chdir(home + '/.ssh'); os.open('../.ssh//./id_ed25519', 0)"),
];

#[test]
fn a_file_is_found_whatever_way_leads_to_its_directory() {
    for (way, python) in WAYS {
        let Some(lab) = Lab::open() else { return };
        key(&lab);
        let home = lab.path().canonicalize().unwrap();
        let program = format!("import fcntl, os; home = {home:?}; {python}");
        let record = ["record", "-q", "-s", "security", "--", "python3", "-c", &program];
        assert_eq!(lab.ebrec(&record).code, 0, "{way}");
        lab.assert_complete();
        assert_eq!(sentences(&lab, "ssh_key_read").len(), 1, "{way}");
        let sql = "SELECT path FROM files WHERE path NOT LIKE '/%' AND path <> ''";
        assert_eq!(lab.rows(sql), [""; 0], "{way}");
    }
}

#[test]
fn what_is_removed_with_its_directory_is_told_by_its_path() {
    let Some(lab) = Lab::open() else { return };
    fs::create_dir_all(lab.path().join("a/b")).unwrap();
    fs::write(lab.path().join("a/b/c"), "").unwrap();
    let run = lab.ebrec(&["record", "-q", "-s", "security", "--", "rm", "-r", "a"]);
    assert_eq!(run.code, 0, "{run:?}");
    let a = lab.path().canonicalize().unwrap().join("a");
    let removed = ["b/c", "b", ""].map(|inner| format!("{}", a.join(inner).display()));
    let removed = removed.map(|path| path.trim_end_matches('/').to_string());
    let sql = "SELECT path FROM files WHERE operation IN ('unlink', 'rmdir') ORDER BY ts";
    assert_eq!(lab.rows(sql), removed);
}
