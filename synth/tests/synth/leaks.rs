//! Allocations, added up as the view `leaks` does.

use std::collections::BTreeMap;

use crate::read::{Made, sums};

/// Memory that is there: its stack, size and thread.
type Object = (i64, i64, i64);

#[test]
fn leaks_peaks_and_temporary_memory_are_what_the_truth_says() {
    let made = Made::new("leaks");
    let (stacks, processes) = (made.stacks(), made.processes());
    let rows = made.table("allocations");
    let (ts, upid, tid) = (rows.int("ts"), rows.int("upid"), rows.int("tid"));
    let (address, size) = (rows.int("address"), rows.int("size_bytes"));
    let (stack, operation) = (rows.int("stack_id"), rows.text("operation"));
    let mut there: BTreeMap<(i64, i64), Object> = BTreeMap::new();
    let mut last: BTreeMap<i64, Option<(i64, i64)>> = BTreeMap::new();
    let mut held: BTreeMap<String, i64> = BTreeMap::new();
    let mut peaks: BTreeMap<String, (i64, i64)> = BTreeMap::new();
    let mut temporary = Vec::new();
    let mut elsewhere = Vec::new();
    let mut calls = Vec::new();
    for row in 0..rows.len() {
        let (upid, tid) = (upid[row].unwrap(), tid[row].unwrap());
        let comm = processes[&upid].clone();
        let operation = operation[row].clone().unwrap();
        calls.push((format!("{comm}|{operation}"), 1));
        let before = last.insert(tid, None).flatten();
        let Some(address) = address[row] else { continue };
        let old = there.remove(&(upid, address));
        let mut change = -old.map_or(0, |(_, size, _)| size);
        if let Some(size) = size[row] {
            there.insert((upid, address), (stack[row].unwrap(), size, tid));
            last.insert(tid, Some((address, stack[row].unwrap())));
            change += size;
        } else {
            let (_, _, owner) = old.expect("what is given back was got");
            if owner != tid && operation != "realloc" {
                elsewhere.push((comm.clone(), 1));
            }
            if let Some((_, stack)) = before.filter(|(known, _)| *known == address) {
                temporary.push((stacks[&stack].clone(), 1));
            }
        }
        for name in [comm, "all".to_string()] {
            let held = held.entry(name.clone()).or_default();
            *held += change;
            let peak = peaks.entry(name).or_insert((0, 0));
            if *held > peak.0 {
                *peak = (*held, ts[row].unwrap());
            }
        }
    }
    // What lives on holds the same at the end as at the last mark.
    for name in ["api-server", "renderd", "node-agent"] {
        let told = made.value("held_bytes", &format!("{name}|100 percent"));
        assert_eq!(told, held[name], "{name}");
    }
    let left = || there.iter().map(|((upid, _), object)| (upid, object));
    let unfreed = left().map(|(_, (stack, _, _))| (stacks[stack].clone(), 1));
    let unfreed = unfreed.chain(left().map(|(upid, _)| (processes[upid].clone(), 1)));
    let unfreed = sums(unfreed);
    made.check("unfreed", &unfreed);
    made.check("leaks", &unfreed);
    let bytes = sums(left().map(|(_, (stack, size, _))| (stacks[stack].clone(), *size)));
    made.check("unfreed_bytes", &bytes);
    made.check("leaked_bytes", &bytes);
    made.check("alive_bytes", &held);
    made.check("left_bytes", &held);
    made.check("temporary", &sums(temporary));
    made.check("freed_by_other_thread", &sums(elsewhere));
    made.check("calls", &sums(calls));
    for (name, (bytes, ts)) in peaks {
        assert_eq!(made.fact("peak_bytes", &name), (Some(bytes), Some(ts)), "{name}");
    }
    let got = (0..rows.len()).filter(|row| address[*row].is_some() && size[*row].is_some());
    let got: Vec<usize> = got.collect();
    let name = |row: &usize| stacks[&stack[*row].unwrap()].clone();
    made.check("allocations", &sums(got.iter().map(|row| (name(row), 1))));
    made.check("allocated_bytes", &sums(got.iter().map(|row| (name(row), size[*row].unwrap()))));
}
