//! Allocations: both collectors tell what a program knows of itself, and what valgrind and heaptrack
//! say of it.

use std::collections::BTreeMap;
use std::process::Command;
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::lab::Lab;
use super::programs::{WITHOUT_FRAME_POINTERS, build, output};
use crate::command::Run;
use crate::skip::{has_program, skip};

/// What the program says of itself: calls and bytes by operation, leaks by function, the peak.
#[derive(Debug, Default, PartialEq)]
struct Truth {
    calls: BTreeMap<String, (u64, u64)>,
    leaks: BTreeMap<String, (u64, u64)>,
    peak: u64,
}

fn truth(text: &str) -> Truth {
    let mut truth = Truth::default();
    for line in text.lines() {
        let words: Vec<&str> = line.split(' ').collect();
        let number = |at: usize| words[at].parse::<u64>().expect(line);
        match words[0] {
            "live" => drop(truth.leaks.insert(words[1].into(), (number(2), number(3)))),
            "peak" => truth.peak = number(1),
            // glibc has one function for both, so a probe cannot tell them apart.
            "memalign" | "aligned_alloc" => {
                let sum = truth.calls.entry("memalign".into()).or_default();
                *sum = (sum.0 + number(1), sum.1 + number(2));
            }
            operation => drop(truth.calls.insert(operation.into(), (number(1), number(2)))),
        }
    }
    // What the children do is not in the counts of their parent.
    let children = truth.leaks["leak_in_child"];
    let malloc = truth.calls.get_mut("malloc").expect("it calls malloc");
    *malloc = (malloc.0 + children.0, malloc.1 + children.1);
    truth
}

/// Of the program's own calls, which are those whose innermost frame is in its source; what the C library
/// does for itself is not in the program's books.
const OWN: &str = "FROM allocations JOIN stacks USING (stack_id) \
                   WHERE frames[1]['file'] LIKE '%allocations.cpp'";

fn recorded(lab: &Lab) -> Truth {
    let number = |text: &str| text.parse::<u64>().unwrap_or_else(|_| panic!("{text}"));
    let grouped = |sql: &str| -> BTreeMap<String, (u64, u64)> {
        let rows = lab.rows(sql);
        let row = |row: &String| {
            let words: Vec<&str> = row.split(',').collect();
            (words[0].to_string(), (number(words[1]), number(words[2])))
        };
        rows.iter().map(row).collect()
    };
    let name = "CASE operation WHEN 'aligned_alloc' THEN 'memalign' ELSE operation END";
    let mut calls =
        grouped(&format!("SELECT {name} AS name, count(*), sum(size_bytes) {OWN} GROUP BY name"));
    let freed = grouped(
        "SELECT operation, count(*), 0 FROM allocations \
         WHERE operation IN ('free', 'delete') GROUP BY operation",
    );
    calls.extend(freed);
    let leaks = grouped(
        "SELECT split_part(frames[1]['function'], '(', 1) AS site, count(*), sum(size_bytes) \
         FROM leaks JOIN stacks USING (stack_id) \
         WHERE frames[1]['file'] LIKE '%allocations.cpp' GROUP BY site",
    );
    // The program holds its peak alone and first: one sum over time is exact there.
    let peak = lab.value(
        "SELECT max(held) FROM (SELECT sum(change) OVER (ORDER BY ts, change DESC) AS held FROM ( \
           SELECT ts, size_bytes AS change FROM allocations JOIN stacks USING (stack_id) \
           WHERE array_element(frames, 2)['function'] LIKE 'peak%' AND operation = 'malloc' \
           UNION ALL \
           SELECT f.ts, -a.size_bytes AS change FROM allocations a JOIN stacks USING (stack_id) \
           JOIN allocations f ON f.operation = 'free' AND f.address = a.address AND f.upid = a.upid \
             AND f.ts > a.ts AND f.ts < a.ts + INTERVAL '1 second' \
           WHERE array_element(frames, 2)['function'] LIKE 'peak%' AND a.operation = 'malloc'))",
    );
    Truth { calls, leaks, peak: peak as u64 }
}

