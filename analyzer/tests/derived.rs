//! Tables that are computed in one pass, and what a range of time makes of them.

#[path = "../../tests/synthetic.rs"]
#[allow(dead_code, reason = "not every test needs all of it")]
mod synthetic;

mod common;

use std::path::Path;

use analyzer::{Filter, Moment, Session, SessionOptions};
use common::rows;
use serde_json::{Value, json};
use store::Trace;

fn ts(ms: i64) -> String {
    format!("2026-11-22T17:44:{:02}.{:03}Z", 16 + ms / 1000, ms % 1000)
}

fn open(path: &Path, filter: Filter) -> Session {
    let options = SessionOptions { filter, ..Default::default() };
    Session::open(vec![Trace::open(path).unwrap()], options).unwrap()
}

fn call(ms: i64, upid: i64, operation: &str, address: i64, size: Option<i64>) -> Value {
    json!({"ts": ts(ms), "upid": upid, "pid": upid, "tid": upid, "comm": "x", "operation": operation,
           "address": address, "size_bytes": size, "one_in": 1})
}

fn lives(path: &Path) {
    synthetic::trace(path, &["processes", "allocations"]);
    let first = [
        call(1, 7, "malloc", 100, Some(10)),
        call(2, 7, "malloc", 200, Some(20)),
        call(3, 7, "free", 100, None),
        // Out of the file's order with the next segment, whose first row is before this one.
        call(6, 7, "malloc", 100, Some(30)),
        call(7, 7, "free", 999, None),
        call(8, 7, "mmap", 4096, Some(4096)),
    ];
    let second = [
        call(5, 7, "realloc", 200, Some(25)),
        call(9, 7, "malloc", 100, Some(40)),
        call(10, 8, "new", 100, Some(1)),
        call(11, 9, "malloc", 1, Some(5)),
        call(20, 9, "malloc", 2, Some(6)),
    ];
    synthetic::segment(path, "allocations", 1, &first);
    synthetic::segment(path, "allocations", 2, &second);
    let end = |ms: i64, upid: i64, event: &str| json!({"ts": ts(ms), "upid": upid, "pid": upid, "tid": upid, "comm": "x", "event": event});
    synthetic::segment(path, "process_events", 1, &[end(15, 9, "exec")]);
    synthetic::segment(path, "process_events", 2, &[end(30, 7, "exit"), end(30, 9, "exit")]);
}

#[test]
fn each_allocation_has_one_life() {
    let folder = tempfile::tempdir().unwrap();
    lives(folder.path());
    let session = open(folder.path(), Filter::default());
    let sql = "SELECT upid, address, size_bytes, ended_by, verdict, held_bytes FROM allocation_lives \
               ORDER BY ts, upid";
    let expected = [
        "7|100|10|free|freed|10",
        "7|200|20|realloc|freed|30",
        "7|200|25|exit|leaked|25",
        "7|100|30|reused|freed|55",
        "7|999||unmatched|unknown|",
        "7|100|40|exit|leaked|65",
        "8|100|1|none|alive|1",
        "9|1|5|exec|freed|5",
        "9|2|6|exit|leaked|6",
    ];
    assert_eq!(rows(&session, sql), expected);
    assert_eq!(rows(&session, "SELECT count(*), sum(size_bytes) FROM leaks"), ["4|72"]);
}

/// What another tool would call temporary: by the allocations of the thread, not of others and not by time.
#[test]
fn what_a_thread_allocates_in_between_is_counted() {
    let folder = tempfile::tempdir().unwrap();
    synthetic::trace(folder.path(), &["processes", "allocations"]);
    let call = |ms: i64,
                tid: i64,
                operation: &str,
                address: i64,
                size: Option<i64>,
                one_in: i64| {
        let comm = format!("at {ms}");
        json!({"ts": ts(ms), "upid": 7, "pid": 7, "tid": tid, "comm": comm, "operation": operation,
               "address": address, "size_bytes": size, "one_in": one_in})
    };
    let calls = [
        call(1, 1, "malloc", 100, Some(1), 1),
        call(2, 2, "malloc", 200, Some(2), 1),
        call(3, 2, "malloc", 300, Some(3), 5),
        call(4, 1, "free", 100, None, 1),
        // Neither is what ends a life among what is in between, nor what is given back then.
        call(5, 2, "free", 300, None, 5),
        call(6, 2, "realloc", 200, Some(4), 1),
        call(7, 1, "free", 200, None, 1),
    ];
    synthetic::segment(folder.path(), "allocations", 1, &calls);
    let session = open(folder.path(), Filter::default());
    let sql =
        "SELECT size_bytes, end_tid, allocations_between FROM allocation_lives ORDER BY size_bytes";
    assert_eq!(rows(&session, sql), ["1|1|0", "2|2|5", "3|2|0", "4|1|"]);
}

/// More than a batch of rows ends at once, in the order of time.
#[test]
fn much_that_ends_at_once_is_complete() {
    let folder = tempfile::tempdir().unwrap();
    synthetic::trace(folder.path(), &["processes", "allocations"]);
    let calls: Vec<Value> =
        (0..20_000).map(|at| call(at / 25, 7 + at % 2, "malloc", at, Some(1))).collect();
    synthetic::segment(folder.path(), "allocations", 1, &calls);
    let end = json!({"ts": ts(900), "upid": 8, "pid": 8, "tid": 8, "comm": "x", "event": "exec"});
    synthetic::segment(folder.path(), "process_events", 1, &[end]);
    let after = call(901, 8, "malloc", 1, Some(1));
    synthetic::segment(folder.path(), "allocations", 2, &[after]);
    let session = open(folder.path(), Filter::default());
    let sql = "SELECT upid, verdict, ended_by, count(*), count(DISTINCT address) FROM allocation_lives \
               GROUP BY 1, 2, 3 ORDER BY 1, 2";
    let expected = ["7|alive|none|10000|10000", "8|alive|none|1|1", "8|freed|exec|10000|10000"];
    assert_eq!(rows(&session, sql), expected);
}

