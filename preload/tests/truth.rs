//! Counts, sizes, leaks.

use std::collections::BTreeMap;
use std::os::unix::process::ExitStatusExt;

use preload::{OnFull, Settings};

use crate::harness::{Event, Program, Recorded, compile, record};

/// Nothing may be lost: the programs wait.
fn exact() -> Settings {
    Settings { on_full: OnFull::Wait, ..Settings::default() }
}

fn truth() -> Option<Program> {
    compile("cc", "truth.c", &["-fomit-frame-pointer"])
}

fn run(mode: &str) -> Option<Recorded> {
    let program = truth()?;
    let recorded = record(&exact(), program.command().arg(mode));
    recorded.assert_counts();
    assert_eq!(recorded.lost(), 0);
    Some(recorded)
}

/// Calls by operation, as the program counts them and as they were recorded.
fn assert_operations(recorded: &Recorded) {
    let own = recorded.of_file("/truth");
    let mut counts = BTreeMap::new();
    for event in recorded.events.iter().filter(|event| own(event)) {
        if let Event::Allocation { op, .. } = event {
            *counts.entry(*op).or_insert(0u64) += 1;
        }
    }
    for op in 1..=8 {
        let told = recorded.told(&format!("op{op}"));
        assert_eq!(counts.get(&op).copied().unwrap_or(0), told, "operation {op}");
    }
}

/// All that the program says of itself is in the records.
fn assert_truth(recorded: &Recorded) {
    assert_operations(recorded);
    let replay = recorded.replay(recorded.of_file("/truth"));
    assert_eq!(replay.clashes, 0);
    assert_eq!(replay.failed as u64, recorded.told("failed"));
    assert_eq!(replay.live.len() as u64, recorded.told("pieces"));
    assert_eq!(replay.bytes, recorded.told("live"));
    assert_eq!(replay.peak, recorded.told("peak"));
}

#[test]
fn all_functions_are_recorded_as_they_were_called() {
    let Some(recorded) = run("all") else { return };
    recorded.assert_ok();
    assert_truth(&recorded);
    assert_eq!(recorded.processes, [recorded.pid]);
}

#[test]
fn leaks_are_found_at_the_functions_that_leaked() {
    let Some(program) = truth() else { return };
    let recorded = record(&exact(), &mut program.command());
    recorded.assert_ok();
    let functions = program.functions();
    let stacks = recorded.stacks();
    let mut leaks: BTreeMap<&str, (u64, u64)> = BTreeMap::new();
    for ((pid, _), (size, stack)) in recorded.replay(recorded.of_file("/truth")).live {
        let (frames, flags) = stacks[&(pid, stack)];
        assert_eq!(flags, 0, "the stack is whole");
        let (_, offset) = recorded.locate(pid, frames[0] - 1).unwrap();
        // The file is linked so that offsets are addresses.
        let function = functions.range(..=offset).next_back().unwrap().1;
        let leak = leaks.entry(function).or_default();
        *leak = (leak.0 + 1, leak.1 + size);
    }
    let expected = [("leak_here", (3, 3 * 1234)), ("leak_there", (5, 5 * 770))];
    assert_eq!(leaks, BTreeMap::from(expected));
}

#[test]
fn closed_descriptors_do_not_matter() {
    let Some(recorded) = run("closed") else { return };
    recorded.assert_ok();
    assert_truth(&recorded);
}

#[test]
fn abort_loses_nothing() {
    let Some(recorded) = run("abort") else { return };
    assert_eq!(recorded.status.signal(), Some(libc::SIGABRT));
    assert_truth(&recorded);
}

#[test]
fn threads_leave_nothing_behind_in_a_replay() {
    for mode in ["storm", "exchange"] {
        let Some(recorded) = run(mode) else { return };
        recorded.assert_ok();
        let replay = recorded.replay(recorded.of_file("/truth"));
        assert_eq!(replay.clashes, 0, "{mode}");
        assert_eq!(replay.live.len(), 0, "{mode}: {:?}", replay.live);
    }
}

