//! `info`, `verify`, `encode`, `schema`, `completions`, and traces that are not as they should be.

use std::fs;

use serde_json::{Value, json};

use crate::command::ebrec;
use crate::synthetic;

#[test]
fn info_says_what_is_inside() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("trace");
    synthetic::small(&path);
    synthetic::segment(
        &path,
        "cost",
        1,
        &[
            json!({"component": "recorder", "duration_ns": 1_000_000_000, "cpu_ns": 25_000_000, "memory_bytes": 20_971_520}),
        ],
    );
    let out = ebrec(folder.path(), &["info"]).ok();
    for line in [
        "host      box, Linux 6.1.0, x86_64",
        "state     finished",
        "command   /bin/true",
        "sources   processes, syscalls, sched",
        "events    2026-11-22 17:44:16.000000005 to 2026-11-22 17:44:25.000000 UTC",
        "length    9.00 s",
        "segments  2",
        "lost      1 events (ebrec verify)",
        "cost      2.5% of a CPU, 20.0 MiB of memory",
    ] {
        assert!(out.lines().any(|found| found == line), "{line}\n{out}");
    }
    assert!(out.lines().all(|line| line.chars().count() <= 80), "{out}");
    let json: Value =
        serde_json::from_str(&ebrec(folder.path(), &["info", "trace", "--format", "json"]).ok())
            .unwrap();
    assert_eq!(json["lost"], 1);
    assert_eq!(json["manifest"]["host"], "box");
}

#[test]
fn verify_ends_with_1_when_something_was_lost() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("trace");
    synthetic::trace(&path, &["syscalls"]);
    synthetic::segment(&path, "syscalls", 1, &[json!({"syscall": "close"})]);
    let segment = |emitted: u64, lost: u64| {
        let row = json!({"segment": 1, "kind": "syscall", "stored": 1, "emitted": emitted, "lost": lost, "closed": true});
        synthetic::segment(&path, "segments", 1, &[row]);
    };
    let check = |code: i32, sentence: &str| {
        let got = ebrec(folder.path(), &["verify"]);
        assert_eq!(got.code, code, "{got:?}");
        assert!(got.out.lines().last().is_some_and(|last| last.starts_with(sentence)), "{got:?}");
    };
    segment(1, 0);
    check(0, "Complete: every event that was emitted is stored.");
    segment(3, 2);
    check(1, "Accounted for, but 2 events were lost");
    segment(9, 2);
    check(1, "Broken: syscall: 9 were emitted");
    let json: Value =
        serde_json::from_str(&ebrec(folder.path(), &["verify", "--format", "json"]).out).unwrap();
    assert_eq!((&json["verdict"], &json["kinds"][0]["lost"]), (&json!("broken"), &json!(2)));
}

#[test]
fn what_is_no_trace_is_refused_in_one_sentence() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("trace");
    let check = |expected: &str| {
        for verb in [&["query", "SELECT 1"][..], &["info"], &["verify"], &["replay"], &["encode"]] {
            // Encoding reads no Parquet.
            if verb[0] == "encode" && expected.contains("damaged") {
                continue;
            }
            let error = ebrec(folder.path(), verb).error();
            assert!(error.contains(expected) && error.lines().count() == 1, "{verb:?}: {error}");
        }
    };
    check("there is no trace at trace");
    fs::create_dir(&path).unwrap();
    check("trace is not a trace");
    fs::write(path.join("trace.json"), "{").unwrap();
    check("cannot be understood");
    fs::write(path.join("trace.json"), r#"{"format": {"major": 99, "minor": 0}}"#).unwrap();
    check("use a newer ebrec");
    synthetic::small(&path);
    let file = path.join("syscalls/000001.parquet");
    let bytes = fs::read(&file).unwrap();
    fs::write(&file, &bytes[..bytes.len() / 2]).unwrap();
    check("000001.parquet is damaged");
}

#[test]
fn a_file_damaged_within_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("trace");
    synthetic::small(&path);
    let file = path.join("syscalls/000001.parquet");
    let mut bytes = fs::read(&file).unwrap();
    // The footer of a Parquet file, which its last eight bytes end.
    let end = bytes.len() - 8;
    bytes[end - 200..end].fill(0xff);
    fs::write(&file, bytes).unwrap();
    let error = ebrec(folder.path(), &["query", "SELECT * FROM syscalls"]).error();
    assert!(error.contains("syscalls/000001.parquet") && error.lines().count() == 1, "{error}");
}

#[test]
fn schema_describes_tables_views_and_functions() {
    let folder = tempfile::tempdir().unwrap();
    let out = |args: &[&str]| ebrec(folder.path(), args).ok();
    let all = out(&["schema"]);
    for table in ["events", "syscalls", "processes", "processes_segments", "loss"] {
        assert!(
            all.lines().any(|line| line.split_whitespace().next() == Some(table)),
            "{table}\n{all}"
        );
    }
    assert!(out(&["schema", "syscalls"]).contains("duration_ns"));
    assert!(out(&["schema", "--functions"]).contains("human_bytes(n)"));
    assert!(out(&["schema", "--format", "markdown"]).starts_with("# Tables"));
    let json: Value = serde_json::from_str(&out(&["schema", "files", "--format", "json"])).unwrap();
    assert_eq!(json["tables"][0]["source"], "view");
    assert_eq!(json["tables"][0]["columns"][0]["type"], "timestamp");
    assert_eq!(
        ebrec(folder.path(), &["schema", "sycalls"]).error(),
        "no table \"sycalls\"; did you mean \"syscalls\"?"
    );
    assert_eq!(
        ebrec(folder.path(), &["schema", "x"]).error(),
        "no table \"x\"; `ebrec schema` lists them"
    );
}

#[test]
fn completions_and_usage() {
    let folder = tempfile::tempdir().unwrap();
    assert!(ebrec(folder.path(), &["completions", "bash"]).ok().contains("_ebrec"));
    let error = ebrec(folder.path(), &["qery"]).error();
    assert!(
        error.starts_with("unrecognized subcommand 'qery'") && error.lines().count() == 1,
        "{error}"
    );
    assert!(error.contains("'query'"), "{error}");
    assert_eq!(
        ebrec(folder.path(), &["query", "--rows", "-1"]).error(),
        "invalid value '-1' for '--rows <N>': expected a whole number, such as 100; \
         see `ebrec help query`"
    );
    assert_eq!(
        ebrec(folder.path(), &["--version"]).ok(),
        format!("ebrec {}\n", env!("CARGO_PKG_VERSION"))
    );
}
