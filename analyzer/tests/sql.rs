//! SQL over made-up traces: what users see of the analyzer without the command line.

#[path = "../../tests/synthetic.rs"]
mod synthetic;

mod common;

use std::path::Path;

use analyzer::{Error, Session, SessionOptions};
use common::rows;
use serde_json::json;
use store::Trace;

fn open(paths: &[&Path]) -> Session {
    open_with(paths, SessionOptions::default())
}

fn open_with(paths: &[&Path], options: SessionOptions) -> Session {
    let traces = paths.iter().map(|path| Trace::open(path).unwrap()).collect();
    Session::open(traces, options).unwrap()
}

fn small() -> (tempfile::TempDir, Session) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("small");
    synthetic::small(&path);
    let session = open(&[&path]);
    (folder, session)
}

fn message(session: &Session, sql: &str) -> String {
    match session.sql(sql).map(|rows| rows.collect::<Result<Vec<_>, _>>()) {
        Ok(Ok(_)) => panic!("{sql}: it worked"),
        Ok(Err(error)) | Err(error) => error.to_string(),
    }
}

#[test]
fn segments_are_one_table_in_their_order() {
    let (_folder, session) = small();
    let check = |sql, expected: &[&str]| assert_eq!(rows(&session, sql), expected, "{sql}");
    check(
        "SELECT syscall, ret FROM syscalls",
        &["openat|3", "read|42", "openat|-2", "read|0", "unlink|0"],
    );
    check("SELECT comm, count(*) FROM syscalls GROUP BY comm", &["sh|1", "cat|4"]);
    check("SELECT count(*) FROM syscalls WHERE ts >= '2026-11-22T17:44:20Z'", &["2"]);
    check("SELECT count(*) FROM migrations", &["0"]);
}

#[test]
fn a_process_of_several_segments_is_one_row() {
    let (_folder, session) = small();
    let sql = "SELECT pid, comm, exe, exit_code, duration_ns FROM processes ORDER BY pid";
    assert_eq!(rows(&session, sql), ["70|sh|/bin/sh|0|9000000000", "80|cat|||"]);
    assert_eq!(rows(&session, "SELECT count(*) FROM processes_segments"), ["3"]);
}

#[test]
fn relative_paths_are_made_absolute_where_the_directory_is_known() {
    let (_folder, session) = small();
    let sql = "SELECT operation, path, error FROM files ORDER BY ts";
    assert_eq!(
        rows(&session, sql),
        ["open|/root/etc/passwd|", "open|/none|ENOENT", "unlink|/tmp/x\u{1b}[31mred|"]
    );
}

#[test]
fn events_of_all_tables_are_lines_of_text() {
    let (_folder, session) = small();
    assert_eq!(
        rows(&session, "SELECT kind, comm, text FROM events ORDER BY ts, kind"),
        [
            "fork|sh|fork -> 80",
            "exec|sh|exec /bin/cat [cat x]",
            "offcpu|cat|off CPU: sleeping for 1.50 ms",
            r#"syscall|sh|openat(AT_FDCWD, "etc/passwd", O_RDONLY) = 3"#,
            "syscall|cat|read(3, 0x2, 100) = 42",
            r#"syscall|cat|openat(AT_FDCWD, "/none", O_RDONLY) = -1 ENOENT (No such file or directory)"#,
            "syscall|cat|read(3, 0x2, 100) = 0",
            r#"syscall|cat|unlink("x\33[31mred") = 0"#,
            "exit|sh|+++ exited with 0 +++",
        ]
    );
}

#[test]
fn the_list_of_tables_is_sorted_and_has_only_those_of_the_trace() {
    let (_folder, session) = small();
    let listed: Vec<String> = rows(&session, "SHOW TABLES")
        .iter()
        .map(|row| row.split('|').nth(1).unwrap().to_string())
        .collect();
    let names: Vec<String> =
        session.tables().unwrap().iter().map(|table| table.name.clone()).collect();
    assert_eq!(listed, names);
    assert_eq!(analyzer::tables_of_any_trace().unwrap(), session.tables().unwrap());
}

