//! What a recording is to be: what the command line asks for, ready to use.

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use std::collections::BTreeSet;

use schema::Stream;

use crate::Sources;
use crate::filter::PacketFilter;
use crate::sources::CPU_HZ;

/// Ports that can be watched for messages of the domain name system.
pub const DNS_PORTS_MAX: usize = 8;

/// Everything that shapes a recording.
#[derive(Clone, Debug)]
pub struct Options {
    /// Folder of the trace; it must not exist unless `force`.
    pub output: PathBuf,
    /// Replace a trace that is there.
    pub force: bool,
    /// Stop after this long.
    pub duration: Option<Duration>,
    /// Which families are recorded.
    pub sources: Sources,
    /// Which system calls are recorded; all when there is no set.
    pub syscalls: Option<BTreeSet<&'static str>>,
    /// Whose events are recorded.
    pub scope: Scope,
    /// A command to run and to follow.
    pub command: Option<Vec<OsString>>,
    /// When a segment ends.
    pub rotation: Rotation,
    /// When the oldest segments are dropped.
    pub retention: Retention,
    /// Keep spools after they are encoded.
    pub keep_spool: bool,
    /// When spools are encoded.
    pub encode: Encode,
    /// Sizes of the rings.
    pub rings: RingBytes,
    /// What is sampled, and how stacks are taken.
    pub stacks: Stacks,
    /// Which allocations are recorded, and how.
    pub allocations: Allocations,

    /// Which packets are recorded, and how much of them.
    pub packets: Packets,

    /// Ports whose packets are messages of the domain name system, at most [`DNS_PORTS_MAX`].
    pub dns_ports: Vec<u16>,

    /// What is left out or replaced.
    pub redaction: Redaction,
    /// Where the root of the machine's file system is: where runtimes keep what they know of containers.
    pub host_root: PathBuf,
    /// The command that reads symbols (`symbols::worker`), with which functions are named when a
    /// segment has been encoded; none if they are not to be named.
    pub symbolizer: Option<Vec<OsString>>,
}

impl Options {
    /// Options that record everything of nobody: for a look at what this kernel takes.
    pub fn for_check() -> Options {
        Options {
            output: PathBuf::new(),
            force: false,
            duration: None,
            sources: Sources::parse("everything").expect("the preset exists"),
            syscalls: None,
            scope: Scope { pids: vec![u32::MAX], ..Scope::default() },
            command: None,
            rotation: Rotation { every: Duration::MAX, bytes: u64::MAX },
            retention: Retention::default(),
            keep_spool: false,
            encode: Encode::Later,
            rings: RingBytes([4096; Stream::ALL.len()]),
            stacks: Stacks::default(),
            allocations: Allocations::default(),

            packets: Packets::default(),

            dns_ports: vec![53],

            redaction: Redaction::default(),
            host_root: PathBuf::from("/"),
            symbolizer: None,
        }
    }
}

/// What is sampled, and how stacks are taken.
#[derive(Clone, Copy, Debug)]
pub struct Stacks {
    /// Samples a second and CPU.
    pub cpu_hz: u32,
    /// Shortest interval off the CPU that has stacks.
    pub offcpu_min: Duration,
    /// Most frames of the program's that a stack has.
    pub depth_max: u32,
}

impl Default for Stacks {
    fn default() -> Self {
        Stacks { cpu_hz: CPU_HZ, offcpu_min: Duration::from_millis(1), depth_max: 64 }
    }
}

/// Who records the calls of allocators.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Collector {
    /// A library in the processes of a command; probes for those that run already.
    Auto,
    /// The library, and nothing where it does not reach.
    InProcess,
    /// Probes in all processes.
    Uprobes,
}

/// Which allocations are recorded, and how.
#[derive(Clone, Copy, Debug)]
pub struct Allocations {
    /// Who records them.
    pub collector: Collector,
    /// Smaller ones are not recorded.
    pub size_min: u64,
    /// One in so many is recorded, with its deallocation.
    pub one_in: u32,
    /// What the choice among them is drawn with.
    pub salt: u64,
    /// When there is no room for a record the program waits; else it is counted as lost.
    pub wait_when_full: bool,
}

