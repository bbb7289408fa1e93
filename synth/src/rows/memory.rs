//! What allocators do, and the memory that comes of it.

use super::{At, Row};
use crate::columns::Columns;
use crate::world::World;

/// A call of an allocator.
#[derive(Clone, Copy, Default)]
pub(crate) struct Allocation {
    pub at: At,
    /// 0 when it failed.
    pub address: i64,
    pub old_address: i64,
    /// Below 0 of what gives memory back.
    pub size_bytes: i64,
    /// Of what gives memory: the stack.
    pub stack_id: i64,
    pub operation: &'static str,
}

impl Allocation {
    fn own(rows: &[Allocation], _: &World, out: &mut Columns) {
        optional!(out, rows, int64: size_bytes);
        words!(out, rows: operation);
        let known = |number: i64| Some(number).filter(|number| *number != 0);
        out.int64("address", rows.iter().map(|row| known(row.address)));
        out.int64("old_address", rows.iter().map(|row| known(row.old_address)));
        out.int64("stack_id", rows.iter().map(|row| known(row.stack_id)));
        out.int32("one_in", rows.iter().map(|_| Some(1)));
    }
}
of_threads!(Allocation, "allocations", |row| match row.size_bytes < 0 {
    true => "deallocation",
    false => "allocation",
});

/// The memory of a process.
#[derive(Clone, Copy, Default)]
pub(crate) struct MemoryUsage {
    pub at: At,
    pub anonymous_bytes: i64,
    pub file_bytes: i64,
    pub rss_peak_bytes: i64,
}

impl MemoryUsage {
    fn own(rows: &[MemoryUsage], _: &World, out: &mut Columns) {
        numbers!(out, rows, int64: anonymous_bytes, file_bytes, rss_peak_bytes);
        let rss = |row: &MemoryUsage| row.anonymous_bytes + row.file_bytes;
        out.int64("rss_bytes", rows.iter().map(|row| Some(rss(row))));
        out.int64("virtual_bytes", rows.iter().map(|row| Some(rss(row) * 3)));
        out.int64("shared_bytes", rows.iter().map(|_| Some(0)));
        out.int64("swap_bytes", rows.iter().map(|_| Some(0)));
    }
}
of_threads!(MemoryUsage, "memory_usage", |_| "memory_usage");
