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
    /// The thread; none of gauges.
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
    out.int32("pid", who().map(|who| Some(who?.1.pid)));
    out.int32("tid", who().map(|who| Some(who?.0.tid)));
    out.int64("upid", who().map(|who| Some(who?.1.upid)));
    out.text("comm", who().map(|who| Some(who?.0.comm)));
    out.int64("cgroup_id", who().map(|who| Some(who?.1.cgroup_id)));
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
                Some(self.at.thread)
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

/// Start or end of a process or thread.
#[derive(Clone, Copy)]
pub(crate) struct ProcessEvent {
    at: At,
    kind: &'static str,
    /// The new thread.
    child: u32,
}

impl ProcessEvent {
    fn new(ts: i64, thread: u32, kind: &'static str, child: u32) -> ProcessEvent {
        ProcessEvent { at: At { ts, thread, cpu: 0 }, kind, child }
    }

    pub fn fork(ts: i64, parent: u32, child: u32) -> ProcessEvent {
        ProcessEvent::new(ts, parent, "fork", child)
    }

    pub fn exec(ts: i64, thread: u32) -> ProcessEvent {
        ProcessEvent::new(ts, thread, "exec", thread)
    }

    pub fn exit(ts: i64, thread: u32) -> ProcessEvent {
        ProcessEvent::new(ts, thread, "exit", thread)
    }

    pub fn thread(ts: i64, parent: u32, child: u32) -> ProcessEvent {
        ProcessEvent::new(ts, parent, "thread_start", child)
    }

    pub fn thread_exit(ts: i64, thread: u32) -> ProcessEvent {
        ProcessEvent::new(ts, thread, "thread_exit", thread)
    }

    fn own(rows: &[ProcessEvent], world: &World, out: &mut Columns) {
        let is_start = |row: &&ProcessEvent| matches!(row.kind, "fork" | "thread_start");
        let is = |kind: &'static str| move |row: &&ProcessEvent| row.kind == kind;
        let child = |row: &ProcessEvent| world.process_of(row.child);
        let rows = || rows.iter();
        out.text("event", rows().map(|row| Some(row.kind)));
        let children = || rows().map(|row| Some(row).filter(is_start).map(|row| (row, child(row))));
        out.int64("child_upid", children().map(|known| Some(known?.1.upid)));
        out.int64("child_cgroup_id", children().map(|known| Some(known?.1.cgroup_id)));
        out.int32("child_pid", children().map(|known| Some(known?.1.pid)));
        out.int32(
            "child_tid",
            children().map(|known| Some(world.threads[known?.0.child as usize].tid)),
        );
        let execs = || rows().map(|row| Some(row).filter(is("exec")).map(child));
        out.int64("exec_upid", execs().map(|process| Some(process?.upid)));
        out.int32("old_tid", execs().map(|process| Some(process?.pid)));
        let users =
            || rows().map(|row| Some(child(row)).filter(|_| matches!(row.kind, "fork" | "exec")));
        out.int64("uid", users().map(|process| Some(process?.uid)));
        out.int64("gid", users().map(|process| Some(process?.uid)));
        out.int64("euid", execs().map(|process| Some(process?.uid)));
        out.int64("netns", users().map(|process| process.map(|_| crate::state::NETNS)));
        out.text("path", execs().map(|process| Some(process?.exe.as_str())));
        out.text("exe", execs().map(|process| Some(process?.exe.as_str())));
        out.text("cwd", execs().map(|process| Some(process?.cwd)));
        out.text("argv", execs().map(|process| Some(process?.argv.as_str())));
        let ends = || rows().map(|row| Some(row).filter(|row| row.kind.ends_with("exit")));
        out.int32(
            "exit_code",
            ends().map(|row| {
                row.map(|row| if row.kind == "exit" { child(row).exit_code } else { 0 })
            }),
        );
    }
}
of_threads!(ProcessEvent, "process_events", |row| row.kind);

/// A system call.
#[derive(Clone, Copy, Default)]
pub(crate) struct Syscall {
    pub at: At,
    pub duration_ns: i64,
    pub ret: i64,
    pub syscall: &'static str,
    pub error: &'static str,
    /// How many of the arguments there are.
    pub arg_count: u8,
    pub args: [i64; 4],
    pub path: u32,
    pub address: u32,
}

impl Syscall {
    fn own(rows: &[Syscall], world: &World, out: &mut Columns) {
        numbers!(out, rows, int64: duration_ns, ret);
        words!(out, rows: syscall, error);
        texts!(out, rows, world: path, address);
        out.text("via", rows.iter().map(|_| Some("syscall")));
        for (at, name) in ["arg0", "arg1", "arg2", "arg3"].into_iter().enumerate() {
            let arg = |row: &Syscall| (at < usize::from(row.arg_count)).then(|| row.args[at]);
            out.int64(name, rows.iter().map(arg));
        }
    }
}
of_threads!(Syscall, "syscalls", |_| "syscall");

/// A time on a CPU.
#[derive(Clone, Copy, Default)]
pub(crate) struct Slice {
    pub at: At,
    pub duration_ns: i64,
    pub wait_ns: i64,
    pub end_state: &'static str,
}

impl Slice {
    fn own(rows: &[Slice], _: &World, out: &mut Columns) {
        numbers!(out, rows, int64: duration_ns, wait_ns);
        words!(out, rows: end_state);
        out.int32("priority", rows.iter().map(|_| Some(120)));
    }
}
of_threads!(Slice, "sched_slices", |_| "sched_slice");

/// Who is no thread.
pub(crate) const NOBODY: u32 = u32::MAX;