/// The addresses are the same all the time: nothing but the order of times tells whose they are.
#[test]
fn memory_that_changes_hands_is_never_taken_twice() {
    let Some(program) = truth() else { return };
    for (mode, expected) in [("handover", 3 * 150_000), ("give", 200_000)] {
        let mut command = program.command();
        let tunables = "glibc.malloc.tcache_count=0:glibc.malloc.arena_max=1";
        let recorded = record(&exact(), command.arg(mode).env("GLIBC_TUNABLES", tunables));
        recorded.assert_ok();
        recorded.assert_counts();
        assert_eq!(recorded.lost(), 0);
        let mut count = 0;
        let mut threads: BTreeMap<u64, std::collections::BTreeSet<u32>> = BTreeMap::new();
        for event in &recorded.events {
            if let Event::Allocation { address, tid, size: 48 | 80, .. } = event {
                threads.entry(*address).or_default().insert(*tid);
                count += 1;
            }
        }
        assert!(count >= expected, "{mode}: {count}");
        if mode == "handover" {
            let shared = threads.values().filter(|threads| threads.len() > 1).count();
            assert!(shared > 0, "{mode}: no address was had by two threads");
        }
        let replay = recorded.replay(|_| true);
        assert_eq!((replay.clashes, replay.unknown), (0, 0), "{mode}");
    }
}

#[test]
fn thousands_of_threads_share_few_rings() {
    let Some(recorded) = run("churn") else { return };
    recorded.assert_ok();
    let own = recorded.of_file("/truth");
    let mut tids = std::collections::HashSet::new();
    let mut count = 0;
    for event in recorded.events.iter().filter(|event| own(event)) {
        if let Event::Allocation { tid, size: 48, .. } = event {
            tids.insert(*tid);
            count += 1;
        }
    }
    assert_eq!((count, tids.len()), (2000, 2000));
    let replay = recorded.replay(own);
    assert_eq!(replay.bytes, 2000 * 1234);
}

#[test]
fn children_have_records_of_their_own() {
    let Some(recorded) = run("fork") else { return };
    recorded.assert_ok();
    let replay = recorded.replay(recorded.of_file("/truth"));
    let mut leaks: BTreeMap<u32, u64> = BTreeMap::new();
    for ((pid, _), (size, _)) in &replay.live {
        *leaks.entry(*pid).or_default() += size;
    }
    // The parent, 28 children, and a child with a child.
    assert_eq!(leaks.len(), 31);
    assert!(leaks.values().all(|leak| *leak == 1234));
    assert_eq!(recorded.processes, leaks.keys().copied().collect::<Vec<_>>());
}

#[test]
fn exec_begins_anew() {
    let Some(recorded) = run("exec") else { return };
    recorded.assert_ok();
    assert_eq!(recorded.processes, [recorded.pid]);
    let own = recorded.of_file("/truth");
    let leaks = recorded
        .events
        .iter()
        .filter(|event| own(event) && matches!(event, Event::Allocation { size: 1234, .. }));
    assert_eq!(leaks.count(), 4);
}

#[test]
fn vfork_and_exec_do_no_harm() {
    let Some(recorded) = run("vfork") else { return };
    recorded.assert_ok();
    assert_operations(&recorded);
    assert_eq!(recorded.processes.len(), 51);
}

#[test]
fn signals_do_no_harm() {
    for mode in ["signal", "signal-allocating"] {
        let Some(recorded) = run(mode) else { return };
        recorded.assert_ok();
        assert_operations(&recorded);
    }
}

#[test]
fn deep_stacks_are_cut() {
    let Some(recorded) = run("recurse") else { return };
    recorded.assert_ok();
    let own = recorded.of_file("/truth");
    let stacks = recorded.stacks();
    let mut deep = 0;
    for event in recorded.events.iter().filter(|event| own(event)) {
        if let Event::Allocation { pid, size: 21, stack, .. } = event {
            let (frames, flags) = stacks[&(*pid, *stack)];
            assert_eq!((frames.len(), flags), (64, 1));
            deep += 1;
        }
    }
    assert_eq!(deep, 200);
}

#[test]
fn a_limit_of_file_sizes_does_not_end_the_program() {
    let Some(program) = truth() else { return };
    let recorded = record(&exact(), program.command().arg("limit"));
    recorded.assert_ok();
    recorded.assert_counts();
    // What had no ring is counted: one malloc, one free and a leak of each thread, and what the C
    // library did for them.
    assert!(
        recorded.counters[0].lost >= 8 && recorded.counters[1].lost >= 4,
        "{:?}",
        recorded.counters
    );
}

#[test]
fn a_full_ring_counts_what_it_loses() {
    let Some(program) = truth() else { return };
    let settings = Settings { ring_bytes: 16 << 10, ..Settings::default() };
    let recorded = record(&settings, program.command().arg("many"));
    recorded.assert_ok();
    recorded.assert_counts();
    assert!(recorded.lost() > 0);
    assert!(recorded.counters[0].emitted >= 200_000, "{:?}", recorded.counters);
    assert!(recorded.counters[0].emitted <= 200_010, "{:?}", recorded.counters);
    // No event refers to a stack that was not stored.
    let stacks = recorded.stacks();
    for event in &recorded.events {
        if let Event::Allocation { pid, stack, .. } = event {
            assert!(stacks.contains_key(&(*pid, *stack)));
        }
    }
}

