//! Reports: their headers, their answers on the recorded data sets, their reference page, and those of users.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::command::{Run, command, ebrec, run};
use crate::synthetic;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// A folder for a test, with `trace` in it.
fn small() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    synthetic::small(&folder.path().join("trace"));
    folder
}

/// What a file must hold; one that is stale is written anew, and the test fails once, so that it is looked at.
#[track_caller]
fn holds(path: &Path, text: &str) -> bool {
    if fs::read_to_string(path).is_ok_and(|old| old == text) {
        return true;
    }
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, text).unwrap();
    false
}

fn list() -> Vec<Value> {
    let out = ebrec(root(), &["report", "--list", "--format", "json"]).ok();
    serde_json::from_str(&out).unwrap()
}

#[test]
fn every_report_is_what_its_header_says() {
    let run = ebrec(root(), &["report", "--lint"]);
    assert_eq!(run.code, 0, "{}", run.out);
    assert!(run.out.trim_end().ends_with(" 0 problems"), "{}", run.out);
}

#[test]
fn the_reference_page_is_of_today() {
    let page = ebrec(root(), &["report", "--list", "--format", "markdown"]).ok();
    assert!(
        holds(&root().join("docs/reports.md"), &page),
        "docs/reports.md was stale: look at the change"
    );
    let names: BTreeSet<String> =
        list().iter().map(|report| report["name"].as_str().unwrap().to_string()).collect();
    // What a remark or a caveat sends people to must be there.
    for file in sql_files("summary") {
        for word in
            fs::read_to_string(&file).unwrap().split('\'').filter(|word| word.ends_with("_report"))
        {
            assert!(names.contains(word.trim_end_matches("_report")), "{}: {word}", file.display());
        }
    }
}

#[test]
fn the_pages_of_views_and_functions_are_of_today() {
    for (list, path) in [("--views", "docs/views.md"), ("--functions", "docs/functions.md")] {
        let page = ebrec(root(), &["schema", list, "--format", "markdown"]).ok();
        assert!(holds(&root().join(path), &page), "{path} was stale: look at the change");
    }
}

fn sql_files(folder: &str) -> Vec<PathBuf> {
    let files = fs::read_dir(root().join("queries").join(folder)).unwrap();
    files.map(|entry| entry.unwrap().path()).collect()
}

/// Reports are read from the spool as it was recorded: the same bytes each time.
#[test]
fn answers_on_the_data_sets_stay_the_same() {
    let mut jobs: Vec<(String, String)> = Vec::new();
    for report in list() {
        let name = report["name"].as_str().unwrap().to_string();
        let datasets = report["datasets"].as_array().unwrap().clone();
        assert!(!datasets.is_empty(), "{name}: no data set holds its answer: `-- @dataset NAME`");
        jobs.extend(
            datasets.iter().map(|dataset| (name.clone(), dataset.as_str().unwrap().to_string())),
        );
    }
    for dataset in DATASETS_SUMMARISED {
        jobs.push((String::new(), dataset.to_string()));
    }
    let folder = encoded();
    let next = std::sync::atomic::AtomicUsize::new(0);
    let stale = std::sync::Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                while let Some((report, dataset)) =
                    jobs.get(next.fetch_add(1, std::sync::atomic::Ordering::Relaxed))
                {
                    let trace = folder.path().join(dataset);
                    let trace = trace.to_str().unwrap();
                    let (args, file) = match report.is_empty() {
                        true => (
                            vec!["report", "-t", trace, "--format", "json"],
                            format!("summary.{dataset}.json"),
                        ),
                        false => (
                            vec!["report", report, "-t", trace, "--format", "csv"],
                            format!("{report}.{dataset}.csv"),
                        ),
                    };
                    let run = ebrec(root(), &args);
                    assert_eq!(run.code, 0, "{report} on {dataset}: {}", run.err);
                    assert!(run.out.lines().count() > 1, "{report} on {dataset}: no rows");
                    if !holds(&root().join("tests/golden").join(&file), &run.out) {
                        stale.lock().unwrap().push(file);
                    }
                }
            });
        }
    });
    let stale = stale.into_inner().unwrap();
    assert!(stale.is_empty(), "these answers changed, look at each: {stale:?}");
    let golden: BTreeSet<String> = jobs
        .iter()
        .map(|(report, dataset)| match report.is_empty() {
            true => format!("summary.{dataset}.json"),
            false => format!("{report}.{dataset}.csv"),
        })
        .collect();
    for entry in fs::read_dir(root().join("tests/golden")).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        assert!(golden.contains(&name), "tests/golden/{name} is of no report");
    }
}

/// Data sets whose summary is held.
const DATASETS_SUMMARISED: [&str; 4] = ["locks", "memory", "web", "compiler"];

/// All data sets, encoded, in a folder.
fn encoded() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for entry in fs::read_dir(root().join("datasets")).unwrap() {
        let path = entry.unwrap().path();
        let target = folder.path().join(path.file_name().unwrap());
        let (from, to) = (path.join("trace"), target.to_str().unwrap().to_string());
        ebrec(root(), &["encode", from.to_str().unwrap(), "-o", &to]).ok();
    }
    folder
}

