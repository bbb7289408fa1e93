//! The only list of events.
//!
//! An event kind is declared here once: its permanent number, the ring it travels in, the table it
//! becomes a row of, its fields with type and meaning, and the variable parts at its end. Rules:
//! numbers are permanent; fields are only appended (a reader fills what an older record lacks with
//! NULL); a record may end early, and what is missing is NULL.

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use crate::tables::ColumnType;
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
    /// Stacks, and the mappings their addresses lie in; recorded with whatever has stacks.
    Stacks,
    /// Calls of memory allocators, and the mapping of memory.
    Allocations,
    /// Samples of what the CPUs do.
    Cpu,
    /// Page faults, and how much memory processes have.
    Faults,
    /// Sockets, and traffic per second.
    Network,
    /// Headers of packets.
    Packets,
    /// Messages of the domain name system.
    Dns,
    /// Requests to block devices.
    Disk,
    /// Signals.
    Signals,
    /// Gauges of the machine and of control groups; the recorder reads them itself.
    System,
}

impl Stream {
    /// All streams, in the order of their numbers.
    pub const ALL: [Stream; 13] = [
        Stream::Processes,
        Stream::Syscalls,
        Stream::Sched,
        Stream::Stacks,
        Stream::Allocations,
        Stream::Cpu,
        Stream::Faults,
        Stream::Network,
        Stream::Packets,
        Stream::Dns,
        Stream::Disk,
        Stream::Signals,
        Stream::System,
    ];

    /// Its name: of the spool file, of the ring map (`<name>_ring`).
    pub const fn name(self) -> &'static str {
        match self {
            Stream::Processes => "processes",
            Stream::Syscalls => "syscalls",
            Stream::Sched => "sched",
            Stream::Stacks => "stacks",
            Stream::Allocations => "allocations",
            Stream::Cpu => "cpu",
            Stream::Faults => "faults",
            Stream::Network => "network",
            Stream::Packets => "packets",
            Stream::Dns => "dns",
            Stream::Disk => "disk",
            Stream::Signals => "signals",
            Stream::System => "system",
        }
    }

    /// Whether the kernel side sends it; else the recorder makes its records.
    pub const fn has_ring(self) -> bool {
        !matches!(self, Stream::System)
    }

    /// Whether records of other streams are read with its help, so that each segment needs it whole.
    pub const fn is_context(self) -> bool {
        matches!(self, Stream::Processes | Stream::Stacks)
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
    /// The addresses of a stack, innermost first: 64 bits each.
    Frames = 8,
    /// The build-id of an ELF file, as bytes.
    BuildId = 9,
    /// The file of a mapping, as names like `Exe`; without a slash in its only name it is no file but
    /// what the kernel calls it, such as `[vdso]`.
    File = 10,
    /// The own name of a unix socket; an abstract one begins with a NUL.
    LocalName = 13,
    /// The name of the unix socket at the other end.
    RemoteName = 14,
    /// A packet from its Ethernet header on, as it is or would be on the wire.
    Captured = 11,
    /// A message of the domain name system, as it was sent.
    Message = 12,
    /// Which one of several a reading is of, such as a disk by its name.
    Instance = 24,
}

impl Tail {
    /// All variable parts.
    pub const ALL: [Tail; 15] = [
        Tail::Path,
        Tail::Path2,
        Tail::Address,
        Tail::Argv,
        Tail::Exe,
        Tail::Cwd,
        Tail::Cgroup,
        Tail::Frames,
        Tail::BuildId,
        Tail::File,
        Tail::LocalName,
        Tail::RemoteName,
        Tail::Captured,
        Tail::Message,
        Tail::Instance,
    ];

