//! Which file is meant: descriptors and working directories followed through what system calls do with them.

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

/// `upid path` of each call with a path, the second path behind it.
fn files(calls: &[Value], events: &[Value]) -> Vec<String> {
    let sql = "SELECT concat_ws(' ', upid, path, path2) FROM files ORDER BY ts";
    lines(&trace(calls, events), &["query", sql, "--format", "csv"])
}

fn chdir(us: i64, upid: i64, path: &str) -> Value {
    call(us, upid, "chdir", (0, 0), 0, Some(path))
}

fn exec(us: i64, upid: i64, cwd: &str) -> Value {
    json!({"ts": ts(us), "upid": upid, "pid": upid, "tid": upid, "comm": "x", "event": "exec", "cwd": cwd})
}

#[test]
fn a_working_directory_is_followed_from_change_to_change() {
    let mut failed = chdir(14, SHELL, "/root");
    failed["ret"] = json!(-13);
    let calls = [
        open(1, SHELL, 3, "notes"),
        chdir(10, SHELL, "/"),
        chdir(12, SHELL, "etc"),
        failed,
        open(20, SHELL, 3, "shadow"),
        open(22, SHELL, 3, "./ssh//../passwd"),
        chdir(24, SHELL, "../var/log"),
        open(26, SHELL, 3, "syslog"),
        // Of another process.
        open(30, CHILD, 3, "notes"),
    ];
    let expected = [
        "7 /work/notes",
        "7 /",
        "7 /etc",
        "7 /root",
        "7 /etc/shadow",
        "7 /etc/passwd",
        "7 /var/log",
        "7 /var/log/syslog",
        "8 /work/notes",
    ];
    assert_eq!(files(&calls, &[]), expected);
}

#[test]
fn a_change_of_directory_counts_from_its_return_on() {
    let mut slow = chdir(10, SHELL, "/etc");
    slow["duration_ns"] = json!(20_000);
    let calls = [slow, open(20, SHELL, 3, "x"), open(30, SHELL, 3, "x")];
    assert_eq!(files(&calls, &[]), ["7 /etc", "7 /work/x", "7 /etc/x"]);
}

#[test]
fn an_open_directory_is_where_paths_begin_that_name_its_descriptor() {
    let renamed = json!({"path2": "b", "arg2": 10});
    let mut rename = call(30, SHELL, "renameat2", (3, 0), 0, Some("a"));
    rename.as_object_mut().unwrap().extend(renamed.as_object().unwrap().clone());
    let calls = [
        open(10, SHELL, 3, "/etc"),
        call(12, SHELL, "openat", (3, 0), 4, Some("ssh")),
        call(14, SHELL, "dup2", (4, 10), 10, None),
        call(16, SHELL, "close", (4, 0), 0, None),
        call(18, SHELL, "openat", (10, 0), 5, Some("id")),
        // Nothing that is known.
        call(20, SHELL, "openat", (4, 0), 5, Some("id")),
        rename,
        call(40, SHELL, "fchdir", (10, 0), 0, None),
        open(42, SHELL, 3, "config"),
        call(44, SHELL, "fchdir", (4, 0), 0, None),
        open(46, SHELL, 3, "config"),
        chdir(48, SHELL, "sub"),
        open(50, SHELL, 3, "config"),
        chdir(52, SHELL, "/tmp"),
        open(54, SHELL, 3, "config"),
    ];
    let expected = [
        "7 /etc",
        "7 /etc/ssh",
        "7 /etc/ssh/id",
        "7 id",
        "7 /etc/a /etc/ssh/b",
        "7 /etc/ssh/config",
        "7 config",
        "7 sub",
        "7 config",
        "7 /tmp",
        "7 /tmp/config",
    ];
    assert_eq!(files(&calls, &[]), expected);
}

#[test]
fn a_child_begins_where_its_parent_was_and_a_program_where_the_kernel_says() {
    let calls = [
        chdir(10, SHELL, "/etc"),
        open(30, CHILD, 3, "shadow"),
        chdir(32, CHILD, "ssh"),
        chdir(34, SHELL, "/tmp"),
        open(40, CHILD, 3, "x"),
        open(42, SHELL, 3, "x"),
        // A link had led elsewhere.
        open(60, CHILD, 3, "x"),
    ];
    let events = [fork(20, SHELL, CHILD), exec(50, CHILD, "/usr/local/etc")];
    let expected = [
        "7 /etc",
        "8 /etc/shadow",
        "8 /etc/ssh",
        "7 /tmp",
        "8 /etc/ssh/x",
        "7 /tmp/x",
        "8 /usr/local/etc/x",
    ];
    assert_eq!(files(&calls, &events), expected);
}

#[test]
fn another_root_and_another_namespace_of_mounts_move_the_working_directory() {
    let calls = [
        call(10, SHELL, "setns", (3, 0x4000_0000), 0, None),
        open(12, SHELL, 3, "a"),
        call(20, SHELL, "setns", (3, 0x2_0000), 0, None),
        open(22, SHELL, 3, "a"),
        call(30, SHELL, "pivot_root", (0, 0), 0, Some("/new")),
        open(32, SHELL, 3, "a"),
        chdir(34, SHELL, "/"),
        open(36, SHELL, 3, "a"),
    ];
    assert_eq!(files(&calls, &[]), ["7 /work/a", "7 /a", "7 /new", "7 a", "7 /", "7 /a"]);
}

