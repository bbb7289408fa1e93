//! Files by io_uring: what is told of an operation is what is told of the system call of the same name.

use super::lab::Lab;
use super::programs::build;
use crate::skip::skip;

/// What `by_ring.c` does with files, in the words of the call, by whatever way.
const CALLS: &str = "
    SELECT
        syscall,
        coalesce(
            syscall_arg(syscall, 'dirfd', arg0, arg1, arg2, arg3, arg4, arg5),
            syscall_arg(syscall, 'olddirfd', arg0, arg1, arg2, arg3, arg4, arg5)
        ) = -100 AS in_cwd,
        syscall_arg(syscall, 'newdirfd', arg0, arg1, arg2, arg3, arg4, arg5) = -100 AS in_cwd2,
        syscall_arg(syscall, 'flags', arg0, arg1, arg2, arg3, arg4, arg5) AS flags,
        syscall_arg(syscall, 'mode', arg0, arg1, arg2, arg3, arg4, arg5) AS mode,
        syscall_arg(syscall, 'mask', arg0, arg1, arg2, arg3, arg4, arg5) AS mask,
        path,
        path2,
        truncated,
        ret >= 0 AS worked,
        error
    FROM syscalls
    WHERE comm = 'by_ring' AND path <> '' AND path NOT LIKE '/%'
    ORDER BY ts";

/// The same as checks see it, with absolute paths.
const FILES: &str = "
    SELECT operation, path, path2, flags, ret >= 0 AS worked, error
    FROM files
    WHERE ts IN (SELECT ts FROM syscalls WHERE comm = 'by_ring' AND path <> '' AND path NOT LIKE '/%')
    ORDER BY ts";

/// A lab with the program.
fn lab() -> Option<(Lab, String)> {
    let lab = Lab::open()?;
    let program = build(&lab, "by_ring.c", "by_ring", &["-O1"])?;
    Some((lab, program))
}

/// Records the program; what it printed, which is the name and the result of each operation. None, and a skipped
/// test, where there is no ring.
#[track_caller]
fn record(lab: &Lab, options: &[&str], program: &[&str]) -> Option<Vec<String>> {
    let run = lab.ebrec(&[&["record", "-q", "--force"], options, &["--"], program].concat());
    if run.code == 3 {
        skip("the kernel refuses io_uring_setup");
        return None;
    }
    assert_eq!(run.code, 0, "{run:?}");
    lab.assert_complete();
    Some(run.out.lines().map(str::to_string).collect())
}

#[test]
fn an_operation_on_a_file_is_told_as_the_call() {
    let Some((lab, program)) = lab() else { return };
    let folder = lab.path().to_str().unwrap().to_string();
    let printed = record(&lab, &[], &[&program, "calls", &folder]).unwrap();
    let (calls, files) = (lab.rows(CALLS), lab.rows(FILES));
    assert_eq!((calls.len(), printed.len(), files.len()), (14, 14, 14), "{calls:#?} {files:#?}");
    assert!(files[0].starts_with(&format!("mkdir,{folder}/made,")), "{files:#?}");
    for way in ["ring", "sqpoll"] {
        let Some(printed) = record(&lab, &[], &[&program, way, &folder]) else { return };
        assert_eq!(lab.rows(CALLS), calls, "{way}");
        assert_eq!(lab.rows(FILES), files, "{way}");
        let results = "SELECT syscall, ret FROM syscalls WHERE via = 'io_uring' ORDER BY ts";
        assert_eq!(lab.rows(results), printed, "{way}");
        // A thread of the kernel stands for the first of the process.
        let who = "SELECT DISTINCT s.comm, s.tid = s.pid, p.argv LIKE '%by_ring%' \
                   FROM syscalls s JOIN processes p USING (upid) WHERE via = 'io_uring'";
        assert_eq!(lab.rows(who), ["by_ring,true,true"], "{way}");
    }
}

#[test]
fn a_thousand_at_once_have_their_paths() {
    let Some((lab, program)) = lab() else { return };
    let Some(_) = record(&lab, &[], &[&program, "many", "1000"]) else { return };
    let sql =
        "SELECT count(*), min(path), max(path), max(ret) FROM syscalls WHERE via = 'io_uring'";
    assert_eq!(lab.rows(sql), ["1000,nowhere/file,nowhere/file,-2"]);
}

/// The kernel does not tell how such an operation ends, so that it is a row without a result.
#[test]
fn an_open_that_says_nothing_of_its_success_is_told() {
    let Some((lab, program)) = lab() else { return };
    let Some(_) = record(&lab, &[], &[&program, "silent", "/dev/null"]) else { return };
    let sql = "SELECT syscall, path, ret FROM syscalls WHERE via = 'io_uring' ORDER BY ts";
    assert_eq!(lab.rows(sql), ["openat,/dev/null,", "nop,,0"]);
}

/// The result of such an open is no descriptor.
#[test]
fn an_open_into_the_table_of_files_is_told_from_others() {
    let Some((lab, program)) = lab() else { return };
    let Some(_) = record(&lab, &[], &[&program, "slot", "/dev/null"]) else { return };
    let sql = "SELECT syscall, path, arg4, ret FROM syscalls WHERE via = 'io_uring'";
    assert_eq!(lab.rows(sql), ["openat,/dev/null,6,0"]);
    // What is read from the descriptor of that number is not said to be of this file.
    let read = "SELECT count(*) FROM syscalls WHERE syscall = 'read' AND arg0 = 0 AND ret = 0";
    assert_eq!(lab.value(read), 1);
    let files = lab.ebrec(&["report", "file_io", "--format", "csv"]).ok();
    assert!(!files.contains("/dev/null"), "{files}");
}