fn report(folder: &Path, args: &[&str]) -> Run {
    ebrec(folder, &[&["report"], args].concat())
}

#[test]
fn a_report_of_your_own_needs_only_its_file() {
    let folder = small();
    let own = folder.path().join("mine");
    fs::create_dir(&own).unwrap();
    let sql = "-- # Calls by name\n-- Which calls are made? One row per name.\n-- @needs syscalls\n\
               -- @param least integer 1  Leaves out what was called less often.\n\
               -- @column syscall [key]  Name.\n-- @column calls [total]  How many.\n-- @plot bar syscall calls\n\
               SELECT syscall, count(*) AS calls FROM syscalls GROUP BY syscall HAVING count(*) >= $least ORDER BY syscall\n";
    fs::write(own.join("calls.sql"), sql).unwrap();
    let lint = report(folder.path(), &["--queries", "mine", "--lint"]);
    assert_eq!((lint.code, lint.out.as_str()), (0, "1 reports, 0 problems\n"));
    let rows =
        report(folder.path(), &["--queries", "mine", "--format", "csv", "calls", "--least", "2"]);
    assert_eq!(rows.out, "syscall,calls\nopenat,2\nread,2\n");
    // One of six events was lost: a total is a lower bound.
    assert!(rows.err.contains("calls are lower bounds"), "{}", rows.err);
    let help = report(folder.path(), &["calls", "--queries", "mine", "--help"]).ok();
    assert!(help.contains("--least <INTEGER>") && help.contains("Which calls are made?"), "{help}");
    let listed = report(folder.path(), &["--queries", "mine", "--list"]).ok();
    assert!(listed.contains("Which calls are made?"), "{listed}");
    let page = report(folder.path(), &["--queries", "mine", "--list", "--format", "markdown"]).ok();
    assert!(page.contains("### calls\n\n**Calls by name.**"), "{page}");

    let strict = report(folder.path(), &["calls", "--queries", "mine", "--strict"]);
    assert_eq!((strict.code, strict.out.as_str()), (1, ""), "{strict:?}");
    // In the second half of the recording nothing was lost.
    let part = report(
        folder.path(),
        &[
            "calls",
            "--queries",
            "mine",
            "--strict",
            "--from",
            "2026-11-22 17:44:20",
            "--format",
            "csv",
        ],
    );
    assert_eq!(part.ok(), "syscall,calls\nread,1\nunlink,1\n");
    let of_one = ["calls", "--queries", "mine", "--comm", "sh", "--format", "csv"];
    assert_eq!(report(folder.path(), &of_one).ok(), "syscall,calls\nopenat,1\n");
    let tree = ["calls", "--queries", "mine", "--tree", "70", "--format", "csv"];
    assert_eq!(report(folder.path(), &tree).ok(), "syscall,calls\nopenat,2\nread,2\nunlink,1\n");
}

#[test]
fn what_is_wrong_is_one_sentence() {
    let folder = small();
    let own = folder.path().join("mine");
    fs::create_dir(&own).unwrap();
    fs::write(own.join("torn.sql"), "-- # Torn\n-- @param x fish 1  Text\nSELECT 1").unwrap();
    fs::write(own.join("wrong.sql"), "-- # Wrong\n-- Why? One row per x.\n-- @needs syscalls\nSELECT syscal FROM syscalls ORDER BY 1").unwrap();
    let check = |args: &[&str], expected: &str| {
        let error = report(folder.path(), args).error();
        assert!(error.contains(expected) && error.lines().count() == 1, "{args:?}: {error}");
    };
    check(&["syscall"], "there is no report `syscall`; did you mean `syscalls`?");
    check(&["syscalls", "--no-such", "1"], "unexpected argument '--no-such' found");
    check(
        &["syscalls", "--by", "fish"],
        "--by: expected syscall, process, process_syscall, not \"fish\"",
    );
    check(&["syscalls", "--from", "yesterday"], "expected a time in UTC");
    check(&["syscalls", "--from", "+2s", "--to", "+1s"], "ends before it begins");
    check(&["syscalls", "--pid", "4711"], "no recorded process is one of those asked for");
    check(
        &["leaks"],
        "needs the table allocations, which was not recorded; record with `-s allocations`",
    );
    check(&["wrong", "--queries", "mine"], "wrong.sql:4: ");
    check(&["--queries", "nowhere", "--list"], "cannot read nowhere");
    check(&["syscalls", "-t", "nowhere"], "nowhere");
    // One broken file does not keep the others from being used.
    let listed = report(folder.path(), &["--queries", "mine", "--list"]);
    assert!(listed.err.contains("torn.sql: `@param`: no type `fish`"), "{}", listed.err);
    assert_eq!(listed.code, 0);
    let lint = report(folder.path(), &["--queries", "mine", "--lint"]);
    assert_eq!(lint.code, 1);
    assert!(lint.out.contains("torn.sql") && lint.out.contains("wrong: "), "{}", lint.out);
}

