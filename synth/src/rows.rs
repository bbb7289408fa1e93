//! Rows of the event tables, as small as can be, and how they become columns.

use rayon::prelude::*;
use schema::Table;
use schema::tables::by_name;
use store::SegmentWriter;
use store::writer::Written;

use crate::columns::Columns;
use crate::loss::{Counts, Loss};
use crate::world::{Process, Thread, World};

/// Rows that become columns at once.
const BATCH_ROWS: usize = 16_384;

/// A row of an event table.
pub(crate) trait Row: Copy + Send + Sync {
    /// Its table.
    const TABLE: &'static str;
    /// When it began.
    fn ts(&self) -> i64;
    /// The event kind it is of.
    fn kind(&self) -> &'static str;
    fn cpu(&self) -> u16;
    /// The thread; none of gauges, and of what comes from outside.
    fn thread(&self) -> Option<u32>;
    /// Gives the columns that are its own.
    fn columns(rows: &[Self], world: &World, out: &mut Columns);
}

/// Gives what every event table begins with.
fn common<R: Row>(rows: &[R], world: &World, out: &mut Columns) {
    let thread = |row: &R| -> Option<(&Thread, &Process)> {
        let thread = &world.threads[row.thread()? as usize];
        Some((thread, &world.processes[thread.process]))
    };
    let who: Vec<Option<(&Thread, &Process)>> = rows.iter().map(thread).collect();
    let who = || who.iter().map(Option::as_ref);
    out.int32("cpu", rows.iter().map(|row| Some(i32::from(row.cpu()))));
    // Nobody is the thread that a CPU runs when it has nothing to do.
    out.int32("pid", who().map(|who| Some(who.map_or(0, |who| who.1.pid))));
    out.int32("tid", who().map(|who| Some(who.map_or(0, |who| who.0.tid))));
    out.int64("upid", who().map(|who| Some(who?.1.upid)));
    out.text("comm", who().map(|who| Some(who.map_or("swapper/0", |who| &who.0.comm))));
    out.int64("cgroup_id", who().map(|who| Some(who?.1.place.cgroup_id)));
}

fn table_of<R: Row>() -> &'static Table {
    by_name(R::TABLE).expect("the schema declares the table")
}

fn write<R: Row>(rows: &[R], world: &World, writer: &SegmentWriter) -> store::Result<Written> {
    let table = table_of::<R>();
    let batches = rows.chunks(BATCH_ROWS).map(|rows| {
        let mut out = Columns::new(R::TABLE, rows.len());
        out.moment("ts", rows.iter().map(|row| Some(row.ts())));
        if table.is_of_threads() {
            common(rows, world, &mut out);
        }
        R::columns(rows, world, &mut out);
        out.finish()
    });
    writer.write(table, batches)
}

/// Takes the rows before `until` out, in the order of time.
fn take<R: Row>(rows: &mut Vec<R>, until: i64) -> Vec<R> {
    // Rows of one moment stay in the order they were made in.
    rows.sort_by_key(Row::ts);
    let later = rows.split_off(rows.partition_point(|row| row.ts() < until));
    std::mem::replace(rows, later)
}

fn lose<R: Row>(rows: &mut Vec<R>, counts: &mut Counts, loss: &mut Loss) {
    rows.retain(|row| {
        let is_lost = loss.takes();
        counts.add(row.kind(), row.ts(), row.cpu(), is_lost);
        !is_lost
    });
}

