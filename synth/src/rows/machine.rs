//! What CPUs and disks do, and what the kernel counts.

use super::{At, Row};
use crate::columns::Columns;
use crate::world::World;

/// A thread found running.
#[derive(Clone, Copy, Default)]
pub(crate) struct Sample {
    pub at: At,
    pub period_ns: i64,
    pub stack_id: i64,
    pub mode: &'static str,
}

impl Sample {
    fn own(rows: &[Sample], _: &World, out: &mut Columns) {
        numbers!(out, rows, int64: period_ns, stack_id);
        words!(out, rows: mode);
    }
}
of_threads!(Sample, "cpu_samples", |_| "cpu_sample");

/// What the scheduler gave a thread in a second.
#[derive(Clone, Copy, Default)]
pub(crate) struct TaskUsage {
    pub at: At,
    pub user_ns: i64,
    pub system_ns: i64,
    pub wait_ns: i64,
    pub voluntary_switches: i32,
    pub involuntary_switches: i32,
}

impl TaskUsage {
    fn own(rows: &[TaskUsage], _: &World, out: &mut Columns) {
        numbers!(out, rows, int64: user_ns, system_ns, wait_ns);
        numbers!(out, rows, int32: voluntary_switches, involuntary_switches);
        out.int64("cpu_ns", rows.iter().map(|row| Some(row.user_ns + row.system_ns)));
    }
}
of_threads!(TaskUsage, "task_usage", |_| "task_usage");

/// A request to a disk.
#[derive(Clone, Copy, Default)]
pub(crate) struct Request {
    pub at: At,
    /// Below 0 when it has not completed.
    pub duration_ns: i64,
    pub queue_ns: i64,
    pub service_ns: i64,
    pub sector: i64,
    pub bytes: i64,
    pub operation: &'static str,
    pub flags: &'static str,
    pub error: &'static str,
    pub device: &'static str,
    pub disk: &'static str,
}

impl Request {
    fn own(rows: &[Request], _: &World, out: &mut Columns) {
        optional!(out, rows, int64: duration_ns, queue_ns, service_ns, sector);
        numbers!(out, rows, int64: bytes);
        words!(out, rows: operation, flags, error, device, disk);
        out.int64("merged_bytes", rows.iter().map(|_| Some(0)));
        out.int32("requeues", rows.iter().map(|_| Some(0)));
    }
}
of_threads!(Request, "block_io", |_| "block_io");

/// A reading of what the kernel counts.
#[derive(Clone, Copy)]
pub(crate) struct Gauge {
    pub ts: i64,
    pub component: &'static str,
    pub instance: &'static str,
    pub metric: &'static str,
    pub value: f64,
    /// Of a sum, after the first reading.
    pub change: Option<f64>,
    /// Below 0 for the first reading.
    pub interval_ns: i64,
}

impl Row for Gauge {
    const TABLE: &'static str = "system";
    fn ts(&self) -> i64 {
        self.ts
    }
    fn kind(&self) -> &'static str {
        "gauge"
    }
    fn cpu(&self) -> u16 {
        0
    }
    fn thread(&self) -> Option<u32> {
        None
    }
    fn columns(rows: &[Gauge], _: &World, out: &mut Columns) {
        words!(out, rows: component, instance, metric);
        optional!(out, rows, int64: interval_ns);
        out.real("value", rows.iter().map(|row| Some(row.value)));
        out.real("change", rows.iter().map(|row| row.change));
    }
}
