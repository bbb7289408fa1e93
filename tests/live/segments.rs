//! Rotation, retention, encoding later and again.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::thread::sleep;
use std::time::Duration;

use super::lab::Lab;

/// Records a load of 12,500 calls a second for some time.
fn record_load(lab: &Lab, time: Duration, options: &[&str]) {
    let load = lab.work(&["load", "marks.txt", "100"]);
    let pid = load.pid();
    let mut args = vec!["-p", &pid];
    args.extend(options);
    let recorder = lab.start(&args);
    sleep(time);
    let run = recorder.stop(libc::SIGTERM);
    assert_eq!(run.code, 0, "{run:?}");
}

/// The Parquet files of a trace and their bytes.
fn parquet(trace: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut files = BTreeMap::new();
    for table in fs::read_dir(trace).unwrap().map(|entry| entry.unwrap().path()) {
        let is_table = table.is_dir() && !table.ends_with("spool");
        for file in is_table.then(|| fs::read_dir(&table).unwrap()).into_iter().flatten() {
            let path = file.unwrap().path();
            let name = path.strip_prefix(trace).unwrap().to_str().unwrap().to_string();
            files.insert(name, fs::read(path).unwrap());
        }
    }
    assert!(files.keys().all(|name| name.ends_with(".parquet")), "{:?}", files.keys());
    files
}

#[test]
fn the_oldest_segments_are_dropped_and_the_sum_still_holds() {
    for retention in [["--keep", "1500ms"], ["--max-size", "200KB"]] {
        let Some(lab) = Lab::open() else { return };
        record_load(&lab, Duration::from_secs(6), &[&["--rotate", "1s"], &retention[..]].concat());
        lab.assert_complete();
        let (_, report) = lab.verify();
        let calls =
            report["kinds"].as_array().unwrap().iter().find(|kind| kind["kind"] == "syscall");
        let count = |name: &str| calls.unwrap()[name].as_i64().unwrap();
        assert!(count("dropped") > 0, "{retention:?} {report:#}");
        assert_eq!(count("emitted"), count("stored") + count("dropped"));
        let first = lab.value("SELECT min(segment) FROM segments");
        assert!(first > 1 && !lab.path().join("trace/syscalls/000001.parquet").exists());
        // What is left knows its processes, whose start lies in what was dropped.
        let nameless = "SELECT count(*) FROM syscalls s LEFT JOIN processes p ON s.upid = p.upid \
                        WHERE p.exe IS NULL OR s.comm <> 'workload'";
        assert_eq!(lab.value(nameless), 0);
    }
}

#[test]
fn a_new_segment_begins_when_one_is_large_enough() {
    let Some(lab) = Lab::open() else { return };
    record_load(&lab, Duration::from_secs(2), &["--rotate-size", "256KiB"]);
    lab.assert_complete();
    assert!(lab.value("SELECT count(DISTINCT segment) FROM segments") > 2);
}

#[test]
fn encoding_a_kept_spool_again_gives_the_same_bytes() {
    let Some(lab) = Lab::open() else { return };
    // Names of functions are put in later, and are not in the spool.
    let options = ["--rotate", "1s", "--keep-spool", "--symbols", "later"];
    record_load(&lab, Duration::from_secs(3), &options);
    let trace = lab.path().join("trace");
    let first = parquet(&trace);
    assert!(first.contains_key("syscalls/000002.parquet"), "{:?}", first.keys());
    lab.ebrec(&["encode", "--again"]).ok();
    assert!(parquet(&trace) == first, "in place");
    lab.ebrec(&["encode", "--again", "-o", "copy"]).ok();
    assert!(parquet(&lab.path().join("copy")) == first, "elsewhere");

    // A segment needs no other.
    let alone = lab.path().join("alone");
    fs::create_dir_all(alone.join("spool")).unwrap();
    fs::copy(trace.join("trace.json"), alone.join("trace.json")).unwrap();
    fs::rename(trace.join("spool/000002"), alone.join("spool/000002")).unwrap();
    lab.ebrec(&["encode", "alone"]).ok();
    let alone = parquet(&alone);
    assert!(alone.len() > 5 && alone.iter().all(|(name, bytes)| first[name] == *bytes));
}

#[test]
fn a_trace_is_encoded_later_with_the_same_rows() {
    let Some(lab) = Lab::open() else { return };
    lab.record(&["--encode", "later"], &["counts"]);
    let trace = lab.path().join("trace");
    assert!(parquet(&trace).is_empty());
    let sql = "SELECT syscall, count(*), sum(ret), min(ts) FROM syscalls GROUP BY syscall";
    let before = lab.rows(sql);
    lab.assert_complete();
    lab.ebrec(&["encode"]).ok();
    assert!(parquet(&trace).contains_key("syscalls/000001.parquet"));
    assert!(!trace.join("spool/000001").exists());
    assert_eq!(lab.rows(sql), before);
    lab.assert_complete();
    assert_eq!(lab.ebrec(&["encode"]).ok(), "Nothing to encode: there are no spools.\n");
}