#[test]
fn what_is_leaked_in_a_range_of_time_is_decided_by_what_came_after() {
    let folder = tempfile::tempdir().unwrap();
    lives(folder.path());
    let at = |ms: i64| Some(Moment::At(1_795_369_456_000_000_000 + ms * 1_000_000));
    let filter = Filter { from: at(1), to: at(7), ..Filter::default() };
    let session = open(folder.path(), filter);
    // The table itself ends with the range.
    assert_eq!(rows(&session, "SELECT count(*) FROM allocations"), ["5"]);
    let sql = "SELECT address, size_bytes, verdict FROM allocation_lives ORDER BY ts";
    assert_eq!(
        rows(&session, sql),
        ["100|10|freed", "200|20|freed", "200|25|leaked", "100|30|freed"]
    );
}

#[test]
fn what_was_lost_makes_a_verdict_unknown() {
    let folder = tempfile::tempdir().unwrap();
    lives(folder.path());
    let lost = json!({"ts": ts(4), "duration_ns": 2_000_000, "kind": "deallocation", "lost": 1, "reason": "ring_full"});
    synthetic::segment(folder.path(), "loss", 1, &[lost]);
    let session = open(folder.path(), Filter::default());
    let sql = "SELECT size_bytes, verdict FROM leaks ORDER BY size_bytes";
    // Those of before 6 ms may have been given back then.
    assert_eq!(rows(&session, sql), ["1|alive", "6|leaked", "25|unknown", "40|leaked"]);
}

#[test]
fn a_wait_knows_the_system_call_it_is_in() {
    let folder = tempfile::tempdir().unwrap();
    synthetic::trace(folder.path(), &["processes", "syscalls", "sched"]);
    let call = |ms: i64, tid: i64, name: &str, length_ms: Option<i64>| {
        json!({"ts": ts(ms), "upid": 7, "pid": 7, "tid": tid, "comm": "x", "syscall": name, "via": "syscall",
               "arg0": ms, "arg2": 10 * ms, "duration_ns": length_ms.map(|ms| ms * 1_000_000)})
    };
    let wait = |ms: i64, tid: i64, state: &str| json!({"ts": ts(ms), "upid": 7, "pid": 7, "tid": tid, "comm": "x", "state": state, "duration_ns": 1_000_000});
    // A call that lasts is stored with a later segment than the wait in it.
    synthetic::segment(
        folder.path(),
        "syscalls",
        1,
        &[call(1, 1, "read", Some(1)), call(4, 2, "futex", None)],
    );
    synthetic::segment(folder.path(), "syscalls", 2, &[call(3, 1, "nanosleep", Some(10))]);
    let waits = [
        wait(2, 1, "sleeping"),
        wait(5, 1, "sleeping"),
        wait(6, 2, "sleeping"),
        wait(14, 1, "preempted"),
    ];
    synthetic::segment(folder.path(), "offcpu", 1, &waits);
    let session = open(folder.path(), Filter::default());
    let sql = "SELECT tid, syscall, syscall_arg0, syscall_arg1, syscall_arg2, reason FROM waits \
               ORDER BY ts";
    let expected =
        ["1|read|1||10|pipe", "1|nanosleep|3||30|sleep", "2|futex|4||40|lock", "1|||||cpu"];
    assert_eq!(rows(&session, sql), expected);
}

#[test]
fn a_range_and_processes_restrict_every_table_and_view() {
    let folder = tempfile::tempdir().unwrap();
    synthetic::small(folder.path());
    let count = |filter: Filter| {
        let session = open(folder.path(), filter);
        ["syscalls", "files", "processes", "process_events", "events"]
            .map(|table| rows(&session, &format!("SELECT count(*) FROM {table}"))[0].clone())
            .join(" ")
    };
    assert_eq!(count(Filter::default()), "5 3 2 3 9");
    assert_eq!(count(Filter { comms: vec!["sh".into()], ..Default::default() }), "1 1 1 2 3");
    assert_eq!(count(Filter { trees: vec![70], ..Default::default() }), "5 3 2 3 9");
    let late = Filter { from: Some(Moment::At(1_795_369_459_000_000_000)), ..Default::default() };
    assert_eq!(count(late), "2 1 2 1 3");
}

#[test]
fn quantiles_are_those_of_the_values() {
    let folder = tempfile::tempdir().unwrap();
    synthetic::small(folder.path());
    let session = open(folder.path(), Filter::default());
    let sql = "SELECT n % 2 AS odd, quantile(n, 0.5), quantile(n, 1.0), quantile(n, 0.5) FILTER (WHERE n > 40) \
               FROM (SELECT unnest(range(0, 60)) AS n) GROUP BY odd ORDER BY odd";
    assert_eq!(rows(&session, sql), ["0|28|58|50", "1|29|59|49"]);
    let sql = "SELECT quantile(n * 1000000, 0.99) BETWEEN 982080000 AND 997920000, quantile(CAST(NULL AS BIGINT), 0.5) \
               FROM (SELECT unnest(range(0, 1000)) AS n)";
    assert_eq!(rows(&session, sql), ["true|"]);
    let error = session.sql("SELECT quantile(1, 2.0)").map(|_| ()).unwrap_err().to_string();
    assert!(error.contains("a number from 0 to 1"), "{error}");
}