#[test]
fn what_proc_has_of_the_process_itself_leads_where_it_is() {
    let paths = [
        "/proc/self/cwd/../etc/shadow",
        "/proc/thread-self/root/etc/shadow",
        "/proc/7/root/etc/shadow",
        "/proc/8/root/etc/shadow",
        "/proc/self/fd/3/shadow",
        "/dev/fd/3/shadow",
        "/proc/self/fd/3",
        "/proc/self/maps",
    ];
    let mut calls = vec![open(10, SHELL, 3, "/etc")];
    calls.extend(paths.iter().zip(20..).map(|(path, us)| open(us, SHELL, 9, path)));
    let expected = [
        "7 /etc",
        "7 /etc/shadow",
        "7 /etc/shadow",
        "7 /etc/shadow",
        "7 /proc/8/root/etc/shadow",
        "7 /etc/shadow",
        "7 /etc/shadow",
        "7 /proc/self/fd/3",
        "7 /proc/self/maps",
    ];
    assert_eq!(files(&calls, &[]), expected);
}

#[test]
fn the_text_of_a_link_is_no_path_from_the_working_directory() {
    let mut link = call(10, SHELL, "symlinkat", (0, -100), 0, Some("shadow"));
    link["path2"] = json!("innocent");
    assert_eq!(files(&[link], &[]), ["7 shadow /work/innocent"]);
}

#[test]
fn a_directory_that_is_deeper_than_can_be_told_is_not_known() {
    let deep = "d".repeat(1000);
    let mut calls: Vec<Value> = (1..100).map(|us| chdir(us, SHELL, &deep)).collect();
    calls.push(open(200, SHELL, 3, "x"));
    assert_eq!(files(&calls, &[]).last().unwrap(), "7 x");
}

#[test]
fn absolute_paths_are_the_same_where_there_is_nothing_to_follow() {
    let mut rename = call(20, SHELL, "rename", (0, 0), 0, Some("/tmp/new"));
    rename["path2"] = json!("/etc/passwd");
    let stat = call(50, CHILD, "newfstatat", (-100, 0), -2, Some("/proc/stat"));
    let close = call(30, SHELL, "close", (3, 0), 0, None);
    let plain = [open(10, SHELL, 3, "/tmp/new"), rename, close, read(40, SHELL, 3), stat];
    // One that is relative, and the rest of the calls are followed as well.
    let followed = [&plain[..], &[open(60, GRANDCHILD, 3, "notes")]].concat();
    let expected = ["7 /tmp/new", "7 /tmp/new /etc/passwd", "8 /proc/stat", "9 /work/notes"];
    assert_eq!(files(&plain, &[]), expected[..3]);
    assert_eq!(files(&followed, &[]), expected);
    for calls in [&plain[..], &followed] {
        let sql = "SELECT comm, operation, path, path2, error, duration_ns, ret FROM files WHERE upid < 9 ORDER BY ts";
        let range = ["--from", "2026-11-22T17:44:16.000015Z", "--format", "csv"];
        let of = |more: &[&str]| lines(&trace(calls, &[]), &[&["query", sql], more].concat());
        assert_eq!(
            of(&range[2..])[1..],
            ["x,rename,/tmp/new,/etc/passwd,,1000,0", "x,stat,/proc/stat,,,1000,-2"]
        );
        let report = [&["report", "file_changes"], &range[..]].concat();
        assert_eq!(lines(&trace(calls, &[]), &report), ["x,rename,1,0,,/tmp/new,/etc/passwd"]);
    }
}

#[test]
fn a_range_of_time_does_not_forget_where_a_process_was() {
    let calls = [chdir(10, SHELL, "/etc"), open(900, SHELL, 3, "shadow")];
    let report =
        ["report", "file_opens", "--format", "csv", "--from", "2026-11-22T17:44:16.000500Z"];
    assert_eq!(lines(&trace(&calls, &[]), &report), ["x,1,0,,r,1000,/etc/shadow"]);
}

#[test]
fn a_check_cannot_tell_where_the_paths_begin_nowhere_that_it_looks_for() {
    let told =
        |calls: &[Value], check: &str| ebrec(trace(calls, &[]).path(), &["check", check]).out;
    let unknown = "of one path it is not known in which directory it begins";
    let shadow = call(10, SHELL, "openat", (9, 0), 3, Some("shadow"));
    assert!(told(std::slice::from_ref(&shadow), "password_file_read").contains(unknown));
    // It does not look for what is read.
    assert!(!told(&[shadow], "cron_change").contains(unknown));
    let mut renamed = call(10, SHELL, "renameat2", (-100, 0), 0, Some("/tmp/job"));
    renamed["path2"] = json!("job");
    renamed["arg2"] = json!(9);
    assert!(told(&[renamed.clone()], "cron_change").contains(unknown));
    renamed["arg2"] = json!(-100);
    assert!(!told(&[renamed], "cron_change").contains(unknown));
}
