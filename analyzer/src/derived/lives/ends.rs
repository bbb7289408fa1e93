//! What ends more than one allocation: processes that run another program or end, and losses.

use std::collections::HashMap;

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::datatypes::{Int64Type, TimestampNanosecondType};
use datafusion::error::Result;
use schema::events::EVENTS;

use super::column;

/// What ends all that a process holds: exec and exit, by process, in the order of time.
#[derive(Default)]
pub struct Ends(HashMap<i64, Vec<(i64, bool)>>);

impl Ends {
    pub fn read(batches: &[RecordBatch]) -> Result<Ends> {
        let mut ends = Ends::default();
        for batch in batches {
            let moments = column(batch, "ts")?.as_primitive::<TimestampNanosecondType>();
            let upids = column(batch, "upid")?.as_primitive::<Int64Type>();
            let kinds = column(batch, "event")?.as_string_view();
            for row in 0..batch.num_rows() {
                let is_exec = kinds.value(row) == "exec";
                if upids.is_valid(row) && (is_exec || kinds.value(row) == "exit") {
                    let of_process = ends.0.entry(upids.value(row)).or_default();
                    of_process.push((moments.value(row), is_exec));
                }
            }
        }
        ends.0.values_mut().for_each(|ends| ends.sort_unstable());
        Ok(ends)
    }

    /// The first end of a process after a moment.
    pub fn after(&self, upid: i64, ts: i64) -> Option<(i64, bool)> {
        let ends = self.0.get(&upid)?;
        ends.get(ends.partition_point(|(end, _)| *end < ts)).copied()
    }
}

/// Until when allocations were lost: what came later is known.
pub fn lost_until(batches: &[RecordBatch]) -> Result<Option<i64>> {
    let mut last = None;
    for batch in batches {
        let moments = column(batch, "ts")?.as_primitive::<TimestampNanosecondType>();
        let lengths = column(batch, "duration_ns")?.as_primitive::<Int64Type>();
        let kinds = column(batch, "kind")?.as_string_view();
        let is_allocation = |kind: &str| {
            EVENTS.iter().any(|event| event.name == kind && event.table == Some("allocations"))
        };
        for row in (0..batch.num_rows()).filter(|row| is_allocation(kinds.value(*row))) {
            last = last.max(Some(moments.value(row).saturating_add(lengths.value(row))));
        }
    }
    Ok(last)
}
