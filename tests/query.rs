//! `query` and `replay`: formats, safety, errors.

use std::io::Write;
use std::process::Stdio;

use crate::command::{command, ebrec, run};
use crate::synthetic;

/// A folder with the small trace in `trace`.
fn small() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    synthetic::small(&folder.path().join("trace"));
    folder
}

#[test]
fn every_format_writes_the_rows() {
    let folder = small();
    let sql = "SELECT comm, count(*) AS calls, max(duration_ns) FROM syscalls GROUP BY comm";
    let check = |format: &str, expected: &str| {
        assert_eq!(
            ebrec(folder.path(), &["query", sql, "--format", format]).ok(),
            expected,
            "{format}"
        );
    };
    check(
        "table",
        "\
comm  calls  max(syscalls.duration_ns)
──────────────────────────────────────
sh        1                    1.23 µs
cat       4                    1.23 µs
",
    );
    check(
        "markdown",
        "\
| comm | calls | max(syscalls.duration_ns) |
|---|---:|---:|
| sh | 1 | 1.23 µs |
| cat | 4 | 1.23 µs |
",
    );
    check("csv", "comm,calls,max(syscalls.duration_ns)\nsh,1,1234\ncat,4,1234\n");
    check(
        "json",
        "[{\"comm\":\"sh\",\"calls\":1,\"max(syscalls.duration_ns)\":1234},{\"comm\":\"cat\",\"calls\":4,\"max(syscalls.duration_ns)\":1234}]\n",
    );
    check(
        "ndjson",
        "{\"comm\":\"sh\",\"calls\":1,\"max(syscalls.duration_ns)\":1234}\n{\"comm\":\"cat\",\"calls\":4,\"max(syscalls.duration_ns)\":1234}\n",
    );
}

#[test]
fn times_and_null_are_written_for_each_reader() {
    let folder = small();
    let sql = "SELECT ts, error FROM syscalls LIMIT 1";
    let check = |format: &str, expected: &str| {
        assert_eq!(
            ebrec(folder.path(), &["query", sql, "--format", format]).ok(),
            expected,
            "{format}"
        );
    };
    check(
        "table",
        "\
ts                          error
─────────────────────────────────
2026-11-22 17:44:16.000001  -
",
    );
    check("csv", "ts,error\n2026-11-22T17:44:16.000001Z,\n");
    check("ndjson", "{\"ts\":\"2026-11-22T17:44:16.000001Z\",\"error\":null}\n");
}

#[test]
fn an_empty_result_still_has_its_columns() {
    let folder = small();
    let check = |format: &str, expected: &str| {
        let sql = "SELECT comm FROM syscalls WHERE false";
        assert_eq!(
            ebrec(folder.path(), &["query", sql, "--format", format]).ok(),
            expected,
            "{format}"
        );
    };
    check("table", "comm\n────\n");
    check("csv", "comm\n");
    check("json", "[]\n");
    check("ndjson", "");
    check("markdown", "| comm |\n|---|\n");
}

#[test]
fn files_that_are_written_can_be_read_again() {
    let folder = small();
    for (format, file) in [("parquet", "x.parquet"), ("arrow", "x.arrow"), ("csv", "x.csv")] {
        let sql = "SELECT comm, ret FROM syscalls";
        assert_eq!(ebrec(folder.path(), &["query", sql, "--format", format, "-o", file]).ok(), "");
        let sql = format!("SELECT comm, sum(ret) AS ret FROM '{file}' GROUP BY comm");
        let rows = ebrec(folder.path(), &["query", &sql, "--allow-files", "--format", "csv"]).ok();
        assert_eq!(rows, "comm,ret\nsh,3\ncat,40\n", "{format}");
        let refused = ebrec(folder.path(), &["query", &sql]).error();
        assert!(refused.starts_with("no table"), "{refused}");
    }
}

#[test]
fn hostile_text_is_shown_and_not_obeyed() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("trace");
    synthetic::trace(&path, &["syscalls"]);
    let hostile = [
        "=cmd|'/c calc'!A0",
        "a\u{1b}[31mred\nline",
        "x\u{202e}cod.exe",
        "<script>alert(1)</script>|x",
    ];
    let rows: Vec<_> = hostile
        .iter()
        .map(|text| synthetic::call("2026-11-22T17:44:16Z", "x", 1, "open", &[], 0, Some(text)))
        .collect();
    synthetic::segment(&path, "syscalls", 1, &rows);
    let out = |format: &str| {
        ebrec(folder.path(), &["query", "SELECT path FROM syscalls", "--format", format]).ok()
    };
    let table = out("table");
    assert!(
        table.contains("a\\x1b[31mred\\nline\n") && table.contains("x\\u{202e}cod.exe\n"),
        "{table}"
    );
    let csv = out("csv");
    assert!(csv.contains("'=cmd|'/c calc'!A0\n"), "{csv}");
    let markdown = out("markdown");
    assert!(markdown.contains("| &lt;script&gt;alert(1)&lt;/script&gt;\\|x |"), "{markdown}");
    let replay = ebrec(folder.path(), &["replay"]).ok();
    for text in [table, markdown, replay] {
        assert!(!text.contains(['\u{1b}', '\u{202e}']), "{text:?}");
    }
}

