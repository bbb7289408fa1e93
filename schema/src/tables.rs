//! The list of tables: those made of events, and those that describe the trace itself.
//!
//! An event table's columns are the common ones, then those of the kinds that become its rows, in
//! the order of declaration. A state table's columns are written here.

use crate::events::{EVENTS, EventDef, Stream};

/// What a column holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ColumnType {
    /// A moment: UTC, nanoseconds.
    Timestamp,
    /// A 32-bit signed number.
    Int32,
    /// A 64-bit signed number.
    Int64,
    /// A 64-bit floating-point number.
    Float64,
    /// Text, UTF-8.
    Text,
    /// True or false.
    Bool,
    /// Bytes.
    Binary,
    /// The frames of a stack: a list of [`FRAME`]s.
    Frames,
}

/// A column of a table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Column {
    /// Its name; a unit is the last part of it.
    pub name: &'static str,
    /// Its type.
    pub ty: ColumnType,
    /// Whether it can be NULL.
    pub nullable: bool,
    /// What it means.
    pub doc: &'static str,
}

impl Column {
    /// A column that can be NULL.
    pub const fn nullable(name: &'static str, ty: ColumnType, doc: &'static str) -> Column {
        Column { name, ty, nullable: true, doc }
    }

    /// A column that always has a value.
    pub const fn required(name: &'static str, ty: ColumnType, doc: &'static str) -> Column {
        Column { name, ty, nullable: false, doc }
    }
}

/// Where the rows of a table come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// The events of a stream.
    Stream(Stream),
    /// The distinct stacks that events refer to.
    Stacks,
    /// The identity of processes and threads; always recorded.
    Identity,
    /// The recorder itself; always recorded.
    Recorder,
}

/// A table of a trace.
#[derive(Clone, Copy, Debug)]
pub struct Table {
    /// Its name: in SQL, and of its folder in the trace.
    pub name: &'static str,
    /// What one row is.
    pub doc: &'static str,
    /// Where its rows come from.
    pub source: Source,
    /// Its own columns, if it does not have the common ones.
    own: &'static [Column],
}

impl Table {
    /// The event kinds that become its rows.
    pub fn events(&self) -> impl Iterator<Item = &'static EventDef> {
        let name = self.name;
        EVENTS.iter().filter(move |event| event.table == Some(name))
    }

    /// Whether several kinds share it, so that it has an `event` column.
    pub fn is_shared(&self) -> bool {
        // io_uring operations are told from system calls by `via`.
        matches!(self.name, "process_events" | "signals")
    }

    /// Whether its rows are of threads, and so have the common columns.
    pub fn is_of_threads(&self) -> bool {
        matches!(self.source, Source::Stream(_)) && self.own.is_empty()
    }

    /// All its columns, in order.
    pub fn columns(&self) -> Vec<Column> {
        if !self.own.is_empty() {
            return self.own.to_vec();
        }
        let mut columns = COMMON.to_vec();
        let mut add = |column: Column| {
            if !columns.iter().any(|known| known.name == column.name) {
                columns.push(column);
            }
        };
        if self.is_shared() {
            add(Column::required("event", ColumnType::Text, "Kind of event."));
        }
        for field in self.events().flat_map(|event| event.fields) {
            field.ty.columns(field.name, field.doc).into_iter().for_each(&mut add);
        }
        let mut has_tail = false;
        for tail in self.events().flat_map(|event| event.tails) {
            has_tail |= tail.can_be_cut();
            if let Some(column) = tail.column() {
                add(Column::nullable(column, tail.column_type(), tail.doc()));
            }
        }
        if has_tail {
            add(Column::required(
                "truncated",
                ColumnType::Bool,
                "Whether a text was cut to what is kept.",
            ));
        }
        columns
    }
}

/// The table called `name`.
pub fn by_name(name: &str) -> Option<&'static Table> {
    TABLES.iter().find(|table| table.name == name)
}

use ColumnType::*;

const HOST: Column = Column::required("host", Text, "Name of the machine.");

