//! The CPU: threads found running in functions with known shares.
//!
//! One function calls itself, some samples are in the kernel, and one thread has no program at all.

use std::collections::{BTreeMap, BTreeSet};

use crate::random::Random;
use crate::rows::{At, Rows, Sample, TaskUsage};
use crate::scenarios::Play;
use crate::truth::{Sums, Truth};
use crate::world::{New, World};

const SECOND: i64 = 1_000_000_000;
/// CPU time of all samples together, in lengths of the recording: no thread has more than one.
const CPUS_BUSY: i64 = 2;

/// Process, threads besides the first, and its stacks with their weights.
type Program = (&'static str, &'static [&'static str], &'static [(&'static str, i64)]);

const PROGRAMS: &[Program] = &[
    (
        "simulate",
        &["sim-worker"],
        &[
            ("simulate_main;step;compute_forces;matmul", 30),
            ("simulate_main;step;compute_forces;matmul;dot", 10),
            ("simulate_main;step;exchange;[c]memcpy", 8),
            ("simulate_main;step;walk;walk;walk;leaf", 5),
            ("simulate_main;step;walk;walk;leaf", 3),
            (
                "simulate_main;checkpoint;[c]write;[k]__x64_sys_write;[k]ext4_file_write_iter;[k]copy_from_iter",
                4,
            ),
        ],
    ),
    (
        "webapp",
        &["webapp-1"],
        &[
            ("webapp_main;event_loop;handle;render_template;escape_html", 12),
            ("webapp_main;event_loop;handle;query;decode_row", 9),
            ("webapp_main;event_loop;handle;gc_collect;gc_mark", 5),
            ("webapp_main;event_loop;[c]epoll_wait;[k]__x64_sys_epoll_wait;[k]do_epoll_wait", 4),
        ],
    ),
    ("journald", &[], &[("journal_main;dispatch;journal_write;[c]memcpy", 6)]),
    (
        "ksoftirqd",
        &[],
        &[("[k]ret_from_fork;[k]smpboot_thread_fn;[k]run_ksoftirqd;[k]net_rx_action", 4)],
    ),
];

/// A stack that threads of a process are found with.
struct Spot {
    stack_id: i64,
    threads: Vec<u32>,
    mode: &'static str,
    samples: i64,
}

struct Hot {
    random: Random,
    spots: Vec<Spot>,
    weights: Vec<i64>,
    now: i64,
    pause: i64,
    period_ns: i64,
    next_second: i64,
    /// Samples of the current second and of all time, by thread: in user and kernel mode.
    second: BTreeMap<u32, [i64; 2]>,
    all: BTreeMap<u32, [i64; 2]>,
}

pub(crate) fn begin(world: &mut World, seed: u64, events: i64) -> Box<dyn Play> {
    let span = world.span;
    let (mut spots, mut weights) = (Vec::new(), Vec::new());
    for (comm, threads, stacks) in PROGRAMS {
        let first = world.process(New { threads, ..New::service(comm, "compute.service") });
        let program = world.process_of(first).program.exe.clone();
        for (stack, weight) in *stacks {
            weights.push(*weight);
            let innermost = stack.rsplit(';').next().unwrap_or_default();
            spots.push(Spot {
                stack_id: world.stack(stack, &program),
                threads: (first..=first + threads.len() as u32).collect(),
                mode: if innermost.starts_with("[k]") { "kernel" } else { "user" },
                samples: 0,
            });
        }
    }
    Box::new(Hot {
        random: Random::new(seed, "hot"),
        spots,
        weights,
        now: span.begin,
        pause: (span.duration_ns() / events).max(2),
        period_ns: span.duration_ns() * CPUS_BUSY / events,
        next_second: span.begin + SECOND,
        second: BTreeMap::new(),
        all: BTreeMap::new(),
    })
}

fn at(ts: i64, thread: u32) -> At {
    At { ts, thread, cpu: 10 + (thread % 6) as u16 }
}

impl Hot {
    /// Tells of the seconds that are over.
    fn usage(&mut self, now: i64, rows: &mut Rows) {
        while self.next_second <= now {
            let ts = self.next_second;
            self.next_second += SECOND;
            for (thread, [user, kernel]) in std::mem::take(&mut self.second) {
                rows.task_usage.push(TaskUsage {
                    at: at(ts, thread),
                    user_ns: user * self.period_ns,
                    system_ns: kernel * self.period_ns,
                    wait_ns: 0,
                    voluntary_switches: 1 + (thread % 7) as i32,
                    involuntary_switches: 4,
                });
            }
        }
    }
}

impl Play for Hot {
    fn advance(&mut self, until: i64, world: &World, rows: &mut Rows) {
        // The last second is told of at its end.
        let last = world.span.end - 2 * self.pause - 1;
        while self.now < until.min(last) {
            self.now += 1 + self.random.below(2 * self.pause - 1);
            self.usage(self.now, rows);
            let spot = &mut self.spots[self.random.weighted(&self.weights)];
            let thread = self.random.pick(&spot.threads);
            spot.samples += 1;
            let mode = usize::from(spot.mode == "kernel");
            self.second.entry(thread).or_default()[mode] += 1;
            self.all.entry(thread).or_default()[mode] += 1;
            rows.cpu_samples.push(Sample {
                at: at(self.now, thread),
                period_ns: self.period_ns,
                stack_id: spot.stack_id,
                mode: spot.mode,
            });
        }
        if until >= world.span.end {
            self.usage(until, rows);
        }
    }

    fn finish(self: Box<Self>, world: &World, truth: &mut Truth) {
        let (mut own, mut total) = (Sums::default(), Sums::default());
        let (mut own_ns, mut total_ns) = (Sums::default(), Sums::default());
        let (mut processes, mut modes) = (Sums::default(), Sums::default());
        for spot in &self.spots {
            let folded = world.folded(spot.stack_id);
            truth.count("stack_samples", folded.clone(), spot.samples);
            let comm = &world.process_of(spot.threads[0]).program.comm;
            processes.add(comm, spot.samples);
            modes.add(&format!("{comm}|{}", spot.mode), spot.samples);
            let innermost = folded.rsplit(';').next().unwrap_or_default();
            own.add(innermost, spot.samples);
            own_ns.add(innermost, spot.samples * self.period_ns);
            // What calls itself counts once.
            for function in folded.split(';').collect::<BTreeSet<&str>>() {
                total.add(function, spot.samples);
                total_ns.add(function, spot.samples * self.period_ns);
            }
        }
        own.into_facts(truth, "self_samples", "count");
        own_ns.into_facts(truth, "self_ns", "ns");
        total.into_facts(truth, "total_samples", "count");
        total_ns.into_facts(truth, "total_ns", "ns");
        processes.into_facts(truth, "samples", "count");
        modes.into_facts(truth, "mode_samples", "count");
        for (thread, [user, kernel]) in &self.all {
            let comm = &world.threads[*thread as usize].comm;
            truth.ns("cpu_ns", comm.as_str(), (user + kernel) * self.period_ns);
        }
    }
}
