//! Disks: a slow one, a fast one, and who uses them.
//!
//! How long requests take is one of 64 values for each disk and operation, so that percentiles are
//! known. The gauges of the disks are what the requests add up to.

use std::collections::BTreeMap;

use crate::random::Random;
use crate::rows::{At, Gauge, Request, Rows};
use crate::scenarios::Play;
use crate::truth::{Sums, Truth};
use crate::world::{CPUS, New, Span, World};

const SECOND: i64 = 1_000_000_000;
/// Different durations of a disk and operation.
const STEPS: usize = 64;
/// Readings of a disk begin with what was there before the recording.
const BEFORE: i64 = 1_000_003;

/// What a disk is asked for, and how it answers.
struct Line {
    disk: &'static str,
    device: &'static str,
    operation: &'static str,
    weight: i64,
    /// The shortest duration, and by how many thousandths each longer one is longer.
    least_ns: i64,
    growth: i64,
    /// Which part of the duration is before the driver has it: one in so many.
    queue_part: i64,
    /// It fails one in so many times; never if 0.
    error_one_in: i64,
    /// Shares of the processes.
    processes: [i64; COMMS.len()],
}

const COMMS: [&str; 4] = ["mysqld", "rsync", "jbd2", "cc1plus"];
const DISKS: [&str; 2] = ["sda", "nvme0n1"];

const SLOW: Line = Line {
    disk: "sda",
    device: "8:0",
    operation: "read",
    weight: 22,
    least_ns: 1_500_000,
    growth: 70,
    queue_part: 2,
    error_one_in: 400,
    processes: [75, 15, 0, 10],
};
const FAST: Line = Line {
    disk: "nvme0n1",
    device: "259:0",
    operation: "read",
    weight: 30,
    least_ns: 8_000,
    growth: 50,
    queue_part: 8,
    error_one_in: 0,
    processes: [10, 10, 0, 80],
};
const LINES: [Line; 6] = [
    SLOW,
    Line {
        operation: "write",
        weight: 16,
        least_ns: 2_100_000,
        error_one_in: 0,
        processes: [70, 20, 10, 0],
        ..SLOW
    },
    Line {
        operation: "flush",
        weight: 2,
        least_ns: 9_000_000,
        growth: 40,
        error_one_in: 0,
        processes: [50, 0, 50, 0],
        ..SLOW
    },
    FAST,
    Line { operation: "write", weight: 27, least_ns: 11_000, processes: [10, 20, 10, 60], ..FAST },
    Line { operation: "discard", weight: 3, least_ns: 300_000, processes: [0, 0, 100, 0], ..FAST },
];

/// What is known of a disk and operation.
struct Tally {
    durations: [i64; STEPS],
    /// Completed requests by duration.
    completed: [i64; STEPS],
    longest: (i64, i64),
    requests: i64,
    bytes: i64,
    errors: i64,
}

/// What the kernel counts of a disk in a second.
#[derive(Clone, Copy, Default)]
struct Counted {
    /// Completed requests, their bytes and time: of reads, writes, discards and flushes.
    operations: [[i64; 3]; 4],
    busy_ns: i64,
    weighted_ns: i64,
    begun: i64,
}

/// A disk as its gauges show it.
#[derive(Default)]
struct Disk {
    seconds: BTreeMap<i64, Counted>,
    sum: Counted,
    in_flight: i64,
    busy_until: i64,
}

struct Disks {
    random: Random,
    weights: [i64; LINES.len()],
    tallies: Vec<Tally>,
    disks: [Disk; DISKS.len()],
    threads: [u32; COMMS.len()],
    now: i64,
    pause: i64,
    next_second: i64,
    sector: i64,
    by_process: [Sums; 2],
    not_completed: Sums,
}

/// The gauges of each operation: number, bytes, time.
const METRICS: [[&str; 3]; 4] = [
    ["reads", "read_bytes", "read_ns"],
    ["writes", "written_bytes", "write_ns"],
    ["discards", "discarded_bytes", "discard_ns"],
    ["flushes", "", "flush_ns"],
];

fn operation_number(operation: &str) -> usize {
    ["read", "write", "discard", "flush"].iter().position(|known| *known == operation).unwrap_or(0)
}

