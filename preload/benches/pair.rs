//! What a pair of malloc and free costs more when it is recorded, by us and by heaptrack.
//!
//! The same program runs plain, under the library, and under heaptrack's library writing to
//! `/dev/null`, in turns; the medians are compared. `cargo bench -p preload`.

use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use preload::{Collector, OnFull, Settings};

const ROUNDS: usize = 9;
const PAIRS: &str = "1000000";
const HEAPTRACK: &str = "/usr/lib/heaptrack/libheaptrack_preload.so";

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
    let run = |environment: &dyn Fn(&mut Command)| {
        let mut command = Command::new(&program);
        command.arg(PAIRS);
        environment(&mut command);
        let output = command.output().expect("the program runs");
        let text = String::from_utf8_lossy(&output.stdout).trim().to_string();
        text.parse::<f64>().unwrap_or_else(|_| panic!("it printed {text:?}"))
    };
    let heaptrack = Path::new(HEAPTRACK).exists();
    let (mut plain, mut ours, mut theirs) = (Vec::new(), Vec::new(), Vec::new());
    let mut lost = 0;
    for _ in 0..ROUNDS {
        plain.push(run(&|_| {}));
        let (time, missing) = recorded(&run);
        ours.push(time);
        lost += missing;
        if heaptrack {
            theirs.push(run(&|command| {
                command.env("LD_PRELOAD", HEAPTRACK).env("DUMP_HEAPTRACK_OUTPUT", "/dev/null");
            }));
        }
    }
    let plain = median(plain);
    let ours = median(ours) - plain;
    println!("plain      {plain:7.1} ns");
    println!("ours      +{ours:7.1} ns, {lost} events lost");
    if heaptrack {
        let theirs = median(theirs) - plain;
        println!("heaptrack +{theirs:7.1} ns, ours is {:.2} of it", ours / theirs);
    } else {
        println!("heaptrack is not installed");
    }
}

/// Runs the program with what is done to its command; nanoseconds of a pair.
type Run<'a> = &'a dyn Fn(&dyn Fn(&mut Command)) -> f64;

/// The time under the library, with its rings drained meanwhile, and the events lost.
fn recorded(run: Run) -> (f64, u64) {
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

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}