macro_rules! rows {
    ($($table:ident: $row:ty),+ $(,)?) => {
        /// Rows of all tables.
        #[derive(Default)]
        pub(crate) struct Rows {
            $(pub $table: Vec<$row>,)+
        }

        impl Rows {
            pub fn len(&self) -> usize {
                0 $(+ self.$table.len())+
            }

            /// Takes the rows before `until` out, in the order of time.
            pub fn take(&mut self, until: i64) -> Rows {
                Rows { $($table: take(&mut self.$table, until),)+ }
            }

            /// Adds the rows of others.
            pub fn append(&mut self, mut others: Rows) {
                $(self.$table.append(&mut others.$table);)+
            }

            /// Takes away those of `end` and later.
            pub fn before(&mut self, end: i64) {
                $(self.$table.retain(|row| row.ts() < end);)+
            }

            /// Loses some, and counts all.
            pub fn lose(&mut self, counts: &mut Counts, loss: &mut Loss) {
                $(lose(&mut self.$table, counts, loss);)+
            }

            /// Writes the files of the tables that `is_recorded`, several at once.
            pub fn write(
                &self,
                world: &World,
                writer: &SegmentWriter,
                is_recorded: impl Fn(&Table) -> bool + Sync,
            ) -> store::Result<Vec<Written>> {
                type Task<'a> = Box<dyn Fn() -> store::Result<Written> + Send + Sync + 'a>;
                let mut tasks: Vec<Task> = Vec::new();
                $(if is_recorded(table_of::<$row>()) {
                    tasks.push(Box::new(|| write(&self.$table, world, writer)));
                })+
                tasks.par_iter().map(|task| task()).collect()
            }
        }

        /// The tables that have rows of their own here.
        pub(crate) const TABLES: &[&str] = &[$(stringify!($table)),+];
    };
}

rows! {
    process_events: ProcessEvent,
    syscalls: Syscall,
    sched_slices: Slice,
    offcpu: Offcpu,
    allocations: Allocation,
    memory_usage: MemoryUsage,
    cpu_samples: Sample,
    task_usage: TaskUsage,
    connections: Connection,
    connection_events: ConnectionEvent,
    flows: Flow,
    packets: Packet,
    dns: Dns,
    signals: Signal,
    block_io: Request,
    system: Gauge,
}

/// What all rows of threads have.
#[derive(Clone, Copy, Default)]
pub(crate) struct At {
    pub ts: i64,
    pub thread: u32,
    pub cpu: u16,
}

macro_rules! of_threads {
    ($row:ident, $table:literal, $kind:expr) => {
        impl $row {
            fn kind_of(&self) -> &'static str {
                let kind: fn(&$row) -> &'static str = $kind;
                kind(self)
            }
        }
        of_threads!($row, $table);
    };
    ($row:ident, $table:literal) => {
        impl Row for $row {
            const TABLE: &'static str = $table;
            fn ts(&self) -> i64 {
                self.at.ts
            }
            fn kind(&self) -> &'static str {
                self.kind_of()
            }
            fn cpu(&self) -> u16 {
                self.at.cpu
            }
            fn thread(&self) -> Option<u32> {
                Some(self.at.thread).filter(|thread| *thread != $crate::rows::NOBODY)
            }
            fn columns(rows: &[Self], world: &World, out: &mut Columns) {
                $row::own(rows, world, out);
            }
        }
    };
}

/// A column of numbers, or of moments, from a member.
macro_rules! numbers {
    ($out:ident, $rows:ident, $kind:ident: $($name:ident),+) => {
        $($out.$kind(stringify!($name), $rows.iter().map(|row| Some(row.$name)));)+
    };
}

/// A column of numbers from a member that is below 0 for NULL.
macro_rules! optional {
    ($out:ident, $rows:ident, $kind:ident: $($name:ident),+) => {
        $($out.$kind(
            stringify!($name),
            $rows.iter().map(|row| Some(row.$name).filter(|value| *value >= 0)),
        );)+
    };
}

/// A column of words; an empty one is NULL.
macro_rules! words {
    ($out:ident, $rows:ident: $($name:ident),+) => {
        $($out.text(
            stringify!($name),
            $rows.iter().map(|row| Some(row.$name).filter(|word| !word.is_empty())),
        );)+
    };
}

/// A column of texts of the world.
macro_rules! texts {
    ($out:ident, $rows:ident, $world:ident: $($name:ident),+) => {
        $($out.text(stringify!($name), $rows.iter().map(|row| $world.text_of(row.$name)));)+
    };
}

// They use what is above.
mod machine;
mod memory;
mod network;
mod packets;
mod processes;
mod signals;

pub(crate) use machine::{Gauge, Request, Sample, TaskUsage};
pub(crate) use memory::{Allocation, MemoryUsage};
pub(crate) use network::{Connection, ConnectionEvent, Flow};
pub(crate) use packets::{Dns, Packet};
pub(crate) use processes::{NOBODY, Offcpu, ProcessEvent, Slice, Syscall};
pub(crate) use signals::Signal;