pub(crate) fn begin(world: &mut World, seed: u64, events: i64) -> Box<dyn Play> {
    let span = world.span;
    let threads = COMMS.map(|comm| world.process(New::service(comm, "storage.service")));
    let tallies = LINES.iter().map(|line| {
        let mut durations = [line.least_ns; STEPS];
        for step in 1..STEPS {
            durations[step] = durations[step - 1] * (1000 + line.growth) / 1000 + 1;
        }
        let completed = [0; STEPS];
        Tally { durations, completed, longest: (0, 0), requests: 0, bytes: 0, errors: 0 }
    });
    Box::new(Disks {
        random: Random::new(seed, "disk"),
        weights: std::array::from_fn(|at| LINES[at].weight),
        tallies: tallies.collect(),
        disks: Default::default(),
        threads,
        now: span.begin,
        pause: (span.duration_ns() / events).max(2),
        next_second: span.begin,
        sector: 2048,
        by_process: Default::default(),
        not_completed: Sums::default(),
    })
}

impl Disk {
    /// Takes a request into account that is there from `from` to `to`; the latter may be beyond the
    /// end of the recording.
    fn add(&mut self, from: i64, to: i64, span: Span) {
        self.second(from).begun += 1;
        let to = to.min(span.end);
        let begin = from.max(self.busy_until);
        self.share(begin, to, |second, ns| second.busy_ns += ns);
        self.share(from, to, |second, ns| second.weighted_ns += ns);
        self.busy_until = self.busy_until.max(to);
    }

    fn second(&mut self, ts: i64) -> &mut Counted {
        self.seconds.entry(ts - ts.rem_euclid(SECOND)).or_default()
    }

    /// Shares out a time among the seconds it is in.
    fn share(&mut self, mut from: i64, to: i64, add: impl Fn(&mut Counted, i64)) {
        while from < to {
            let until = (from - from.rem_euclid(SECOND) + SECOND).min(to);
            add(self.second(from), until - from);
            from = until;
        }
    }

    /// The reading at the end of a second.
    fn read(&mut self, name: &'static str, ts: i64, is_first: bool, rows: &mut Vec<Gauge>) {
        let second = self.seconds.remove(&(ts - SECOND)).unwrap_or_default();
        let mut put = |metric: &'static str, change: i64, sum: i64, is_sum: bool| {
            rows.push(Gauge {
                ts,
                component: "disk",
                instance: name,
                metric,
                value: sum as f64,
                change: (is_sum && !is_first).then_some(change as f64),
                interval_ns: if is_first { -1 } else { SECOND },
            });
        };
        for (at, metrics) in METRICS.iter().enumerate() {
            for (part, metric) in metrics.iter().enumerate() {
                self.sum.operations[at][part] += second.operations[at][part];
                if !metric.is_empty() {
                    let sum = BEFORE + self.sum.operations[at][part];
                    put(metric, second.operations[at][part], sum, true);
                }
            }
            self.in_flight -= second.operations[at][0];
        }
        self.in_flight += second.begun;
        self.sum.busy_ns += second.busy_ns;
        self.sum.weighted_ns += second.weighted_ns;
        put("busy_ns", second.busy_ns, BEFORE + self.sum.busy_ns, true);
        put("weighted_ns", second.weighted_ns, BEFORE + self.sum.weighted_ns, true);
        put("in_flight", 0, self.in_flight, false);
    }
}

impl Disks {
    /// Readings of the seconds that are over.
    fn read(&mut self, now: i64, span: Span, rows: &mut Rows) {
        while self.next_second <= now {
            let ts = self.next_second;
            self.next_second += SECOND;
            let is_first = ts == span.begin;
            for (disk, name) in self.disks.iter_mut().zip(DISKS) {
                disk.read(name, ts, is_first, &mut rows.system);
            }
            machine((ts - span.begin) / SECOND, ts, &mut rows.system);
        }
    }

    fn ask(&mut self, ts: i64, world: &World, rows: &mut Rows) {
        let random = &mut self.random;
        let at = random.weighted(&self.weights);
        let (line, tally) = (&LINES[at], &mut self.tallies[at]);
        // Short ones are more frequent.
        let step = (random.below(STEPS as i64) * random.below(STEPS as i64)) as usize / STEPS;
        let duration_ns = tally.durations[step];
        let queue_ns = duration_ns / line.queue_part;
        let is_flush = line.operation == "flush";
        let bytes = if is_flush { 0 } else { 4096 << random.below(6) };
        let is_failed = line.error_one_in > 0 && random.one_in(line.error_one_in);
        let process = random.weighted(&line.processes);
        let thread = self.threads[process];
        self.sector += 8 + random.below(4096);
        let end = ts + duration_ns;
        // A reading of the last moment has all that was completed before it.
        let is_completed = end < world.span.end;
        let row = Request {
            at: At { ts, thread, cpu: (i64::from(thread) % CPUS) as u16 },
            duration_ns: if is_completed { duration_ns } else { -1 },
            queue_ns: if ts + queue_ns < world.span.end { queue_ns } else { -1 },
            service_ns: if is_completed { duration_ns - queue_ns } else { -1 },
            sector: if is_flush { -1 } else { self.sector },
            bytes,
            operation: line.operation,
            flags: if is_flush { "preflush" } else { "sync" },
            error: if is_completed && is_failed { "EIO" } else { "" },
            device: line.device,
            disk: line.disk,
        };
        rows.block_io.push(row);
        tally.requests += 1;
        tally.bytes += bytes;
        let subject = format!("{}|{}", line.disk, COMMS[process]);
        self.by_process[0].add(&subject, 1);
        self.by_process[1].add(&subject, bytes);
        let disk = &mut self.disks[usize::from(line.disk != DISKS[0])];
        disk.add(ts, end, world.span);
        if !is_completed {
            self.not_completed.add(line.disk, 1);
            return;
        }
        tally.completed[step] += 1;
        tally.errors += i64::from(is_failed);
        if duration_ns > tally.longest.0 {
            tally.longest = (duration_ns, ts);
        }
        let counted = &mut disk.second(end).operations[operation_number(line.operation)];
        counted[0] += 1;
        counted[1] += bytes;
        counted[2] += duration_ns;
    }
}

