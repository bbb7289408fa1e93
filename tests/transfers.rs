//! Which file a read or write was of: descriptors followed through what system calls do with them.

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::command::ebrec;
use crate::synthetic;

const SHELL: i64 = 7;
const CHILD: i64 = 8;
const GRANDCHILD: i64 = 9;

fn ts(us: i64) -> String {
    format!("2026-11-22T17:44:16.{us:06}Z")
}

/// A call that begins at a microsecond and takes one, by its first two arguments.
fn call(us: i64, upid: i64, name: &str, args: (i64, i64), ret: i64, path: Option<&str>) -> Value {
    json!({"ts": ts(us), "upid": upid, "pid": upid, "tid": upid, "comm": "x", "syscall": name, "via": "syscall",
           "arg0": args.0, "arg1": args.1, "arg2": 0, "ret": ret, "duration_ns": 1000, "path": path})
}

fn open(us: i64, upid: i64, fd: i64, path: &str) -> Value {
    call(us, upid, "openat", (-100, 0), fd, Some(path))
}

fn read(us: i64, upid: i64, fd: i64) -> Value {
    call(us, upid, "read", (fd, 0), 1, None)
}

fn fork(us: i64, upid: i64, child: i64) -> Value {
    json!({"ts": ts(us), "upid": upid, "pid": upid, "tid": upid, "comm": "x", "event": "fork", "child_upid": child,
           "child_pid": child})
}

/// A trace of these calls.
fn trace(calls: &[Value], events: &[Value]) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let trace = folder.path().join("trace");
    synthetic::trace(&trace, &["processes", "syscalls"]);
    let process =
        |upid| json!({"upid": upid, "pid": upid, "comm": "x", "start_ts": ts(0), "cwd": "/work"});
    let processes: Vec<Value> = [SHELL, CHILD, GRANDCHILD].map(process).into();
    synthetic::segment(&trace, "processes", 1, &processes);
    synthetic::segment(&trace, "process_events", 1, events);
    // Two files that overlap in time, as those of segments do.
    let (first, second): (Vec<_>, Vec<_>) =
        calls.iter().cloned().enumerate().partition(|(at, _)| at % 3 < 2);
    for (segment, calls) in [(1, first), (2, second)] {
        let calls: Vec<Value> = calls.into_iter().map(|(_, call)| call).collect();
        synthetic::segment(&trace, "syscalls", segment, &calls);
    }
    folder
}

fn lines(folder: &TempDir, args: &[&str]) -> Vec<String> {
    ebrec(folder.path(), args).ok().lines().skip(1).map(str::to_string).collect()
}

/// `upid fd path` of each transfer of these calls.
fn transfers(calls: &[Value], events: &[Value]) -> Vec<String> {
    let sql = "SELECT concat(upid, ' ', fd, ' ', coalesce(path, '?')) FROM transfers ORDER BY ts, operation";
    lines(&trace(calls, events), &["query", sql, "--format", "csv"])
}

#[test]
fn a_descriptor_is_what_was_last_opened_there() {
    let calls = [
        read(1, SHELL, 3),
        open(10, SHELL, 3, "/etc/passwd"),
        read(20, SHELL, 3),
        call(30, SHELL, "close", (3, 0), 0, None),
        read(35, SHELL, 3),
        open(40, SHELL, 3, "./notes"),
        read(50, SHELL, 3),
        call(60, SHELL, "socket", (2, 1), 3, None),
        read(70, SHELL, 3),
        call(80, SHELL, "memfd_create", (0, 0), 3, Some("m")),
        read(90, SHELL, 3),
        // Of another process.
        read(100, CHILD, 3),
    ];
    let expected =
        ["7 3 ?", "7 3 /etc/passwd", "7 3 ?", "7 3 /work/notes", "7 3 (socket)", "7 3 ?", "8 3 ?"];
    assert_eq!(transfers(&calls, &[]), expected);
}

#[test]
fn an_opening_counts_from_its_return_on() {
    // The number was in use until another thread closed it, while the call was on its way.
    let mut slow = open(20, SHELL, 3, "/new");
    slow["duration_ns"] = json!(20_000);
    let calls = [
        open(10, SHELL, 3, "/old"),
        slow,
        read(25, SHELL, 3),
        call(30, SHELL, "close", (3, 0), 0, None),
        read(35, SHELL, 3),
        read(41, SHELL, 3),
    ];
    assert_eq!(transfers(&calls, &[]), ["7 3 /old", "7 3 ?", "7 3 /new"]);
}

#[test]
fn copies_and_children_have_the_same_file() {
    let calls = [
        open(10, SHELL, 3, "/a"),
        call(20, SHELL, "dup2", (3, 10), 10, None),
        // F_DUPFD, and a request that copies nothing.
        call(22, SHELL, "fcntl", (10, 0), 11, None),
        call(24, SHELL, "fcntl", (10, 1), 12, None),
        call(30, SHELL, "close", (3, 0), 0, None),
        read(40, CHILD, 11),
        // Four steps from the opening.
        call(50, CHILD, "dup", (11, 0), 20, None),
        read(60, GRANDCHILD, 20),
        // What a child does is not its parent's, nor what its parent does later.
        call(70, CHILD, "close", (11, 0), 0, None),
        open(72, SHELL, 30, "/b"),
        read(80, SHELL, 11),
        read(82, CHILD, 11),
        read(84, CHILD, 30),
        read(86, SHELL, 12),
    ];
    let events = [fork(35, SHELL, CHILD), fork(55, CHILD, GRANDCHILD)];
    let expected = ["8 11 /a", "9 20 /a", "7 11 /a", "8 11 ?", "8 30 ?", "7 12 ?"];
    assert_eq!(transfers(&calls, &events), expected);
}

#[test]
fn calls_with_two_descriptors_are_two_transfers_and_those_that_failed_are_none() {
    let calls = [
        open(10, SHELL, 3, "/from"),
        open(12, SHELL, 4, "/to"),
        call(20, SHELL, "sendfile", (4, 3), 100, None),
        call(30, SHELL, "read", (3, 0), -9, None),
    ];
    assert_eq!(transfers(&calls, &[]), ["7 3 /from", "7 4 /to"]);
}

#[test]
fn a_range_of_time_does_not_forget_what_was_opened_before() {
    let calls = [open(10, SHELL, 3, "/a"), read(20, SHELL, 3), read(900, SHELL, 3)];
    let late = ["--from", "2026-11-22T17:44:16.000500Z"];
    let report = [&["report", "file_io", "--format", "csv"], &late[..]].concat();
    assert_eq!(lines(&trace(&calls, &[]), &report), ["x,read,1,1,1000,1000,/a"]);
}
