//! What a pair of malloc and free costs more when it is recorded, by us and by heaptrack.
//!
//! The same program runs plain, under the library, and under heaptrack's library writing to
//! `/dev/null`, in turns; the medians are compared. The time on the wall has in it what other
//! programs on the machine take, our own drain among them; the thread's own time has not.
//! `cargo bench -p preload`.

use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use preload::{Collector, OnFull, Settings};

const ROUNDS: usize = 15;
const PAIRS: &str = "1000000";
const MODES: [(&str, &str); 2] =
    [("same", "one place, 14 frames"), ("mixed", "eight places in turn, 8 to 14 frames")];
const HEAPTRACK: &str = "/usr/lib/heaptrack/libheaptrack_preload.so";

/// Nanoseconds of a pair: on the wall, and of the thread's own time.
type Times = [f64; 2];

fn main() {
    let folder = tempfile::tempdir().expect("a folder for the program");
    let program = folder.path().join("pair");
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/pair.c");
    let compiled = Command::new("cc")
        .args(["-O2", "-fomit-frame-pointer", "-fno-optimize-sibling-calls"])
        .arg(source)
        .arg("-o")
        .arg(&program)
        .status();
    if !compiled.is_ok_and(|status| status.success()) {
        println!("skipped: no C compiler");
        return;
    }
    for (mode, about) in MODES {
        compare(&program, mode, about);
    }
}

fn compare(program: &Path, mode: &str, about: &str) {
    let run = |environment: &dyn Fn(&mut Command)| {
        let mut command = Command::new(program);
        command.args([mode, PAIRS]);
        environment(&mut command);
        let output = command.output().expect("the program runs");
        let text = String::from_utf8_lossy(&output.stdout).trim().to_string();
        let times: Vec<f64> = text.split(' ').filter_map(|time| time.parse().ok()).collect();
        Times::try_from(times).unwrap_or_else(|_| panic!("it printed {text:?}"))
    };
    let heaptrack = Path::new(HEAPTRACK).exists();
    let (mut plain, mut ours, mut theirs) = (Vec::new(), Vec::new(), Vec::new());
    let mut lost = 0;
    for _ in 0..ROUNDS {
        plain.push(run(&|_| {}));
        let (times, missing) = recorded(&run);
        ours.push(times);
        lost += missing;
        if heaptrack {
            theirs.push(run(&|command| {
                command.env("LD_PRELOAD", HEAPTRACK).env("DUMP_HEAPTRACK_OUTPUT", "/dev/null");
            }));
        }
    }
    println!("{about}; medians of {ROUNDS} runs, {lost} events lost");
    for (clock, name) in ["wall", "own time"].iter().enumerate() {
        let plain = median(&plain, clock);
        let ours = median(&ours, clock) - plain;
        print!("  {name:<9} plain {plain:6.1} ns, ours {ours:+7.1} ns");
        if heaptrack {
            let theirs = median(&theirs, clock) - plain;
            print!(", heaptrack {theirs:+7.1} ns, ratio {:.2}", ours / theirs);
        }
        println!();
    }
    if !heaptrack {
        println!("  heaptrack is not installed");
    }
}

/// Runs the program with what is done to its command.
type Run<'a> = &'a dyn Fn(&dyn Fn(&mut Command)) -> Times;

/// The times under the library, with its rings drained meanwhile, and the events lost.
fn recorded(run: Run) -> (Times, u64) {
    let settings = Settings { on_full: OnFull::Wait, ring_bytes: 4 << 20, ..Settings::default() };
    let mut collector = Collector::create(&settings).expect("a place for the rings");
    let environment = collector.environment();
    let is_over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let drain = scope.spawn(|| {
            let mut bytes = 0;
            while !is_over.load(Ordering::Relaxed) {
                bytes += collector.drain(&mut |record| {
                    std::hint::black_box(record);
                });
                collector.wait(Duration::from_millis(20));
            }
            collector.drain(&mut |_| {});
            assert!(bytes > 0, "something was recorded");
            collector.counters().iter().map(|totals| totals.lost).sum()
        });
        let time = run(&|command| {
            command.envs(environment.iter().cloned());
        });
        is_over.store(true, Ordering::Relaxed);
        (time, drain.join().expect("draining goes on"))
    })
}

fn median(times: &[Times], clock: usize) -> f64 {
    let mut times: Vec<f64> = times.iter().map(|times| times[clock]).collect();
    times.sort_by(f64::total_cmp);
    times[times.len() / 2]
}