/// What else is read of the machine: CPUs that wait for the disk, and enough memory.
fn machine(second: i64, ts: i64, rows: &mut Vec<Gauge>) {
    const CPU_NAMES: [&str; 4] = ["cpu0", "cpu1", "cpu2", "cpu3"];
    let interval_ns = if second == 0 { -1 } else { SECOND };
    for instance in CPU_NAMES {
        for (metric, percent) in
            [("user_ns", 20), ("system_ns", 10), ("iowait_ns", 45), ("idle_ns", 25)]
        {
            let change = (second > 0).then_some((SECOND / 100 * percent) as f64);
            let value = (SECOND / 100 * percent * second + BEFORE) as f64;
            rows.push(Gauge { ts, component: "cpu", instance, metric, value, change, interval_ns });
        }
    }
    for (metric, gib) in [("total_bytes", 64), ("available_bytes", 41)] {
        let value = f64::from(gib << 10) * f64::from(1 << 20);
        let (component, instance, change) = ("memory", "", None);
        rows.push(Gauge { ts, component, instance, metric, value, change, interval_ns });
    }
}

/// The least of `durations` that so many percent of the `counts` are not above.
fn percentile(durations: &[i64], counts: &[i64], percent: i64) -> i64 {
    let rank = (counts.iter().sum::<i64>() * percent + 99) / 100;
    let mut before = 0;
    for (duration, count) in durations.iter().zip(counts) {
        before += count;
        if before >= rank.max(1) {
            return *duration;
        }
    }
    0
}

impl Play for Disks {
    fn advance(&mut self, until: i64, world: &World, rows: &mut Rows) {
        let last = world.span.end - 2 * self.pause - 1;
        while self.now < until.min(last) {
            let ts = self.now + 1 + self.random.below(2 * self.pause - 1);
            self.read(ts, world.span, rows);
            self.ask(ts, world, rows);
            self.now = ts;
        }
        if until >= world.span.end {
            self.read(until, world.span, rows);
        }
    }

    fn finish(self: Box<Self>, _: &World, truth: &mut Truth) {
        for (line, tally) in LINES.iter().zip(&self.tallies) {
            let subject = || format!("{}|{}", line.disk, line.operation);
            truth.count("requests", subject(), tally.requests);
            truth.bytes("bytes", subject(), tally.bytes);
            let completed: i64 = tally.completed.iter().sum();
            truth.count("completed", subject(), completed);
            let all = tally.durations.iter().zip(&tally.completed);
            truth.ns("duration_ns", subject(), all.map(|(ns, count)| ns * count).sum());
            for (fact, percent) in [("p50_ns", 50), ("p90_ns", 90), ("p99_ns", 99)] {
                let ns = percentile(&tally.durations, &tally.completed, percent);
                truth.ns(fact, subject(), ns);
            }
            let (ns, ts) = tally.longest;
            truth.at("max_ns", subject(), Some(ns), "ns", ts);
            truth.count("io_errors", format!("{}|EIO", subject()), tally.errors);
        }
        let [requests, bytes] = self.by_process;
        requests.into_facts(truth, "requests", "count");
        bytes.into_facts(truth, "bytes", "bytes");
        self.not_completed.into_facts(truth, "not_completed", "count");
        for (disk, name) in self.disks.iter().zip(DISKS) {
            truth.ns("busy_ns", name, disk.sum.busy_ns);
            truth.ns("weighted_ns", name, disk.sum.weighted_ns);
        }
    }
}