#[test]
fn views_document_the_columns_they_have() {
    let (_folder, session) = small();
    for view in analyzer::views() {
        let table = session.tables().unwrap().iter().find(|table| table.name == view.name).unwrap();
        let planned: Vec<&str> = table.columns.iter().map(|column| column.name.as_str()).collect();
        let documented: Vec<&str> =
            view.header.columns.iter().map(|column| column.name.as_str()).collect();
        assert_eq!(documented, planned, "{}", view.name);
    }
    for table in session.tables().unwrap() {
        assert!(table.doc.starts_with("One row per "), "{}", table.name);
        assert!(table.columns.iter().all(|column| !column.doc.is_empty()), "{}", table.name);
    }
}

#[test]
fn every_event_table_is_in_the_view_of_events() {
    let events = analyzer::views().into_iter().find(|view| view.name == "events").unwrap();
    let event_tables = schema::tables::TABLES.iter().filter(|table| table.is_of_threads());
    for table in event_tables {
        assert!(
            events.sql.contains(&format!("FROM {}\n", table.name)),
            "{} is not in events.sql",
            table.name
        );
    }
}

#[test]
fn functions_do_what_their_documentation_says() {
    let (_folder, session) = small();
    let check = |sql, expected: &str| assert_eq!(rows(&session, sql), [expected], "{sql}");
    check("SELECT human_bytes(1289748), human_duration(1234000), hex(31)", "1.23 MiB|1.23 ms|0x1f");
    check("SELECT human_bytes(NULL) IS NULL", "true");
    check(
        "SELECT syscall_arg(syscall, 'dirfd', arg0, arg1, arg2, arg3, arg4, arg5) FROM syscalls WHERE ret = 3",
        "-100",
    );
    check("SELECT syscall_arg('read', 'zebra', 1, 2, 3, 4, 5, 6) IS NULL", "true");
    for function in analyzer::FUNCTIONS {
        assert!(session.functions().contains(&function.name.to_string()), "{}", function.name);
    }
}

#[test]
fn several_traces_are_one_data_set_with_a_column_for_the_trace() {
    let folder = tempfile::tempdir().unwrap();
    let (a, b) = (folder.path().join("a/trace"), folder.path().join("b/trace"));
    synthetic::small(&a);
    synthetic::trace(&b, &["processes", "syscalls"]);
    synthetic::segment(
        &b,
        "syscalls",
        1,
        &[json!({"syscall": "close", "comm": "x", "arg0": 3, "ret": 0})],
    );
    let session = open(&[&a, &b]);
    let check = |sql, expected: &[&str]| assert_eq!(rows(&session, sql), expected, "{sql}");
    check("SELECT trace, count(*) FROM syscalls GROUP BY trace", &["trace|5", "trace-2|1"]);
    check("SELECT trace, text FROM events WHERE comm = 'x'", &["trace-2|close(3) = 0"]);
    check("SELECT count(*) FROM processes WHERE trace = 'trace'", &["2"]);
    check("SELECT count(*) FROM \"trace-2\".syscalls", &["1"]);
    let gaps = |sql| notes(&session, sql);
    assert_eq!(gaps("SELECT count(*) FROM offcpu"), ["trace-2: offcpu was not recorded"]);
}

fn notes(session: &Session, sql: &str) -> Vec<String> {
    let mut result = session.sql(sql).unwrap();
    result.by_ref().for_each(|batch| drop(batch.unwrap()));
    session.notes(&result).unwrap().iter().map(ToString::to_string).collect()
}

#[test]
fn answers_say_what_they_lack() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("part");
    synthetic::small(&path);
    synthetic::trace(&path, &["processes", "syscalls"]);
    std::fs::remove_dir_all(path.join("offcpu")).unwrap();
    let session = open(&[&path]);
    let check = |sql, expected: &[&str]| assert_eq!(notes(&session, sql), expected, "{sql}");
    check(
        "SELECT count(*), comm FROM syscalls GROUP BY comm",
        &["syscalls: 1 of 6 events were lost (ebrec verify)"],
    );
    check("SELECT * FROM files", &["syscalls: 1 of 6 events were lost (ebrec verify)"]);
    check("SELECT count(*) FROM processes", &[]);
    check("SELECT * FROM offcpu", &["offcpu was not recorded"]);
    check("SELECT * FROM events WHERE kind = 'exec'", &[]);
    check("SELECT * FROM loss", &[]);
}

