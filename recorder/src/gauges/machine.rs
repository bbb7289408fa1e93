//! What `/proc` and `/sys` tell of the machine.

use procfs::Current;
use schema::gauges::{self, Metric};

use super::{Readings, numbers, pressure, text};
use crate::host;

/// The states of a CPU, in the order of `/proc/stat`.
const STATES: [Metric; 10] = [
    Metric::CpuUser,
    Metric::CpuNice,
    Metric::CpuSystem,
    Metric::CpuIdle,
    Metric::CpuIowait,
    Metric::CpuIrq,
    Metric::CpuSoftirq,
    Metric::CpuSteal,
    Metric::CpuGuest,
    Metric::CpuGuestNice,
];

/// A sector of `/proc/diskstats`, whatever the disk's own are.
const SECTOR_BYTES: u64 = 512;
const NS_PER_MS: u64 = 1_000_000;

/// Reads everything but file systems.
pub fn read(out: &mut Readings) {
    cpus(out);
    memory(out);
    load(out);
    disks(out);
    interfaces(out);
    for resource in ["cpu", "memory", "io"] {
        let [some, full] = pressure(format!("/proc/pressure/{resource}"));
        for (read, percent, total_ns) in
            [(some, Metric::SomeAverage, Metric::Some), (full, Metric::FullAverage, Metric::Full)]
        {
            if let Some((average, ns)) = read {
                out.put(percent, resource, average);
                out.put_count(total_ns, resource, ns);
            }
        }
    }
}

/// `/proc/stat`. The crate `procfs` numbers CPUs by their place in it, which is another where one is
/// offline.
fn cpus(out: &mut Readings) {
    let Some(stat) = text("/proc/stat") else { return };
    let tick_ns = 1_000_000_000 / procfs::ticks_per_second().max(1);
    for line in stat.lines() {
        let Some((name, rest)) = line.split_once(' ') else { continue };
        let first = || rest.split_ascii_whitespace().next()?.parse::<u64>().ok();
        let mut total = |metric| first().into_iter().for_each(|sum| out.put_count(metric, "", sum));
        match name {
            "ctxt" => total(Metric::ContextSwitches),
            "processes" => total(Metric::Forks),
            "procs_running" => total(Metric::Running),
            "procs_blocked" => total(Metric::Blocked),
            "intr" => total(Metric::Interrupts),
            "softirq" => total(Metric::SoftInterrupts),
            _ if is_cpu(name) => {
                for (metric, ticks) in STATES.into_iter().zip(rest.split_ascii_whitespace()) {
                    if let Ok(ticks) = ticks.parse::<u64>() {
                        out.put_count(metric, name, ticks.saturating_mul(tick_ns));
                    }
                }
                let path = format!("/sys/devices/system/cpu/{name}/cpufreq/scaling_cur_freq");
                if let Some(khz) = super::number(path.into()) {
                    out.put_count(Metric::CpuFrequency, name, khz.saturating_mul(1000));
                }
            }
            _ => {}
        }
    }
}

/// `cpu0`, and not `cpu`, which is the sum of all.
fn is_cpu(name: &str) -> bool {
    name.strip_prefix("cpu").is_some_and(|number| number.parse::<u32>().is_ok())
}

