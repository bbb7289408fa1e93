//! Traces made up by tests: rows written as JSON become the Parquet files of a trace folder.

use std::fs::{self, File};
use std::io::Cursor;
use std::path::Path;
use std::sync::Arc;

use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_writer::ArrowWriterOptions;
use schema::ColumnType;
use serde_json::{Value, json};

/// Makes the folder of a finished trace that recorded `sources`.
pub fn trace(path: &Path, sources: &[&str]) {
    fs::create_dir_all(path).unwrap();
    let manifest = json!({
        "format": {"major": schema::FORMAT.major, "minor": schema::FORMAT.minor},
        "id": "synthetic", "host": "box", "kernel": "6.1.0", "arch": "x86_64",
        "created": "2026-11-22T17:44:16Z", "recorder_version": "0.1.0", "state": "finished",
        "command": ["/bin/true"], "sources": sources, "options": {}, "redaction": "none",
    });
    fs::write(path.join("trace.json"), manifest.to_string()).unwrap();
}

/// Writes the file of `table` and `segment`. Columns that must have a value and that a row leaves
/// out get zero, false, "" or the beginning of the recording; `host` is "box".
pub fn segment(path: &Path, table: &str, segment: u32, rows: &[Value]) {
    let table = schema::tables::by_name(table).unwrap();
    if table.name != "segments" && !path.join(format!("segments/{segment:06}.parquet")).exists() {
        // What says that a segment is complete.
        self::segment(path, "segments", segment, &[]);
    }
    let mut lines = String::new();
    for row in rows {
        let mut row = row.as_object().unwrap().clone();
        for column in table.columns().iter().filter(|column| !column.nullable) {
            let value = match column.ty {
                _ if column.name == "host" => json!("box"),
                ColumnType::Timestamp => json!("2026-11-22T17:44:16Z"),
                ColumnType::Text => json!(""),
                ColumnType::Bool => json!(false),
                _ => json!(0),
            };
            row.entry(column.name).or_insert(value);
        }
        lines.push_str(&Value::Object(row).to_string());
        lines.push('\n');
    }
    let schema = schema::arrow::schema(table);
    let mut reader = arrow::json::ReaderBuilder::new(schema.clone())
        .with_batch_size(rows.len().max(1))
        .with_strict_mode(true)
        .build(Cursor::new(lines))
        .unwrap();
    let folder = path.join(table.name);
    fs::create_dir_all(&folder).unwrap();
    let file = File::create(folder.join(format!("{segment:06}.parquet"))).unwrap();
    let options = ArrowWriterOptions::new().with_skip_arrow_metadata(true);
    let mut writer = ArrowWriter::try_new_with_options(file, Arc::clone(&schema), options).unwrap();
    reader.by_ref().for_each(|batch| writer.write(&batch.unwrap()).unwrap());
    writer.close().unwrap();
}

/// A trace of two segments with a bit of everything: two processes, system calls, the scheduler.
pub fn small(path: &Path) {
    trace(path, &["processes", "syscalls", "sched"]);
    let ts = |ns: u64| {
        format!("2026-11-22T17:44:{:02}.{:09}Z", 16 + ns / 1_000_000_000, ns % 1_000_000_000)
    };
    let shell = json!({"upid": 7, "pid": 70, "comm": "sh", "start_ts": ts(0), "cwd": "/root", "exe": "/bin/sh"});
    let shell_end =
        json!({"upid": 7, "pid": 70, "comm": null, "end_ts": ts(9_000_000_000), "exit_code": 0});
    let cat = json!({"upid": 8, "pid": 80, "comm": "cat", "start_ts": ts(5), "parent_upid": 7, "cwd": "/tmp"});
    segment(path, "processes", 1, &[shell, cat]);
    segment(path, "processes", 2, &[shell_end]);
    segment(
        path,
        "threads",
        1,
        &[json!({"upid": 7, "pid": 70, "tid": 70, "comm": "sh", "start_ts": ts(0)})],
    );
    segment(
        path,
        "process_events",
        1,
        &[
            json!({"ts": ts(5), "pid": 70, "tid": 70, "upid": 7, "comm": "sh", "event": "fork", "child_pid": 80, "child_upid": 8}),
            json!({"ts": ts(6), "pid": 80, "tid": 80, "upid": 8, "comm": "sh", "event": "exec", "exe": "/bin/cat", "argv": "cat x", "cwd": "/tmp"}),
            json!({"ts": ts(9_000_000_000), "pid": 70, "tid": 70, "upid": 7, "comm": "sh", "event": "exit", "exit_code": 0}),
        ],
    );
    segment(
        path,
        "syscalls",
        1,
        &[
            call(&ts(1_000), "sh", 7, "openat", &[-100, 1, 0, 0], 3, Some("etc/passwd")),
            call(&ts(2_000), "cat", 8, "read", &[3, 2, 100], 42, None),
            call(&ts(3_000), "cat", 8, "openat", &[-100, 1, 0, 0], -2, Some("/none")),
        ],
    );
    segment(
        path,
        "syscalls",
        2,
        &[
            call(&ts(4_000_000_000), "cat", 8, "read", &[3, 2, 100], 0, None),
            call(&ts(5_000_000_000), "cat", 8, "unlink", &[1], 0, Some("x\u{1b}[31mred")),
        ],
    );
    segment(
        path,
        "offcpu",
        1,
        &[
            json!({"ts": ts(500), "pid": 80, "tid": 80, "upid": 8, "comm": "cat", "duration_ns": 1_500_000, "state": "sleeping"}),
        ],
    );
    segment(
        path,
        "segments",
        1,
        &[json!({"segment": 1, "kind": "syscall", "stored": 3, "emitted": 4, "lost": 1})],
    );
    segment(
        path,
        "segments",
        2,
        &[
            json!({"segment": 2, "kind": "syscall", "stored": 2, "stored_before": 3, "emitted": 6, "lost": 1, "closed": true}),
        ],
    );
    segment(
        path,
        "loss",
        1,
        &[
            json!({"ts": ts(2_000), "duration_ns": 1_000_000_000, "kind": "syscall", "lost": 1, "reason": "ring_full"}),
        ],
    );
}

/// A row of `syscalls`.
pub fn call(
    ts: &str,
    comm: &str,
    upid: i64,
    name: &str,
    args: &[i64],
    ret: i64,
    path: Option<&str>,
) -> Value {
    let mut row = json!({
        "ts": ts, "pid": upid * 10, "tid": upid * 10, "upid": upid, "comm": comm, "syscall": name,
        "via": "syscall", "ret": ret, "duration_ns": 1_234, "path": path,
    });
    for (index, arg) in args.iter().enumerate() {
        row[format!("arg{index}")] = json!(arg);
    }
    if ret < 0 {
        row["error"] = json!("ENOENT");
    }
    row
}
