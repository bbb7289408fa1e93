//! What processes and threads do: start and end, call the kernel, run and wait.

use super::{At, Row};
use crate::columns::Columns;
use crate::world::World;

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