#[test]
fn an_empty_trace_has_empty_answers() {
    let folder = tempfile::tempdir().unwrap();
    synthetic::trace(&folder.path().join("trace"), &["processes", "syscalls"]);
    synthetic::segment(&folder.path().join("trace"), "segments", 1, &[]);
    let answer = report(folder.path(), &["syscalls"]).ok();
    assert!(
        answer.contains("nothing was recorded then") && answer.contains("Complete"),
        "{answer}"
    );
    let overview = report(folder.path(), &[]).ok();
    assert!(overview.contains("There are no events in trace."), "{overview}");
}

#[test]
fn what_a_hostile_machine_calls_things_is_only_shown() {
    let folder = tempfile::tempdir().unwrap();
    let trace = folder.path().join("trace");
    synthetic::trace(&trace, &["processes", "syscalls"]);
    let rows: Vec<Value> = (0..5)
        .map(|index| {
            let ts = format!("2026-11-22T17:44:1{index}Z");
            json!({"ts": ts, "syscall": "openat", "comm": "x\u{1b}]0;title\u{7}", "upid": 7, "pid": 7, "tid": 7, "ret": -13,
                   "error": "EACCES", "duration_ns": 5, "path": "=HYPERLINK(\"http://x\")"})
        })
        .collect();
    synthetic::segment(&trace, "syscalls", 1, &rows);
    for report in list() {
        let name = report["name"].as_str().unwrap();
        for format in ["table", "csv", "markdown"] {
            let run = ebrec(folder.path(), &["report", name, "--format", format]);
            // A file or a pipe gets CSV as it was recorded; what reads it is no terminal.
            let is_csv = format == "csv";
            assert!(is_csv || !run.out.contains('\u{1b}'), "{name} {format}");
            assert!(!run.err.contains('\u{1b}'), "{name} {format}");
            assert!(
                !run.out.contains("\n=HYPERLINK") && !run.out.contains("\n\"=HYPERLINK"),
                "{name} {format}"
            );
        }
    }
    let overview = report_text(&folder);
    assert!(!overview.contains('\u{1b}'));
}

fn report_text(folder: &tempfile::TempDir) -> String {
    let output = command(folder.path(), &["report"]).output().unwrap();
    run(output).out
}

#[test]
fn the_same_work_is_no_change_and_other_work_is() {
    let folder = tempfile::tempdir().unwrap();
    let make = |name: &str, length_ns: i64| {
        let trace = folder.path().join(name);
        synthetic::trace(&trace, &["processes", "syscalls"]);
        let rows: Vec<Value> = (0..1200i64)
            .map(|index| {
                let ns = index * 10_000_000;
                let ts = format!("2026-11-22T17:44:{:02}.{:09}Z", 16 + ns / 1_000_000_000, ns % 1_000_000_000);
                json!({"ts": ts, "syscall": if index % 3 == 0 { "fsync" } else { "read" }, "comm": "db", "upid": 7, "pid": 7, "tid": 7,
                       "ret": 0, "duration_ns": if index % 3 == 0 { length_ns + index % 97 * 1000 } else { 500 + index % 13 }})
            })
            .collect();
        synthetic::segment(&trace, "syscalls", 1, &rows);
        let ends = json!({"segment": 1, "kind": "syscall", "stored": 1200, "emitted": 1200, "lost": 0, "closed": true,
                          "first_ts": "2026-11-22T17:44:16Z", "last_ts": "2026-11-22T17:44:28Z"});
        synthetic::segment(&trace, "segments", 1, &[ends]);
    };
    make("before", 1_000_000);
    make("after", 3_000_000);
    make("again", 1_000_000);
    let diff = |other: &str| {
        let args = ["diff", "before", other, "--report", "syscalls", "--format", "json"];
        let found: Value = serde_json::from_str(&ebrec(folder.path(), &args).ok()).unwrap();
        found["changes"].as_array().unwrap().clone()
    };
    assert_eq!(diff("again"), [] as [Value; 0]);
    let changes = diff("after");
    assert!(changes.iter().any(|change| change["key"]["syscall"] == "fsync"), "{changes:?}");
    assert!(changes.iter().all(|change| change["key"]["syscall"] == "fsync"), "{changes:?}");
}

#[test]
fn a_process_is_explained_across_the_tables() {
    let folder = small();
    let whole = ebrec(folder.path(), &["explain", "--pid", "80"]).ok();
    for part in ["comm", "openat", "ENOENT", "exec /bin/cat", "off CPU", "Incomplete"] {
        assert!(part == "comm" || whole.contains(part), "{part}: {whole}");
    }
    let at = ["explain", "--pid", "80", "--at", "2026-11-22 17:44:20", "--around", "1ms"];
    let moment = ebrec(folder.path(), &at).ok();
    assert!(moment.contains("read(3") && !moment.contains("unlink"), "{moment}");
    let error = ebrec(folder.path(), &["explain", "--pid", "4711"]).error();
    assert!(error.contains("no recorded process"), "{error}");
}
