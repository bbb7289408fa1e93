//! `export` and `symbolize`: stacks of a made-up trace.

use std::io::Read;
use std::path::Path;

use serde_json::{Value, json};

use crate::command::ebrec;
use crate::synthetic;

fn frame(function: Value, module: &str, offset: u64, line: Value, inlined: bool) -> Value {
    let file = if line.is_null() { Value::Null } else { json!("/src/app.c") };
    json!({
        "function": function, "module": module, "build_id": null, "offset": offset,
        "file": file, "line": line, "inlined": inlined,
    })
}

/// A trace with four stacks; what its events are weighted by is easy to add up.
fn trace(path: &Path) {
    synthetic::trace(path, &["processes", "cpu", "allocations", "faults", "offcpu"]);
    let app = |function: &str, offset: u64, line: u32, inlined| {
        frame(json!(function), "/bin/app", offset, json!(line), inlined)
    };
    let kernel = frame(json!("do_work"), "[kernel]", 0x7fff_ffff_ff00, Value::Null, false);
    let unnamed = frame(Value::Null, "/lib/lib.so", 0x20, Value::Null, false);
    let stack = |id: i64, frames: Vec<Value>, folded: &str| json!({"stack_id": id, "pid": null, "frames": frames, "folded": folded, "truncated": false});
    let run =
        || vec![app("leaf", 16, 4, true), app("run", 16, 9, false), app("main", 32, 20, false)];
    let stacks = [
        stack(1, run(), "main;run;leaf"),
        stack(2, [vec![kernel], run()].concat(), "main;run;leaf;do_work"),
        stack(3, vec![unnamed, app("main", 40, 21, false)], "main;lib.so+0x20"),
        stack(4, vec![app("evil;\n\u{1b}[31m", 48, 1, false)], "evil: \u{1b}[31m"),
    ];
    synthetic::segment(path, "stacks", 1, &stacks);
    let ts = |n: u32| format!("2026-11-22T17:44:16.{n:09}Z");
    let sample = |n: u32, comm: &str, stack: Value| {
        json!({"ts": ts(n), "pid": 7, "tid": 70 + n % 2, "upid": 7, "comm": comm, "stack_id": stack,
            "period_ns": 1000, "mode": "user"})
    };
    let samples = [
        sample(1, "app", json!(1)),
        sample(2, "app", json!(2)),
        sample(3, "app", json!(2)),
        sample(4, "b;c", json!(4)),
        sample(5, "app", json!(3)),
        sample(6, "app", Value::Null),
    ];
    synthetic::segment(path, "cpu_samples", 1, &samples);
    let off =
        json!({"ts": ts(1), "pid": 7, "upid": 7, "comm": "app", "stack_id": 2, "duration_ns": 500});
    synthetic::segment(path, "offcpu", 1, &[off]);
    let fault =
        json!({"ts": ts(1), "pid": 7, "upid": 7, "comm": "app", "stack_id": 1, "fault": "minor"});
    synthetic::segment(path, "page_faults", 1, &[fault]);
    let call = |n: u32, upid: u32, operation: &str, address: Value, old: Value, size: u32| {
        json!({"ts": ts(n), "pid": upid, "upid": upid, "comm": "app", "operation": operation,
            "address": address, "old_address": old, "size_bytes": size, "one_in": 1,
            "stack_id": if n.is_multiple_of(2) { 1 } else { 3 }})
    };
    let give_back = |n: u32, operation: &str, address: u32| {
        json!({"ts": ts(n), "pid": 7, "upid": 7, "comm": "app", "operation": operation,
            "address": address, "one_in": 1})
    };
    let none = || Value::Null;
    let calls = [
        // Freed, by two processes at one address: the second one's is leaked.
        call(10, 7, "malloc", json!(100), none(), 1),
        call(12, 8, "malloc", json!(100), none(), 2),
        give_back(13, "free", 100),
        // Grown twice, once where it was.
        call(20, 7, "malloc", json!(200), none(), 4),
        call(22, 7, "realloc", json!(200), json!(200), 8),
        // Moved: what was there is given back first.
        give_back(23, "realloc", 200),
        call(24, 7, "realloc", json!(300), json!(200), 16),
        // Used again after it was freed.
        call(30, 7, "new", json!(400), none(), 32),
        give_back(31, "delete", 400),
        call(33, 7, "calloc", json!(400), none(), 64),
        // No memory, and memory of the kernel.
        call(40, 7, "malloc", none(), none(), 128),
        call(41, 7, "mmap", json!(500), none(), 256),
        // Gone with the program that had it.
        call(50, 9, "malloc", json!(600), none(), 512),
        call(60, 9, "malloc", json!(700), none(), 1024),
    ];
    synthetic::segment(path, "allocations", 1, &calls);
    let exec = json!({"ts": ts(55), "pid": 9, "upid": 9, "event": "exec"});
    synthetic::segment(path, "process_events", 1, &[exec]);
}

fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    trace(&folder.path().join("trace"));
    folder
}

#[test]
fn folded_stacks_have_their_weights() {
    let folder = folder();
    let check = |args: &[&str], expected: &str| {
        let args = [&["export", "--to", "folded"], args].concat();
        assert_eq!(ebrec(folder.path(), &args).ok(), expected, "{args:?}");
    };
    let samples = "\
app;main;lib.so+0x20 1
app;main;run;leaf 1
app;main;run;leaf;do_work 2
b:c;evil: \\x1b[31m 1
";
    check(&[], samples);
    check(
        &["--weight", "samples", "--where", "comm = 'app' AND stack_id = 1"],
        "app;main;run;leaf 1\n",
    );
    check(
        &["--weight", "cpu-time", "--where", "tid = 70"],
        "app;main;run;leaf;do_work 1000\nb:c;evil: \\x1b[31m 1000\n",
    );
    check(
        &["--no-kernel", "--where", "comm = 'app'"],
        "app;main;lib.so+0x20 1\napp;main;run;leaf 3\n",
    );
    check(&["--weight", "offcpu-time"], "app;main;run;leaf;do_work 500\n");
    check(&["--weight", "faults"], "app;main;run;leaf 1\n");
    check(&["--weight", "allocations"], "app;main;lib.so+0x20 1\napp;main;run;leaf 8\n");
    check(&["--weight", "allocated-bytes"], "app;main;lib.so+0x20 64\napp;main;run;leaf 1599\n");
    check(&["--weight", "leaks"], "app;main;lib.so+0x20 1\napp;main;run;leaf 3\n");
    check(&["--weight", "leaked-bytes"], "app;main;lib.so+0x20 64\napp;main;run;leaf 1042\n");
}

#[test]
fn what_is_left_out_is_told() {
    let folder = folder();
    let run = ebrec(folder.path(), &["export", "--to", "folded"]);
    assert_eq!(run.err, "note: 1 of 6 events have no stack: left out\n");
    let error = |args: &[&str]| {
        ebrec(folder.path(), &[&["export", "--to", "folded"], args].concat()).error()
    };
    assert_eq!(
        error(&["--where", "comm = 'nobody'"]),
        "there is nothing to export: no event of cpu_samples matches"
    );
    assert!(error(&["--where", "nonsense > 1"]).starts_with("--where: "));
    let other = tempfile::tempdir().unwrap();
    synthetic::small(&other.path().join("trace"));
    let error = |weight| {
        ebrec(other.path(), &["export", "--to", "pprof", "--weight", weight, "-o", "x"]).error()
    };
    assert_eq!(error("samples"), "the trace has no stacks: record with `ebrec record -s cpu`");
    assert_eq!(
        error("leaks"),
        "the trace has no stacks: record with `ebrec record -s allocations`"
    );
    assert!(!other.path().join("x").exists());
}

/// The fields of a protocol buffer: number, and value or bytes.
fn fields(mut bytes: &[u8]) -> Vec<(u64, u64, Vec<u8>)> {
    fn varint(bytes: &mut &[u8]) -> u64 {
        let mut value = 0;
        for shift in (0..).step_by(7) {
            let (first, rest) = bytes.split_first().expect("a byte");
            *bytes = rest;
            value |= u64::from(first & 0x7f) << shift;
            if first & 0x80 == 0 {
                break;
            }
        }
        value
    }
    let mut fields = Vec::new();
    while !bytes.is_empty() {
        let tag = varint(&mut bytes);
        let value = varint(&mut bytes);
        let mut content = Vec::new();
        match tag & 7 {
            0 => {}
            2 => {
                let (first, rest) = bytes.split_at(value as usize);
                (content, bytes) = (first.to_vec(), rest);
            }
            wire => panic!("wire type {wire}"),
        }
        fields.push((tag >> 3, value, content));
    }
    fields
}

#[test]
fn a_profile_has_what_pprof_reads() {
    let folder = folder();
    let profile = |name: &str| {
        let args = ["export", "--to", "pprof", "--weight", "cpu-time", "-o", name];
        assert_eq!(ebrec(folder.path(), &args).ok(), "");
        std::fs::read(folder.path().join(name)).unwrap()
    };
    let packed = profile("a");
    assert_eq!(packed, profile("b"), "the same again");
    let mut bytes = Vec::new();
    flate2::read::GzDecoder::new(packed.as_slice()).read_to_end(&mut bytes).unwrap();
    let all = fields(&bytes);
    let of = |number: u64| all.iter().filter(move |field| field.0 == number);
    let texts: Vec<String> =
        of(6).map(|field| String::from_utf8(field.2.clone()).unwrap()).collect();
    assert_eq!(texts[0], "");
    let text = |index: u64| texts[index as usize].as_str();
    let value = |message: &[u8], number: u64| {
        fields(message).iter().find(|field| field.0 == number).map_or(0, |field| field.1)
    };
    let types: Vec<(&str, &str)> =
        of(1).map(|field| (text(value(&field.2, 1)), text(value(&field.2, 2)))).collect();
    assert_eq!(types, [("samples", "count"), ("cpu", "nanoseconds")]);
    assert_eq!(of(14).map(|field| text(field.1)).collect::<Vec<_>>(), ["cpu"]);
    // Threads of one stack are samples of their own.
    assert_eq!(of(2).count(), 5);
    let inlined: Vec<Vec<&str>> = of(4)
        .map(|location| {
            let lines = fields(&location.2).into_iter().filter(|field| field.0 == 4);
            lines
                .map(|line| {
                    let function = of(5).find(|known| value(&known.2, 1) == value(&line.2, 1));
                    text(value(&function.unwrap().2, 2))
                })
                .collect()
        })
        .collect();
    assert!(inlined.contains(&vec!["leaf", "run"]), "{inlined:?}");
    assert!(inlined.contains(&vec![]), "without a name, the address says where: {inlined:?}");
    let mappings: Vec<&str> = of(3).map(|field| text(value(&field.2, 5))).collect();
    assert_eq!(mappings, ["/bin/app", "[kernel]", "/lib/lib.so"]);
}

#[test]
fn sql_has_functions_for_stacks() {
    let folder = folder();
    let query = |sql: &str| ebrec(folder.path(), &["query", sql, "--format", "csv"]).ok();
    let sql = "SELECT stack_id, stack_leaf(folded), stack_root(folded), stack_cut(folded, 'r_n') \
        FROM stacks WHERE stack_id < 4";
    let expected = "1,leaf,main,run;leaf\n2,do_work,main,run;leaf;do_work\n3,lib.so+0x20,main,\n";
    assert_eq!(query(sql).split_once('\n').unwrap().1, expected);
    let sql = "SELECT stack_id FROM stacks WHERE stack_contains(frames, 'do%')";
    assert_eq!(query(sql), "stack_id\n2\n");
    let error = ebrec(folder.path(), &["query", "SELECT stack_contains(1, 'x')"]).error();
    assert!(error.contains("stack_contains(frames, 'pattern')"), "{error}");
}

#[test]
fn symbolize_says_what_it_found() {
    let folder = folder();
    let out = ebrec(folder.path(), &["symbolize"]).ok();
    let expected = "\
4 stacks: 7 of 8 frames have a name (87.5%).

unnamed  frames  module       why
";
    assert!(out.starts_with(expected), "{out}");
    assert!(out.contains("/lib/lib.so"), "{out}");
    // It changed nothing, since nothing was found.
    let again = ebrec(folder.path(), &["symbolize"]).ok();
    assert_eq!(again, out);
    let error = ebrec(folder.path(), &["symbolize", "--debug-dir", "absent"]).error();
    assert_eq!(error, "--debug-dir: absent is not a folder");
    let other = tempfile::tempdir().unwrap();
    synthetic::small(&other.path().join("trace"));
    assert_eq!(
        ebrec(other.path(), &["symbolize"]).ok(),
        "Nothing to name: the trace has no stacks.\n"
    );
    let empty = tempfile::tempdir().unwrap();
    assert!(ebrec(empty.path(), &["symbolize"]).error().contains("there is no trace"));
}
