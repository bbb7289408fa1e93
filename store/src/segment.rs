//! What user space put into the spool of a segment, read in one pass and folded as far as it can be.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;

use crate::error::{Error, Result};
use crate::meta::{self, Meta};
use crate::spool::{SpoolKind, SpoolReader};

/// Readings of the clocks that differ by less do not date events anew: the difference is noise of
/// the reading or the slow correction of the clock.
const CLOCK_STEP_NS: u64 = 1_000_000;

/// What `Meta::Start` says.
pub(crate) struct Start {
    pub host: String,
    pub kernel: String,
    pub arch: String,
    pub cpus: u32,
    pub boot_id: String,
    pub os: Option<String>,
    pub sources: Vec<String>,
}

/// A process found in /proc.
pub(crate) struct ProcProcess {
    pub pid: u32,
    pub upid: u64,
    pub exe: Option<String>,
    pub argv: Vec<String>,
    pub cwd: Option<String>,
}

/// What the recorder found of a container.
#[derive(Clone, Debug, Default)]
pub(crate) struct Container {
    pub name: Option<String>,
    pub image: Option<String>,
    pub runtime: Option<String>,
    pub pod: Option<String>,
    pub namespace: Option<String>,
    pub pod_uid: Option<String>,
}

impl Container {
    /// Takes over what is newer; what was known before and is not told again stays.
    fn add(&mut self, newer: Container) {
        let Container { name, image, runtime, pod, namespace, pod_uid } = newer;
        for (known, newer) in [
            (&mut self.name, name),
            (&mut self.image, image),
            (&mut self.runtime, runtime),
            (&mut self.pod, pod),
            (&mut self.namespace, namespace),
            (&mut self.pod_uid, pod_uid),
        ] {
            *known = newer.or(known.take());
        }
    }
}

/// A span in which records of a kind were lost on a CPU.
pub(crate) struct Loss {
    pub from_ns: u64,
    pub to_ns: u64,
    pub kind: u16,
    pub cpu: u32,
    pub lost: u64,
    pub reason: &'static str,
}

/// What a component used.
pub(crate) struct Cost {
    pub monotonic_ns: u64,
    pub duration_ns: u64,
    pub component: String,
    pub source: Option<String>,
    pub run_count: Option<u64>,
    pub cpu_ns: Option<u64>,
    pub bytes: Option<u64>,
    pub memory_bytes: Option<u64>,
}

/// Everything in the meta spool of a segment.
pub(crate) struct SegmentMeta {
    pub segment: u64,
    pub start: Start,
    pub clocks: Clocks,
    pub processes: Vec<ProcProcess>,
    /// Build-ids of files by device and inode number.
    pub modules: HashMap<(u32, u64), Option<String>>,
    pub cgroups: Vec<(u64, String)>,
    /// What is known of containers, by id.
    pub containers: HashMap<String, Container>,
    pub losses: Vec<Loss>,
    pub costs: Vec<Cost>,
    /// Emitted and lost per kind, by the last counters; none without counters.
    pub counters: Option<BTreeMap<u16, (u64, u64)>>,
    pub closed: bool,
}

/// The fold over the records.
#[derive(Default)]
struct Fold {
    start: Option<Start>,
    readings: Vec<Reading>,
    processes: Vec<ProcProcess>,
    modules: HashMap<(u32, u64), Option<String>>,
    cgroups: Vec<(u64, String)>,
    containers: HashMap<String, Container>,
    losses: Vec<Loss>,
    costs: Vec<Cost>,
    /// Emitted and lost per kind and CPU.
    counters: BTreeMap<(u16, u32), (u64, u64)>,
    /// Of the lost per kind and CPU: those that the disk refused, and those whose program was left out.
    reasons: BTreeMap<(u16, u32), [u64; 2]>,
    counters_ns: Option<u64>,
    closed: bool,
}

impl SegmentMeta {
    /// Reads the meta spool in the spool folder of `segment`.
    pub fn read(spool: &Path, segment: u64) -> Result<SegmentMeta> {
        let mut reader = match SpoolReader::open_as(spool, SpoolKind::Meta, segment) {
            // The recorder died, or is about to create it.
            Err(error) if error.is_not_found() && spool.is_dir() => {
                return Err(Error::NoStart { path: spool.join(SpoolKind::Meta.file_name()) });
            }
            result => result?,
        };
        let mut fold = Fold::default();
        let mut payload = Vec::new();
        while let Some(block) = reader.next_block(&mut payload)? {
            for record in meta::parse(&payload) {
                let record =
                    record.map_err(|error| reader.corrupt(block.offset, error.to_string()))?;
                if let Some(record) = record {
                    fold.add(record, segment);
                }
            }
        }
        let Some(start) = fold.start else {
            return Err(Error::NoStart { path: reader.path().to_path_buf() });
        };
        let mut counters = BTreeMap::new();
        for ((kind, _), (emitted, lost)) in &fold.counters {
            let sum: &mut (u64, u64) = counters.entry(*kind).or_default();
            *sum = (sum.0.saturating_add(*emitted), sum.1.saturating_add(*lost));
        }
        Ok(SegmentMeta {
            segment,
            start,
            clocks: Clocks::new(fold.readings),
            processes: fold.processes,
            modules: fold.modules,
            cgroups: fold.cgroups,
            containers: fold.containers,
            losses: fold.losses,
            costs: fold.costs,
            counters: fold.counters_ns.map(|_| counters),
            closed: fold.closed,
        })
    }
}

