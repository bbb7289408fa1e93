//! Checks: their headers, what they find in the recorded data sets, their reference page, those of users, and what
//! `ebrec check` says of what it cannot see.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::command::{Run, ebrec};
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

fn list() -> Vec<Value> {
    let out = ebrec(root(), &["check", "--list", "--format", "json"]).ok();
    serde_json::from_str(&out).unwrap()
}

fn text<'a>(value: &'a Value, name: &str) -> &'a str {
    value[name].as_str().unwrap_or_default()
}

fn parsed(run: &Run) -> Value {
    serde_json::from_str(&run.out).unwrap_or_else(|error| panic!("{error}: {run:?}"))
}

fn dataset(name: &str) -> PathBuf {
    root().join("datasets").join(name).join("trace")
}

#[test]
fn every_check_is_what_its_header_says() {
    let run = ebrec(root(), &["check", "--lint"]);
    assert_eq!(run.code, 0, "{}", run.out);
    assert!(run.out.trim_end().ends_with(" checks, 0 problems"), "{}", run.out);
    assert!(list().len() >= 40);
}

#[test]
fn the_reference_page_of_checks_is_of_today() {
    let page = ebrec(root(), &["check", "--list", "--format", "markdown"]).ok();
    let path = root().join("docs/checks.md");
    let is_same = fs::read_to_string(&path).is_ok_and(|old| old == page);
    fs::write(&path, page).unwrap();
    assert!(is_same, "docs/checks.md was stale: look at the change");
}

/// Programs that do their work are no findings of medium severity or more, and no check fails on them.
#[test]
fn quiet_recordings_are_quiet() {
    let quiet = [
        "network", "dns", "vitals", "web", "compiler", "database", "server", "script", "memory",
        "locks", "threads", "packages", "cron", "desktop",
    ];
    for name in quiet {
        let trace = dataset(name);
        let args = ["check", "-t", trace.to_str().unwrap(), "--format", "json"];
        let run = ebrec(root(), &args);
        let told = parsed(&run);
        for finding in told["findings"].as_array().unwrap() {
            let severity = text(finding, "severity");
            assert!(
                ["info", "low"].contains(&severity),
                "{name}: {} {}: {}",
                severity,
                text(finding, "check"),
                text(finding, "sentence")
            );
        }
        for check in told["checks"].as_array().unwrap() {
            let verdict = text(check, "verdict");
            assert!(
                ["found", "clean", "cannot tell"].contains(&verdict),
                "{name}: {}: {verdict} {}",
                text(check, "check"),
                check["reasons"]
            );
        }
        assert_eq!(run.code, 0, "{name}");
    }
}