#[test]
fn a_table_shows_so_many_rows_and_says_what_it_left_off() {
    let folder = small();
    let got = ebrec(folder.path(), &["query", "SELECT ret FROM syscalls", "--rows", "2"]);
    assert_eq!(got.out, "ret\n───\n  3\n 42\n");
    assert!(got.err.contains("5 rows in "), "{}", got.err);
    assert!(got.err.contains("note: 3 rows were left off; --rows 0 shows all\n"), "{}", got.err);
    assert!(
        got.err.contains("note: syscalls: 1 of 6 events were lost (ebrec verify)\n"),
        "{}",
        got.err
    );
}

#[test]
fn sql_comes_from_arguments_files_or_standard_input() {
    let folder = small();
    std::fs::write(folder.path().join("q.sql"), "SELECT 1 AS a;\nSELECT 2 AS b;\n").unwrap();
    let expected = "a\n1\nb\n2\n";
    assert_eq!(ebrec(folder.path(), &["query", "-f", "q.sql", "--format", "csv"]).ok(), expected);
    assert_eq!(
        ebrec(folder.path(), &["query", "SELECT 1 AS a; SELECT 2 AS b", "--format", "csv"]).ok(),
        expected
    );
    for args in [&["query", "--format", "csv"][..], &["query", "-", "--format", "csv"]] {
        let mut child = command(folder.path(), args)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        child.stdin.take().unwrap().write_all(b"SELECT 1 AS a; SELECT 2 AS b").unwrap();
        assert_eq!(run(child.wait_with_output().unwrap()).ok(), expected);
    }
}

#[test]
fn mistakes_are_pointed_at() {
    let folder = small();
    let check = |sql: &str, expected: &str| {
        assert_eq!(ebrec(folder.path(), &["query", sql]).error(), expected, "{sql}");
    };
    check(
        "SELECT com\nFROM syscalls",
        "no column \"com\" at line 1, column 8; did you mean \"comm\"?\n  SELECT com\n         ^^^",
    );
    check(
        "SELECT 1 FROM syscall",
        "no table \"syscall\" at line 1, column 15; did you mean \"syscalls\"?\n  SELECT 1 FROM syscall\n                ^^^^^^^",
    );
    check("DROP TABLE syscalls", "query only reads: DROP is not allowed");
    check(" ", "there is no SQL");
}

#[test]
fn a_reader_that_has_seen_enough_is_no_error() {
    let folder = small();
    let sql = "SELECT a.value FROM generate_series(1, 1000000) a";
    let mut child = command(folder.path(), &["query", sql, "--format", "csv"])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let got = run(child.wait_with_output().unwrap());
    assert_eq!((got.code, got.err.as_str()), (0, ""));
}

#[test]
fn replay_prints_events_in_the_order_of_time() {
    let folder = small();
    let out = ebrec(
        folder.path(),
        &["replay", "--kind", "fork,syscall,exit", "--to", "2026-11-22T17:44:20Z"],
    )
    .ok();
    assert_eq!(out, "\
17:44:16.000000 sh[70] fork -> 80
17:44:16.000001 sh[70] openat(AT_FDCWD, \"etc/passwd\", O_RDONLY) = 3 <0.000001>
17:44:16.000002 cat[80] read(3, 0x2, 100) = 42 <0.000001>
17:44:16.000003 cat[80] openat(AT_FDCWD, \"/none\", O_RDONLY) = -1 ENOENT (No such file or directory) <0.000001>
");
    let out =
        ebrec(folder.path(), &["replay", "--format", "ndjson", "--comm", "sh", "--kind", "exit"])
            .ok();
    assert!(out.starts_with("{\"ts\":\"2026-11-22T17:44:25Z\",\"kind\":\"exit\","), "{out}");
    assert_eq!(out.lines().count(), 1);
}

#[test]
fn replay_refuses_what_no_event_can_meet() {
    let folder = small();
    let error = |args: &[&str]| ebrec(folder.path(), &[&["replay"], args].concat()).error();
    let kind = error(&["--kind", "exce"]);
    assert!(kind.contains("fork, thread_start, exec") && kind.contains("exists: 'exec'"), "{kind}");
    assert_eq!(
        error(&["--from", "yesterday"]),
        "invalid value 'yesterday' for '--from <TIME>': expected a time in UTC, such as \
         '2026-11-22 17:44:16.5' or '2026-11-22'; see `ebrec help replay`"
    );
    assert_eq!(
        error(&["--speed", "-1"]),
        "invalid value '-1' for '--speed <SPEED>': expected a number above zero, or `max`; \
         see `ebrec help replay`"
    );
    let events = "SELECT DISTINCT kind FROM events";
    for kind in ebrec(folder.path(), &["query", events, "--format", "csv"]).ok().lines().skip(1) {
        assert!(!ebrec(folder.path(), &["replay", "--kind", kind]).ok().is_empty(), "{kind}");
    }
}

#[test]
fn several_traces_are_told_apart() {
    let folder = small();
    synthetic::small(&folder.path().join("other"));
    let sql = "SELECT trace, count(*) AS n FROM syscalls GROUP BY trace";
    let out =
        ebrec(folder.path(), &["query", "-t", "trace", "-t", "other", sql, "--format", "csv"]).ok();
    assert_eq!(out, "trace,n\ntrace,5\nother,5\n");
    let out =
        ebrec(folder.path(), &["-t", "trace", "-t", "other", "replay", "--kind", "fork"]).ok();
    assert_eq!(
        out,
        "17:44:16.000000 trace: sh[70] fork -> 80\n17:44:16.000000 other: sh[70] fork -> 80\n"
    );
}
