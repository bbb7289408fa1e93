//! What the report on locks calls a lock: by functions on the stack, by what was asked of futex, or not at all.

use std::path::Path;

use serde_json::{Value, json};

use crate::command::ebrec;
use crate::synthetic;

const WAIT: i64 = 128;
const WAIT_BITSET: i64 = 128 + 9;
const LOCK_PI: i64 = 128 + 6;
/// Who waits for the end of a thread is woken by the kernel, for which the word is shared.
const WAIT_END: i64 = 256 + 9;

/// A wait of a millisecond: its futex, the operation, the value, and the stack without what the kernel adds.
struct Wait(i64, i64, i64, &'static str);

const WAKER: i64 = 77;

fn ts(ms: usize) -> String {
    format!("2026-11-22T17:44:{:02}.{:03}Z", 16 + ms / 1000, ms % 1000)
}

fn record(trace: &Path, waits: &[Wait]) {
    synthetic::trace(trace, &["processes", "syscalls", "sched", "stacks"]);
    let (mut calls, mut intervals, mut stacks) = (Vec::new(), Vec::new(), Vec::new());
    for (at, Wait(address, operation, value, stack)) in waits.iter().enumerate() {
        let (ms, thread) = (10 * at, 100 + at);
        calls.push(json!({"ts": ts(ms), "upid": 7, "pid": 7, "tid": thread, "comm": "x", "syscall": "futex", "via": "syscall",
                          "arg0": address, "arg1": operation, "arg2": value, "ret": 0, "duration_ns": 3_000_000}));
        let stack_id = (!stack.is_empty()).then_some(at);
        intervals.push(json!({"ts": ts(ms + 1), "upid": 7, "pid": 7, "tid": thread, "comm": "x", "state": "sleeping",
                              "duration_ns": 1_000_000, "waker_tid": WAKER, "waker_comm": "w", "stack_id": stack_id}));
        if stack_id.is_some() {
            let folded = format!(
                "main;work;{stack};entry_SYSCALL_64_after_hwframe;do_syscall_64;futex_wait;schedule"
            );
            stacks.push(json!({"stack_id": at, "folded": folded, "frames": []}));
        }
    }
    synthetic::segment(trace, "syscalls", 1, &calls);
    synthetic::segment(trace, "offcpu", 1, &intervals);
    synthetic::segment(trace, "stacks", 1, &stacks);
}

/// `address kind` of each lock, by address.
fn kinds(folder: &Path, more: &[&str]) -> Vec<String> {
    let args = [&["report", "lock_contention", "--format", "json"], more].concat();
    let rows: Vec<Value> = serde_json::from_str(&ebrec(folder, &args).ok()).unwrap();
    let text = |row: &Value, name: &str| row[name].as_str().unwrap().to_string();
    let mut kinds: Vec<String> =
        rows.iter().map(|row| format!("{} {}", text(row, "lock"), text(row, "kind"))).collect();
    kinds.sort();
    kinds
}

#[test]
fn without_names_the_operation_tells_or_nothing_does() {
    let folder = tempfile::tempdir().unwrap();
    let waits = [
        Wait(0x1000, WAIT, 2, ""),
        Wait(0x2000, LOCK_PI, 0, ""),
        Wait(0x3000, WAIT_END, WAKER, ""),
        // The number of a thread, but not of the one that ended it.
        Wait(0x4000, WAIT_END, 78, ""),
        Wait(0x5000, WAIT_BITSET, 0, ""),
        // The two groups of a condition variable.
        Wait(0x6000, WAIT_BITSET, 0, ""),
        Wait(0x6004, WAIT_BITSET, 0, ""),
        Wait(0x7000, WAIT, 5, ""),
        Wait(0x8000, WAIT_BITSET, 2, ""),
        // A mutex beside something that can be signalled makes no pair.
        Wait(0x9000, WAIT, 2, ""),
        Wait(0x9004, WAIT_BITSET, 0, ""),
    ];
    record(&folder.path().join("trace"), &waits);
    let expected = [
        "0x1000 mutex",
        "0x2000 mutex",
        "0x3000 join",
        "0x4000 unknown",
        "0x5000 event",
        "0x6000 condition",
        "0x6004 condition",
        "0x7000 unknown",
        "0x8000 unknown",
        "0x9000 mutex",
        "0x9004 event",
    ];
    assert_eq!(kinds(folder.path(), &[]), expected);
    let held = expected.into_iter().filter(|row| row.contains("mutex") || row.contains("unknown"));
    assert_eq!(kinds(folder.path(), &["--kind", "held"]), held.collect::<Vec<_>>());
}

#[test]
fn functions_on_the_stack_tell_more_than_the_operation() {
    let folder = tempfile::tempdir().unwrap();
    let waits = [
        Wait(0x1000, WAIT, 2, "___pthread_mutex_lock;__GI___lll_lock_wait"),
        Wait(0x2000, WAIT_BITSET, 0, "___pthread_cond_wait;__futex_abstimed_wait_cancelable64"),
        // Signalled, and taking the mutex again.
        Wait(0x3000, WAIT, 2, "pthread_cond_wait;__pthread_mutex_cond_lock;__lll_lock_wait"),
        Wait(0x4000, WAIT_BITSET, 0, "sem_wait;__new_sem_wait_slow64;do_futex_wait"),
        Wait(0x5000, WAIT_BITSET, 3, "___pthread_rwlock_rdlock;__futex_abstimed_wait64"),
        Wait(0x6000, WAIT_BITSET, 2, "std::sys::sync::mutex::futex::Mutex::lock_contended;syscall"),
        Wait(
            0x7000,
            WAIT_BITSET,
            2,
            "std::sys::sync::condvar::futex::Condvar::wait_optional_timeout;syscall",
        ),
        Wait(0x8000, WAIT, 4, "pthread_barrier_wait"),
        Wait(0x9000, WAIT_END, 78, "__pthread_clockjoin_ex"),
        // The program's own, whatever it is called.
        Wait(0xa000, WAIT, 9, "my_pthread_mutex_lock_wrapper;own_wait"),
        // One address for two things: what it was for longer. Both are called by name.
        Wait(0xb000, WAIT, 2, "pthread_mutex_lock;__lll_lock_wait"),
        Wait(0xb000, WAIT_BITSET, 0, "sem_wait"),
        Wait(0xb000, WAIT_BITSET, 0, "sem_clockwait"),
    ];
    record(&folder.path().join("trace"), &waits);
    let expected = [
        "0x1000 mutex",
        "0x2000 condition",
        "0x3000 mutex",
        "0x4000 semaphore",
        "0x5000 rwlock",
        "0x6000 mutex",
        "0x7000 condition",
        "0x8000 barrier",
        "0x9000 join",
        "0xa000 unknown",
        "0xb000 semaphore",
    ];
    assert_eq!(kinds(folder.path(), &[]), expected);
}
