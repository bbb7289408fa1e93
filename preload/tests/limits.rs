//! What happens at the limits: of memory, of the recorder's speed and life, of the program's view.

use std::fs;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use preload::{Collector, OnFull, Settings};

use crate::harness::{Event, Program, compile, record, record_with};

fn truth() -> Option<Program> {
    compile("cc", "truth.c", &["-fomit-frame-pointer"])
}

fn folder(collector: &Collector) -> std::path::PathBuf {
    collector.environment()[1].1.clone().into()
}

/// Data bytes of all ring files.
fn ring_bytes(folder: &Path) -> u64 {
    let files = fs::read_dir(folder).unwrap().flatten();
    let rings = files.filter(|file| file.file_name().as_encoded_bytes().starts_with(b"r"));
    let rings = rings.filter(|file| file.file_name() != preload::layout::ROOM_NAME);
    rings.map(|file| file.metadata().map_or(0, |about| about.len().saturating_sub(4096))).sum()
}

fn room(folder: &Path) -> u64 {
    let bytes = fs::read(folder.join(preload::layout::ROOM_NAME)).unwrap();
    u64::from_ne_bytes(bytes.try_into().unwrap())
}

fn spawn(collector: &Collector, command: &mut Command) -> Child {
    command.envs(collector.environment()).stdout(Stdio::piped()).spawn().unwrap()
}

