//! Gauges of the machine and of control groups: the records of the stream that has no ring.
//!
//! The kernel keeps the sums; they are read once a second, and what they grew by is told with them.
//! `machine`, `filesystems` and `cgroups` read; here readings become records and are counted.

mod cgroups;
mod filesystems;
mod machine;

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use schema::events::{Gauge, Header, Tail};
use schema::gauges::{Growth, Metric};
use schema::types::{DurationNs, GaugeId, Real, Reserved};
use schema::{EventDef, Stream};
use store::Meta;
use store::meta::KindCount;
use zerocopy::IntoBytes;

use crate::sink::Sink;
use crate::{Options, host};

/// Longest name of an instance that is kept; a path of a control group can have as many bytes.
const INSTANCE_BYTES_MAX: usize = 4096;

/// All ones: not known.
const UNKNOWN: u64 = u64::MAX;

/// What is read, and where it goes.
pub struct Gauges {
    /// Where the records go.
    pub sink: Arc<Sink>,
    readings: Readings,
    filesystems: filesystems::Filesystems,
    groups: cgroups::Groups,
    /// CPU time that reading took, and since when.
    cpu_ns: u64,
    cost_since_ns: u64,
}

impl Gauges {
    /// Ready for the first reading.
    pub fn new(sink: Arc<Sink>, options: &Options) -> Gauges {
        Gauges {
            sink,
            readings: Readings::new(),
            filesystems: filesystems::Filesystems::default(),
            groups: cgroups::Groups::new(&options.scope.cgroups),
            cpu_ns: 0,
            cost_since_ns: host::monotonic_ns(),
        }
    }

    /// Reads the control groups of these processes from now on, and those that were asked for.
    pub fn follow(&mut self, pids: &[u32]) {
        self.groups.follow(pids);
        self.filesystems.find();
    }

    /// Reads everything once.
    pub fn read(&mut self) {
        let before_ns = host::thread_cpu_ns();
        self.readings.begin();
        machine::read(&mut self.readings);
        self.filesystems.read(&mut self.readings);
        self.groups.read(&mut self.readings);
        self.readings.end();
        self.sink.write(&self.readings.block);
        self.cpu_ns += host::thread_cpu_ns().saturating_sub(before_ns);
    }

    /// Adds what was emitted to the counts of the kernel side.
    pub fn add_to(&self, kinds: &mut Vec<KindCount>) {
        if self.readings.emitted > 0 {
            let (kind, emitted) = (kind().id, self.readings.emitted);
            KindCount { kind, emitted, ..KindCount::default() }.add_to(kinds);
        }
    }

    /// What reading cost since it was last asked.
    pub fn cost(&mut self) -> Meta {
        let now_ns = host::monotonic_ns();
        let since_ns = std::mem::replace(&mut self.cost_since_ns, now_ns);
        Meta::Cost {
            monotonic_ns: since_ns,
            duration_ns: now_ns.saturating_sub(since_ns).max(1),
            component: format!("drain:{}", Stream::System.name()),
            source: Some(Stream::System.name().to_string()),
            run_count: None,
            cpu_ns: Some(std::mem::take(&mut self.cpu_ns)),
            bytes: None,
            memory_bytes: None,
        }
    }

    /// What could not be read, in sentences.
    pub fn notes(&mut self) -> Vec<String> {
        self.groups.notes()
    }
}

/// The event kind of a reading: the only one of its stream.
fn kind() -> &'static EventDef {
    let of_stream = |event: &&EventDef| event.stream == Stream::System;
    schema::events::EVENTS.iter().find(of_stream).expect("the stream has a kind")
}

/// One round of readings as records, and what the sums were before.
struct Readings {
    kind: u16,
    block: Vec<u8>,
    round: u64,
    ts_ns: u64,
    interval_ns: Option<u64>,
    /// By instance and metric: the sum, and the round it was read in.
    before: HashMap<String, HashMap<u32, (f64, u64)>>,
    emitted: u64,
}

impl Readings {
    fn new() -> Readings {
        Readings {
            kind: kind().id,
            block: Vec::new(),
            round: 0,
            ts_ns: 0,
            interval_ns: None,
            before: HashMap::new(),
            emitted: 0,
        }
    }

    fn begin(&mut self) {
        let now_ns = host::monotonic_ns();
        self.interval_ns = (self.round > 0).then(|| now_ns.saturating_sub(self.ts_ns));
        self.ts_ns = now_ns;
        self.round += 1;
        self.block.clear();
    }

    /// Forgets what was not there this time.
    fn end(&mut self) {
        let round = self.round;
        self.before.retain(|_, metrics| {
            metrics.retain(|_, (_, read)| *read == round);
            !metrics.is_empty()
        });
    }