/// A time off the CPU.
#[derive(Clone, Copy, Default)]
pub(crate) struct Offcpu {
    pub at: At,
    pub duration_ns: i64,
    pub wait_ns: i64,
    pub state: &'static str,
    /// The thread that woke it, or [`NOBODY`].
    pub waker: u32,
    /// 0 for none.
    pub stack_id: i64,
    pub waker_stack_id: i64,
}

impl Offcpu {
    fn own(rows: &[Offcpu], world: &World, out: &mut Columns) {
        numbers!(out, rows, int64: duration_ns, wait_ns);
        words!(out, rows: state);
        let waker = |row: &Offcpu| world.threads.get(row.waker as usize);
        let process = |row: &Offcpu| waker(row).map(|waker| &world.processes[waker.process]);
        out.int32("waker_tid", rows.iter().map(|row| Some(waker(row)?.tid)));
        out.text("waker_comm", rows.iter().map(|row| Some(waker(row)?.comm)));
        out.int64("waker_upid", rows.iter().map(|row| Some(process(row)?.upid)));
        out.int32("waker_pid", rows.iter().map(|row| Some(process(row)?.pid)));
        let known = |id: i64| Some(id).filter(|id| *id != 0);
        out.int64("stack_id", rows.iter().map(|row| known(row.stack_id)));
        out.int64("waker_stack_id", rows.iter().map(|row| known(row.waker_stack_id)));
    }
}
of_threads!(Offcpu, "offcpu", |_| "offcpu");

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

/// A socket.
#[derive(Clone, Copy, Default)]
pub(crate) struct Connection {
    pub at: At,
    /// Below 0 when it had not ended.
    pub duration_ns: i64,
    pub connection_id: i64,
    pub role: &'static str,
    pub local_address: u32,
    pub local_port: i32,
    pub remote_address: u32,
    pub remote_port: i32,
    pub connect_latency_ns: i64,
    pub sent_bytes: i64,
    pub received_bytes: i64,
    pub sends: i64,
    pub receives: i64,
    pub retransmits: i64,
    pub srtt_ns: i64,
    pub state: &'static str,
    pub error: &'static str,
    pub resets_sent: i32,
    pub resets_received: i32,
}

impl Connection {
    fn own(rows: &[Connection], world: &World, out: &mut Columns) {
        optional!(out, rows, int64: duration_ns, connect_latency_ns, srtt_ns);
        numbers!(out, rows, int64: connection_id, sent_bytes, received_bytes);
        numbers!(out, rows, int64: sends, receives, retransmits);
        optional!(out, rows, int32: remote_port);
        numbers!(out, rows, int32: local_port, resets_sent, resets_received);
        words!(out, rows: role, state, error);
        texts!(out, rows, world: local_address, remote_address);
        out.text("protocol", rows.iter().map(|_| Some("tcp")));
        out.int64("netns", rows.iter().map(|_| Some(crate::state::NETNS)));
        out.int64("socket_inode", rows.iter().map(|row| Some(row.connection_id + 40_000)));
        out.int64("drops", rows.iter().map(|_| Some(0)));
        let rtt = |row: &Connection| Some(row.srtt_ns).filter(|rtt| *rtt >= 0).map(|rtt| rtt / 2);
        out.int64("rtt_min_ns", rows.iter().map(rtt));
        out.flag("preexisting", rows.iter().map(|_| false));
        out.flag("approximate_end", rows.iter().map(|_| false));
        let opener = |row: &Connection| Some(world.process_of(row.at.thread).pid);
        out.int32("opener_pid", rows.iter().map(opener));
    }
}
of_threads!(Connection, "connections", |_| "connection");

/// Something that happened to a socket.
#[derive(Clone, Copy, Default)]
pub(crate) struct ConnectionEvent {
    pub at: At,
    pub connection_id: i64,
    pub event: &'static str,
    pub local_address: u32,
    pub local_port: i32,
    pub remote_address: u32,
    pub remote_port: i32,
    pub old_state: &'static str,
    pub state: &'static str,
    pub error: &'static str,
    pub events: i32,
}

impl ConnectionEvent {
    fn own(rows: &[ConnectionEvent], world: &World, out: &mut Columns) {
        numbers!(out, rows, int64: connection_id);
        numbers!(out, rows, int32: local_port, events);
        optional!(out, rows, int32: remote_port);
        words!(out, rows: event, old_state, state, error);
        texts!(out, rows, world: local_address, remote_address);
        out.text("protocol", rows.iter().map(|_| Some("tcp")));
    }
}
of_threads!(ConnectionEvent, "connection_events", |_| "connection_event");

/// Packets of a second between two addresses.
#[derive(Clone, Copy, Default)]
pub(crate) struct Flow {
    pub at: At,
    pub duration_ns: i64,
    pub sent_packets: i64,
    pub sent_bytes: i64,
    pub received_packets: i64,
    pub received_bytes: i64,
    pub local_address: u32,
    pub local_port: i32,
    pub remote_address: u32,
    pub remote_port: i32,
}

impl Flow {
    fn own(rows: &[Flow], world: &World, out: &mut Columns) {
        numbers!(out, rows, int64: duration_ns, sent_packets, sent_bytes);
        numbers!(out, rows, int64: received_packets, received_bytes);
        numbers!(out, rows, int32: local_port, remote_port);
        texts!(out, rows, world: local_address, remote_address);
        out.text("ethertype", rows.iter().map(|_| Some("ipv4")));
        out.text("protocol", rows.iter().map(|_| Some("tcp")));
        out.text("interface", rows.iter().map(|_| Some("eth0")));
        out.int64("ifindex", rows.iter().map(|_| Some(2)));
        out.int64("netns", rows.iter().map(|_| Some(crate::state::NETNS)));
    }
}
of_threads!(Flow, "flows", |_| "flow");

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