/// Its end, which must come within half a minute.
fn end(mut child: Child) -> std::process::Output {
    let deadline = Instant::now() + Duration::from_secs(30);
    while child.try_wait().unwrap().is_none() {
        if Instant::now() > deadline {
            child.kill().unwrap();
            panic!("the program hangs");
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    child.wait_with_output().unwrap()
}

#[test]
fn rings_have_a_bound_together() {
    const MAX: u64 = 8 << 20;
    let Some(program) = truth() else { return };
    let settings = Settings { ring_bytes: 1 << 20, rings_bytes_max: MAX, ..Settings::default() };
    let mut collector = Collector::create(&settings).unwrap();
    let folder = folder(&collector);
    for round in 1..=2 {
        let mut child = spawn(&collector, program.command().arg("crowd"));
        let (mut largest, mut passed) = (0, 0);
        while child.try_wait().unwrap().is_none() {
            passed += collector.drain(&mut |_| {});
            largest = largest.max(ring_bytes(&folder));
            collector.wait(Duration::from_millis(5));
        }
        assert!(end(child).status.success());
        assert!(passed > 0, "round {round}: nothing was recorded");
        assert!((MAX / 2..=MAX).contains(&largest), "round {round}: {largest} bytes");
        // What the program had is there for the next.
        let deadline = Instant::now() + Duration::from_secs(5);
        while room(&folder) > 0 {
            assert!(Instant::now() < deadline, "room is not given back");
            while collector.drain(&mut |_| {}) > 0 {}
            std::thread::sleep(Duration::from_millis(20));
        }
        assert_eq!(ring_bytes(&folder), 0);
        // 300 threads with 200 pairs each, and what the C library did.
        let counters = collector.counters();
        assert!(counters[0].lost > 0, "{counters:?}");
        assert!(counters[0].emitted >= round * 60_000, "{counters:?}");
        assert!(counters[1].emitted >= round * 60_000, "{counters:?}");
    }
}

#[test]
fn room_that_nobody_has_comes_back() {
    let Some(program) = truth() else { return };
    let settings = Settings { rings_bytes_max: 1 << 20, ..Settings::default() };
    let mut collector = Collector::create(&settings).unwrap();
    let folder = folder(&collector);
    // As if a program had been killed just then; or one that wants to harm.
    fs::write(folder.join(preload::layout::ROOM_NAME), u64::MAX.to_ne_bytes()).unwrap();
    let deadline = Instant::now() + Duration::from_secs(5);
    while room(&folder) > 0 {
        assert!(Instant::now() < deadline, "the room stays taken");
        collector.drain(&mut |_| {});
        std::thread::sleep(Duration::from_millis(20));
    }
    let output = end(spawn(&collector, program.command().arg("all")));
    assert!(output.status.success());
    assert!(collector.drain(&mut |_| {}) > 0);
}

#[test]
fn a_slow_recorder_that_is_waited_for_loses_nothing() {
    let Some(program) = truth() else { return };
    let settings = Settings { on_full: OnFull::Wait, ring_bytes: 64 << 10, ..Settings::default() };
    let recorded = record_with(&settings, program.command().arg("pairs"), |_, _| {
        std::thread::sleep(Duration::from_millis(3));
    });
    recorded.assert_ok();
    recorded.assert_counts();
    assert_eq!(recorded.lost(), 0);
    let of_pairs = |event: &&Event| matches!(event, Event::Allocation { size: 10 | 99, .. });
    assert_eq!(recorded.events.iter().filter(of_pairs).count() as u64, recorded.told("op1"));
    let replay = recorded.replay(recorded.of_file("/truth"));
    assert_eq!((replay.live.len(), replay.clashes), (0, 0));
}

#[test]
fn a_recorder_that_dies_is_not_waited_for() {
    let Some(program) = truth() else { return };
    let settings = Settings { on_full: OnFull::Wait, ring_bytes: 64 << 10, ..Settings::default() };
    for is_dropped in [false, true] {
        let mut collector = Collector::create(&settings).unwrap();
        let child = spawn(&collector, program.command().arg("pairs"));
        while collector.drain(&mut |_| {}) == 0 {}
        // From here on it gives no sign of life: stopped, or gone.
        let collector = (!is_dropped).then_some(collector);
        let output = end(child);
        assert!(output.status.success());
        assert!(String::from_utf8_lossy(&output.stdout).contains("op1=100001"));
        if let Some(mut collector) = collector {
            // It has not seen all the rings.
            while collector.drain(&mut |_| {}) > 0 {}
            assert!(collector.counters()[0].lost > 0, "{:?}", collector.counters());
        }
    }
}

#[test]
fn without_the_folder_the_program_runs_as_it_is() {
    let Some(program) = truth() else { return };
    let mut collector = Collector::create(&Settings::default()).unwrap();
    let mut command = program.command();
    command.arg("all").envs(collector.environment());
    let long = "x".repeat(2000);
    for nowhere in ["/nonexistent/folder", "", "/dev/null", &long] {
        command.env(preload::layout::ENVIRONMENT, nowhere).stdout(Stdio::piped());
        let output = end(command.spawn().unwrap());
        assert!(output.status.success(), "{nowhere:?}");
        assert!(String::from_utf8_lossy(&output.stdout).contains("live=7552"), "{nowhere:?}");
    }
    assert_eq!(collector.drain(&mut |_| {}), 0);
    assert!(collector.processes().is_empty());
}

#[test]
fn after_chroot_what_has_no_ring_is_counted() {
    let Some(program) = truth() else { return };
    // SAFETY: no arguments.
    if unsafe { libc::geteuid() } != 0 {
        eprintln!("skipped: chroot is root's");
        return;
    }
    let empty = tempfile::tempdir().unwrap();
    let settings = Settings { on_full: OnFull::Wait, ..Settings::default() };
    let recorded = record(&settings, program.command().arg("chroot").arg(empty.path()));
    recorded.assert_ok();
    recorded.assert_counts();
    // The first thread had its ring before.
    let mut leaks = 0;
    for event in &recorded.events {
        leaks += u64::from(matches!(event, Event::Allocation { size: 1234, .. }));
    }
    assert_eq!(leaks, 3);
    // The others find no folder.
    assert!(recorded.counters[0].lost >= 200_000, "{:?}", recorded.counters);
    assert_eq!(recorded.processes, [recorded.pid]);
}