    /// The column it becomes, if it is not there for the reader of the spool only.
    pub const fn column(self) -> Option<&'static str> {
        match self {
            Tail::Frames | Tail::Message => None,
            // They are in the columns of the ends.
            Tail::LocalName | Tail::RemoteName => None,
            _ => Some(self.name()),
        }
    }

    /// Whether it may be longer than what is kept; stacks say so by a flag of their own.
    pub const fn can_be_cut(self) -> bool {
        !matches!(self, Tail::Frames | Tail::LocalName | Tail::RemoteName)
    }

    /// The type of its column.
    pub const fn column_type(self) -> ColumnType {
        match self {
            Tail::Captured => ColumnType::Binary,
            _ => ColumnType::Text,
        }
    }

    /// Its name: in C, and of its column.
    pub const fn name(self) -> &'static str {
        match self {
            Tail::Path => "path",
            Tail::Path2 => "path2",
            Tail::Address => "address",
            Tail::Argv => "argv",
            Tail::Exe => "exe",
            Tail::Cwd => "cwd",
            Tail::Cgroup => "cgroup",
            Tail::Frames => "frames",
            Tail::BuildId => "build_id",
            Tail::File => "file",
            Tail::LocalName => "local_name",
            Tail::RemoteName => "remote_name",
            Tail::Captured => "captured",
            Tail::Message => "message",
            Tail::Instance => "instance",
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
            Tail::Frames => "Addresses of a stack.",
            Tail::BuildId => "Build-id of the file, in hexadecimal; NULL when it has none.",
            Tail::File => "Path of the file as the process saw it, or a name such as `[vdso]`.",
            Tail::LocalName => "Own name of a unix socket.",
            Tail::RemoteName => "Name of the unix socket at the other end.",
            Tail::Captured => {
                "First bytes of the packet, from the Ethernet header on; NULL unless asked for."
            }
            Tail::Message => "Message of the domain name system, at most 4096 bytes.",
            Tail::Instance => {
                "Which one: a CPU, a disk, an interface, a mount point, a control group; NULL for the machine."
            }
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

impl EventDef {
    /// What the `event` column of its table calls it: its name, without that of the table before it.
    pub fn in_table(&self) -> &'static str {
        let singular = self.table.and_then(|table| table.strip_suffix('s'));
        let rest = singular.and_then(|singular| self.name.strip_prefix(singular));
        rest.and_then(|rest| rest.strip_prefix('_')).unwrap_or(self.name)
    }
}

/// The declared kind with number `id`.
pub fn by_id(id: u16) -> Option<&'static EventDef> {
    EVENTS.iter().find(|event| event.id == id)
}

/// The number of the kind called `name`; for constants.
///
/// # Panics
/// There is no such kind.
pub const fn kind_of(name: &str) -> u16 {
    let mut at = 0;
    while at < EVENTS.len() {
        if equal(EVENTS[at].name.as_bytes(), name.as_bytes()) {
            return EVENTS[at].id;
        }
        at += 1;
    }
    panic!("there is no such event kind");
}

