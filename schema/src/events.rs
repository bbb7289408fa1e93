//! The only list of events.
//!
//! An event kind is declared here once: its permanent number, the ring it travels in, the table it
//! becomes a row of, its fields with type and meaning, and the variable parts at its end. Rules:
//! numbers are permanent; fields are only appended (a reader fills what an older record lacks with
//! NULL); a record may end early, and what is missing is NULL.

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use crate::types::*;

/// A family of events that shares one ring and one spool file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Stream {
    /// Who exists: processes, threads, control groups. Always recorded.
    Processes,
    /// System calls and io_uring operations.
    Syscalls,
    /// The scheduler.
    Sched,
}

impl Stream {
    /// All streams, in the order of their numbers.
    pub const ALL: [Stream; 3] = [Stream::Processes, Stream::Syscalls, Stream::Sched];

    /// Its name: of the spool file, of the ring map (`<name>_ring`).
    pub const fn name(self) -> &'static str {
        match self {
            Stream::Processes => "processes",
            Stream::Syscalls => "syscalls",
            Stream::Sched => "sched",
        }
    }
}

/// What every record begins with.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct Header {
    /// When it happened or began: `CLOCK_MONOTONIC`, ns.
    pub ts_ns: u64,
    /// Thread it happened to.
    pub tid: u32,
    /// Process of that thread.
    pub pid: u32,
    /// Event kind ([`EventDef::id`]).
    pub kind: u16,
    /// Bytes of the whole record.
    pub size: u16,
    /// Bytes before the variable parts: header and fixed fields.
    pub fixed: u16,
    /// CPU the record was written on.
    pub cpu: u16,
}

/// A variable part at the end of a record: `tag`, `flags`, 16-bit length, bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Tail {
    /// A path as the program wrote it.
    Path = 1,
    /// The second path of a call that has two.
    Path2 = 2,
    /// A socket address, as the kernel's `struct sockaddr`.
    Address = 3,
    /// The argument vector, each argument ended by a NUL.
    Argv = 4,
    /// An absolute path as names from the file up to the root, each ended by a NUL.
    Exe = 5,
    /// The working directory, as names like `Exe`.
    Cwd = 6,
    /// A control group's path, as names like `Exe`.
    Cgroup = 7,
}

impl Tail {
    /// All variable parts.
    pub const ALL: [Tail; 7] =
        [Tail::Path, Tail::Path2, Tail::Address, Tail::Argv, Tail::Exe, Tail::Cwd, Tail::Cgroup];

    /// The column it becomes.
    pub const fn column(self) -> &'static str {
        match self {
            Tail::Path => "path",
            Tail::Path2 => "path2",
            Tail::Address => "address",
            Tail::Argv => "argv",
            Tail::Exe => "exe",
            Tail::Cwd => "cwd",
            Tail::Cgroup => "cgroup",
        }
    }

    /// What the column holds.
    pub const fn doc(self) -> &'static str {
        match self {
            Tail::Path => "Path as the program gave it, at most 1023 bytes.",
            Tail::Path2 => "Second path of a call that has two (`rename`, `link`, `mount`).",
            Tail::Address => {
                "Socket address: `127.0.0.1:80`, `[::1]:80`, `unix:/run/x`, `unix:@name`."
            }
            Tail::Argv => "Arguments, quoted so that they can be pasted into a shell.",
            Tail::Exe => "Absolute path of the program file.",
            Tail::Cwd => "Working directory.",
            Tail::Cgroup => "Path of the control group.",
        }
    }
}

/// Flag of a variable part: it was longer than what is kept.
pub const TAIL_TRUNCATED: u8 = 1;

/// A declared field of an event kind.
#[derive(Clone, Copy, Debug)]
pub struct EventField {
    /// Name in C, in Rust and, for most types, of the column.
    pub name: &'static str,
    /// Its type.
    pub ty: FieldType,
    /// Byte offset in the record.
    pub offset: usize,
    /// What it means.
    pub doc: &'static str,
}