    /// One reading; `instance` is empty for the machine.
    fn put(&mut self, metric: Metric, instance: &str, value: f64) {
        let mut change = None;
        if metric.def().growth == Growth::Sum {
            if !self.before.contains_key(instance) {
                self.before.insert(instance.to_string(), HashMap::new());
            }
            let metrics = self.before.get_mut(instance).expect("it has just been put there");
            let before = metrics.insert(metric as u32, (value, self.round));
            // A sum that fell began anew: a disk was taken out and another put in.
            change = before.map(|(before, _)| value - before).filter(|change| *change >= 0.0);
        }
        let name = &instance.as_bytes()[..instance.len().min(INSTANCE_BYTES_MAX)];
        let fixed = size_of::<Gauge>();
        let tail = if name.is_empty() { 0 } else { 4 + name.len() };
        let size = (fixed + tail).next_multiple_of(8);
        let record = Gauge {
            header: Header {
                ts_ns: self.ts_ns,
                tid: 0,
                pid: 0,
                kind: self.kind,
                size: size as u16,
                fixed: fixed as u16,
                cpu: 0,
            },
            gauge: GaugeId(metric as u32),
            reserved: Reserved(0),
            interval_ns: DurationNs(change.and(self.interval_ns).unwrap_or(UNKNOWN)),
            value: Real(value.to_bits()),
            change: Real(change.map_or(UNKNOWN, f64::to_bits)),
        };
        let begin = self.block.len();
        self.block.extend_from_slice(record.as_bytes());
        if tail > 0 {
            self.block.extend_from_slice(&[Tail::Instance as u8, 0]);
            self.block.extend_from_slice(&(name.len() as u16).to_le_bytes());
            self.block.extend_from_slice(name);
        }
        self.block.resize(begin + size, 0);
        self.emitted += 1;
    }

    /// The same of a number of bytes, of events or of nanoseconds.
    fn put_count(&mut self, metric: Metric, instance: &str, value: u64) {
        self.put(metric, instance, value as f64);
    }
}

/// The text of a file; none where this kernel or this group does not have it.
fn text(path: impl AsRef<Path>) -> Option<String> {
    std::fs::read_to_string(path).ok()
}

/// The number in a file that holds nothing else.
fn number(path: PathBuf) -> Option<u64> {
    text(path)?.trim().parse().ok()
}

/// The lines of a file that are a name and a number.
fn numbers(text: &str) -> impl Iterator<Item = (&str, u64)> {
    text.lines().filter_map(|line| {
        let mut words = line.split_ascii_whitespace();
        Some((words.next()?, words.next()?.parse().ok()?))
    })
}

/// What a file of pressure tells: percent of ten seconds and nanoseconds, of `some` and of `full`.
fn pressure(path: impl AsRef<Path>) -> [Option<(f64, u64)>; 2] {
    let text = text(path).unwrap_or_default();
    ["some ", "full "].map(|beginning| {
        let line = text.lines().find(|line| line.starts_with(beginning))?;
        let record = procfs::parse_pressure_record(line).ok()?;
        // In the file it has two digits behind the point.
        let percent = (f64::from(record.avg10) * 100.0).round() / 100.0;
        Some((percent, record.total.saturating_mul(1000)))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn last(readings: &Readings) -> Gauge {
        let begin = readings.block.len() - size_of::<Gauge>() - 8;
        zerocopy::FromBytes::read_from_prefix(&readings.block[begin..]).unwrap().0
    }

    #[test]
    fn a_sum_tells_what_it_grew_by_and_a_level_does_not() {
        let mut readings = Readings::new();
        let mut round = |values: &[(Metric, f64)]| {
            readings.begin();
            values.iter().for_each(|(metric, value)| readings.put(*metric, "vda", *value));
            readings.end();
            let last = last(&readings);
            (last.change.0, last.interval_ns.0)
        };
        assert_eq!(round(&[(Metric::DiskReads, 7.0)]), (UNKNOWN, UNKNOWN));
        let (change, interval_ns) = round(&[(Metric::DiskReads, 12.0)]);
        assert_eq!(f64::from_bits(change), 5.0);
        assert_ne!(interval_ns, UNKNOWN);
        assert_eq!(round(&[(Metric::DiskReads, 1.0)]).0, UNKNOWN);
        assert_eq!(round(&[(Metric::DiskInFlight, 1.0)]).0, UNKNOWN);
        // It was not there in between, so that it may be another of the same name.
        assert_eq!(round(&[(Metric::DiskReads, 9.0)]).0, UNKNOWN);
        assert_eq!(readings.emitted, 5);
    }

    #[test]
    fn names_and_numbers_are_found_in_lines() {
        let found: Vec<_> = numbers("usage_usec 12\nbad\nx y\nhigh 3 4\n").collect();
        assert_eq!(found, [("usage_usec", 12), ("high", 3)]);
    }
}
