//! The only list of what the table `system` tells: component, metric, meaning.
//!
//! Numbers are permanent, as those of event kinds. A metric is a sum that only grows, so that its change
//! is told too, or a level. The unit is the last part of a name; one without is a count.

use std::fmt::Write;

macro_rules! metrics {
    ($($(#[doc = $doc:literal])+ $name:ident = $id:literal $component:literal $metric:literal $growth:ident;)+) => {
        /// Something that is read once a second.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        #[repr(u32)]
        pub enum Metric { $($(#[doc = $doc])+ $name = $id,)+ }

        /// All metrics, in the order of their numbers.
        pub const METRICS: &[MetricDef] = &[$(MetricDef {
            id: $id,
            component: $component,
            name: $metric,
            growth: Growth::$growth,
            doc: concat!($($doc,)+).trim_ascii(),
        },)+];
    };
}

/// Whether a metric only grows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Growth {
    /// A sum since the machine or the thing started; what it grew by is told too.
    Sum,
    /// A level, which goes up and down.
    Level,
}

/// A declared metric.
#[derive(Clone, Copy, Debug)]
pub struct MetricDef {
    /// Permanent number on the wire.
    pub id: u32,
    /// What it is about.
    pub component: &'static str,
    /// Its name, with its unit last.
    pub name: &'static str,
    /// Whether it only grows.
    pub growth: Growth,
    /// What it means.
    pub doc: &'static str,
}

/// The metric with number `id`; none for what only a newer ebrec knows.
pub fn by_id(id: u32) -> Option<&'static MetricDef> {
    METRICS.binary_search_by_key(&id, |metric| metric.id).ok().map(|at| &METRICS[at])
}

impl Metric {
    /// Its declaration.
    pub fn def(self) -> &'static MetricDef {
        by_id(self as u32).expect("every metric is declared")
    }
}

/// What the fields of `/proc/vmstat` are that count events.
pub const VMSTAT_EVENTS: &[(&str, Metric)] = &[
    ("pgfault", Metric::PageFaults),
    ("pgmajfault", Metric::MajorPageFaults),
    ("oom_kill", Metric::OomKills),
];

/// What the fields of `/proc/vmstat` are that count pages.
pub const VMSTAT_PAGES: &[(&str, Metric)] =
    &[("pswpin", Metric::SwapIn), ("pswpout", Metric::SwapOut)];

/// What the fields of a control group's `memory.events` are, and of `memory.oom_control` before.
pub const MEMORY_EVENTS: &[(&str, Metric)] = &[
    ("high", Metric::GroupMemoryHigh),
    ("max", Metric::GroupMemoryMax),
    ("oom_kill", Metric::GroupOomKills),
];

/// The metric of a field, if it is one of `fields`.
pub fn of_field(fields: &[(&str, Metric)], field: &str) -> Option<Metric> {
    fields.iter().find(|(known, _)| *known == field).map(|(_, metric)| *metric)
}

/// The list as a table of the page of tables.
pub(crate) fn render(out: &mut String) {
    out.push_str("\n| component | metric | | meaning |\n|---|---|---|---|\n");
    for MetricDef { component, name, growth, doc, .. } in METRICS {
        let growth = if *growth == Growth::Sum { "sum" } else { "level" };
        let _ = writeln!(out, "| `{component}` | `{name}` | {growth} | {doc} |");
    }
}

metrics! {
    /// Time in programs, without those of low priority; guests included.
    CpuUser = 1 "cpu" "user_ns" Sum;
    /// Time in programs of low priority.
    CpuNice = 2 "cpu" "nice_ns" Sum;
    /// Time in the kernel.
    CpuSystem = 3 "cpu" "system_ns" Sum;
    /// Time with nothing to do.
    CpuIdle = 4 "cpu" "idle_ns" Sum;
    /// Time with nothing to do but to wait for a disk.
    CpuIowait = 5 "cpu" "iowait_ns" Sum;
    /// Time in interrupts.
    CpuIrq = 6 "cpu" "irq_ns" Sum;
    /// Time in soft interrupts.
    CpuSoftirq = 7 "cpu" "softirq_ns" Sum;
    /// Time that the hypervisor gave to others.
    CpuSteal = 8 "cpu" "steal_ns" Sum;
    /// Part of `user_ns` in virtual machines.
    CpuGuest = 9 "cpu" "guest_ns" Sum;
    /// Part of `nice_ns` in virtual machines.
    CpuGuestNice = 10 "cpu" "guest_nice_ns" Sum;
    /// Clock of the CPU, where the kernel knows it.
    CpuFrequency = 11 "cpu" "frequency_hz" Level;
    /// Memory there is.
    MemoryTotal = 20 "memory" "total_bytes" Level;
    /// Memory not used for anything.
    MemoryFree = 21 "memory" "free_bytes" Level;
    /// Memory that programs can have without swapping, by the kernel's estimate.
    MemoryAvailable = 22 "memory" "available_bytes" Level;
    /// Cache of block devices.
    MemoryBuffers = 23 "memory" "buffers_bytes" Level;
    /// Cache of files, with shared memory and tmpfs.
    MemoryCached = 24 "memory" "cached_bytes" Level;
    /// Heaps and stacks of programs.
    MemoryAnonymous = 25 "memory" "anonymous_bytes" Level;
    /// Files that are mapped.
    MemoryMapped = 26 "memory" "mapped_bytes" Level;
    /// Shared memory and tmpfs.
    MemoryShared = 27 "memory" "shared_bytes" Level;
    /// Structures of the kernel.
    MemorySlab = 28 "memory" "slab_bytes" Level;
    /// Part of `slab_bytes` that can be given up.
    MemorySlabReclaimable = 29 "memory" "slab_reclaimable_bytes" Level;
    /// Stacks of threads in the kernel.
    MemoryKernelStack = 30 "memory" "kernel_stack_bytes" Level;
    /// Page tables.
    MemoryPageTables = 31 "memory" "page_tables_bytes" Level;
    /// To be written to disk.
    MemoryDirty = 32 "memory" "dirty_bytes" Level;
    /// Being written to disk.
    MemoryWriteback = 33 "memory" "writeback_bytes" Level;
    /// Promised to programs.
    MemoryCommitted = 34 "memory" "committed_bytes" Level;
    /// How much can be promised where that is limited.
    MemoryCommitLimit = 35 "memory" "commit_limit_bytes" Level;
    /// Page faults, major ones included.
    PageFaults = 36 "memory" "page_faults" Sum;
    /// Page faults that had to read from a disk.
    MajorPageFaults = 37 "memory" "major_page_faults" Sum;
    /// Processes ended for want of memory.
    OomKills = 38 "memory" "oom_kills" Sum;
    /// Swap there is.
    SwapTotal = 40 "swap" "total_bytes" Level;
    /// Swap not in use.
    SwapFree = 41 "swap" "free_bytes" Level;
    /// In swap and in memory.
    SwapCached = 42 "swap" "cached_bytes" Level;
    /// Read back from swap.
    SwapIn = 43 "swap" "read_bytes" Sum;
    /// Written to swap.
    SwapOut = 44 "swap" "written_bytes" Sum;
    /// Tasks that ran or waited, for a CPU or in `disk sleep`: mean of a minute.
    Load1 = 48 "load" "average_1m" Level;
    /// The same of five minutes.
    Load5 = 49 "load" "average_5m" Level;
    /// The same of fifteen minutes.
    Load15 = 50 "load" "average_15m" Level;
    /// Switches from a thread to another.
    ContextSwitches = 54 "scheduler" "context_switches" Sum;
    /// Processes and threads started.
    Forks = 55 "scheduler" "forks" Sum;
    /// Threads that run or could.
    Running = 56 "scheduler" "running" Level;
    /// Threads that wait for a disk.
    Blocked = 57 "scheduler" "blocked" Level;
    /// Threads there are.
    Tasks = 58 "scheduler" "tasks" Level;
    /// Interrupts.
    Interrupts = 59 "scheduler" "interrupts" Sum;
    /// Soft interrupts.
    SoftInterrupts = 60 "scheduler" "soft_interrupts" Sum;
    /// Reads completed.
    DiskReads = 70 "disk" "reads" Sum;
    /// Reads merged into others.
    DiskReadsMerged = 71 "disk" "reads_merged" Sum;
    /// Read.
    DiskRead = 72 "disk" "read_bytes" Sum;
    /// Time of reads, each counted from its making to its end.
    DiskReadTime = 73 "disk" "read_ns" Sum;
    /// Writes completed.
    DiskWrites = 74 "disk" "writes" Sum;
    /// Writes merged into others.
    DiskWritesMerged = 75 "disk" "writes_merged" Sum;
    /// Written.
    DiskWritten = 76 "disk" "written_bytes" Sum;
    /// Time of writes.
    DiskWriteTime = 77 "disk" "write_ns" Sum;
    /// Requests that are not completed.
    DiskInFlight = 78 "disk" "in_flight" Level;
    /// Time with at least one request.
    DiskBusy = 79 "disk" "busy_ns" Sum;
    /// Time of all requests together.
    DiskWeighted = 80 "disk" "weighted_ns" Sum;
    /// Discards completed.
    DiskDiscards = 81 "disk" "discards" Sum;
    /// Discarded.
    DiskDiscarded = 82 "disk" "discarded_bytes" Sum;
    /// Time of discards.
    DiskDiscardTime = 83 "disk" "discard_ns" Sum;
    /// Flushes completed; several that are asked for at once are one.
    DiskFlushes = 84 "disk" "flushes" Sum;
    /// Time of flushes.
    DiskFlushTime = 85 "disk" "flush_ns" Sum;
    /// Size.
    FilesystemSize = 90 "filesystem" "size_bytes" Level;
    /// Used.
    FilesystemUsed = 91 "filesystem" "used_bytes" Level;
    /// Not used.
    FilesystemFree = 92 "filesystem" "free_bytes" Level;
    /// Part of `free_bytes` that is not reserved for root.
    FilesystemAvailable = 93 "filesystem" "available_bytes" Level;
    /// Files it can have.
    FilesystemInodes = 94 "filesystem" "inodes" Level;
    /// Files it can still get.
    FilesystemInodesFree = 95 "filesystem" "free_inodes" Level;
    /// Received.
    Received = 100 "interface" "received_bytes" Sum;
    /// Packets received.
    ReceivedPackets = 101 "interface" "received_packets" Sum;
    /// Packets received with errors.
    ReceiveErrors = 102 "interface" "receive_errors" Sum;
    /// Packets received and dropped.
    ReceiveDropped = 103 "interface" "receive_dropped" Sum;
    /// Sent.
    Sent = 104 "interface" "sent_bytes" Sum;
    /// Packets sent.
    SentPackets = 105 "interface" "sent_packets" Sum;
    /// Packets not sent because of errors.
    SendErrors = 106 "interface" "send_errors" Sum;
    /// Packets dropped instead of sent.
    SendDropped = 107 "interface" "send_dropped" Sum;
    /// Share of the last ten seconds in which some thread waited for the `cpu`, `memory` or `io` that is the instance.
    SomeAverage = 110 "pressure" "some_avg10_percent" Level;
    /// Time in which some thread waited for it.
    Some = 111 "pressure" "some_ns" Sum;
    /// Share of the last ten seconds in which no thread got on for want of it.
    FullAverage = 112 "pressure" "full_avg10_percent" Level;
    /// Time in which no thread got on for want of it.
    Full = 113 "pressure" "full_ns" Sum;
    /// CPU time of the group.
    GroupCpu = 120 "cgroup" "cpu_ns" Sum;
    /// Part of it in programs.
    GroupUser = 121 "cgroup" "cpu_user_ns" Sum;
    /// Part of it in the kernel.
    GroupSystem = 122 "cgroup" "cpu_system_ns" Sum;
    /// Times the group was stopped by its CPU limit.
    GroupThrottles = 123 "cgroup" "throttles" Sum;
    /// Time it was stopped by its CPU limit.
    GroupThrottled = 124 "cgroup" "throttled_ns" Sum;
    /// Memory of the group, with cache of files.
    GroupMemory = 125 "cgroup" "memory_bytes" Level;
    /// Highest value it ever had.
    GroupMemoryPeak = 126 "cgroup" "memory_peak_bytes" Level;
    /// Limit on it, if there is one.
    GroupMemoryLimit = 127 "cgroup" "memory_limit_bytes" Level;
    /// Swap of the group.
    GroupSwap = 128 "cgroup" "swap_bytes" Level;
    /// Times it was slowed down by `memory.high`.
    GroupMemoryHigh = 129 "cgroup" "memory_high" Sum;
    /// Times it came up to its limit.
    GroupMemoryMax = 130 "cgroup" "memory_max" Sum;
    /// Processes of it ended for want of memory.
    GroupOomKills = 131 "cgroup" "oom_kills" Sum;
    /// Reads of disks.
    GroupReads = 132 "cgroup" "reads" Sum;
    /// Read from disks.
    GroupRead = 133 "cgroup" "read_bytes" Sum;
    /// Writes of disks.
    GroupWrites = 134 "cgroup" "writes" Sum;
    /// Written to disks.
    GroupWritten = 135 "cgroup" "written_bytes" Sum;
    /// Threads of the group.
    GroupTasks = 136 "cgroup" "tasks" Level;
    /// Time in which some thread of it waited for a CPU.
    GroupCpuSome = 137 "cgroup" "cpu_some_ns" Sum;
    /// Time in which none got on for want of a CPU.
    GroupCpuFull = 138 "cgroup" "cpu_full_ns" Sum;
    /// Time in which some thread of it waited for memory.
    GroupMemorySome = 139 "cgroup" "memory_some_ns" Sum;
    /// Time in which none got on for want of memory.
    GroupMemoryFull = 140 "cgroup" "memory_full_ns" Sum;
    /// Time in which some thread of it waited for a disk.
    GroupIoSome = 141 "cgroup" "io_some_ns" Sum;
    /// Time in which none got on for want of a disk.
    GroupIoFull = 142 "cgroup" "io_full_ns" Sum;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_names_of_metrics_are_unique() {
        assert!(METRICS.is_sorted_by(|one, next| one.id < next.id));
        let names: std::collections::BTreeSet<_> =
            METRICS.iter().map(|metric| (metric.component, metric.name)).collect();
        assert_eq!(names.len(), METRICS.len());
        assert_eq!(Metric::Load5.def().name, "average_5m");
        assert!(by_id(0).is_none() && by_id(u32::MAX).is_none());
    }
}
