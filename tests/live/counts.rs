//! The trace has what strace counts, no more and no less.

use std::collections::BTreeMap;
use std::fs;
use std::process::Command;

use super::lab::{Lab, workload};
use crate::skip::{has_program, skip};

/// What another allocator arena costs depends on where it lands in memory.
const ONE_ARENA: (&str, &str) = ("MALLOC_ARENA_MAX", "1");

/// Calls and errors by name, of calls that returned.
type Counts = BTreeMap<String, (u64, u64)>;

#[test]
fn as_many_calls_and_errors_as_strace_counts() {
    let Some(lab) = Lab::open() else { return };
    if !has_program("strace", &["-V"]) {
        return skip("strace is not installed");
    }
    let traced = lab.path().join("strace.txt");
    let mut strace = Command::new("strace");
    strace.args(["-f", "-c", "-o"]).arg(&traced).arg(workload()).arg("counts");
    assert!(strace.env(ONE_ARENA.0, ONE_ARENA.1).status().unwrap().success());
    let mut expected = strace_counts(&fs::read_to_string(traced).unwrap());

    let args = ["record", "--quiet", "--", &workload(), "counts"];
    let mut command = crate::command::command(lab.path(), &args);
    let run = crate::command::run(command.env(ONE_ARENA.0, ONE_ARENA.1).output().unwrap());
    assert_eq!((run.code, run.err.as_str()), (0, ""));
    // strace does not count calls that never return, and what the command's process did before it
    // became the command is not the command's.
    let rows = lab.rows(
        "SELECT syscall, count(*), count(error) FROM syscalls \
         WHERE via = 'syscall' AND ret IS NOT NULL AND (comm <> 'ebrec' OR syscall = 'execve') \
         GROUP BY syscall",
    );
    let mut found: Counts = rows
        .iter()
        .map(|row| {
            let mut words = row.split(',');
            let name = words.next().unwrap().to_string();
            (name, (words.next().unwrap().parse().unwrap(), words.next().unwrap().parse().unwrap()))
        })
        .collect();
    // How often a thread has to wait for another is chance.
    for counts in [&mut expected, &mut found] {
        assert!(counts.remove("futex").is_some());
    }
    assert!(expected["openat"].0 > 4000 && expected["wait4"].0 >= 1023, "{expected:?}");
    assert_eq!(found, expected);
    lab.assert_complete();
}

/// The table that `strace -c` prints: % time, seconds, usecs/call, calls, [errors], name.
fn strace_counts(text: &str) -> Counts {
    text.lines()
        .skip(2)
        .map(|line| line.split_whitespace().collect::<Vec<_>>())
        .take_while(|words| !words[0].starts_with('-'))
        .map(|words| {
            let errors = if words.len() == 6 { words[4].parse().unwrap() } else { 0 };
            (words[words.len() - 1].to_string(), (words[3].parse().unwrap(), errors))
        })
        .collect()
}

#[test]
fn every_process_is_there_from_fork_to_exit() {
    let Some(lab) = Lab::open() else { return };
    lab.record(&[], &["counts"]);
    lab.assert_complete();
    let one = |sql: &str| lab.value(sql);
    assert_eq!(one("SELECT count(*) FROM process_events WHERE event = 'fork'"), 1023);
    assert_eq!(one("SELECT count(*) FROM process_events WHERE event = 'thread_start'"), 4);
    assert_eq!(one("SELECT count(*) FROM process_events WHERE event = 'thread_exit'"), 4);
    // The command itself, and its 23 children.
    assert_eq!(one("SELECT count(*) FROM process_events WHERE event = 'exec'"), 24);
    assert_eq!(one("SELECT count(*) FROM processes WHERE comm = 'true'"), 23);
    assert_eq!(one("SELECT count(*) FROM process_events WHERE event = 'exit'"), 1024);
    assert_eq!(one("SELECT count(DISTINCT upid) FROM processes"), 1024);
    let events = one("SELECT count(*) FROM (SELECT upid FROM process_events WHERE event = 'exit' \
                      GROUP BY upid HAVING count(*) <> 1)");
    assert_eq!(events, 0, "a process ends once");
    // 1000 processes end with 0, 1, ... 255, 0, ...; one more 0 for each other process.
    let codes = lab.rows(
        "SELECT exit_code, count(*) FROM process_events WHERE event = 'exit' \
         GROUP BY exit_code ORDER BY exit_code",
    );
    let expected: Vec<String> = (0..256)
        .map(|code| {
            let forks = (0..1000).filter(|index| index % 256 == code).count();
            format!("{code},{}", forks + if code == 0 { 24 } else { 0 })
        })
        .collect();
    assert_eq!(codes, expected);
    // In the order in which they were made.
    let codes = lab.rows(
        "SELECT exit_code FROM process_events WHERE event = 'exit' AND comm = 'workload' \
         ORDER BY ts LIMIT 1000",
    );
    assert!(codes.iter().enumerate().all(|(index, code)| *code == (index % 256).to_string()));
    assert_eq!(
        one("SELECT count(*) FROM syscalls WHERE syscall = 'exit_group' AND ret IS NULL"),
        1024
    );
}
