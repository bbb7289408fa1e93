//! Reports where the recording is not what one would wish: empty, old, full of holes, or asked with files that are wrong.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::path::Path;

use arrow::array::RecordBatch;
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use parquet::arrow::arrow_writer::ArrowWriterOptions;
use serde_json::Value;

use crate::command::{Run, ebrec};
use crate::synthetic;

/// Sources whose tables reports read.
const SOURCES: [&str; 13] = [
    "processes",
    "syscalls",
    "sched",
    "stacks",
    "cpu",
    "allocations",
    "faults",
    "network",
    "packets",
    "dns",
    "disk",
    "signals",
    "system",
];

fn names(folder: &Path) -> Vec<String> {
    let list = ebrec(folder, &["report", "--list", "--format", "json"]).ok();
    let list: Vec<Value> = serde_json::from_str(&list).unwrap();
    list.iter().map(|report| report["name"].as_str().unwrap().to_string()).collect()
}

/// What every report says; one that cannot answer says so in a sentence.
fn all(folder: &Path, check: impl Fn(&str, &Run)) -> (usize, usize) {
    let (mut answers, mut refusals) = (0, 0);
    for name in names(folder) {
        let run = ebrec(folder, &["report", &name]);
        check(&name, &run);
        match run.code {
            0 => answers += 1,
            _ => {
                let sentence = run.error();
                let is_known = sentence.contains("which was not recorded; record with `-s ");
                assert!(is_known && sentence.lines().count() == 1, "{name}: {sentence}");
                refusals += 1;
            }
        }
    }
    (answers, refusals)
}

fn synth(scenario: &str, loss: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let args = ["synth", "--scenario", scenario, "--events", "20000", "--loss", loss];
    ebrec(folder.path(), &args).ok();
    folder
}

#[test]
fn nothing_at_all_is_an_answer_of_every_report() {
    let folder = tempfile::tempdir().unwrap();
    let trace = folder.path().join("trace");
    synthetic::trace(&trace, &SOURCES);
    synthetic::segment(&trace, "segments", 1, &[]);
    let (answers, refusals) = all(folder.path(), |name, run| {
        assert!(run.code != 0 || run.out.contains("nothing was recorded then"), "{name}: {run:?}");
        assert!(run.code != 0 || run.out.contains("\n\nNo rows.\n"), "{name}: {run:?}");
    });
    assert_eq!(refusals, 0);
    assert!(answers > 40);
    // A recording that has only begun.
    let begun = tempfile::tempdir().unwrap();
    synthetic::trace(&begun.path().join("trace"), &SOURCES);
    assert_eq!(all(begun.path(), |_, _| {}), (answers, 0));
}

#[test]
fn thirty_percent_lost_is_told_by_every_report_and_refused_where_asked() {
    let folder = synth("mixed", "30");
    let mut told = 0;
    let (answers, refusals) = all(folder.path(), |name, run| {
        let is_told = run.out.contains(" events were lost (ebrec verify).");
        assert!(run.code != 0 || is_told, "{name}: {}", run.out);
    });
    for name in names(folder.path()) {
        let run = ebrec(folder.path(), &["report", &name, "--strict"]);
        assert!(run.code != 0 && run.out.is_empty(), "{name}: {run:?}");
        told += usize::from(run.code == 1 && run.err.contains("events were lost"));
    }
    assert_eq!((told, answers + refusals), (answers, names(folder.path()).len()));
    assert!(answers > 30, "{answers}");
    let overview = ebrec(folder.path(), &["report"]).ok();
    assert!(
        overview.contains("Incomplete: ") && overview.contains("What stands out"),
        "{overview}"
    );
}

/// A table without some of its columns, as an older recorder wrote it.
fn without(path: &Path, columns: &[&str]) {
    let reader = ParquetRecordBatchReaderBuilder::try_new(File::open(path).unwrap()).unwrap();
    let batches: Vec<RecordBatch> = reader.build().unwrap().map(Result::unwrap).collect();
    let Some(first) = batches.first() else { return };
    let schema = first.schema();
    let kept: Vec<usize> = (0..schema.fields().len())
        .filter(|at| !columns.contains(&schema.field(*at).name().as_str()))
        .collect();
    assert!(columns.is_empty() || kept.len() < schema.fields().len(), "{}", path.display());
    let options = ArrowWriterOptions::new().with_skip_arrow_metadata(true);
    let schema = std::sync::Arc::new(schema.project(&kept).unwrap());
    let file = File::create(path).unwrap();
    let mut writer = ArrowWriter::try_new_with_options(file, schema, options).unwrap();
    batches.iter().for_each(|batch| writer.write(&batch.project(&kept).unwrap()).unwrap());
    writer.close().unwrap();
}

