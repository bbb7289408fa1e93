//! What processes and threads do: start and end, call the kernel, run and wait.

use super::{At, Row};
use crate::columns::Columns;
use crate::world::{Program, World};

/// What becomes of a process or thread.
#[derive(Clone, Copy)]
pub(crate) struct ProcessEvent {
    at: At,
    kind: &'static str,
    /// The new thread.
    child: u32,
    /// Of an exec, which of the process; of a change of users, which of all; of a name, its text.
    detail: u32,
}

impl ProcessEvent {
    fn new(ts: i64, thread: u32, kind: &'static str, child: u32) -> ProcessEvent {
        ProcessEvent { at: At { ts, thread, cpu: 0 }, kind, child, detail: 0 }
    }

    pub fn fork(ts: i64, parent: u32, child: u32) -> ProcessEvent {
        ProcessEvent::new(ts, parent, "fork", child)
    }

    pub fn exec(ts: i64, thread: u32, number: usize) -> ProcessEvent {
        let detail = number as u32;
        ProcessEvent { detail, ..ProcessEvent::new(ts, thread, "exec", thread) }
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

    /// `name` is a text of the world.
    pub fn rename(ts: i64, thread: u32, name: u32) -> ProcessEvent {
        ProcessEvent { detail: name, ..ProcessEvent::new(ts, thread, "rename", thread) }
    }

    /// `users` is a number in the world.
    pub fn setuid(ts: i64, thread: u32, users: usize) -> ProcessEvent {
        let detail = users as u32;
        ProcessEvent { detail, ..ProcessEvent::new(ts, thread, "setuid", thread) }
    }

    fn own(rows: &[ProcessEvent], world: &World, out: &mut Columns) {
        let is_start = |row: &&ProcessEvent| matches!(row.kind, "fork" | "thread_start");
        let is = |kind: &'static str| move |row: &&ProcessEvent| row.kind == kind;
        let child = |row: &ProcessEvent| world.process_of(row.child);
        let rows = || rows.iter();
        out.text("event", rows().map(|row| Some(row.kind)));
        let children = || rows().map(|row| Some(row).filter(is_start).map(|row| (row, child(row))));
        out.int64("child_upid", children().map(|known| Some(known?.1.upid)));
        out.int64("child_cgroup_id", children().map(|known| Some(known?.1.place.cgroup_id)));
        out.int32("child_pid", children().map(|known| Some(known?.1.pid)));
        out.int32(
            "child_tid",
            children().map(|known| Some(world.threads[known?.0.child as usize].tid)),
        );
        let execs = || rows().map(|row| Some(row).filter(is("exec")).map(child));
        out.int64("exec_upid", execs().map(|process| Some(process?.upid)));
        out.int32("old_tid", execs().map(|process| Some(process?.pid)));
        let programs = || rows().map(|row| program(row, world));
        let changes = |row: &ProcessEvent| {
            Some(&world.users[Some(row).filter(is("setuid"))?.detail as usize])
        };
        let users = || rows().map(changes);
        // A new process begins with the users that its first program is run by.
        let uid = |row: &ProcessEvent| match row.kind {
            "fork" => {
                let first = child(row).execs.first().map(|(_, program)| program.uid);
                Some(first.unwrap_or(child(row).program.uid))
            }
            "setuid" => Some(world.users[row.detail as usize].uid),
            _ => program(row, world).map(|program| program.uid),
        };
        out.int64("uid", rows().map(uid));
        out.int64("gid", rows().map(uid));
        out.int64(
            "euid",
            programs().zip(users()).map(|(program, users)| match users {
                Some(users) => Some(users.euid),
                None => Some(program?.euid),
            }),
        );
        out.int64("egid", users().map(|users| Some(users?.euid)));
        out.int64("old_uid", users().map(|users| Some(users?.old_uid)));
        out.int64("old_euid", users().map(|users| Some(users?.old_euid)));
        out.int64("cap_effective", users().map(|users| Some(users?.cap_effective)));
        let places =
            || rows().map(|row| Some(child(row)).filter(|_| matches!(row.kind, "fork" | "exec")));
        out.int64("netns", places().map(|process| Some(process?.place.netns)));
        out.text("path", programs().map(|program| Some(program?.path.as_str())));
        out.text("exe", programs().map(|program| Some(program?.exe.as_str())));
        out.text("cwd", programs().map(|program| Some(program?.cwd.as_str())));
        out.text("argv", programs().map(|program| Some(program?.argv.as_str())));
        let name = |row: &ProcessEvent| world.text_of(Some(row).filter(is("rename"))?.detail);
        out.text("new_comm", rows().map(name));
        // After an exec it has the name of the program.
        let comm = |row: &ProcessEvent| match program(row, world) {
            Some(program) => program.comm.as_str(),
            None => world.threads[row.at.thread as usize].comm.as_str(),
        };
        out.text("comm", rows().map(|row| Some(comm(row))));
        let ends = || rows().map(|row| Some(row).filter(|row| row.kind.ends_with("exit")));
        let signal = |row: &ProcessEvent| match row.kind {
            "exit" => child(row).signal,
            _ => world.threads[row.child as usize].signal,
        };
        let code = |row: &ProcessEvent| if row.kind == "exit" { child(row).exit_code } else { 0 };
        let is_signalled = |row: &&ProcessEvent| !signal(row).is_empty();
        out.int32("exit_code", ends().map(|row| Some(code(row.filter(|row| !is_signalled(row))?))));
        out.text("signal", ends().map(|row| Some(signal(row.filter(is_signalled)?))));
    }
}

/// The program of an exec.
fn program<'a>(row: &ProcessEvent, world: &'a World) -> Option<&'a Program> {
    let execs = &world.process_of(row.child).execs;
    (row.kind == "exec").then(|| &execs[row.detail as usize].1)
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
    pub args: [i64; 6],
    pub path: u32,
    pub path2: u32,
    pub address: u32,
    /// How it was made; empty for the usual way.
    pub via: &'static str,
}

impl Syscall {
    fn own(rows: &[Syscall], world: &World, out: &mut Columns) {
        // What has not returned took less than no time.
        let returned = |row: &Syscall| (row.duration_ns >= 0).then_some(row.ret);
        optional!(out, rows, int64: duration_ns);
        out.int64("ret", rows.iter().map(returned));
        words!(out, rows: syscall, error);
        texts!(out, rows, world: path, path2, address);
        let via = |row: &Syscall| if row.via.is_empty() { "syscall" } else { row.via };
        out.text("via", rows.iter().map(|row| Some(via(row))));
        let names = ["arg0", "arg1", "arg2", "arg3", "arg4", "arg5"];
        for (at, name) in names.into_iter().enumerate() {
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
        out.text("waker_comm", rows.iter().map(|row| Some(waker(row)?.comm.as_str())));
        out.int64("waker_upid", rows.iter().map(|row| Some(process(row)?.upid)));
        out.int32("waker_pid", rows.iter().map(|row| Some(process(row)?.pid)));
        let known = |id: i64| Some(id).filter(|id| *id != 0);
        out.int64("stack_id", rows.iter().map(|row| known(row.stack_id)));
        out.int64("waker_stack_id", rows.iter().map(|row| known(row.waker_stack_id)));
    }
}
of_threads!(Offcpu, "offcpu", |_| "offcpu");