impl Default for Allocations {
    fn default() -> Self {
        Allocations {
            collector: Collector::Auto,
            size_min: 0,
            one_in: 1,
            salt: 0,
            wait_when_full: false,
        }
    }
}

/// Most network namespaces that can be named; as in ebpf/src/owner.h.
pub const NETNS_MAX: usize = 8;

/// Most bytes of a packet that are kept; as `CAPTURE_MAX` in ebpf/src/packets.h, less a VLAN tag.
pub const SNAPLEN_MAX: u32 = 9200;

/// Which packets are recorded, and how much of them.
#[derive(Clone, Debug, Default)]
pub struct Packets {
    /// Only those that it wants; all when there is none.
    pub filter: Option<PacketFilter>,
    /// Network namespaces whose traffic is in scope, whoever it is of.
    pub netns: Vec<u32>,
    /// First bytes of each that are kept, besides what is read of its headers.
    pub snaplen: u32,
}

/// Whose events are recorded; filters combine, none means the whole machine.
#[derive(Clone, Debug, Default)]
pub struct Scope {
    /// These processes and their descendants.
    pub pids: Vec<u32>,
    /// Threads with this name.
    pub comm: Option<String>,
    /// Members of these control groups and of those below them.
    pub cgroups: Vec<PathBuf>,
    /// Members of these containers, by name or by the beginning of their id.
    pub containers: Vec<String>,
}

impl Scope {
    /// Whether it is everything on the machine.
    pub fn is_machine(&self) -> bool {
        self.pids.is_empty()
            && self.comm.is_none()
            && self.cgroups.is_empty()
            && self.containers.is_empty()
    }
}

/// What is left out of a recording, or replaced, before it reaches the spool.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Redaction {
    /// No arguments of programs.
    pub no_args: bool,
    /// No paths; of programs and libraries the name of the file.
    pub no_paths: bool,
    /// Keyed tokens in place of IP addresses and of names of Unix sockets.
    pub hash_addresses: bool,
}

/// When a segment ends.
#[derive(Clone, Copy, Debug)]
pub struct Rotation {
    /// After this long.
    pub every: Duration,
    /// When its spool has this many bytes.
    pub bytes: u64,
}

/// When the oldest segments are dropped.
#[derive(Clone, Copy, Debug, Default)]
pub struct Retention {
    /// When they ended longer ago than this.
    pub keep: Option<Duration>,
    /// When the trace has more bytes than this.
    pub bytes_max: Option<u64>,
}

/// When spools are encoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encode {
    /// While recording, at low priority.
    Now,
    /// Not at all: `ebrec encode` does it, here or elsewhere.
    Later,
}

/// Bytes of each ring; the kernel rounds to a power of two.
#[derive(Clone, Debug)]
pub struct RingBytes(pub [u32; Stream::ALL.len()]);

impl Default for RingBytes {
    fn default() -> Self {
        // A mapped ring counts twice in the recorder's memory: 2 * (2 + 16 + 4 + 2 + 8 + 1 + 2 + 2 + 8
        // + 1 + 1 + 1) MiB with everything switched on.
        const MIB: u32 = 1 << 20;
        let of = |stream| match stream {
            Stream::Syscalls => 16 * MIB,
            Stream::Allocations | Stream::Packets => 8 * MIB,
            Stream::Sched => 4 * MIB,
            Stream::Processes | Stream::Stacks | Stream::Faults | Stream::Network => 2 * MIB,
            Stream::Cpu | Stream::Dns | Stream::Disk | Stream::Signals => MIB,
            // It has no ring: the recorder writes its records itself.
            Stream::System => 4096,
        };
        RingBytes(Stream::ALL.map(of))
    }
}

impl RingBytes {
    /// The ring of a stream.
    pub fn of(&self, stream: Stream) -> u32 {
        self.0[stream as usize]
    }

    /// Sets the ring of a stream, rounded up to a power of two of at least a page.
    pub fn set(&mut self, stream: Stream, bytes: u32) {
        self.0[stream as usize] = bytes.clamp(4096, 1 << 30).next_power_of_two();
    }
}
