//! Samples of the CPU, by what they were found in.

use std::collections::BTreeSet;

use crate::read::{Made, sums};

#[test]
fn shares_of_functions_are_what_the_truth_says() {
    let made = Made::new("hot");
    let (stacks, processes) = (made.stacks(), made.processes());
    let rows = made.table("cpu_samples");
    let (stack, upid, mode) = (rows.int("stack_id"), rows.int("upid"), rows.text("mode"));
    let (period, comm) = (rows.int("period_ns"), rows.text("comm"));
    let all = || 0..rows.len();
    let folded = |row: usize| stacks[&stack[row].unwrap()].as_str();
    let own = |row: usize| folded(row).rsplit(';').next().unwrap().to_string();
    let total = |row: usize| folded(row).split(';').collect::<BTreeSet<&str>>();
    made.check("stack_samples", &sums(all().map(|row| (folded(row).to_string(), 1))));
    made.check("self_samples", &sums(all().map(|row| (own(row), 1))));
    made.check("self_ns", &sums(all().map(|row| (own(row), period[row].unwrap()))));
    let each = all().flat_map(|row| total(row).into_iter().map(move |name| (name, row)));
    let each: Vec<(&str, usize)> = each.collect();
    made.check("total_samples", &sums(each.iter().map(|(name, _)| (name.to_string(), 1))));
    let ns = each.iter().map(|(name, row)| (name.to_string(), period[*row].unwrap()));
    made.check("total_ns", &sums(ns));
    let process = |row: usize| processes[&upid[row].unwrap()].clone();
    made.check("samples", &sums(all().map(|row| (process(row), 1))));
    let mode = |row: usize| format!("{}|{}", process(row), mode[row].as_ref().unwrap());
    made.check("mode_samples", &sums(all().map(|row| (mode(row), 1))));
    let ns = all().map(|row| (comm[row].clone().unwrap(), period[row].unwrap()));
    made.check("cpu_ns", &sums(ns));
    // What calls itself has no more than all.
    assert!(made.value("total_samples", "walk") > made.value("self_samples", "leaf") - 1);
}

#[test]
fn the_scheduler_says_the_same_as_the_samples() {
    let made = Made::new("hot");
    let rows = made.table("task_usage");
    let (comm, ns) = (rows.text("comm"), rows.int("cpu_ns"));
    let (user, kernel) = (rows.int("user_ns"), rows.int("system_ns"));
    let ns_of = |row: usize| (comm[row].clone().unwrap(), ns[row].unwrap());
    made.check("cpu_ns", &sums((0..rows.len()).map(ns_of)));
    for row in 0..rows.len() {
        assert_eq!(ns[row].unwrap(), user[row].unwrap() + kernel[row].unwrap());
        assert!(ns[row].unwrap() <= 1_000_000_000, "more than a CPU");
    }
}