/// A declared event kind.
#[derive(Clone, Copy, Debug)]
pub struct EventDef {
    /// Name in the field's words; the `event` column of tables that several kinds share.
    pub name: &'static str,
    /// Permanent number on the wire.
    pub id: u16,
    /// Ring and spool file it travels in.
    pub stream: Stream,
    /// Table it is a row of; none for what only serves to identify threads.
    pub table: Option<&'static str>,
    /// Its fields, without the header.
    pub fields: &'static [EventField],
    /// Its variable parts.
    pub tails: &'static [Tail],
    /// Bytes of header and all fields.
    pub size: usize,
    /// What it is.
    pub doc: &'static str,
}

/// The declared kind with number `id`.
pub fn by_id(id: u16) -> Option<&'static EventDef> {
    EVENTS.iter().find(|event| event.id == id)
}

/// One more than the largest kind number: the length of counter arrays.
pub const KINDS: usize = 64;

macro_rules! events {
    ($(
        $(#[doc = $doc:literal])+
        $module:ident / $name:ident = $id:literal in $stream:ident $(=> $table:literal)? {
            $($(#[doc = $field_doc:literal])+ $field:ident: $ty:ident,)*
        } tail [$($tail:ident),*]
    )+) => {
        $(
            $(#[doc = $doc])+
            #[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
            #[repr(C)]
            pub struct $name {
                /// Common to all records.
                pub header: Header,
                $($(#[doc = $field_doc])+ pub $field: $ty,)*
            }
            // No implicit padding: the kernel side must not leak stack bytes, and C must agree.
            const _: () = assert!(
                size_of::<$name>() == size_of::<Header>() $(+ size_of::<$ty>())* && size_of::<$name>() % 8 == 0
            );
            const _: () = assert!($id < KINDS);
        )+

        /// Every event kind.
        pub const EVENTS: &[EventDef] = &[$(
            EventDef {
                name: stringify!($module),
                id: $id,
                stream: Stream::$stream,
                table: table!($($table)?),
                fields: &[$(EventField {
                    name: stringify!($field),
                    ty: <$ty as WireType>::TYPE,
                    offset: std::mem::offset_of!($name, $field),
                    doc: concat!($($field_doc,)+).trim_ascii(),
                },)*],
                tails: &[$(Tail::$tail),*],
                size: size_of::<$name>(),
                doc: concat!($($doc,)+).trim_ascii(),
            },
        )+];
    };
}

macro_rules! table {
    () => {
        None
    };
    ($table:literal) => {
        Some($table)
    };
}

events! {
    /// A thread that is in scope: found when recording or a segment began, or seen for the first time.
    thread / Thread = 1 in Processes {
        /// Its process.
        upid: Upid,
        /// The process that started it.
        parent_upid: Upid,
        /// Control group it is in.
        cgroup_id: CgroupId,
        /// Real user id.
        uid: Uid,
        /// Real group id.
        gid: Gid,
        /// Its name.
        thread_comm: Comm,
    } tail []

    /// A process started another.
    fork / Fork = 2 in Processes => "process_events" {
        /// The new process.
        child_upid: Upid,
        /// Control group the child is in.
        child_cgroup_id: CgroupId,
        /// Thread id of the new process's first thread.
        child_tid: Tid,
        /// Process id of the new process.
        child_pid: Pid,
        /// Real user id.
        uid: Uid,
        /// Real group id.
        gid: Gid,
    } tail []

    /// A process started another thread in itself.
    thread_start / ThreadStart = 3 in Processes => "process_events" {
        /// The process.
        child_upid: Upid,
        /// Control group the thread is in.
        child_cgroup_id: CgroupId,
        /// Thread id of the new thread.
        child_tid: Tid,
        /// Process id of the new thread: that of the process.
        child_pid: Pid,
    } tail []

    /// A process replaced its program.
    exec / Exec = 4 in Processes => "process_events" {
        /// The process.
        exec_upid: Upid,
        /// Thread that called exec; from here on it has the process's id.
        old_tid: Tid,
        /// Real user id.
        uid: Uid,
        /// Real group id.
        gid: Gid,
        /// Effective user id, which a set-user-id program changes.
        euid: Uid,
    } tail [Path, Exe, Cwd, Argv]

    /// The last thread of a process ended.
    exit / Exit = 5 in Processes => "process_events" {
        /// How it ended.
        status: ExitStatus,
        /// Fills a gap.
        reserved: Reserved,
    } tail []

    /// A thread ended; its process goes on.
    thread_exit / ThreadExit = 6 in Processes => "process_events" {
        /// How it ended.
        status: ExitStatus,
        /// Fills a gap.
        reserved: Reserved,
    } tail []

    /// A thread changed its name; exec does so too.
    rename / Rename = 7 in Processes => "process_events" {
        /// The new name; `comm` is the old one.
        new_comm: Comm,
    } tail []

    /// A thread's user, group or capabilities changed.
    setuid / Setuid = 8 in Processes => "process_events" {
        /// Effective capabilities.
        cap_effective: Bits,
        /// Real user id.
        uid: Uid,
        /// Real group id.
        gid: Gid,
        /// Effective user id.
        euid: Uid,
        /// Effective group id.
        egid: Gid,
        /// Real user id before.
        old_uid: Uid,
        /// Effective user id before.
        old_euid: Uid,
    } tail []

    /// A control group that a recorded thread is in.
    cgroup / Cgroup = 9 in Processes {
        /// Its id.
        id: CgroupId,
    } tail [Cgroup]

    /// A thread was moved to another control group.
    cgroup_attach / CgroupAttach = 10 in Processes => "process_events" {
        /// Control group it is in from now on.
        child_cgroup_id: CgroupId,
    } tail []

    /// A system call.
    syscall / Syscall = 16 in Syscalls => "syscalls" {
        /// Time in the call; NULL when it has not returned or began before the recording.
        duration_ns: DurationNs,
        /// What it returned; a negative error number on failure; NULL when it has not returned.
        ret: Return,
        /// Which call.
        call: SyscallId,
        /// Fills a gap.
        reserved: Reserved,
        /// Argument register as a signed number; NULL where the call has fewer.
        args: Args,
    } tail [Path, Path2, Address]

    /// An operation submitted through io_uring, from submission to completion.
    io_uring / IoUring = 17 in Syscalls => "syscalls" {
        /// Time from submission to completion.
        duration_ns: DurationNs,
        /// What it completed with; a negative error number on failure.
        ret: Return,
        /// Which operation.
        call: IoUringOp,
        /// Fills a gap.
        reserved: Reserved,
        /// First argument: the file descriptor; the others are NULL.
        args: Args,
    } tail []

    /// A thread ran on a CPU.
    sched_slice / SchedSlice = 32 in Sched => "sched_slices" {
        /// Time on the CPU.
        duration_ns: DurationNs,
        /// Time it was ready to run and waited for the CPU before.
        wait_ns: DurationNs,
        /// Why it left the CPU: `preempted`, or the state it left in, in the words of `/proc/PID/status`.
        end_state: TaskState,
        /// Priority it ran at.
        priority: Priority,
    } tail []

    /// A thread was off the CPU.
    offcpu / Offcpu = 33 in Sched => "offcpu" {
        /// Time until it ran again; NULL when it has not.
        duration_ns: DurationNs,
        /// Part of it in which it was ready and waited for a CPU.
        wait_ns: DurationNs,
        /// State it left the CPU in: `preempted`, or the words of `/proc/PID/status`.
        state: TaskState,
        /// Thread that woke it; NULL when none did or an interrupt came with no thread running.
        waker: PeerTid,
        /// Process of the thread that woke it.
        waker_pid: Pid,
        /// Fills a gap.
        reserved: Reserved,
        /// Name of the thread that woke it.
        waker_comm: Comm,
    } tail []

    /// A thread was moved to another CPU's run queue.
    migration / Migration = 34 in Sched => "migrations" {
        /// CPU it was on.
        from_cpu: CpuId,
        /// CPU it is on from now on.
        to_cpu: CpuId,
    } tail []
}