const fn equal(left: &[u8], right: &[u8]) -> bool {
    let mut at = 0;
    while at < left.len() && at < right.len() && left[at] == right[at] {
        at += 1;
    }
    at == left.len() && at == right.len()
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
            impl $name {
                /// Its permanent number.
                pub const KIND: u16 = $id;
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
        /// Network namespace it is in, by its inode number.
        netns: Inode,
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
        /// Network namespace that a new process or program is in, by its inode number.
        netns: Inode,
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
        /// Network namespace that a new process or program is in, by its inode number.
        netns: Inode,
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
        /// What it completed with; a negative error number on failure; NULL when that was not told.
        ret: Return,
        /// Which operation.
        call: IoUringOp,
        /// Fills a gap.
        reserved: Reserved,
        /// Those of the system call where a path is among them, pointers as 0; else the first: the file descriptor.
        args: Args,
    } tail [Path, Path2]

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
        /// Time until it ran again; NULL when it has not, or when the kernel did not tell of it.
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
        /// Stack it was left with; NULL unless the source `offcpu` was recorded.
        stack_id: StackId,
        /// Stack of the thread that woke it.
        waker_stack_id: StackId,
    } tail []

    /// A thread was moved to another CPU's run queue.
    migration / Migration = 34 in Sched => "migrations" {
        /// CPU it was on.
        from_cpu: CpuId,
        /// CPU it is on from now on.
        to_cpu: CpuId,
    } tail []

    /// A stack that is seen for the first time in a segment.
    stack / Stack = 48 in Stacks {
        /// Number by which events of this segment refer to it.
        raw_id: RawId,
        /// How many of its addresses, from the first, are the kernel's.
        kernel_frames: Plain,
        /// Bits: 1 the outermost frames are missing, 2 some were found by frame pointers only.
        stack_flags: Plain,
    } tail [Frames]

    /// Memory of a process that code was seen to run in.
    mapping / Mapping = 49 in Stacks => "mappings" {
        /// First address.
        start_address: Address,
        /// Address behind the last.
        end_address: Address,
        /// Where it begins in the file.
        offset_bytes: SizeBytes,
        /// Inode number of the file; NULL when there is no file.
        inode: Inode,
        /// Device of the file, as major and minor number.
        device: Device,
        /// Fills a gap.
        reserved: Reserved,
    } tail [BuildId, File]

    /// Memory was allocated, or moved, by an allocator or by the kernel.
    allocation / Allocation = 40 in Allocations => "allocations" {
        /// Address of the memory; of `brk`, the end of the heap from now on. NULL when it failed.
        address: Address,
        /// Of `realloc` and `mremap`, the address before; of `brk`, the end before.
        old_address: Address,
        /// Bytes asked for; of `munmap`, given back; of `brk`, by how much the heap grew.
        size_bytes: SizeBytes,
        /// Stack of the caller.
        stack_id: StackId,
        /// The function or call: `malloc`, `free`, `new`, `mmap`, ...
        operation: AllocationOp,
        /// How many calls this one stands for: 1 when all are recorded.
        one_in: OneIn,
    } tail []

    /// Memory was given back to an allocator.
    deallocation / Deallocation = 41 in Allocations => "allocations" {
        /// Address of the memory.
        address: Address,
        /// The function: `free` or `delete`.
        operation: AllocationOp,
        /// How many calls this one stands for: 1 when all are recorded.
        one_in: OneIn,
    } tail []

    /// A tick at which a thread was found running.
    cpu_sample / CpuSample = 42 in Cpu => "cpu_samples" {
        /// CPU time it stands for.
        period_ns: DurationNs,
        /// Where it was found.
        stack_id: StackId,
        /// Whether it was in `user` or `kernel` mode.
        mode: CpuMode,
        /// Fills a gap.
        reserved: Reserved,
    } tail []

    /// A thread touched a page that was not mapped.
    page_fault / PageFault = 43 in Faults => "page_faults" {
        /// Address that it touched.
        address: Address,
        /// Stack that touched it.
        stack_id: StackId,
        /// `minor`, or `major` when the page had to be read in.
        fault: FaultKind,
        /// Whether it was touched in `user` or `kernel` mode.
        mode: CpuMode,
    } tail []

    /// How much memory a process has: once a second, and at its end.
    memory_usage / MemoryUsage = 44 in Faults => "memory_usage" {
        /// Resident memory: the sum of the next three.
        rss_bytes: SizeBytes,
        /// Highest value it ever had.
        rss_peak_bytes: SizeBytes,
        /// Resident anonymous memory: heap and stacks.
        anonymous_bytes: SizeBytes,
        /// Resident pages of files.
        file_bytes: SizeBytes,
        /// Resident shared memory.
        shared_bytes: SizeBytes,
        /// Memory moved to swap.
        swap_bytes: SizeBytes,
        /// Address space in use.
        virtual_bytes: SizeBytes,
    } tail []

    /// The kernel chose a process to end for want of memory.
    oom_kill / OomKill = 45 in Faults => "oom_kills" {
        /// Resident memory of the process.
        rss_bytes: SizeBytes,
        /// Address space it had in use.
        virtual_bytes: SizeBytes,
        /// Thread that had asked for memory.
        by_tid: Tid,
        /// Process of that thread.
        by_pid: Pid,
    } tail []

    /// A socket, from its first sign of life to its end.
    connection / Connection = 50 in Network => "connections" {
        /// Time from then on until it ended; NULL when it had not.
        duration_ns: DurationNs,
        /// The socket for good; the same in `connection_events`.
        connection_id: ConnectionId,
        /// What it speaks: `tcp`, `udp`, `unix_stream`, `unix_dgram`, `unix_seqpacket`, ...
        protocol: SocketProtocol,
        /// `client`, `server`, `listener`, or `peer` where there is no telling.
        role: SocketRole,
        /// The own end.
        local: LocalEnd,
        /// The other end.
        remote: RemoteEnd,
        /// Inode number of the network namespace it is in.
        netns: Inode,
        /// Inode number of the socket, as `ss -e` and `/proc/PID/fd` show it.
        socket_inode: Inode,
        /// Time from the request to connect until it was established; of clients.
        connect_latency_ns: DurationNs,
        /// Bytes that programs sent on it.
        sent_bytes: SizeBytes,
        /// Bytes that programs received on it.
        received_bytes: SizeBytes,
        /// Times something was sent on it.
        sends: Count,
        /// Times something was received on it.
        receives: Count,
        /// Segments that were sent again.
        retransmits: Count,
        /// Packets for it that were dropped: no room, or not valid.
        drops: Count,
        /// Smoothed round-trip time at the end.
        srtt_ns: DurationNs,
        /// Least round-trip time of the last minutes.
        rtt_min_ns: DurationNs,
        /// Last state before it ended, or the state when the recording ended.
        state: SocketState,
        /// Why it failed or ended, such as `ECONNREFUSED`, `ETIMEDOUT`, `ECONNRESET`.
        error: Errno,
        /// Resets that were sent.
        resets_sent: FewOf,
        /// Resets that were received.
        resets_received: FewOf,
        /// Whether it was open before the recording, or came into the scope later.
        preexisting: Flag,
        /// Whether it ended some time in the second before the end that is told.
        approximate_end: Flag,
        /// Process that connected, accepted or first used it; `pid` is the one that used it last.
        opener_pid: Pid,
        /// Process at the other end, where the kernel knows it: of unix sockets that were connected.
        peer_pid: Pid,
    } tail [LocalName, RemoteName]

    /// A socket changed its state, or something went wrong with it.
    connection_event / ConnectionEvent = 51 in Network => "connection_events" {
        /// The socket.
        connection_id: ConnectionId,
        /// What happened: `state`, `retransmit`, `reset_sent`, `reset_received`, `drop`, `error`;
        /// `first_use` of a socket that has no states.
        event: SocketEvent,
        /// What the socket speaks.
        protocol: SocketProtocol,
        /// The own end.
        local: LocalEnd,
        /// The other end.
        remote: RemoteEnd,
        /// State before.
        old_state: SocketState,
        /// State from now on.
        state: SocketState,
        /// Error that comes with it.
        error: Errno,
        /// How many of them the row stands for: segments, of `retransmit`; packets, of `drop`.
        events: FewOf,
        /// Why, in the kernel's words, such as `SOCKET_RCVBUFF`; of `drop`.
        reason: Word,
    } tail []

    /// Packets of a process between two addresses in a second, counted in the kernel.
    flow / Flow = 52 in Network => "flows" {
        /// From the first packet of that second to the last, to a few ms.
        duration_ns: DurationNs,
        /// Packets that the interface sent.
        sent_packets: Count,
        /// Their bytes, as the interface counts them: with the Ethernet header.
        sent_bytes: SizeBytes,
        /// Packets that the interface received.
        received_packets: Count,
        /// Their bytes, as the interface counts them: with the Ethernet header.
        received_bytes: SizeBytes,
        /// Address on this side; NULL where packets have none, and in rows for what found no room.
        local_address: IpAddress,
        /// Address on the other side.
        remote_address: IpAddress,
        /// Port on this side.
        local_port: Port,
        /// Port on the other side.
        remote_port: Port,
        /// `ipv4`, `ipv6`, `arp` or a number; NULL in rows for what found no room.
        ethertype: EtherType,
        /// `tcp`, `udp`, `icmp`, `icmpv6`, `gre`, ... or a number.
        protocol: IpProtocol,
        /// Interface by its number in the network namespace.
        ifindex: Number,
        /// Network namespace of the interface.
        netns: Number,
        /// Interface by its name.
        interface: Name,
    } tail []

    /// A packet at an interface.
    packet / Packet = 53 in Packets => "packets" {
        /// `sent` or `received`.
        direction: Direction,
        /// Its bytes, with the Ethernet header.
        length_bytes: Bytes,
        /// Interface by its number in the network namespace.
        ifindex: Number,
        /// Network namespace of the interface.
        netns: Number,
        /// Interface by its name.
        interface: Name,
        /// Hardware address it is from.
        source_mac: MacAddress,
        /// Hardware address it is for.
        destination_mac: MacAddress,
        /// `ipv4`, `ipv6`, `arp` or a number.
        ethertype: EtherType,
        /// VLAN it is in; of stacked ones, the outer.
        vlan: Number,
        /// The inner of two stacked VLANs.
        inner_vlan: Number,
        /// What is wrong with it; NULL when nothing is.
        malformed: Malformed,
        /// Address it is from; of ARP, of the sender.
        source_address: IpAddress,
        /// Address it is for; of ARP, what is looked for.
        destination_address: IpAddress,
        /// `tcp`, `udp`, `icmp`, `icmpv6`, `gre`, ... or a number.
        protocol: IpProtocol,
        /// Time to live; of IPv6, the hop limit.
        ttl: Number,
        /// Identification of an IPv4 packet, and of an IPv6 fragment.
        ip_id: Number,
        /// `DF` (do not fragment), `MF` (more fragments follow).
        ip_flags: IpFlags,
        /// Where a fragment belongs in its packet; 0 when it is the first or the only one.
        fragment_offset_bytes: Bytes,
        /// Bytes behind all headers that were read.
        payload_bytes: Bytes,
        /// Port it is from.
        source_port: Port,
        /// Port it is for.
        destination_port: Port,
        /// Sequence number of a TCP segment.
        seq: Sequence,
        /// Acknowledgement number of a TCP segment.
        ack: Sequence,
        /// Window that a TCP segment offers, not scaled.
        window: Number,
        /// Flags of a TCP segment: `SYN|ACK`.
        tcp_flags: TcpFlags,
        /// Type of an ICMP message.
        icmp_type: Number,
        /// Its code.
        icmp_code: Number,
        /// Network of a VXLAN packet, or key of a GRE packet.
        tunnel_id: Number,
        /// `request`, `reply`, or a number.
        arp_operation: ArpOperation,
        /// Hardware address that the sender of an ARP packet says it has.
        arp_sender_mac: MacAddress,
        /// Hardware address that an ARP packet has for its target.
        arp_target_mac: MacAddress,
    } tail [Captured]

    /// A message of the domain name system passed an interface.
    dns / Dns = 54 in Dns => "dns" {
        /// Length of the message.
        message_bytes: DnsMessage,
        /// Protocol it came by: `udp` or `tcp`.
        transport: Transport,
        /// Of a response, time since the query; NULL when that was not seen.
        latency_ns: DurationNs,
        /// Whose process this is: the `client`'s or the `server`'s; NULL when neither is known.
        side: DnsSide,
        /// Fills a gap.
        reserved: Reserved,
        /// Address of the client.
        client_address: IpAddress,
        /// Port of the client.
        client_port: Port,
        /// Port of the server.
        server_port: Port,
        /// Address of the server.
        server_address: IpAddress,
    } tail [Message]

    /// What the scheduler gave a thread since the row before: once a second if it ran, and at its end.
    task_usage / TaskUsage = 59 in Cpu => "task_usage" {
        /// Time on a CPU.
        cpu_ns: DurationNs,
        /// Part of it in the program, as the kernel found it at its ticks.
        user_ns: DurationNs,
        /// Part of it in the kernel, as the kernel found it at its ticks.
        system_ns: DurationNs,
        /// Time it was ready to run and waited for a CPU; NULL where the kernel does not count it.
        wait_ns: DurationNs,
        /// Times it left the CPU because it waited for something.
        voluntary_switches: Times,
        /// Times it had to leave the CPU for another.
        involuntary_switches: Times,
    } tail []

    /// A request to a block device, from its making to its completion.
    block_io / BlockIo = 55 in Disk => "block_io" {
        /// From its making to its completion; NULL when it has not completed, or the kernel did not tell of it.
        duration_ns: DurationNs,
        /// From its making to its issue to the driver; NULL when it was not issued.
        queue_ns: DurationNs,
        /// From its issue to the driver, the last one if there were several, to its completion.
        service_ns: DurationNs,
        /// Where it begins on the disk, in units of 512 bytes; NULL for a flush.
        sector: Sector,
        /// Bytes that it reads, writes or discards.
        bytes: SizeBytes,
        /// Part of `bytes` that was merged into it after it was made, by whatever process.
        merged_bytes: SizeBytes,
        /// What is to be done: `read`, `write`, `flush`, `discard`, `write_zeroes`, ...
        request_flags: BlockFlags,
        /// Name of the error it ended with, such as `EIO`; NULL on success.
        error: BlockStatus,
        /// Major and minor number of the disk.
        device: Device,
        /// How many times the driver gave it back to be issued again.
        requeues: Times,
        /// Name of the disk, such as `vda`.
        disk: DiskName,
    } tail []

    /// A signal was sent. Of one that the kernel sends on its own, the thread is the target.
    signal_sent / SignalSent = 56 in Signals => "signals" {
        /// Name of the signal, such as `SIGTERM`.
        signal: SignalCode,
        /// Process it was sent to, for good.
        target_upid: Upid,
        /// Process it was sent to.
        target_pid: Pid,
        /// Thread it was sent to; of a signal to a process, one of its threads.
        target_tid: Tid,
        /// Name of that thread.
        target_comm: Comm,
        /// Name of the thread that sent it, also where that is out of scope; NULL for the kernel.
        sender_comm: Comm,
        /// Process that sent it; NULL for the kernel. Of `signal_received`, as the target sees its id.
        sender_pid: Pid,
        /// What became of it: `delivered`, `ignored`, `already_pending`, `overflow_fail`, `lose_info`.
        result: SignalResult,
        /// Whether it was for the whole `process` or for the one `thread`.
        reach: SignalReach,
        /// Fills a gap.
        reserved: Reserved,
    } tail []

    /// A thread took a signal that was sent to it or to its process.
    signal_received / SignalReceived = 57 in Signals => "signals" {
        /// Name of the signal.
        signal: SignalCode,
        /// Process that sent it, as this thread sees its id; NULL for the kernel.
        sender_pid: Pid,
        /// What the thread does: `default`, `ignore`, or a `handler` of the program's.
        action: SignalHandler,
    } tail []

    /// A reading of something that the kernel counts or measures.
    gauge / Gauge = 58 in System => "system" {
        /// What it is about: `cpu`, `memory`, `disk`, `cgroup`, ...
        gauge: GaugeId,
        /// Fills a gap.
        reserved: Reserved,
        /// Time since the reading before; NULL for the first.
        interval_ns: DurationNs,
        /// What was read.
        value: Real,
        /// How much more it is than at the reading before; NULL for the first, and for what is no sum.
        change: Real,
    } tail [Instance]
}