#[test]
fn a_query_only_reads() {
    let (folder, session) = small();
    let file = folder.path().join("out.parquet");
    let refused = [
        ("CREATE TABLE t (x INT)".to_string(), "CREATE"),
        ("CREATE VIEW v AS SELECT 1".into(), "CREATE"),
        (
            format!("CREATE EXTERNAL TABLE t STORED AS PARQUET LOCATION '{}'", file.display()),
            "CREATE",
        ),
        (format!("COPY syscalls TO '{}'", file.display()), "COPY"),
        (format!("EXPLAIN ANALYZE COPY syscalls TO '{}'", file.display()), "COPY"),
        ("INSERT INTO syscalls SELECT * FROM syscalls".into(), "INSERT"),
        ("DROP TABLE syscalls".into(), "DROP"),
        ("DELETE FROM syscalls".into(), "DELETE"),
        ("SET datafusion.execution.batch_size = 1".into(), "SET"),
        ("PREPARE p AS SELECT 1".into(), "PREPARE"),
    ];
    for (sql, word) in refused {
        assert_eq!(
            message(&session, &sql),
            format!("query only reads: {word} is not allowed"),
            "{sql}"
        );
    }
    assert!(!file.exists());
}

#[test]
fn files_are_read_only_when_that_was_allowed() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("small");
    synthetic::small(&path);
    let sql = format!("SELECT count(*) FROM '{}'", path.join("syscalls/000001.parquet").display());
    let session = open(&[&path]);
    assert!(message(&session, &sql).starts_with("no table "), "{}", message(&session, &sql));
    let session = open_with(&[&path], SessionOptions { allow_files: true, ..Default::default() });
    assert_eq!(rows(&session, &sql), ["3"]);
    assert_eq!(message(&session, "DROP TABLE syscalls"), "query only reads: DROP is not allowed");
}

#[test]
fn mistakes_are_explained_where_they_are() {
    let (_folder, session) = small();
    let check = |sql, expected: &str, at: Option<(usize, usize, usize)>| {
        let Err(Error::Sql { message, place }) = session.sql(sql) else {
            panic!("{sql}: an SQL error")
        };
        assert_eq!(message, expected, "{sql}");
        assert_eq!(place.map(|place| (place.line, place.column, place.width)), at, "{sql}");
    };
    check(
        "SELECT com FROM syscalls",
        r#"no column "com" at line 1, column 8; did you mean "comm"?"#,
        Some((1, 8, 3)),
    );
    check(
        "SELECT comm\nFROM syscall",
        r#"no table "syscall" at line 2, column 6; did you mean "syscalls"?"#,
        Some((2, 6, 7)),
    );
    check(
        "SELECT s.zebra FROM syscalls s",
        r#"no column "zebra" in s at line 1, column 8; the columns are ts, host, cpu, pid, tid, upid, comm, cgroup_id, duration_ns, ret, error, syscall, ..."#,
        Some((1, 8, 7)),
    );
    check(
        "SELECT human_byte(1)",
        r#"no function "human_byte" at line 1, column 8; did you mean "human_bytes"?"#,
        Some((1, 8, 10)),
    );
    check(
        "SELECT count(* FROM syscalls",
        "SQL syntax: expected ), found FROM at line 1, column 16",
        Some((1, 16, 4)),
    );
    check(
        "SELEC 1",
        r#"SQL syntax: expected an SQL statement, found SELEC at line 1, column 1; did you mean "SELECT"?"#,
        Some((1, 1, 5)),
    );
    check(
        "SELECT\n 1 +\n",
        "SQL syntax: expected an expression, found the end at line 2, column 5",
        Some((2, 5, 1)),
    );
    check(
        "SELECT comm",
        r#"no column "comm" without a FROM clause at line 1, column 8"#,
        Some((1, 8, 4)),
    );
    check(
        "SELECT x.comm FROM syscalls",
        r#"no table "x" in the FROM clause at line 1, column 8"#,
        Some((1, 8, 6)),
    );
    check(
        "SELECT * FROM syscalls WHERE pid = 'x'",
        "'x' is not a value of type int32 at line 1, column 36",
        Some((1, 36, 3)),
    );
    check(
        "SELECT * FROM syscalls WHERE ts > 'soon'",
        "'soon' is not a timestamp: timestamp must contain at least 10 characters at line 1, column 35",
        Some((1, 35, 6)),
    );
    check(
        "SELECT pid, count(*) FROM syscalls",
        r#"column "pid" must be in GROUP BY or in an aggregate function at line 1, column 8"#,
        Some((1, 8, 3)),
    );
    check(
        "SELECT hex(comm, 2) FROM syscalls",
        r#"no function hex(text, int64) at line 1, column 8; did you mean "hex(n)"?"#,
        Some((1, 8, 3)),
    );
    check(
        "SELECT sum(comm) FROM syscalls",
        "no function sum(text) at line 1, column 8",
        Some((1, 8, 3)),
    );
    check(
        "SELECT * FROM syscalls ORDER BY zebra",
        r#"no column "zebra" at line 1, column 33; the columns are ts, host, cpu, pid, tid, upid, comm, cgroup_id, duration_ns, ret, error, syscall, ..."#,
        Some((1, 33, 5)),
    );
    check(
        "SELECT 1 FROM clocks WHERE\n host = é",
        r#"no column "é" at line 2, column 9; text needs single quotes: 'é'"#,
        Some((2, 9, 1)),
    );
    check(
        "SELECT 1 FROM syscalls WHERE comm = \"com\"",
        r#"no column "com" at line 1, column 37; text needs single quotes: 'com'"#,
        Some((1, 37, 5)),
    );
    check(
        "SELECT 1 FROM syscalls WHERE syscall IN (openat)",
        r#"no column "openat" at line 1, column 42; text needs single quotes: 'openat'"#,
        Some((1, 42, 6)),
    );
    check(
        "SELECT \"com\" FROM syscalls",
        r#"no column "com" at line 1, column 8; did you mean "comm"?"#,
        Some((1, 8, 5)),
    );
    check(
        "SELECT * FROM 'o.parquet'",
        r#"no table "o.parquet" at line 1, column 16; query reads only the trace, and --allow-files allows other files"#,
        Some((1, 16, 9)),
    );
    check("", "there is no SQL", None);
}

