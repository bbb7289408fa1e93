//! Requests to disks, held against fio and the counts of the kernel.

use std::process::Command;

use serde_json::Value;

use super::lab::Lab;
use crate::skip::{has_program, skip};

/// What fio says about its own reads or writes.
struct Job(Value);

impl Job {
    fn of(lab: &Lab, file: &str) -> Job {
        let text = std::fs::read_to_string(lab.file(file)).unwrap();
        // Notes may come before.
        let json: Value = serde_json::from_str(&text[text.find('{').unwrap()..]).unwrap();
        Job(json["jobs"][0].clone())
    }

    fn number(&self, operation: &str, what: &str) -> i64 {
        self.0[operation][what].as_i64().unwrap()
    }

    fn mean_ns(&self, operation: &str) -> f64 {
        self.0[operation]["clat_ns"]["mean"].as_f64().unwrap()
    }
}

/// A file of 8 MiB with data in it, that can be read past the cache; none where that is not so.
#[track_caller]
fn file(lab: &Lab) -> Option<String> {
    if !has_program("fio", &["--version"]) {
        skip("fio is not installed");
        return None;
    }
    let path = lab.file("data");
    let run = fio(&path, &["--rw=write"], "/dev/null").output().unwrap();
    if !run.status.success() {
        skip(&format!("a file cannot be written past the cache here: {run:?}"));
        return None;
    }
    Some(path)
}

fn arguments(path: &str, options: &[&str], output: &str) -> Vec<String> {
    let mut arguments: Vec<String> = ["fio", "--name=job", "--size=8m", "--bs=4k", "--thread"]
        .into_iter()
        .chain(["--direct=1", "--ioengine=psync", "--output-format=json", "--randseed=7"])
        .chain(options.iter().copied())
        .map(str::to_string)
        .collect();
    arguments.push(format!("--filename={path}"));
    arguments.push(format!("--output={output}"));
    arguments
}

fn fio(path: &str, options: &[&str], output: &str) -> Command {
    let arguments = arguments(path, options, output);
    let mut command = Command::new(&arguments[0]);
    command.args(&arguments[1..]);
    command
}

/// Records fio, with `options` for it.
#[track_caller]
fn record(lab: &Lab, sources: &str, path: &str, options: &[&str]) {
    let arguments = arguments(path, options, &lab.file("fio.json"));
    let mut all = vec!["record", "-s", sources, "--"];
    all.extend(arguments.iter().map(String::as_str));
    lab.ebrec(&all).ok();
    lab.assert_complete();
}

/// What fio asks for itself, past the cache, and not the file system or the loading of programs for it.
const OF_FIO: &str =
    "comm = 'fio' AND bytes = 4096 AND flags LIKE '%sync%' AND flags LIKE '%idle%'";

#[test]
fn requests_are_those_that_fio_counts() {
    let Some(lab) = Lab::open() else { return };
    let Some(path) = file(&lab) else { return };
    let of_fio =
        |operation: &str| format!("FROM block_io WHERE {OF_FIO} AND operation = '{operation}'");
    // The program and its libraries are in the cache by now. The kernel may merge a request into one that another
    // program makes at that moment, which is out of scope: then it is done once more.
    let mut job = None;
    for attempt in 1..=3 {
        record(&lab, "disk", &path, &["--rw=randrw"]);
        let done = Job::of(&lab, "fio.json");
        let is_all = ["read", "write"].iter().all(|operation| {
            lab.value(&format!("SELECT count(*) {}", of_fio(operation)))
                == done.number(operation, "total_ios")
        });
        job = Some(done);
        if is_all || attempt == 3 {
            break;
        }
        std::fs::remove_dir_all(lab.path().join("trace")).unwrap();
    }
    let job = job.expect("it was done");
    for operation in ["read", "write"] {
        let of_fio = of_fio(operation);
        let expected = (job.number(operation, "total_ios"), job.number(operation, "io_bytes"));
        let found = (
            lab.value(&format!("SELECT count(*) {of_fio}")),
            lab.value(&format!("SELECT sum(bytes) {of_fio}")),
        );
        assert_eq!(found, expected, "{operation}");
        // One request at a time: each is a part of the call that fio times.
        let mean_ns = lab.value(&format!("SELECT CAST(avg(duration_ns) AS BIGINT) {of_fio}"));
        assert!(mean_ns as f64 <= job.mean_ns(operation), "{operation}: {mean_ns}");
        let odd = "duration_ns <> queue_ns + service_ns OR error IS NOT NULL OR requeues > 0 \
                   OR disk IS NULL OR merged_bytes > 0 OR upid IS NULL";
        assert_eq!(lab.rows(&format!("SELECT * {of_fio} AND ({odd})")), [""; 0]);
    }
    let places = format!("SELECT count(DISTINCT sector) = count(*) FROM block_io WHERE {OF_FIO}");
    assert_eq!(lab.rows(&places), ["true"]);
    let line = lab.ebrec(&["replay", "--kind", "block_io"]).ok();
    assert!(line.contains(" 4.00 KiB at sector "), "{line}");
}

#[test]
fn requests_are_among_those_that_the_kernel_counts() {
    let Some(lab) = Lab::open() else { return };
    let Some(path) = file(&lab) else { return };
    record(&lab, "disk,system", &path, &["--rw=read"]);
    let job = Job::of(&lab, "fio.json");
    let disk = lab.rows(&format!("SELECT DISTINCT disk FROM block_io WHERE {OF_FIO}"));
    assert_eq!(disk.len(), 1, "{disk:?}");
    let grown = |metric: &str| {
        lab.value(&format!(
            "SELECT CAST(sum(change) AS BIGINT) FROM system \
             WHERE component = 'disk' AND instance = '{}' AND metric = '{metric}'",
            disk[0]
        ))
    };
    // Others use the disk too.
    assert!(grown("reads") >= job.number("read", "total_ios"));
    assert!(grown("read_bytes") >= job.number("read", "io_bytes"));
}

#[test]
fn a_queue_that_is_full_takes_time() {
    let Some(lab) = Lab::open() else { return };
    let Some(path) = file(&lab) else { return };
    record(&lab, "disk", &path, &["--rw=randread", "--numjobs=4"]);
    // The kernel merges requests of threads that happen to be neighbours: what was made, not what became of it.
    let made = OF_FIO.replace("bytes = 4096", "bytes - merged_bytes = 4096");
    let reads = format!("FROM block_io WHERE operation = 'read' AND {made}");
    assert_eq!(lab.value(&format!("SELECT sum(bytes) {reads}")), 4 * 2048 * 4096);
    let requests = "SELECT count(*) + CAST(sum(merged_bytes) / 4096 AS BIGINT)";
    assert_eq!(lab.value(&format!("{requests} {reads}")), 4 * 2048);
    // Four threads of one process.
    let threads = format!("SELECT count(DISTINCT tid) FROM block_io WHERE {OF_FIO}");
    assert_eq!(lab.value(&threads), 4);
    let processes = format!("SELECT count(DISTINCT upid) FROM block_io WHERE {OF_FIO}");
    assert_eq!(lab.value(&processes), 1);
}