/// What every event table begins with.
pub const COMMON: &[Column] = &[
    Column::required("ts", Timestamp, "When it happened or began."),
    HOST,
    Column::required("cpu", Int32, "CPU it was recorded on."),
    Column::required("pid", Int32, "Process id."),
    Column::required("tid", Int32, "Thread id."),
    Column::nullable("upid", Int64, "Process for good: process ids are used again, this is not."),
    Column::nullable("comm", Text, "Name of the thread at that moment."),
    Column::nullable("cgroup_id", Int64, "Control group of the thread at that moment."),
];

/// The members of a frame, in the column `frames` of `stacks`.
pub const FRAME: &[Column] = &[
    Column::nullable("function", Text, "Name of the function, demangled; NULL when not known."),
    Column::nullable(
        "module",
        Text,
        "Path of the program or library; `[kernel]`, `[vdso]`, or `[jit]` for memory of no file.",
    ),
    Column::nullable("build_id", Text, "Build-id of the module, in hexadecimal."),
    Column::nullable(
        "offset",
        Int64,
        "Where in the module's file the frame was; in memory of no file, the address.",
    ),
    Column::nullable("file", Text, "Source file."),
    Column::nullable("line", Int32, "Line in it."),
    Column::required("inlined", Bool, "Whether the function is part of the next frame's code."),
];

const fn events(name: &'static str, stream: Stream, doc: &'static str) -> Table {
    Table { name, doc, source: Source::Stream(stream), own: &[] }
}