#[test]
fn results_do_not_depend_on_timing() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("many");
    synthetic::trace(&path, &["syscalls", "sched"]);
    for segment in 1..=6 {
        let rows: Vec<_> = (0..2_000)
            .map(|n| {
                let (upid, name) =
                    ((n * 7 + segment) % 97, ["read", "write", "openat", "close"][n as usize % 4]);
                let ts = format!("2026-11-22T17:44:{:02}.{:09}Z", 10 + segment, n * 1_000);
                synthetic::call(
                    &ts,
                    &format!("c{}", upid % 13),
                    i64::from(upid),
                    name,
                    &[],
                    0,
                    None,
                )
            })
            .collect();
        synthetic::segment(&path, "syscalls", segment, &rows);
    }
    let queries = [
        "SELECT comm, syscall, count(*), avg(duration_ns) FROM syscalls GROUP BY comm, syscall",
        "SELECT upid, tid, ts FROM syscalls LIMIT 10",
        "SELECT comm, ts FROM syscalls ORDER BY comm LIMIT 7",
        "SELECT DISTINCT upid FROM syscalls WHERE syscall <> 'read'",
        "SELECT kind, comm, text FROM events WHERE comm = 'c1'",
        "SELECT a.upid, count(*) FROM syscalls a JOIN syscalls b ON a.upid = b.upid AND a.ts = b.ts GROUP BY a.upid",
        "SELECT upid, row_number() OVER (PARTITION BY comm ORDER BY upid) FROM syscalls",
        "SELECT comm, approx_percentile_cont(0.9) WITHIN GROUP (ORDER BY upid), array_agg(tid) FROM syscalls GROUP BY comm",
    ];
    for sql in queries {
        let expected = rows(&open(&[&path]), sql);
        assert!(!expected.is_empty());
        for partitions in [1, 2, 4, 8, 8, 8, 8] {
            let session = open_with(&[&path], SessionOptions { partitions, ..Default::default() });
            for _ in 0..5 {
                // Sketches, and the order of equal rows, depend on the number of partitions.
                let found = rows(&session, sql);
                if partitions == SessionOptions::default().partitions || !sql.contains("ORDER BY") {
                    assert_eq!(found, expected, "{sql} with {partitions} partitions");
                }
            }
        }
    }
}
