//! What a row says of a call: paths, addresses, users, calls that have not returned, io_uring.

use std::fs;
use std::thread::sleep;
use std::time::Duration;

use super::lab::{Lab, workload};
use crate::skip::skip;

#[test]
fn calls_that_have_not_returned_are_rows_without_a_return() {
    let Some(lab) = Lab::open() else { return };
    let blocked = lab.work(&["block", "go"]);
    let recorder = lab.start(&["-p", &blocked.pid()]);
    fs::write(lab.path().join("go"), "").unwrap();
    lab.await_calls("syscall = 'pipe2'");
    sleep(Duration::from_millis(300));
    assert_eq!(recorder.stop(libc::SIGINT).code, 0);
    lab.assert_complete();
    let pending = "SELECT syscall, arg2, duration_ns FROM syscalls \
                   WHERE ret IS NULL AND syscall IN ('read', 'clock_nanosleep') ORDER BY 1 DESC";
    let rows = lab.rows(pending);
    assert_eq!(rows.len(), 2, "{rows:?}");
    assert!(rows[0] == "read,77," && rows[1].starts_with("clock_nanosleep,"), "{rows:?}");
}

#[test]
fn paths_and_addresses_are_decoded() {
    let Some(lab) = Lab::open() else { return };
    let folder = lab.file("folder");
    fs::create_dir(&folder).unwrap();
    lab.record(&[], &["paths", &folder]);
    lab.assert_complete();
    let rows = |columns: &str, condition: &str| {
        lab.rows(&format!("SELECT {columns} FROM syscalls WHERE comm = 'workload' AND {condition}"))
    };
    assert_eq!(rows("ret, path", "syscall = 'chdir'"), [format!("0,{folder}")]);
    assert_eq!(rows("ret, path, path2", "syscall = 'rename'"), ["0,before,after"]);
    assert_eq!(
        rows("syscall, error, ret, truncated", "path = 'some/missing file'"),
        ["openat,ENOENT,-2,false"]
    );
    let long = rows("length(path), path || '/' = repeat('./', 512), ret >= 0", "truncated");
    assert_eq!(long, ["1023,true,true"]);
    let addresses = rows("address, error", "syscall = 'connect' AND address NOT LIKE '[%'");
    assert_eq!(addresses, ["127.0.0.1:9,ECONNREFUSED", "unix:no.socket,ENOENT"]);
    let six = rows("address", "syscall = 'connect' AND address LIKE '[%'");
    assert!(six.is_empty() || six == ["[::1]:9"], "{six:?}");
    // What is no text is still told apart, and a terminal does not obey it.
    let odd = lab.ebrec(&["query", "SELECT path FROM syscalls WHERE path LIKE 'not%'"]).ok();
    assert!(odd.contains("UTF-8") && !odd.contains('\u{1b}'), "{odd:?}");
}

#[test]
fn a_change_of_user_is_an_event() {
    let Some(lab) = Lab::open() else { return };
    // SAFETY: no arguments.
    if unsafe { libc::geteuid() } != 0 {
        return skip("only root may become another user");
    }
    lab.record(&[], &["become", "65534"]);
    lab.assert_complete();
    let sql = "SELECT old_uid, old_euid, uid, euid, cap_effective FROM process_events \
               WHERE event = 'setuid'";
    assert_eq!(lab.rows(sql), ["0,0,65534,65534,0"]);
    assert_eq!(lab.rows("SELECT arg0, ret FROM syscalls WHERE syscall = 'setuid'"), ["65534,0"]);
}

#[test]
fn operations_of_io_uring_are_rows() {
    let Some(lab) = Lab::open() else { return };
    fs::write(lab.path().join("file"), "23 bytes are in here...").unwrap();
    let run = lab.ebrec(&["record", "-q", "--", &workload(), "ring", "file"]);
    if run.code == 3 {
        return skip("the kernel refuses io_uring_setup");
    }
    assert_eq!(run.code, 0, "{run:?}");
    lab.assert_complete();
    let sql = "SELECT syscall, ret, error, comm, duration_ns >= 0 FROM syscalls \
               WHERE via = 'io_uring' ORDER BY ts";
    assert_eq!(lab.rows(sql), ["nop,0,,workload,true", "read,23,,workload,true"]);
    let setup =
        "SELECT count(*) FROM syscalls WHERE syscall = 'io_uring_setup' AND via = 'syscall'";
    assert_eq!(lab.value(setup), 1);
}