/// A trace of format 1.0: CHANGELOG.md has what came later.
fn make_old(trace: &Path) {
    let later = [
        "truth",
        "connections",
        "connection_events",
        "flows",
        "packets",
        "dns",
        "block_io",
        "signals",
        "system",
        "task_usage",
        "containers",
        "allocations",
        "cpu_samples",
        "page_faults",
        "memory_usage",
        "oom_kills",
        "stacks",
        "mappings",
    ];
    for table in later {
        fs::remove_dir_all(trace.join(table)).ok();
    }
    let columns: [(&str, &[&str]); 4] = [
        ("offcpu", &["stack_id", "waker_stack_id"]),
        ("process_events", &["netns"]),
        ("processes", &["container_name", "pod", "unit", "netns"]),
        ("cost", &["source"]),
    ];
    for (table, columns) in columns {
        let Ok(files) = fs::read_dir(trace.join(table)) else { continue };
        files.for_each(|file| without(&file.unwrap().path(), columns));
    }
    let path = trace.join("trace.json");
    let mut manifest: Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
    manifest["format"]["minor"] = 0.into();
    let known = ["processes", "syscalls", "sched"].map(Value::from);
    manifest["sources"] = known.to_vec().into();
    fs::write(path, manifest.to_string()).unwrap();
}

#[test]
fn an_older_trace_is_answered_with_what_it_has() {
    let folder = synth("locks", "0");
    let of_today = ebrec(folder.path(), &["report", "runqueue_latency", "--format", "csv"]).ok();
    make_old(&folder.path().join("trace"));
    let answered = std::cell::RefCell::new(BTreeSet::new());
    let (answers, refusals) = all(folder.path(), |name, run| {
        if run.code == 0 {
            answered.borrow_mut().insert(name.to_string());
        }
    });
    assert!(answers > 12 && refusals > 12, "{answers} {refusals}");
    for name in ["syscalls", "file_io", "bottlenecks", "lock_contention", "process_tree"] {
        assert!(answered.borrow().contains(name), "{name}");
    }
    let of_old = ebrec(folder.path(), &["report", "runqueue_latency", "--format", "csv"]).ok();
    assert_eq!(of_old, of_today);
    // Who waits for what is known without stacks; where in the program is not.
    let locks = ebrec(folder.path(), &["report", "lock_contention"]).ok();
    assert!(locks.contains("mutex") && !locks.contains("journal_append"), "{locks}");
    assert!(locks.contains("stacks was not recorded"), "{locks}");
}

#[test]
fn a_broken_file_is_named_and_no_more_than_that() {
    let folder = tempfile::tempdir().unwrap();
    synthetic::small(&folder.path().join("trace"));
    let own = folder.path().join("mine");
    fs::create_dir(&own).unwrap();
    let sql = |from: &str| {
        format!(
            "-- # Some\n-- Which? One row per call.\n-- @needs syscalls\n-- @column syscall [key]  Name.\n\
             SELECT syscall FROM {from} GROUP BY syscall ORDER BY syscall\n"
        )
    };
    fs::write(own.join("good.sql"), sql("syscalls")).unwrap();
    fs::write(own.join("wrong.sql"), sql("syscals")).unwrap();
    let torn = "-- # Torn\n-- @param x fish 1  Text\nSELECT 1";
    fs::write(own.join("torn.sql"), torn).unwrap();
    fs::write(own.join("picture.sql"), [0xff, 0xd8, 0xff, 0xe0]).unwrap();
    // It would take the place of one that ebrec has.
    fs::write(own.join("exits.sql"), torn).unwrap();
    let report = |name: &str| ebrec(folder.path(), &["report", name, "--queries", "mine"]);
    let answer = report("good").ok();
    assert!(answer.contains("openat"), "{answer}");
    for name in ["wrong", "torn", "picture", "exits"] {
        let sentence = report(name).error();
        assert!(sentence.contains(&format!("{name}.sql")), "{sentence}");
        assert_eq!(sentence.lines().count(), 1, "{sentence}");
    }
    report("syscalls").ok();
    let lint = ebrec(folder.path(), &["report", "--queries", "mine", "--lint"]);
    assert_eq!(lint.code, 1);
    for name in ["wrong", "torn", "picture", "exits"] {
        assert!(lint.out.contains(name), "{name}: {}", lint.out);
    }
}

#[test]
fn without_the_counts_of_a_segment_nothing_is_called_complete() {
    let folder = tempfile::tempdir().unwrap();
    let trace = folder.path().join("trace");
    synthetic::small(&trace);
    let first = |table: &str| {
        let mut files: Vec<_> =
            fs::read_dir(trace.join(table)).unwrap().map(|file| file.unwrap().path()).collect();
        files.sort();
        files.swap_remove(0)
    };
    // A whole Parquet file, of another table.
    fs::copy(first("processes"), first("segments")).unwrap();
    let sentence = ebrec(folder.path(), &["report", "syscalls"]).error();
    assert!(sentence.contains("segments") && sentence.contains("damaged"), "{sentence}");
}