/// Frees of the program are told from those of the C library by no stack, so there may be more.
fn assert_same(lab: &Lab, mut found: Truth, expected: &Truth) {
    let (free, of_program) = (found.calls["free"].0, expected.calls["free"].0);
    assert!((of_program..of_program + 1000).contains(&free), "{free} of {of_program} frees");
    found.calls.insert("free".into(), expected.calls["free"]);
    assert_eq!(found, *expected);
    lab.assert_complete();
}

/// While one recording lets go of its probes, those of another are attached late: one at a time.
fn alone() -> MutexGuard<'static, ()> {
    static PROBES: Mutex<()> = Mutex::new(());
    PROBES.lock().unwrap_or_else(PoisonError::into_inner)
}

fn record(lab: &Lab, program: &str, options: &[&str]) -> (Run, Truth) {
    let mut args = vec!["record", "-s", "allocations"];
    args.extend(options);
    // The children wait, so that probes are in them by the time they allocate.
    args.extend(["--", program, "2000", "1000000"]);
    let run = lab.ebrec(&args);
    assert_eq!(run.code, 0, "{run:?}");
    let expected = truth(&run.out);
    (run, expected)
}

fn check(options: &[&str]) {
    let Some(lab) = Lab::open() else { return };
    let Some(program) = build(&lab, "allocations.cpp", "allocations", &WITHOUT_FRAME_POINTERS)
    else {
        return;
    };
    let (_, expected) = record(&lab, &program, options);
    assert_same(&lab, recorded(&lab), &expected);
}

#[test]
fn the_library_in_the_process_tells_exactly_what_the_program_did() {
    check(&["--collector", "in-process", "--on-full", "wait"]);
}

#[test]
fn probes_tell_exactly_what_the_program_did() {
    let _alone = alone();
    check(&["--collector", "uprobes"]);
}

#[test]
fn a_static_program_is_recorded_by_probes_with_a_note() {
    let _alone = alone();
    let Some(lab) = Lab::open() else { return };
    let options = [&WITHOUT_FRAME_POINTERS[..], &["-static"]].concat();
    let Some(program) = build(&lab, "allocations.cpp", "allocations", &options) else { return };
    // The program is started by a shell, so nobody knows of it before.
    let script = format!("{program} 2000 1000000 wait");
    let run = lab.ebrec(&["record", "-s", "allocations", "--", "sh", "-c", &script]);
    assert_eq!(run.code, 0, "{run:?}");
    assert!(run.err.contains("are recorded by probes"), "{run:?}");
    // The program waits for a moment, as others do not: what they did until then is missing.
    assert_same(&lab, recorded(&lab), &truth(&run.out));
}

#[test]
fn what_a_ring_has_no_room_for_is_counted() {
    let Some(lab) = Lab::open() else { return };
    let Some(program) = build(&lab, "allocations.cpp", "allocations", &WITHOUT_FRAME_POINTERS)
    else {
        return;
    };
    let (_, expected) = record(&lab, &program, &["--collector", "in-process"]);
    let (code, report) = lab.verify();
    assert!(code <= 1, "{report:#}");
    let stored = lab.value("SELECT count(*) FROM allocations WHERE operation = 'delete'");
    let kinds = report["kinds"].as_array().unwrap();
    let frees = kinds.iter().find(|kind| kind["kind"] == "deallocation").unwrap();
    let emitted = frees["emitted"].as_u64().unwrap();
    let of_program = expected.calls["free"].0 + expected.calls["delete"].0;
    assert!((of_program..of_program + 1000).contains(&emitted), "{emitted} {expected:?}");
    assert!(stored as u64 <= expected.calls["delete"].0);
}