#[test]
fn a_killed_program_leaves_whole_records() {
    let Some(program) = truth() else { return };
    let mut turns = 0;
    let recorded =
        crate::harness::record_with(&exact(), program.command().arg("forever"), |_, child| {
            turns += 1;
            if turns == 50 {
                child.kill().unwrap();
            }
        });
    assert_eq!(recorded.status.signal(), Some(libc::SIGKILL));
    recorded.assert_counts();
    assert_eq!(recorded.lost(), 0);
    let replay = recorded.replay(recorded.of_file("/truth"));
    assert!(recorded.events.len() > 1000);
    assert!(replay.live.len() <= 1 && replay.clashes == 0);
}

#[test]
fn sampling_keeps_pairs_whole() {
    let Some(program) = truth() else { return };
    let settings = Settings { one_in: 7, salt: 12345, ..exact() };
    let recorded = record(&settings, program.command().arg("storm"));
    recorded.assert_ok();
    recorded.assert_counts();
    for event in &recorded.events {
        if let Event::Allocation { address, .. } | Event::Deallocation { address, .. } = event {
            assert!(*address == 0 || preload::layout::is_sampled(*address, 12345, 7));
        }
    }
    let replay = recorded.replay(recorded.of_file("/truth"));
    assert_eq!((replay.live.len(), replay.clashes), (0, 0));
    // 160,000 turns, of which four in seven or so get memory.
    let share = recorded.counters[0].emitted;
    assert!((5_000..40_000).contains(&share), "{share}");
}

#[test]
fn small_memory_is_left_out() {
    let Some(program) = truth() else { return };
    let settings = Settings { size_min: 1000, ..exact() };
    let recorded = record(&settings, program.command().arg("all"));
    recorded.assert_ok();
    let replay = recorded.replay(recorded.of_file("/truth"));
    // The leaks of 770 bytes are too small.
    assert_eq!((replay.live.len(), replay.bytes, replay.clashes), (3, 3 * 1234, 0));
}

#[test]
fn after_the_end_the_program_goes_on_unrecorded() {
    let Some(program) = truth() else { return };
    let mut collector = preload::Collector::create(&exact()).unwrap();
    let mut command = program.command();
    let mut child = command.arg("forever").envs(collector.environment()).spawn().unwrap();
    let mut count = 0;
    while count < 1000 {
        count += collector.drain(&mut |_| {});
    }
    collector.stop();
    while collector.drain(&mut |_| {}) > 0 {}
    std::thread::sleep(std::time::Duration::from_millis(50));
    assert_eq!(collector.drain(&mut |_| {}), 0);
    let folder = collector.environment()[1].1.clone();
    drop(collector);
    assert!(!std::path::Path::new(&folder).exists());
    assert!(child.try_wait().unwrap().is_none(), "it runs on");
    child.kill().unwrap();
    child.wait().unwrap();
}

#[test]
fn a_signal_stack_is_walked_to_main() {
    let Some(program) = truth() else { return };
    let recorded = record(&exact(), program.command().arg("altstack"));
    recorded.assert_ok();
    let stacks = recorded.stacks();
    let handlers: Vec<_> = recorded
        .events
        .iter()
        .filter_map(|event| match event {
            Event::Allocation { pid, size: 33, stack, .. } => Some(stacks[&(*pid, *stack)]),
            _ => None,
        })
        .collect();
    assert_eq!(handlers.len(), 10);
    for (frames, flags) in handlers {
        assert!(frames.len() >= 6 && flags == 0, "{frames:x?} {flags}");
    }
}

#[test]
fn the_segment_announces_everything_again() {
    let Some(program) = truth() else { return };
    let mut segment = 0;
    let mut counts = 0;
    // Short, so that there are many turns.
    let settings = Settings { ring_bytes: 64 << 10, ..exact() };
    let recorded =
        crate::harness::record_with(&settings, program.command().arg("many"), |collector, _| {
            counts += 1;
            if counts % 10 == 0 {
                segment += 1;
                collector.set_epoch(segment);
            }
        });
    recorded.assert_ok();
    assert!(segment > 0);
    let own = recorded.of_file("/truth");
    let is_own_mapping = |event: &&Event| matches!(event, Event::Mapping { file, build_id_bytes: 20, .. } if file.ends_with("/truth"));
    assert!(recorded.events.iter().filter(is_own_mapping).count() > 1);
    assert_eq!(recorded.replay(own).live.len(), 0);
}