fn memory(out: &mut Readings) {
    if let Ok(memory) = procfs::Meminfo::current() {
        for (metric, bytes) in [
            (Metric::MemoryTotal, Some(memory.mem_total)),
            (Metric::MemoryFree, Some(memory.mem_free)),
            (Metric::MemoryAvailable, memory.mem_available),
            (Metric::MemoryBuffers, Some(memory.buffers)),
            (Metric::MemoryCached, Some(memory.cached)),
            (Metric::MemoryAnonymous, memory.anon_pages),
            (Metric::MemoryMapped, Some(memory.mapped)),
            (Metric::MemoryShared, memory.shmem),
            (Metric::MemorySlab, Some(memory.slab)),
            (Metric::MemorySlabReclaimable, memory.s_reclaimable),
            (Metric::MemoryKernelStack, memory.kernel_stack),
            (Metric::MemoryPageTables, memory.page_tables),
            (Metric::MemoryDirty, Some(memory.dirty)),
            (Metric::MemoryWriteback, Some(memory.writeback)),
            (Metric::MemoryCommitted, Some(memory.committed_as)),
            (Metric::MemoryCommitLimit, memory.commit_limit),
            (Metric::SwapTotal, Some(memory.swap_total)),
            (Metric::SwapFree, Some(memory.swap_free)),
            (Metric::SwapCached, Some(memory.swap_cached)),
        ] {
            bytes.into_iter().for_each(|bytes| out.put_count(metric, "", bytes));
        }
    }
    let page_bytes = host::page_bytes();
    for (name, count) in numbers(&text("/proc/vmstat").unwrap_or_default()) {
        if let Some(metric) = gauges::of_field(gauges::VMSTAT_EVENTS, name) {
            out.put_count(metric, "", count);
        } else if let Some(metric) = gauges::of_field(gauges::VMSTAT_PAGES, name) {
            out.put_count(metric, "", count.saturating_mul(page_bytes));
        }
    }
}

fn load(out: &mut Readings) {
    let Ok(load) = procfs::LoadAverage::current() else { return };
    for (metric, average) in
        [(Metric::Load1, load.one), (Metric::Load5, load.five), (Metric::Load15, load.fifteen)]
    {
        // In the file it has two digits behind the point.
        out.put(metric, "", (f64::from(average) * 100.0).round() / 100.0);
    }
    out.put_count(Metric::Tasks, "", u64::from(load.max));
}

fn disks(out: &mut Readings) {
    for disk in procfs::diskstats().unwrap_or_default() {
        // One that never did anything is of no interest: there are eight loop devices everywhere.
        if disk.reads == 0 && disk.writes == 0 && disk.discards.unwrap_or(0) == 0 {
            continue;
        }
        let sectors = |count: u64| count.saturating_mul(SECTOR_BYTES);
        let ms = |time: u64| time.saturating_mul(NS_PER_MS);
        for (metric, value) in [
            (Metric::DiskReads, Some(disk.reads)),
            (Metric::DiskReadsMerged, Some(disk.merged)),
            (Metric::DiskRead, Some(sectors(disk.sectors_read))),
            (Metric::DiskReadTime, Some(ms(disk.time_reading))),
            (Metric::DiskWrites, Some(disk.writes)),
            (Metric::DiskWritesMerged, Some(disk.writes_merged)),
            (Metric::DiskWritten, Some(sectors(disk.sectors_written))),
            (Metric::DiskWriteTime, Some(ms(disk.time_writing))),
            (Metric::DiskInFlight, Some(disk.in_progress)),
            (Metric::DiskBusy, Some(ms(disk.time_in_progress))),
            (Metric::DiskWeighted, Some(ms(disk.weighted_time_in_progress))),
            (Metric::DiskDiscards, disk.discards),
            (Metric::DiskDiscarded, disk.sectors_discarded.map(sectors)),
            (Metric::DiskDiscardTime, disk.time_discarding.map(ms)),
            (Metric::DiskFlushes, disk.flushes),
            (Metric::DiskFlushTime, disk.time_flushing.map(ms)),
        ] {
            value.into_iter().for_each(|value| out.put_count(metric, &disk.name, value));
        }
    }
}

/// Those of the network namespace that the recorder is in.
fn interfaces(out: &mut Readings) {
    let Ok(mut interfaces) = procfs::net::InterfaceDeviceStatus::current() else { return };
    let mut interfaces: Vec<_> = interfaces.0.drain().collect();
    interfaces.sort_by(|(one, _), (other, _)| one.cmp(other));
    for (name, interface) in interfaces {
        for (metric, value) in [
            (Metric::Received, interface.recv_bytes),
            (Metric::ReceivedPackets, interface.recv_packets),
            (Metric::ReceiveErrors, interface.recv_errs),
            (Metric::ReceiveDropped, interface.recv_drop),
            (Metric::Sent, interface.sent_bytes),
            (Metric::SentPackets, interface.sent_packets),
            (Metric::SendErrors, interface.sent_errs),
            (Metric::SendDropped, interface.sent_drop),
        ] {
            out.put_count(metric, &name, value);
        }
    }
}