impl Fold {
    fn add(&mut self, record: Meta, of_segment: u64) {
        match record {
            Meta::Start { host, kernel, arch, cpus, boot_id, os, sources, .. } => {
                self.start = Some(Start { host, kernel, arch, cpus, boot_id, os, sources });
            }
            Meta::Clock { realtime_ns, monotonic_ns, boottime_ns } => {
                self.readings.push(Reading {
                    realtime_ns,
                    monotonic_ns,
                    boottime_ns,
                    in_force: false,
                });
            }
            Meta::Process { pid, upid, exe, argv, cwd } => {
                self.processes.push(ProcProcess { pid, upid, exe, argv, cwd });
            }
            Meta::Module { device, inode, build_id } => {
                self.modules.insert((device, inode), build_id);
            }
            Meta::Cgroup { id, path } => self.cgroups.push((id, path)),
            Meta::Container { id, name, image, runtime, pod, namespace, pod_uid } => {
                let found = Container { name, image, runtime, pod, namespace, pod_uid };
                self.containers.entry(id).or_default().add(found);
            }
            Meta::Counters { monotonic_ns, kinds } => {
                // The first counters are where the segment starts from. Before the first segment
                // there was nothing, so there they are a difference like any other.
                let begin_ns = match self.counters_ns {
                    Some(before) => Some(before),
                    None if of_segment == 1 => {
                        self.readings.first().map(|reading| reading.monotonic_ns)
                    }
                    None => None,
                };
                for count in kinds {
                    let (kind, cpu) = (count.kind, count.cpu);
                    let known = self.counters.entry((kind, cpu)).or_default();
                    let lost = count.lost.saturating_sub(known.1);
                    *known = (count.emitted.max(known.0), count.lost.max(known.1));
                    let known = self.reasons.entry((kind, cpu)).or_default();
                    let [refused_before, skipped_before] = *known;
                    let refused = count.refused.saturating_sub(refused_before).min(lost);
                    let skipped = count.skipped.saturating_sub(skipped_before).min(lost - refused);
                    *known = [count.refused.max(refused_before), count.skipped.max(skipped_before)];
                    let Some(from_ns) = begin_ns else { continue };
                    let to_ns = monotonic_ns.max(from_ns);
                    let reasons = [
                        (lost - refused - skipped, "ring_full"),
                        (refused, "disk_full"),
                        (skipped, "program_skipped"),
                    ];
                    for (lost, reason) in reasons {
                        if lost > 0 {
                            self.losses.push(Loss { from_ns, to_ns, kind, cpu, lost, reason });
                        }
                    }
                }
                self.counters_ns = Some(monotonic_ns);
            }
            Meta::Cost {
                monotonic_ns,
                duration_ns,
                component,
                source,
                run_count,
                cpu_ns,
                bytes,
                memory_bytes,
            } => {
                let cost = Cost {
                    monotonic_ns,
                    duration_ns,
                    component,
                    source,
                    run_count,
                    cpu_ns,
                    bytes,
                    memory_bytes,
                };
                self.costs.push(cost);
            }
            Meta::End { closed, .. } => self.closed = closed,
        }
    }
}

/// One reading of the clocks.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Reading {
    pub realtime_ns: i64,
    pub monotonic_ns: u64,
    pub boottime_ns: u64,
    /// Whether events from here on are dated by it.
    pub in_force: bool,
}

impl Reading {
    /// What to add to a monotonic time.
    fn offset_ns(&self) -> i64 {
        self.realtime_ns.wrapping_sub_unsigned(self.monotonic_ns)
    }
}

/// Dates the events of a segment.
pub(crate) struct Clocks {
    /// All readings in the order of time.
    pub readings: Vec<Reading>,
    /// From when on, what is to be added.
    offsets: Vec<(u64, i64)>,
}

impl Clocks {
    pub fn new(mut readings: Vec<Reading>) -> Clocks {
        readings.sort_by_key(|reading| reading.monotonic_ns);
        let mut offsets: Vec<(u64, i64)> = Vec::new();
        for reading in &mut readings {
            let offset_ns = reading.offset_ns();
            reading.in_force =
                offsets.last().is_none_or(|(_, last)| last.abs_diff(offset_ns) >= CLOCK_STEP_NS);
            if reading.in_force {
                offsets.push((reading.monotonic_ns, offset_ns));
            }
        }
        Clocks { readings, offsets }
    }

    /// UTC, in ns since 1970, of a time of `CLOCK_MONOTONIC`.
    pub fn utc_ns(&self, monotonic_ns: u64) -> i64 {
        let after = self.offsets.partition_point(|(from_ns, _)| *from_ns <= monotonic_ns);
        let offset_ns =
            self.offsets.get(after.saturating_sub(1)).map_or(0, |(_, offset_ns)| *offset_ns);
        offset_ns.wrapping_add_unsigned(monotonic_ns)
    }

    /// UTC of a time of `CLOCK_BOOTTIME`, by the first reading.
    pub fn utc_ns_of_boot(&self, boottime_ns: u64) -> i64 {
        let offset_ns = self
            .readings
            .first()
            .map_or(0, |reading| reading.realtime_ns.wrapping_sub_unsigned(reading.boottime_ns));
        offset_ns.wrapping_add_unsigned(boottime_ns)
    }
}
