//! What control groups use: those that processes in scope are in, and those that were asked for.
//!
//! A machine may have a unified hierarchy (v2), older ones with a controller each (v1), or both; a
//! metric is taken from the unified one where that has it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use schema::gauges::{self, Metric};

use super::{Readings, number, numbers, pressure, text};

/// More are not read: each takes some ten files a second.
const GROUPS_MAX: usize = 32;

/// More processes are not asked for their groups.
const PROCESSES_MAX: usize = 4096;

/// Controllers of the older hierarchies that are read.
const CONTROLLERS: [&str; 5] = ["cpuacct", "cpu", "memory", "pids", "blkio"];

/// In the older hierarchies a number as great as this is no limit.
const NO_LIMIT: u64 = 1 << 62;

/// A control group by its folders.
#[derive(Clone, Default, PartialEq)]
struct Group {
    /// In the unified hierarchy, unless that has no more than the machine.
    unified: Option<PathBuf>,
    /// In the older hierarchies, in the order of [`CONTROLLERS`].
    older: [Option<PathBuf>; CONTROLLERS.len()],
}

/// The control groups that are read, by their path.
pub struct Groups {
    wanted: Vec<PathBuf>,
    mounts: Mounts,
    groups: BTreeMap<String, Group>,
    left_out: usize,
}

/// Where the hierarchies are mounted.
struct Mounts {
    unified: Option<PathBuf>,
    older: [Option<PathBuf>; CONTROLLERS.len()],
}

impl Mounts {
    fn find() -> Mounts {
        let mut found = Mounts { unified: None, older: [const { None }; CONTROLLERS.len()] };
        let mounts = procfs::process::Process::myself().and_then(|process| process.mountinfo());
        for mount in mounts.into_iter().flatten() {
            if mount.fs_type == "cgroup2" {
                found.unified.get_or_insert(mount.mount_point);
                continue;
            }
            for (place, controller) in found.older.iter_mut().zip(CONTROLLERS) {
                // Looked into only where the options name a controller: others may take for ever.
                if mount.super_options.contains_key(controller)
                    && mount.mount_point.join("cgroup.procs").exists()
                {
                    place.get_or_insert(mount.mount_point.clone());
                }
            }
        }
        found
    }

    /// The group with this path in every hierarchy that has it.
    fn group_at(&self, path: &str) -> Group {
        let within = |mount: &Option<PathBuf>| {
            let folder = below(mount.as_ref()?, path);
            folder.is_dir().then_some(folder)
        };
        Group { unified: within(&self.unified), older: self.older.each_ref().map(within) }
    }

    /// The group of a process, by its path.
    fn group_of(&self, pid: u32) -> Option<(String, Group)> {
        let lines = text(format!("/proc/{pid}/cgroup"))?;
        let mut group = Group::default();
        let mut names = Vec::new();
        for line in lines.lines() {
            let (_, rest) = line.split_once(':')?;
            let (controllers, path) = rest.split_once(':')?;
            // The root of a hierarchy is the machine.
            if path == "/" {
                continue;
            }
            if controllers.is_empty() {
                group.unified = self.unified.as_ref().map(|mount| below(mount, path));
                names.insert(0, path);
                continue;
            }
            for (at, controller) in CONTROLLERS.into_iter().enumerate() {
                if controllers.split(',').any(|known| known == controller) {
                    group.older[at] = self.older[at].as_ref().map(|mount| below(mount, path));
                    names.push(path);
                }
            }
        }
        names.first().map(|name| (name.to_string(), group))
    }
}

fn below(mount: &Path, path: &str) -> PathBuf {
    mount.join(path.trim_start_matches('/'))
}

impl Groups {
    /// Of the folders that were asked for.
    pub fn new(wanted: &[PathBuf]) -> Groups {
        Groups {
            wanted: wanted.to_vec(),
            mounts: Mounts::find(),
            groups: BTreeMap::new(),
            left_out: 0,
        }
    }

    /// Reads the groups of these processes from now on, and those that were asked for.
    pub fn follow(&mut self, pids: &[u32]) {
        self.groups.clear();
        for folder in &self.wanted {
            let real = folder.canonicalize().unwrap_or_else(|_| folder.clone());
            let mount = self.mounts.unified.as_deref().unwrap_or(Path::new("/"));
            if let Ok(path) = real.strip_prefix(mount) {
                let name = format!("/{}", path.to_string_lossy());
                self.groups.insert(name.clone(), self.mounts.group_at(&name));
            }
        }
        let mut left_out = 0;
        for pid in pids.iter().take(PROCESSES_MAX) {
            let Some((name, group)) = self.mounts.group_of(*pid) else { continue };
            if self.groups.contains_key(&name) {
                continue;
            }
            if self.groups.len() < GROUPS_MAX {
                self.groups.insert(name, group);
            } else {
                left_out += 1;
            }
        }
        self.left_out = self.left_out.max(left_out);
    }

    /// Reads them all.
    pub fn read(&self, out: &mut Readings) {
        for (name, group) in &self.groups {
            group.read(name, out);
        }
    }

    /// What is left out.
    pub fn notes(&mut self) -> Vec<String> {
        let note = || {
            format!(
                "gauges are of {GROUPS_MAX} control groups; {} processes are in others: name those that matter with --cgroup",
                self.left_out
            )
        };
        if self.left_out > 0 { vec![note()] } else { Vec::new() }
    }
}

