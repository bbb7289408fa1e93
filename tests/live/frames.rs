//! Other programs read the trace as it lies: DuckDB, pandas, Polars.

use std::process::Command;

use serde_json::Value;

use super::lab::Lab;
use crate::skip::{has_program, skip};

const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/live/frames.py");

#[test]
fn duckdb_pandas_and_polars_read_what_query_reads() {
    let Some(lab) = Lab::open() else { return };
    if !has_program("python3", &["-c", "import duckdb, pandas, polars, pyarrow"]) {
        return skip("python3 with duckdb, pandas, polars and pyarrow is not installed");
    }
    lab.record(&[], &["counts"]);
    let queries = [
        "SELECT syscall, count(*) AS calls, count(error) AS errors, sum(duration_ns) AS ns \
         FROM syscalls GROUP BY syscall ORDER BY syscall",
        "SELECT comm, error, count(*) AS calls, min(ret) AS low, max(ret) AS high \
         FROM syscalls GROUP BY comm, error ORDER BY comm, error NULLS LAST",
        "SELECT path, count(*) AS calls FROM syscalls WHERE path IS NOT NULL \
         GROUP BY path ORDER BY path",
        "SELECT pid, tid, upid, arg0, arg1, truncated FROM syscalls ORDER BY ts, tid LIMIT 50",
        "SELECT event, exit_code, count(*) AS events, count(argv) AS argvs \
         FROM process_events GROUP BY event, exit_code ORDER BY event, exit_code NULLS LAST",
        "SELECT end_state, count(*) AS slices, sum(duration_ns) AS ns \
         FROM sched_slices GROUP BY end_state ORDER BY end_state",
    ];
    for sql in queries {
        let ours: Value =
            serde_json::from_str(&lab.ebrec(&["query", sql, "--format", "json"]).ok()).unwrap();
        assert!(!ours.as_array().unwrap().is_empty(), "{sql}");
        assert_eq!(frames(&lab, &["duckdb", sql]), ours, "{sql}");
    }
    let by_syscall = "SELECT syscall, count(*) AS calls, count(error) AS errors, \
                      sum(coalesce(duration_ns, 0)) AS ns FROM syscalls GROUP BY syscall ORDER BY syscall";
    let ours: Value =
        serde_json::from_str(&lab.ebrec(&["query", by_syscall, "--format", "json"]).ok()).unwrap();
    for library in ["pandas", "polars"] {
        assert_eq!(frames(&lab, &[library]), ours, "{library}");
    }
    // Times are times.
    let first = "SELECT min(ts) AS ts FROM syscalls";
    let ours = lab.rows(first);
    let theirs = frames(&lab, &["duckdb", "SELECT epoch_ns(min(ts)) AS ns FROM syscalls"]);
    let ns = lab.value("SELECT CAST(min(ts) AS BIGINT) FROM syscalls");
    assert_eq!(theirs[0]["ns"], ns, "{ours:?}");
}

fn frames(lab: &Lab, args: &[&str]) -> Value {
    let output = Command::new("python3")
        .arg(SCRIPT)
        .arg(lab.path().join("trace"))
        .args(args)
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}