#[test]
fn a_sample_keeps_what_is_allocated_and_freed_together() {
    let _alone = alone();
    let Some(lab) = Lab::open() else { return };
    let Some(program) = build(&lab, "allocations.cpp", "allocations", &WITHOUT_FRAME_POINTERS)
    else {
        return;
    };
    for collector in ["in-process", "uprobes"] {
        let options =
            ["--collector", collector, "--on-full", "wait", "--alloc-sample", "3", "--force"];
        record(&lab, &program, &options);
        let rates = lab.rows(
            "SELECT DISTINCT one_in FROM allocations WHERE address IS NOT NULL \
             AND operation NOT IN ('mmap', 'munmap', 'mremap', 'brk')",
        );
        assert_eq!(rates, ["3"], "{collector}");
        // What is freed at once is not a leak, however few are looked at.
        let churned = "folded LIKE '%churn(int);get%' OR folded LIKE '%objects()'";
        let leaks = lab.value(&format!(
            "SELECT count(*) FROM leaks JOIN stacks USING (stack_id) WHERE {churned}"
        ));
        assert_eq!(leaks, 0, "{collector}");
        let kept = lab.value(&format!(
            "SELECT count(*) FROM allocations JOIN stacks USING (stack_id) WHERE {churned}"
        ));
        assert!(kept > 0 && kept < 29_500, "{collector}: {kept}");
        // The estimate of the whole is within its error: 10,000 pairs of churn, of 1 to 512 bytes.
        let sums = lab.rows(
            "SELECT sum(calls), sqrt(sum(calls_error * calls_error)) FROM allocation_sites \
             JOIN stacks USING (stack_id) WHERE folded LIKE '%churn(int);get%'",
        );
        let (calls, error) = sums[0].split_once(',').expect("two numbers");
        let (calls, error): (f64, f64) = (calls.parse().unwrap(), error.parse().unwrap());
        assert!(error > 0.0 && (calls - 10_000.0).abs() < 6.0 * error, "{calls} +- {error}");
    }
}

#[test]
fn valgrind_finds_the_same_leaks() {
    let Some(lab) = Lab::open() else { return };
    if !has_program("valgrind", &["--version"]) {
        return skip("valgrind is not installed");
    }
    let Some(program) = build(&lab, "allocations.cpp", "allocations", &WITHOUT_FRAME_POINTERS)
    else {
        return;
    };
    record(&lab, &program, &["--on-full", "wait"]);
    let ours = lab.rows(
        "SELECT sum(size_bytes), count(*) FROM leaks JOIN stacks USING (stack_id) \
         JOIN processes p USING (upid) WHERE p.argv IS NOT NULL \
         AND frames[1]['file'] LIKE '%allocations.cpp' AND folded NOT LIKE '%leak_in_child%'",
    );
    let args = ["--leak-check=full", "--trace-children=no", &program, "2000"];
    let run = Command::new("valgrind").args(args).output().expect("valgrind");
    let text = String::from_utf8_lossy(&run.stderr).into_owned();
    // The first report is that of a child, the last that of the program itself.
    let line = text.lines().rfind(|line| line.contains("definitely lost:")).expect(&text);
    let digits = line.split("lost:").nth(1).expect(line).replace(',', "");
    let numbers: Vec<&str> = digits.split(' ').filter(|word| word.parse::<u64>().is_ok()).collect();
    assert_eq!(ours, [numbers.join(",")], "{line}");
}

#[test]
fn heaptrack_finds_the_same_leaks_and_calls() {
    let Some(lab) = Lab::open() else { return };
    if !has_program("heaptrack", &["--help"]) {
        return skip("heaptrack is not installed");
    }
    let Some(program) = build(&lab, "allocations.cpp", "allocations", &WITHOUT_FRAME_POINTERS)
    else {
        return;
    };
    record(&lab, &program, &["--on-full", "wait"]);
    // It writes to the folder it is started in.
    let run = Command::new("heaptrack").args([&program, "2000"]).current_dir(lab.path()).output();
    assert!(run.as_ref().is_ok_and(|run| run.status.success()), "{run:?}");
    let found = std::fs::read_dir(lab.path()).unwrap().map(|entry| entry.unwrap().path());
    let found = found.map(|path| path.to_str().unwrap().to_string());
    let recorded = found.into_iter().find(|path| path.contains("/heaptrack.")).expect("its file");
    let text = output("heaptrack_print", &["-f", &recorded, "-p0", "-a0", "-T0", "-l1"]);
    // It takes operator new for the malloc in it, and counts no call that failed.
    for (site, calls, bytes) in [
        ("leak_small", 100, "100.00K"),
        ("leak_large", 10, "500.50K"),
        ("leak_things", 33, "2.38K"),
    ] {
        let ours = lab.rows(&format!(
            "SELECT count(*) FROM leaks JOIN stacks USING (stack_id) WHERE folded LIKE '%;{site}()'"
        ));
        assert_eq!(ours, [calls.to_string()]);
        let line = format!("{bytes} leaked over {calls} calls");
        assert!(text.contains(&line), "{site}: no `{line}` in {text}");
    }
}
