//! The scheduler: every moment of a thread is in a slice or off the CPU.

use std::collections::BTreeMap;

use crate::read::{Made, sums};

/// What a column says, by thread or by something else.
fn by(names: &[Option<String>], values: &[Option<i64>]) -> BTreeMap<String, i64> {
    sums(names.iter().zip(values).map(|(name, value)| (name.clone().unwrap(), value.unwrap())))
}

#[test]
fn the_time_of_each_thread_is_accounted_for() {
    for scenario in ["locks", "storm", "mixed"] {
        let made = Made::new(scenario);
        let (slices, off) = (made.table("sched_slices"), made.table("offcpu"));
        made.check("on_cpu_ns", &by(&slices.text("comm"), &slices.int("duration_ns")));
        made.check("run_queue_ns", &by(&slices.text("comm"), &slices.int("wait_ns")));
        made.check("run_queue_ns", &by(&off.text("comm"), &off.int("wait_ns")));
        let mut parts: Vec<(String, i64, i64)> = Vec::new();
        for table in [&slices, &off] {
            let (comm, ts, ns) = (table.text("comm"), table.int("ts"), table.int("duration_ns"));
            let rows = comm.into_iter().zip(ts).zip(ns);
            parts.extend(rows.map(|((comm, ts), ns)| (comm.unwrap(), ts.unwrap(), ns.unwrap())));
        }
        parts.sort();
        // What ends is where the next begins.
        for pair in parts.windows(2).filter(|pair| pair[0].0 == pair[1].0) {
            assert_eq!(pair[0].1 + pair[0].2, pair[1].1, "{}", pair[0].0);
        }
        made.check("wall_ns", &sums(parts.into_iter().map(|(comm, _, ns)| (comm, ns))));
        let (comm, state) = (off.text("comm"), off.text("state"));
        let (ns, wait) = (off.int("duration_ns"), off.int("wait_ns"));
        let blocked = (0..off.len()).map(|row| {
            let name = format!("{}|{}", comm[row].as_ref().unwrap(), state[row].as_ref().unwrap());
            (name, ns[row].unwrap() - wait[row].unwrap())
        });
        made.check("blocked_ns", &sums(blocked));
        // A CPU runs one thread at a time.
        let (cpu, ts, ns) = (slices.int("cpu"), slices.int("ts"), slices.int("duration_ns"));
        let mut busy: BTreeMap<i64, i64> = BTreeMap::new();
        for row in 0..slices.len() {
            let until = busy.entry(cpu[row].unwrap()).or_default();
            assert!(*until <= ts[row].unwrap(), "{scenario}");
            *until = ts[row].unwrap() + ns[row].unwrap();
        }
    }
}

#[test]
fn the_waits_for_the_lock_are_what_the_truth_says() {
    let made = Made::new("locks");
    let stacks = made.stacks();
    let off = made.table("offcpu");
    let (comm, ns, stack) = (off.text("comm"), off.int("duration_ns"), off.int("stack_id"));
    let (waker, ts) = (off.text("waker_comm"), off.int("ts"));
    let folded = |row: usize| stack[row].map_or("", |id| stacks[&id].as_str());
    let waits = (0..off.len()).filter(|row| folded(*row).contains("pthread_mutex_lock"));
    let waits: Vec<usize> = waits.collect();
    let name = |row: &usize| comm[*row].clone().unwrap();
    made.check("lock_waits", &sums(waits.iter().map(|row| (name(row), 1))));
    made.check("lock_wait_ns", &sums(waits.iter().map(|row| (name(row), ns[*row].unwrap()))));
    let all: i64 = waits.iter().map(|row| ns[*row].unwrap()).sum();
    assert_eq!(made.value("waited_for_ns", "order-flusher"), all);
    assert!(waits.iter().all(|row| waker[*row].as_deref() == Some("order-flusher")));
    made.check(
        "offcpu_ns",
        &sums(waits.iter().map(|row| (folded(*row).to_string(), ns[*row].unwrap()))),
    );
    let longest = waits.iter().max_by_key(|row| ns[**row].unwrap()).unwrap();
    let told = made.fact("longest_lock_wait_ns", &name(longest));
    assert_eq!(told, (ns[*longest], ts[*longest]));

    let calls = made.table("syscalls");
    let (call, lock, ns) = (calls.text("syscall"), calls.int("arg0"), calls.int("duration_ns"));
    let futex = (0..calls.len()).filter(|row| call[*row].as_deref() == Some("futex"));
    let futex: Vec<usize> = futex.collect();
    let name = |row: &usize| format!("{:#x}", lock[*row].unwrap());
    made.check("futex_calls", &sums(futex.iter().map(|row| (name(row), 1))));
    made.check("futex_ns", &sums(futex.iter().map(|row| (name(row), ns[*row].unwrap()))));
}