/// Every table.
pub const TABLES: &[Table] = &[
    Table {
        name: "processes",
        doc: "process seen in a segment, as last known in it",
        source: Source::Identity,
        own: &[
            Column::nullable(
                "start_ts",
                Timestamp,
                "When it started; it may be before the recording.",
            ),
            Column::nullable(
                "end_ts",
                Timestamp,
                "When its last thread ended; NULL when it was alive.",
            ),
            HOST,
            Column::required("pid", Int32, "Process id."),
            Column::required(
                "upid",
                Int64,
                "Process for good: process ids are used again, this is not.",
            ),
            Column::nullable("parent_pid", Int32, "Process id of the process that started it."),
            Column::nullable("parent_upid", Int64, "Process that started it."),
            Column::nullable("comm", Text, "Name of its first thread."),
            Column::nullable("exe", Text, "Absolute path of the program file."),
            Column::nullable(
                "argv",
                Text,
                "Arguments, quoted so that they can be pasted into a shell.",
            ),
            Column::nullable("cwd", Text, "Working directory when the program started."),
            Column::nullable("uid", Int64, "Real user id."),
            Column::nullable("gid", Int64, "Real group id."),
            Column::nullable("cgroup_id", Int64, "Control group by its id."),
            Column::nullable("cgroup", Text, "Path of the control group."),
            Column::nullable(
                "container_id",
                Text,
                "Container, as the control group's path names it.",
            ),
            Column::nullable("exit_code", Int32, "Exit code, when it exited by itself."),
            Column::nullable("signal", Text, "Signal that ended it, such as `SIGKILL`."),
            Column::nullable("container_name", Text, "Name of its container."),
            Column::nullable("pod", Text, "Name of its Kubernetes pod."),
            Column::nullable(
                "unit",
                Text,
                "Its systemd unit, such as `nginx.service`, as the control group's path names it.",
            ),
            Column::nullable(
                "netns",
                Int64,
                "Network namespace when it or its program started, by inode number, as `lsns` shows it.",
            ),
        ],
    },
    Table {
        name: "threads",
        doc: "thread seen in a segment, as last known in it",
        source: Source::Identity,
        own: &[
            Column::nullable("start_ts", Timestamp, "When it was first seen, or started."),
            Column::nullable("end_ts", Timestamp, "When it ended; NULL when it was alive."),
            HOST,
            Column::required("pid", Int32, "Process id."),
            Column::required("tid", Int32, "Thread id."),
            Column::required("upid", Int64, "Its process."),
            Column::nullable("comm", Text, "Its name."),
        ],
    },
    events(
        "process_events",
        Stream::Processes,
        "fork, exec, exit, change of name, user or control group",
    ),
    events("syscalls", Stream::Syscalls, "system call or io_uring operation"),
    events("sched_slices", Stream::Sched, "interval of a thread on a CPU"),
    events("offcpu", Stream::Sched, "interval of a thread off the CPU"),
    events("migrations", Stream::Sched, "move of a thread to another CPU's run queue"),
    events(
        "allocations",
        Stream::Allocations,
        "call of an allocator, or change of the address space",
    ),
    events("cpu_samples", Stream::Cpu, "tick at which a thread was found running"),
    events("page_faults", Stream::Faults, "page fault"),
    events("memory_usage", Stream::Faults, "process and second, and end of a process: its memory"),
    events("oom_kills", Stream::Faults, "process that the kernel ended for want of memory"),
    events("connections", Stream::Network, "socket, from its first sign of life to its end"),
    events(
        "connection_events",
        Stream::Network,
        "change of a socket's state, or retransmission, reset or drop of a packet",
    ),
    events("flows", Stream::Network, "second, process and pair of addresses: packets and bytes"),
    events("packets", Stream::Packets, "packet at an interface"),
    events("dns", Stream::Dns, "message of the domain name system"),
    events(
        "task_usage",
        Stream::Cpu,
        "second and thread that ran in it, and end of a thread: what the scheduler gave it",
    ),
    events("block_io", Stream::Disk, "request to a block device"),
    events("signals", Stream::Signals, "signal sent or received"),
    Table {
        name: "system",
        doc: "second, instance and metric of the machine and of control groups",
        source: Source::Stream(Stream::System),
        // No thread makes it happen, so that it lacks the common columns.
        own: &[
            Column::required("ts", Timestamp, "When it was read."),
            HOST,
            Column::nullable(
                "component",
                Text,
                "What it is about: `cpu`, `memory`, `disk`, `cgroup`, ...",
            ),
            Column::nullable(
                "instance",
                Text,
                "Which one: a CPU, a disk, an interface, a mount point, a control group; NULL for the machine.",
            ),
            Column::nullable(
                "metric",
                Text,
                "What was read, with its unit last: see the list of metrics.",
            ),
            Column::nullable("value", Float64, "What was read."),
            Column::nullable(
                "change",
                Float64,
                "How much more it is than at the reading before; NULL for the first, and for what is no sum.",
            ),
            Column::nullable(
                "interval_ns",
                Int64,
                "Time since the reading before; NULL for the first.",
            ),
        ],
    },
    Table {
        name: "containers",
        doc: "container that a recorded thread was in, in a segment",
        source: Source::Identity,
        own: &[
            Column::required(
                "container_id",
                Text,
                "Id of the container; with LXC and systemd-nspawn, its name.",
            ),
            HOST,
            Column::nullable("name", Text, "Name of the container."),
            Column::nullable("image", Text, "Image it was made of."),
            Column::nullable(
                "runtime",
                Text,
                "`docker`, `containerd`, `cri-o`, `podman`, `lxc` or `systemd-nspawn`.",
            ),
            Column::nullable("pod", Text, "Name of its Kubernetes pod."),
            Column::nullable("namespace", Text, "Namespace of the pod."),
            Column::nullable("pod_uid", Text, "Uid of the pod."),
            Column::required(
                "cgroup_id",
                Int64,
                "Control group by its id: the outermost in which a thread was recorded.",
            ),
            Column::required("cgroup", Text, "Path of that control group."),
        ],
    },
    Table {
        name: "stacks",
        doc: "distinct stack of a segment",
        source: Source::Stacks,
        own: &[
            Column::required(
                "stack_id",
                Int64,
                "The stack, by what its frames are: the same in every segment.",
            ),
            HOST,
            Column::nullable(
                "pid",
                Int32,
                "Process, where frames lie in memory of no file, which differs in each.",
            ),
            Column::required("frames", Frames, "Frames, innermost first."),
            Column::required(
                "folded",
                Text,
                "Functions from the outermost to the innermost, joined by `;`.",
            ),
            Column::required("truncated", Bool, "Whether the outermost frames are missing."),
        ],
    },
    events("mappings", Stream::Stacks, "part of a process's memory that code was seen to run in"),
    Table {
        name: "loss",
        doc: "event kind, CPU and interval in which records were lost",
        source: Source::Recorder,
        own: &[
            Column::required("ts", Timestamp, "Start of the interval."),
            Column::required("duration_ns", Int64, "Length of the interval."),
            HOST,
            Column::required("cpu", Int32, "CPU they were lost on."),
            Column::required("kind", Text, "Event kind."),
            Column::required("lost", Int64, "Records lost in the interval."),
            Column::required(
                "reason",
                Text,
                "Why: `ring_full`, `disk_full`, or `program_skipped` (the kernel left a program out that was running already).",
            ),
        ],
    },
    Table {
        name: "cost",
        doc: "interval and component of the recorder",
        source: Source::Recorder,
        own: &[
            Column::required("ts", Timestamp, "Start of the interval."),
            Column::required("duration_ns", Int64, "Length of the interval."),
            HOST,
            Column::required(
                "component",
                Text,
                "`bpf:<program>`, `drain:<stream>`, `encode`, or `recorder` (all of its process).",
            ),
            Column::nullable(
                "run_count",
                Int64,
                "Times a BPF program ran, as far as it was measured.",
            ),
            Column::nullable("cpu_ns", Int64, "CPU time."),
            Column::nullable("bytes", Int64, "Bytes written."),
            Column::nullable("memory_bytes", Int64, "Resident memory."),
            Column::nullable(
                "source",
                Text,
                "Stream that the component is for, such as `network`; NULL where it is for all.",
            ),
        ],
    },
    Table {
        name: "segments",
        doc: "segment and event kind",
        source: Source::Recorder,
        own: &[
            Column::required("segment", Int64, "Number of the segment."),
            Column::required("kind", Text, "Event kind."),
            HOST,
            Column::nullable("first_ts", Timestamp, "Earliest event of the kind in the segment."),
            Column::nullable("last_ts", Timestamp, "Latest event of the kind in the segment."),
            Column::required("stored", Int64, "Events of the kind in the segment."),
            Column::required(
                "stored_before",
                Int64,
                "Events of the kind in all earlier segments, dropped ones included.",
            ),
            Column::nullable(
                "emitted",
                Int64,
                "Events of the kind that the kernel side had emitted when the segment was closed.",
            ),
            Column::nullable(
                "lost",
                Int64,
                "Events of the kind that were lost until the segment was closed.",
            ),
            Column::required(
                "closed",
                Bool,
                "Whether the recording ended with this segment, so that the sum must hold.",
            ),
        ],
    },
    Table {
        name: "hosts",
        doc: "machine of a segment",
        source: Source::Recorder,
        own: &[
            Column::required("ts", Timestamp, "When the segment began."),
            HOST,
            Column::required("kernel", Text, "Kernel release."),
            Column::required("arch", Text, "Architecture."),
            Column::required("cpus", Int32, "Number of CPUs."),
            Column::required("boot_id", Text, "Identity of the boot."),
            Column::nullable("os", Text, "Name of the distribution."),
        ],
    },
    Table {
        name: "clocks",
        doc: "reading of the clocks at one moment",
        source: Source::Recorder,
        own: &[
            Column::required("ts", Timestamp, "`CLOCK_REALTIME`."),
            HOST,
            Column::required(
                "monotonic_ns",
                Int64,
                "`CLOCK_MONOTONIC`, which the kernel side uses.",
            ),
            Column::required(
                "boottime_ns",
                Int64,
                "`CLOCK_BOOTTIME`, which counts suspended time.",
            ),
            Column::required(
                "in_force",
                Bool,
                "Whether events from here on are dated by this reading.",
            ),
        ],
    },
    Table {
        name: "truth",
        doc: "fact that a made-up trace was made to hold; no file in a recorded one",
        source: Source::Recorder,
        own: &[
            Column::required("scenario", Text, "Scenario of `ebrec synth` that planted it."),
            Column::required("fact", Text, "What it is, such as `leaked_bytes`."),
            Column::required(
                "subject",
                Text,
                "What it is about: a process by its name, a stack as it is folded, a disk, ...; parts are joined by `|`.",
            ),
            Column::nullable("value", Int64, "How much; NULL when only the moment is planted."),
            Column::required("unit", Text, "Unit of `value`: `count`, `bytes` or `ns`."),
            Column::nullable("ts", Timestamp, "When, of what happened at one moment."),
        ],
    },
];