impl Group {
    fn read(&self, name: &str, out: &mut Readings) {
        let unified = |file: &str| self.unified.as_ref().map(|folder| folder.join(file));
        let older = |controller: &str, file: &str| {
            let at = CONTROLLERS.iter().position(|known| *known == controller)?;
            Some(self.older[at].as_ref()?.join(file))
        };
        self.cpu(name, out);
        let mut level = |metric, paths: [Option<PathBuf>; 2]| {
            let value = paths.into_iter().flatten().find_map(number);
            value
                .filter(|value| *value < NO_LIMIT)
                .into_iter()
                .for_each(|value| out.put_count(metric, name, value));
        };
        for (metric, new, controller, old) in [
            (Metric::GroupMemory, "memory.current", "memory", "memory.usage_in_bytes"),
            (Metric::GroupMemoryPeak, "memory.peak", "memory", "memory.max_usage_in_bytes"),
            (Metric::GroupMemoryLimit, "memory.max", "memory", "memory.limit_in_bytes"),
            (Metric::GroupTasks, "pids.current", "pids", "pids.current"),
        ] {
            level(metric, [unified(new), older(controller, old)]);
        }
        level(Metric::GroupSwap, [unified("memory.swap.current"), None]);
        let events = unified("memory.events").and_then(text);
        let events = events.or_else(|| older("memory", "memory.oom_control").and_then(text));
        for (event, count) in numbers(&events.unwrap_or_default()) {
            if let Some(metric) = gauges::of_field(gauges::MEMORY_EVENTS, event) {
                out.put_count(metric, name, count);
            }
        }
        match unified("io.stat").and_then(text) {
            Some(stat) => io(&stat, name, out),
            None => {
                let read = |file| older("blkio", file).and_then(text).unwrap_or_default();
                io_v1(
                    &read("blkio.throttle.io_serviced_recursive"),
                    [Metric::GroupReads, Metric::GroupWrites],
                    name,
                    out,
                );
                io_v1(
                    &read("blkio.throttle.io_service_bytes_recursive"),
                    [Metric::GroupRead, Metric::GroupWritten],
                    name,
                    out,
                );
            }
        }
        for (file, metrics) in [
            ("cpu.pressure", [Metric::GroupCpuSome, Metric::GroupCpuFull]),
            ("memory.pressure", [Metric::GroupMemorySome, Metric::GroupMemoryFull]),
            ("io.pressure", [Metric::GroupIoSome, Metric::GroupIoFull]),
        ] {
            let Some(path) = unified(file) else { continue };
            for (metric, read) in metrics.into_iter().zip(pressure(path)) {
                read.into_iter().for_each(|(_, ns)| out.put_count(metric, name, ns));
            }
        }
    }

    fn cpu(&self, name: &str, out: &mut Readings) {
        if let Some(stat) = self.unified.as_ref().and_then(|folder| text(folder.join("cpu.stat"))) {
            for (field, value) in numbers(&stat) {
                let ns = value.saturating_mul(1000);
                match field {
                    "usage_usec" => out.put_count(Metric::GroupCpu, name, ns),
                    "user_usec" => out.put_count(Metric::GroupUser, name, ns),
                    "system_usec" => out.put_count(Metric::GroupSystem, name, ns),
                    "nr_throttled" => out.put_count(Metric::GroupThrottles, name, value),
                    "throttled_usec" => out.put_count(Metric::GroupThrottled, name, ns),
                    _ => {}
                }
            }
            return;
        }
        if let Some(folder) = &self.older[0] {
            if let Some(ns) = number(folder.join("cpuacct.usage")) {
                out.put_count(Metric::GroupCpu, name, ns);
            }
            let tick_ns = 1_000_000_000 / procfs::ticks_per_second().max(1);
            let stat = text(folder.join("cpuacct.stat")).unwrap_or_default();
            for (field, ticks) in numbers(&stat) {
                let ns = ticks.saturating_mul(tick_ns);
                match field {
                    "user" => out.put_count(Metric::GroupUser, name, ns),
                    "system" => out.put_count(Metric::GroupSystem, name, ns),
                    _ => {}
                }
            }
        }
        if let Some(folder) = &self.older[1] {
            let stat = text(folder.join("cpu.stat")).unwrap_or_default();
            for (field, value) in numbers(&stat) {
                match field {
                    "nr_throttled" => out.put_count(Metric::GroupThrottles, name, value),
                    "throttled_time" => out.put_count(Metric::GroupThrottled, name, value),
                    _ => {}
                }
            }
        }
    }
}

/// `io.stat`: a line for each disk, such as `8:0 rbytes=1 wbytes=2 rios=3 wios=4`.
fn io(stat: &str, name: &str, out: &mut Readings) {
    let fields = [
        ("rios=", Metric::GroupReads),
        ("rbytes=", Metric::GroupRead),
        ("wios=", Metric::GroupWrites),
        ("wbytes=", Metric::GroupWritten),
    ];
    for (field, metric) in fields {
        let values = stat.split_ascii_whitespace().filter_map(|word| word.strip_prefix(field));
        let sum = values.filter_map(|value| value.parse::<u64>().ok()).sum::<u64>();
        out.put_count(metric, name, sum);
    }
}

/// The same of an older hierarchy: `8:0 Read 1`, `8:0 Write 2`, ..., `Total 3`.
fn io_v1(stat: &str, metrics: [Metric; 2], name: &str, out: &mut Readings) {
    if stat.is_empty() {
        return;
    }
    for (operation, metric) in [" Read ", " Write "].into_iter().zip(metrics) {
        let values = stat.lines().filter_map(|line| line.split_once(operation));
        let sum = values.filter_map(|(_, value)| value.parse::<u64>().ok()).sum::<u64>();
        out.put_count(metric, name, sum);
    }
}
