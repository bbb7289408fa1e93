//! What the recording itself costs, measured and put into the trace.

use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use schema::Stream;
use store::Meta;

use crate::background;
use crate::drain::Drain;
use crate::host;
use crate::kernel::{Kernel, ProgramCost, stream_of_program};

/// How long, at each note, the kernel is asked to time its BPF programs: timing them all the time
/// would slow every one of them.
const MEASURE_FOR: Duration = Duration::from_millis(20);

/// Readings at the last note.
pub struct Meter {
    at_ns: u64,
    process_cpu_ns: u64,
    /// CPU time and bytes of each drain.
    drains: Vec<(u64, u64)>,
    in_process_ns: u64,
    background: (u64, u64),
}

impl Meter {
    /// Starts now.
    pub fn new(drains: usize) -> Meter {
        Meter {
            at_ns: host::monotonic_ns(),
            process_cpu_ns: host::process_cpu_ns(),
            drains: vec![(0, 0); drains],
            in_process_ns: 0,
            background: (0, 0),
        }
    }

    /// What each component cost since the last note.
    pub fn note(
        &mut self,
        kernel: &Kernel,
        drains: &[Drain],
        in_process_ns: Option<u64>,
        background: &background::Status,
    ) -> Vec<Meta> {
        let now_ns = host::monotonic_ns();
        let (monotonic_ns, duration_ns) = (self.at_ns, now_ns.saturating_sub(self.at_ns).max(1));
        let component = |component: String, cpu_ns, bytes, memory_bytes| Meta::Cost {
            monotonic_ns,
            duration_ns,
            source: component.strip_prefix("drain:").map(drained).map(str::to_string),
            component,
            run_count: None,
            cpu_ns: Some(cpu_ns),
            bytes,
            memory_bytes,
        };
        let mut records = Vec::new();
        for (drain, last) in drains.iter().zip(&mut self.drains) {
            let now = (drain.cpu_ns.load(Relaxed), drain.sink.status.bytes.load(Relaxed));
            records.push(component(
                format!("drain:{}", drain.stream.name()),
                now.0 - last.0,
                Some(now.1 - last.1),
                None,
            ));
            *last = now;
        }
        if let Some(now_ns) = in_process_ns {
            let cpu_ns = now_ns - self.in_process_ns;
            records.push(component("drain:preload".into(), cpu_ns, None, None));
            self.in_process_ns = now_ns;
        }
        let now = (background.cpu_ns.load(Relaxed), background.bytes.load(Relaxed));
        records.push(component(
            "encode".into(),
            now.0 - self.background.0,
            Some(now.1 - self.background.1),
            None,
        ));
        self.background = now;
        let process_cpu_ns = host::process_cpu_ns();
        let cpu_ns = process_cpu_ns - self.process_cpu_ns;
        records.push(component("recorder".into(), cpu_ns, None, host::resident_bytes()));
        self.process_cpu_ns = process_cpu_ns;
        self.at_ns = now_ns;
        for program in measure(kernel) {
            // Measured for a part of the interval, so the whole is an estimate.
            let whole = |part: u64| {
                (u128::from(part) * u128::from(duration_ns) / MEASURE_FOR.as_nanos()) as u64
            };
            records.push(Meta::Cost {
                monotonic_ns,
                duration_ns,
                component: format!("bpf:{}", program.name),
                source: stream_of_program(&program.name).map(|stream| stream.name().to_string()),
                run_count: Some(whole(program.run_count)),
                cpu_ns: Some(whole(program.run_ns)),
                bytes: None,
                memory_bytes: None,
            });
        }
        records
    }
}

/// The stream that a drain is for.
fn drained(name: &str) -> &str {
    match name {
        // What the library in programs writes.
        "preload" => Stream::Allocations.name(),
        name => name,
    }
}

/// What the BPF programs did in a short while from now.
fn measure(kernel: &Kernel) -> Vec<ProgramCost> {
    let Ok(enabled) = aya::sys::enable_stats(aya::sys::Stats::RunTime) else { return Vec::new() };
    let before = kernel.costs();
    std::thread::sleep(MEASURE_FOR);
    let mut costs = kernel.costs();
    drop(enabled);
    for (cost, before) in costs.iter_mut().zip(&before) {
        cost.run_count -= before.run_count.min(cost.run_count);
        cost.run_ns -= before.run_ns.min(cost.run_ns);
    }
    costs.retain(|cost| cost.run_count > 0);
    costs
}
