//! Runs a command under the library and says what was recorded: for trying it on real programs.
//!
//! `cargo run -p preload --example collect -- [--wait] command arguments...`

use std::collections::HashMap;
use std::process::{Command, ExitCode};
use std::time::{Duration, Instant};

use preload::{Collector, OnFull, Settings};

fn main() -> ExitCode {
    let mut arguments: Vec<_> = std::env::args_os().skip(1).collect();
    let wait = arguments.first().is_some_and(|first| first == "--wait");
    if wait {
        arguments.remove(0);
    }
    let on_full = if wait { OnFull::Wait } else { OnFull::Drop };
    let settings = Settings { on_full, ring_bytes: 4 << 20, ..Settings::default() };
    let mut collector = Collector::create(&settings).expect("a place for the rings");
    let Some((program, rest)) = arguments.split_first() else {
        eprintln!("name a command");
        return ExitCode::FAILURE;
    };
    let begin = Instant::now();
    let mut command = Command::new(program);
    let mut child =
        command.args(rest).envs(collector.environment()).spawn().expect("the command starts");
    // Stacks by what is not known of them.
    let mut flags: HashMap<u32, u64> = HashMap::new();
    let mut sink = |record: &[u8]| {
        if record[16] == 48 {
            *flags
                .entry(u32::from_le_bytes(record[36..40].try_into().expect("4 bytes")))
                .or_default() += 1;
        }
    };
    loop {
        if collector.drain(&mut sink) == 0 {
            if child.try_wait().expect("it is our child").is_some() {
                break;
            }
            collector.wait(Duration::from_millis(20));
        }
    }
    let status = child.wait().expect("it is our child");
    collector.stop();
    while collector.drain(&mut sink) > 0 {}
    eprintln!("{status} after {:?}, {} processes", begin.elapsed(), collector.processes().len());
    for totals in collector.counters() {
        eprintln!("kind {}: {} emitted, {} lost", totals.kind, totals.emitted, totals.lost);
    }
    eprintln!("stacks by flags: {flags:?}");
    ExitCode::from(u8::try_from(status.code().unwrap_or(255)).unwrap_or(255))
}