/// Every check says in which recordings it finds something and in which it finds nothing, and does so.
#[test]
fn checks_fire_and_are_silent_where_they_say() {
    let folder = tempfile::tempdir().unwrap();
    let mut found: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    let mut looks = |name: &str| -> BTreeSet<String> {
        let look = || {
            let mut trace = dataset(name);
            if !trace.exists() {
                trace = folder.path().join(name);
                let path = trace.to_str().unwrap();
                ebrec(root(), &["synth", "--scenario", name, "--events", "20000", "-o", path]).ok();
            }
            let args = ["check", "-t", trace.to_str().unwrap(), "--format", "json"];
            let told = parsed(&ebrec(root(), &args));
            let findings = told["findings"].as_array().unwrap().iter();
            findings.map(|finding| text(finding, "check").to_string()).collect()
        };
        found.entry(name.to_string()).or_insert_with(look).clone()
    };
    let mut wrong = Vec::new();
    for check in list() {
        let name = text(&check, "name");
        let names = |key: &str| check[key].as_array().unwrap().clone();
        if names("fires").is_empty() || names("silent").is_empty() {
            wrong.push(format!("{name} is not proved: `@fires`, `@silent`"));
        }
        for (key, expected) in [("fires", true), ("silent", false)] {
            for data in names(key) {
                let data = data.as_str().unwrap();
                if looks(data).contains(name) != expected {
                    wrong.push(format!("{name} is not {key} in {data}"));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// Findings by check and process, each with how often.
type Findings = BTreeMap<(String, String), i64>;

/// What a scenario planted: the subject of a fact is the check and the process.
fn planted(trace: &str) -> Findings {
    let sql = "SELECT subject, value FROM truth";
    let facts = ebrec(root(), &["query", "-t", trace, "--format", "ndjson", sql]).ok();
    let mut planted = Findings::new();
    for fact in facts.lines().map(|line| serde_json::from_str::<Value>(line).unwrap()) {
        let (check, pid) = text(&fact, "subject").split_once('|').unwrap();
        *planted.entry((check.to_string(), pid.to_string())).or_default() +=
            fact["value"].as_i64().unwrap();
    }
    planted
}

fn found(trace: &str) -> Findings {
    let told = parsed(&ebrec(root(), &["check", "-t", trace, "--format", "json"]));
    let mut found = Findings::new();
    for finding in told["findings"].as_array().unwrap() {
        let pid = finding["pid"].as_i64().map_or_else(String::new, |pid| pid.to_string());
        *found.entry((text(finding, "check").to_string(), pid)).or_default() += 1;
    }
    found
}

/// Of made-up attacks every one is found, in the process that made it and as often; of what looks like them nothing.
#[test]
fn precision_and_recall_are_those_of_the_page() {
    const SEEDS: [&str; 3] = ["1", "2", "3"];
    let folder = tempfile::tempdir().unwrap();
    // By check: planted, found of them, found besides, look-alikes, found of them.
    let mut sums: BTreeMap<String, [i64; 5]> = BTreeMap::new();
    for seed in SEEDS {
        for (scenario, at) in [("attacks", 0), ("lookalikes", 3)] {
            let path = folder.path().join(format!("{scenario}-{seed}"));
            let trace = path.to_str().unwrap();
            let make = ["synth", "--scenario", scenario, "--events", "35000", "--seed", seed];
            ebrec(root(), &[&make[..], &["-o", trace]].concat()).ok();
            let (planted, found) = (planted(trace), found(trace));
            for ((check, _), count) in &planted {
                sums.entry(check.clone()).or_default()[at] += count;
            }
            for (key, count) in &found {
                let expected = if at == 0 { planted.get(key).copied().unwrap_or(0) } else { 0 };
                let sums = sums.entry(key.0.clone()).or_default();
                sums[1] += expected.min(*count);
                sums[if at == 0 { 2 } else { 4 }] += (count - expected).max(0);
            }
        }
    }
    let mut page = String::from(
        "# Precision and recall\n\nMade by a test: traces of `ebrec synth --scenario attacks` and `--scenario lookalikes`, \
         seeds 1, 2 and 3, and what `ebrec check` finds in them. A finding counts if it names the process that did it. The \
         planted rows were written by what a check says that it finds, so this holds checks to their word; how much of \
         real attacks they find it does not say.\n\n\
         | check | planted | found | found besides | look-alikes | found of them | precision | recall |\n\
         |---|---|---|---|---|---|---|---|\n",
    );
    let percent = |part: i64, whole: i64| match whole {
        0 => "-".to_string(),
        _ => format!("{} %", 100 * part / whole),
    };
    let mut all = [0; 5];
    let line = |name: &str, [planted, hit, besides, alike, wrong]: [i64; 5]| {
        let precision = percent(hit, hit + besides + wrong);
        let recall = percent(hit, planted);
        format!(
            "| {name} | {planted} | {hit} | {besides} | {alike} | {wrong} | {precision} | {recall} |\n"
        )
    };
    for (check, sums) in &sums {
        page += &line(check, *sums);
        all.iter_mut().zip(sums).for_each(|(all, one)| *all += one);
    }
    page += &line("all", all);
    let path = root().join("docs/precision.md");
    let is_same = fs::read_to_string(&path).is_ok_and(|old| old == page);
    fs::write(&path, page).unwrap();
    assert_eq!(all[0], all[1], "not all is found: docs/precision.md");
    assert_eq!((all[2], all[4]), (0, 0), "more is found than there is: docs/precision.md");
    assert!(is_same, "docs/precision.md was stale: look at the change");
}

/// What the recorded attacks say that must be found is found, in the process that made it.
#[test]
fn recorded_attacks_are_found_without_root() {
    for name in ["execution", "persistence", "behaviour"] {
        let trace = dataset(name);
        let args = ["check", "-t", trace.to_str().unwrap(), "--format", "json"];
        let told = parsed(&ebrec(root(), &args));
        let found: BTreeSet<String> = told["findings"]
            .as_array()
            .unwrap()
            .iter()
            .map(|finding| format!("{}\t{}", text(finding, "check"), finding["pid"]))
            .collect();
        let expected = fs::read_to_string(trace.with_file_name("expected.txt")).unwrap();
        assert!(expected.lines().count() >= 20);
        let missing: Vec<&str> = expected.lines().filter(|line| !found.contains(*line)).collect();
        assert!(missing.is_empty(), "{name}: {missing:?}");
    }
}

/// A table that was not recorded is never taken for one in which nothing happened.
#[test]
fn what_was_not_recorded_cannot_be_told() {
    let trace = dataset("compiler");
    let trace = trace.to_str().unwrap();
    let args = ["check", "beaconing", "-t", trace, "--format", "json"];
    let told = parsed(&ebrec(root(), &args));
    let check = &told["checks"][0];
    assert_eq!(text(check, "verdict"), "cannot tell");
    assert_eq!(check["reasons"][0], "connections was not recorded");
    let page = ebrec(root(), &["check", "beaconing", "-t", trace]).ok();
    assert!(page.contains("no findings; 0 checks clean; 1 check cannot tell"), "{page}");
    assert!(page.contains("Cannot tell, since connections was not recorded: beaconing."), "{page}");
    let strict = ebrec(root(), &["check", "beaconing", "-t", trace, "--strict"]);
    assert_eq!(strict.code, 1);
}

/// Nor is what was left out: a check that looks at arguments cannot find them where there are none.
#[test]
fn what_was_left_out_cannot_be_told() {
    let folder = crate::datasets::copy("compiler");
    let manifest = folder.path().join("trace/trace.json");
    let mut known: Value = serde_json::from_str(&fs::read_to_string(&manifest).unwrap()).unwrap();
    let mut verdicts = |redaction: &str| {
        known["redaction"] = redaction.into();
        fs::write(&manifest, known.to_string()).unwrap();
        let checks = ["script_interpreter_inline", "exec_from_temp", "ptrace_attach"];
        let told = parsed(&ebrec(
            folder.path(),
            &[&["check"], &checks[..], &["--format", "json"]].concat(),
        ));
        let told = told["checks"].as_array().unwrap().clone();
        let verdict = |check: &&str| {
            let check = told.iter().find(|told| text(told, "check") == *check).unwrap();
            format!("{} {}", text(check, "verdict"), check["reasons"][0].as_str().unwrap_or(""))
        };
        checks.iter().map(verdict).collect::<Vec<_>>()
    };
    assert_eq!(verdicts("none"), ["clean ", "clean ", "clean "]);
    let arguments = "cannot tell arguments of programs were left out (--no-args)";
    assert_eq!(verdicts("no-args")[..1], [arguments]);
    assert_eq!(verdicts("no-args")[2], "clean ");
    let paths = "cannot tell paths were left out (--no-paths)";
    assert_eq!(verdicts("no-paths")[..2], [paths, paths]);
}

/// A check of a user's: every exec is a finding.
const OWN: &str = "\
-- # Any program
-- Was a program run? One row per exec.
-- @severity high
-- @technique T1204
-- @rationale A test.
-- @false-positive All of them.
-- @needs process_events
-- @window 0s
-- @param like text %  The program, as LIKE takes it.
-- @column ts        When.
-- @column host      Machine.
-- @column upid      Process for good.
-- @column pid       Process id.
-- @column sentence  What was found.
-- @column exe       The program.
-- @evidence SELECT * FROM process_events WHERE upid = {upid} AND ts = {ts} AND exe = {exe}
-- @next ebrec explain --pid {pid} --at {ts}
SELECT ts, host, upid, pid, concat(comm, ' ran ', exe) AS sentence, exe
FROM execs WHERE exe LIKE $like ORDER BY ts, host, upid
";

fn own() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("checks")).unwrap();
    fs::write(folder.path().join("checks/any_program.sql"), OWN).unwrap();
    folder
}

#[test]
fn a_check_of_a_user_works_without_a_rebuild() {
    let own = own();
    let rules = own.path().to_str().unwrap();
    let trace = dataset("script");
    let trace = trace.to_str().unwrap();
    let lint = ebrec(root(), &["check", "--lint", "--rules", rules]);
    assert_eq!((lint.code, lint.out.as_str()), (0, "1 checks, 0 problems\n"));
    let args = ["check", "any_program", "--rules", rules, "-t", trace];
    let page = ebrec(root(), &args);
    assert_eq!(page.code, 1, "{page:?}");
    assert!(page.out.contains("HIGH  any_program: Any program (T1204)"), "{}", page.out);
    let about = ebrec(root(), &["check", "--about", "any_program", "--rules", rules]).ok();
    assert!(about.contains("--set any_program.like=%"), "{about}");

    let told = parsed(&ebrec(root(), &[&args[..], &["--format", "json"]].concat()));
    let findings = told["findings"].as_array().unwrap();
    assert!(findings.len() > 2);
    for finding in findings {
        // The evidence is there, and the next command works.
        let evidence =
            ebrec(root(), &["query", "-t", trace, "--format", "ndjson", text(finding, "evidence")])
                .ok();
        assert_eq!(evidence.lines().count(), 1, "{}", text(finding, "evidence"));
        assert_eq!(finding["process"]["pid"], finding["pid"]);
    }
    let next = text(&findings[0], "next").strip_prefix("ebrec ").unwrap();
    let words: Vec<&str> = next.split(' ').collect();
    assert!(ebrec(root(), &words).ok().contains("exec"));

    let none = [&args[..], &["--set", "any_program.like=/nowhere/%"]].concat();
    assert_eq!(ebrec(root(), &none).code, 0);
    let high = [&args[..], &["--fail-on", "critical"]].concat();
    assert_eq!(ebrec(root(), &high).code, 0);
    let lines = ebrec(root(), &[&args[..], &["--format", "ndjson"]].concat()).out;
    assert_eq!(lines.lines().count(), findings.len() + 1);
    let sarif = parsed(&ebrec(root(), &[&args[..], &["--format", "sarif"]].concat()));
    let results = sarif["runs"][0]["results"].as_array().unwrap();
    assert_eq!((sarif["version"].as_str(), results.len()), (Some("2.1.0"), findings.len()));
    assert_eq!(results[0]["level"], "error");
}

#[test]
fn findings_can_be_lived_with_for_a_reason_and_a_time() {
    let own = own();
    let rules = own.path().to_str().unwrap();
    let trace = dataset("script");
    let file = own.path().join("suppressions.toml");
    let check = |rule: &str| {
        fs::write(&file, rule).unwrap();
        let (trace, file) = (trace.to_str().unwrap(), file.to_str().unwrap());
        let args = ["check", "any_program", "--rules", rules, "-t", trace, "--suppressions", file];
        ebrec(root(), &args)
    };
    let rule = |expires: &str| {
        format!(
            "[[suppress]]\ncheck = \"any_program\"\nreason = \"ours\"\nexpires = \"{expires}\"\n"
        )
    };
    let all = check(&rule("2999-01-01"));
    assert_eq!(all.code, 0, "{all:?}");
    assert!(all.out.contains(" suppressed"), "{}", all.out);
    let expired = check(&rule("2020-01-01"));
    assert_eq!(expired.code, 1);
    assert!(
        expired.out.contains("Note: the suppression of any_program (ours) expired on 2020-01-01."),
        "{}",
        expired.out
    );
    let some = check(&format!("{}where = {{ exe = \"*/sleep\" }}\n", rule("2999-01-01")));
    assert_eq!(some.code, 1);
    let error = |rule: &str| check(rule).error();
    let path = file.display();
    assert_eq!(
        error("[[suppress]]\ncheck = \"any_programm\"\nreason = \"x\"\nexpires = \"2999-01-01\"\n"),
        format!(
            "cannot read {path}: there is no check `any_programm`; did you mean `any_program`?"
        )
    );
    assert_eq!(
        error("[[suppress]]\ncheck = \"any_program\"\nreason = \" \"\nexpires = \"2999-01-01\"\n"),
        format!("cannot read {path}: the rule for any_program gives no reason")
    );
    assert!(error("[[suppress]]\ncheck = \"any_program\"\nreason = \"x\"\n").contains("expires"));
    assert!(error("nonsense").starts_with(&format!("cannot read {path}: ")));
}

#[test]
fn only_what_is_new_is_told_the_second_time() {
    let own = own();
    let rules = own.path().to_str().unwrap();
    let state = own.path().join("state.json");
    let trace = dataset("script");
    let args = [
        "check",
        "any_program",
        "--rules",
        rules,
        "-t",
        trace.to_str().unwrap(),
        "--since-last",
        "--state",
        state.to_str().unwrap(),
    ];
    assert_eq!(ebrec(root(), &args).code, 1);
    let again = ebrec(root(), &args).ok();
    assert!(again.contains("no findings") && again.contains(" told before"), "{again}");
    let other = small();
    let mut others = args;
    others[5] = "trace";
    let error = ebrec(other.path(), &others).error();
    assert!(error.ends_with("is about other traces; name another file with --state"), "{error}");
}

/// A program that calls itself, its file and its arguments by what a terminal, a shell or SQL would obey, runs from a folder
/// that is open to all, reads a key and fails again and again.
fn hostile(path: &Path, name: &str) {
    synthetic::trace(path, &["processes", "syscalls", "security"]);
    let ts = |second: i64| format!("2026-11-22T17:44:{:02}Z", 16 + second);
    let (exe, key) = (format!("/dev/shm/{name}"), format!("/home/{name}/.ssh/id_rsa"));
    let runs = 0..6;
    let process = |run: i64| {
        json!({"upid": 8 + run, "pid": 80 + 10 * run, "parent_upid": 7, "comm": name, "exe": exe, "argv": name,
               "cwd": format!("/{name}"), "start_ts": ts(run), "end_ts": ts(run + 1), "exit_code": 1, "container_name": name})
    };
    let exec = |run: i64| {
        json!({"ts": ts(run), "upid": 8 + run, "pid": 80 + 10 * run, "tid": 80 + 10 * run, "comm": name, "event": "exec",
               "exe": exe, "path": exe, "argv": name, "uid": 1000, "euid": 1000})
    };
    let calls = |run: i64| {
        let call = |call: &str, path: &str| {
            synthetic::call(&ts(run), name, 8 + run, call, &[-100, 1, 0], 0, Some(path))
        };
        [call("execve", &exe), call("openat", &key)]
    };
    synthetic::segment(path, "processes", 1, &runs.clone().map(process).collect::<Vec<_>>());
    synthetic::segment(path, "process_events", 1, &runs.clone().map(exec).collect::<Vec<_>>());
    synthetic::segment(path, "syscalls", 1, &runs.flat_map(calls).collect::<Vec<_>>());
}

#[test]
fn what_a_hostile_machine_calls_things_is_only_shown() {
    let names = [
        "x\u{1b}]0;title\u{7}\n\u{1b}[2J\u{202e}\u{9b}31m",
        "'; touch pwned; echo '$(touch pwned)`touch pwned`\"\\",
        "x' OR '1'='1' -- {upid} {key} */",
        "--help",
    ];
    for name in names {
        let folder = tempfile::tempdir().unwrap();
        hostile(&folder.path().join("trace"), name);
        // What a reader types has it in the place where it looks for programs.
        std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_ebrec"), folder.path().join("ebrec"))
            .unwrap();
        let check = |args: &[&str]| {
            let checks = ["crash_loop", "exec_from_temp", "ssh_key_read"];
            let run = ebrec(folder.path(), &[&["check"], &checks[..], args].concat());
            assert!(run.code <= 1, "{name:?}: {run:?}");
            run.out
        };
        let page = check(&["--evidence"]);
        let is_obeyed = |c: char| (c.is_control() && c != '\n') || c == '\u{202e}';
        assert!(!page.contains(is_obeyed), "{page}");
        for line in page.lines().filter(|line| line.contains("title")) {
            assert!(line.contains("\\x1b]0;title\\x07\\n"), "{line}");
        }
        assert_eq!(check(&["--format", "ndjson"]).lines().count(), 8 + 3, "{name:?}");
        let sarif: Value = serde_json::from_str(&check(&["--format", "sarif"])).unwrap();
        assert_eq!(sarif["runs"][0]["results"].as_array().unwrap().len(), 8);
        let told: Value = serde_json::from_str(&check(&["--format", "json"])).unwrap();
        let findings = told["findings"].as_array().unwrap();
        assert_eq!(findings.len(), 8, "{name:?}");
        for finding in findings {
            assert_eq!(text(&finding["process"], "comm"), name);
            let query = ["query", "--format", "ndjson", text(finding, "evidence")];
            let evidence = ebrec(folder.path(), &query).ok();
            assert!(evidence.lines().count() > 0, "{finding:#}");
            let typed = std::process::Command::new("sh")
                .args(["-c", text(finding, "next")])
                .env("PATH", format!("{}:/usr/bin:/bin", folder.path().display()))
                .current_dir(folder.path())
                .output()
                .unwrap();
            let err = String::from_utf8_lossy(&typed.stderr);
            assert!(typed.status.success(), "{}: {err}", text(finding, "next"));
            assert!(!folder.path().join("pwned").exists(), "{}", text(finding, "next"));
        }
    }
}

#[test]
fn bad_input_is_one_sentence() {
    let folder = small();
    let error = |args: &[&str]| ebrec(folder.path(), &[&["check"], args].concat()).error();
    assert_eq!(
        error(&["reverse_shel"]),
        "there is no check `reverse_shel`; did you mean `reverse_shell`?"
    );
    assert_eq!(
        error(&["--technique", "T9999"]),
        "no check is of that kind; `ebrec check --list` lists them"
    );
    assert_eq!(error(&["--set", "port_scan=3"]), "--set port_scan=3: expected CHECK.PARAM=VALUE");
    assert!(error(&["--fail-on", "often"]).contains("expected info, low, medium, high, critical"));
    assert!(error(&["-t", "nowhere"]).contains("nowhere"));
    assert!(error(&["--rules", "nowhere"]).starts_with("cannot read nowhere: "));
    // A broken file of a user's keeps no other check from being made.
    let rules = folder.path().join("rules");
    fs::create_dir(&rules).unwrap();
    fs::write(rules.join("half.sql"), "-- # Half\nSELECT 1").unwrap();
    let run = ebrec(folder.path(), &["check", "fileless_exec", "--rules", "rules"]);
    assert_eq!(run.code, 0, "{run:?}");
    assert!(run.err.contains("rules/half.sql: `-- @severity` is missing"), "{}", run.err);
}
