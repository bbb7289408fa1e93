//! The closed set of field types: how each lies on the wire, and which columns it becomes.
//!
//! A field type is one row of [`wire_types!`]. The wire is little-endian and has no padding. A
//! sentinel of all ones means "unknown" and becomes NULL.

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use crate::tables::{Column, ColumnType::*};

macro_rules! wire_types {
    ($($(#[doc = $doc:literal])+ $name:ident($repr:ty) = $c:literal;)+) => {
        /// The type of a wire field.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum FieldType { $($(#[doc = $doc])+ $name,)+ }

        impl FieldType {
            /// The field's type in the C header; an array's length follows the name.
            pub const fn c_type(self) -> &'static str {
                match self { $(Self::$name => $c,)+ }
            }
            /// Bytes on the wire.
            pub const fn size(self) -> usize {
                match self { $(Self::$name => size_of::<$repr>(),)+ }
            }
        }

        $(
            $(#[doc = $doc])+
            #[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
            #[repr(transparent)]
            pub struct $name(pub $repr);
            impl WireType for $name { const TYPE: FieldType = FieldType::$name; }
        )+
    };
}

/// Ties a wire type to its [`FieldType`].
pub trait WireType {
    /// The matching field type.
    const TYPE: FieldType;
}

wire_types! {
    /// A span of time in nanoseconds; unknown when it has not ended or its start was not seen.
    DurationNs(u64) = "__u64";
    /// A number of the kernel's thread ids (`gettid`).
    Tid(u32) = "__u32";
    /// A number of the kernel's process ids (`getpid`, the thread group).
    Pid(u32) = "__u32";
    /// Another thread by its id; the reader adds its `upid` where that thread was recorded.
    PeerTid(u32) = "__u32";
    /// A process for good: start time in ms since boot, shifted by 22 bits, plus the pid.
    Upid(u64) = "__u64";
    /// A CPU number.
    CpuId(u32) = "__u32";
    /// A user id.
    Uid(u32) = "__u32";
    /// A group id.
    Gid(u32) = "__u32";
    /// A bit set, such as capabilities.
    Bits(u64) = "__u64";
    /// A control group by its id (the inode number of its v2 folder).
    CgroupId(u64) = "__u64";
    /// A thread's name, NUL-padded.
    Comm([u8; 16]) = "char[16]";
    /// System call number in the low 16 bits; bit 16 marks a 32-bit (compat) call.
    SyscallId(u32) = "__u32";
    /// Operation code of an io_uring request.
    IoUringOp(u32) = "__u32";
    /// Result of a system call; the least value means that it has not returned.
    Return(i64) = "__s64";
    /// The six argument registers; trailing ones that the call does not have are left out.
    Args([u64; 6]) = "__u64[6]";
    /// Scheduler state of a thread that left its CPU, as the kernel's bit.
    TaskState(u32) = "__u32";
    /// The kernel's priority number: below 100 real-time, 120 is nice 0.
    Priority(u32) = "__u32";
    /// Wait status as `wait(2)` returns it.
    ExitStatus(u32) = "__u32";
    /// Fills a gap; not a column.
    Reserved(u32) = "__u32";
    /// An address in the memory of the process; 0 is none.
    Address(u64) = "__u64";
    /// A number of bytes; signed where it is a difference.
    SizeBytes(u64) = "__u64";
    /// A stack, by the number that its [`RawId`] gives; 0 is none.
    StackId(u64) = "__u64";
    /// The number of a stack in the spool; not a column.
    RawId(u64) = "__u64";
    /// A number for the reader of the spool; not a column.
    Plain(u32) = "__u32";
    /// An [`AllocationOperation`].
    AllocationOp(u32) = "__u32";
    /// How many events one stands for.
    OneIn(u32) = "__u32";
    /// 0 in user mode, 1 in kernel mode.
    CpuMode(u32) = "__u32";
    /// 0 of a minor, 1 of a major page fault.
    FaultKind(u32) = "__u32";
    /// An inode number; 0 is none.
    Inode(u64) = "__u64";
    /// A device number as the kernel keeps it: major shifted by 20 bits, plus minor.
    Device(u32) = "__u32";
    /// An IP address, one of version 4 mapped into version 6; all ones when unknown.
    IpAddress([u8; 16]) = "__u8[16]";
    /// A port of TCP or UDP.
    Port(u32) = "__u32";
    /// The own end of a socket: an [`IpAddress`], and 16 bits each of port and address family, which
    /// is 0 when the end is unknown. Of a unix socket the name is a variable part.
    LocalEnd([u8; 20]) = "__u8[20]";
    /// The other end of a socket.
    RemoteEnd([u8; 20]) = "__u8[20]";
    /// A socket for good: unlike its inode number it is not used again.
    ConnectionId(u64) = "__u64";
    /// A number of things.
    Count(u64) = "__u64";
    /// A number of things, of which there are few.
    FewOf(u32) = "__u32";
    /// 1 if so, 0 if not.
    Flag(u32) = "__u32";
    /// An error number; 0 is none.
    Errno(u32) = "__u32";
    /// One of [`crate::sockets::PROTOCOLS`].
    SocketProtocol(u32) = "__u32";
    /// One of [`crate::sockets::ROLES`].
    SocketRole(u32) = "__u32";
    /// One of [`crate::sockets::STATES`].
    SocketState(u32) = "__u32";
    /// One of [`crate::sockets::SOCKET_EVENTS`].
    SocketEvent(u32) = "__u32";
    /// A word of the kernel's, NUL-padded.
    Word([u8; 32]) = "char[32]";

    /// A number that uses all 32 bits, so that it takes 64 here: a sequence number of TCP.
    Sequence(u64) = "__u64";
    /// A small number.
    Number(u32) = "__u32";
    /// A number of bytes below 4 GiB.
    Bytes(u32) = "__u32";
    /// A short name, NUL-padded; an empty one is none.
    Name([u8; 16]) = "char[16]";
    /// A hardware address: its six bytes from the lowest byte of the number on.
    MacAddress(u64) = "__u64";
    /// What an Ethernet frame carries, by its registered number.
    EtherType(u32) = "__u32";
    /// What an IP packet carries, by its registered number.
    IpProtocol(u32) = "__u32";
    /// 0 for what an interface sent, 1 for what it received.
    Direction(u32) = "__u32";
    /// The flags of a TCP segment: the lowest 12 bits of the field that holds them.
    TcpFlags(u32) = "__u32";
    /// The highest three bits of the fragment field of an IP packet.
    IpFlags(u32) = "__u32";
    /// What an ARP packet asks or says.
    ArpOperation(u32) = "__u32";
    /// What is wrong with a packet: a [`MalformedPacket`]; 0 is nothing.
    Malformed(u32) = "__u32";

    /// Length of a message of the domain name system; its columns are read from the message.
    DnsMessage(u32) = "__u32";
    /// A protocol above IP, by its number.
    Transport(u32) = "__u32";
    /// Whose process it is: 1 the client's, 2 the server's, 0 unknown.
    DnsSide(u32) = "__u32";

    /// Where on a disk, in units of 512 bytes.
    Sector(u64) = "__u64";
    /// Operation of a request to a disk in the low 8 bits, flags above; as the kernel numbers them.
    BlockFlags(u32) = "__u32";
    /// How a request ended: 0, a negative error number, or a `blk_status_t` of kernels since 5.16.
    BlockStatus(u32) = "__u32";
    /// How many times.
    Times(u32) = "__u32";
    /// The name of a disk, NUL-padded.
    DiskName([u8; 32]) = "char[32]";
    /// A signal's number in the low 32 bits, its `si_code` above; the greatest number is none.
    SignalCode(u64) = "__u64";
    /// What became of a signal that was sent: a `TRACE_SIGNAL_` of the kernel.
    SignalResult(u32) = "__u32";
    /// 0 of a signal to a thread, 1 of one to a process.
    SignalReach(u32) = "__u32";
    /// 0 the default action, 1 none, 2 a function of the program's.
    SignalHandler(u32) = "__u32";
    /// A [`crate::gauges::Metric`] by its number.
    GaugeId(u32) = "__u32";
    /// A 64-bit floating-point number by its bits.
    Real(u64) = "__u64";
}

macro_rules! operations {
    ($($(#[doc = $doc:literal])+ $name:ident = $id:literal $text:literal;)+) => {
        /// What was asked of an allocator or of the kernel.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        #[repr(u32)]
        pub enum AllocationOperation { $($(#[doc = $doc])+ $name = $id,)+ }

        impl AllocationOperation {
            /// All operations.
            pub const ALL: &[AllocationOperation] = &[$(Self::$name,)+];

            /// Its name in the `operation` column.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$name => $text,)+ }
            }
        }
    };
}

operations! {
    /// malloc(3).
    Malloc = 1 "malloc";
    /// calloc(3).
    Calloc = 2 "calloc";
    /// realloc(3).
    Realloc = 3 "realloc";
    /// reallocarray(3).
    Reallocarray = 4 "reallocarray";
    /// posix_memalign(3).
    PosixMemalign = 5 "posix_memalign";
    /// aligned_alloc(3).
    AlignedAlloc = 6 "aligned_alloc";
    /// memalign(3), valloc(3), pvalloc(3).
    Memalign = 7 "memalign";
    /// C++ `new` in all its forms.
    New = 8 "new";
    /// free(3) and its sized forms.
    Free = 9 "free";
    /// C++ `delete` in all its forms.
    Delete = 10 "delete";
    /// mmap(2).
    Mmap = 11 "mmap";
    /// munmap(2).
    Munmap = 12 "munmap";
    /// mremap(2).
    Mremap = 13 "mremap";
    /// brk(2).
    Brk = 14 "brk";
}

macro_rules! malformed {
    ($($(#[doc = $doc:literal])+ $name:ident = $id:literal $text:literal;)+) => {
        /// What is wrong with a packet.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        #[repr(u32)]
        pub enum MalformedPacket { $($(#[doc = $doc])+ $name = $id,)+ }

        impl MalformedPacket {
            /// All of them.
            pub const ALL: &[MalformedPacket] = &[$(Self::$name,)+];

            /// Its word in the column `malformed`.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$name => $text,)+ }
            }
        }
    };
}

malformed! {
    /// The frame ends in its Ethernet header.
    ShortEthernet = 1 "short_ethernet_header";
    /// The frame ends in a VLAN tag.
    ShortVlan = 2 "short_vlan_tag";
    /// The frame ends in its ARP message.
    ShortArp = 3 "short_arp";
    /// ARP between other than Ethernet and IPv4 addresses.
    BadArp = 4 "bad_arp_addresses";
    /// The frame ends in its IPv4 header.
    ShortIpv4 = 5 "short_ipv4_header";
    /// An IPv4 packet that does not say it is one.
    BadIpv4Version = 6 "bad_ipv4_version";
    /// An IPv4 header that says it is shorter than any.
    BadIpv4HeaderLength = 7 "bad_ipv4_header_length";
    /// An IPv4 packet that says it is shorter than its header, or longer than the frame.
    BadIpv4Length = 8 "bad_ipv4_length";
    /// The frame ends in its IPv6 header.
    ShortIpv6 = 9 "short_ipv6_header";
    /// An IPv6 packet that does not say it is one.
    BadIpv6Version = 10 "bad_ipv6_version";
    /// An IPv6 packet that says it is longer than the frame.
    BadIpv6Length = 11 "bad_ipv6_length";
    /// The packet ends in an IPv6 extension header.
    ShortIpv6Extension = 12 "short_ipv6_extension";
    /// More IPv6 extension headers than are followed.
    ManyIpv6Extensions = 13 "many_ipv6_extensions";
    /// The packet ends in its TCP header.
    ShortTcp = 14 "short_tcp_header";
    /// A TCP header that says it is shorter than any, or longer than the packet.
    BadTcpHeaderLength = 15 "bad_tcp_header_length";
    /// The packet ends in its UDP header.
    ShortUdp = 16 "short_udp_header";
    /// A UDP message that says it is shorter than its header, or longer than the packet.
    BadUdpLength = 17 "bad_udp_length";
    /// The packet ends in its ICMP header.
    ShortIcmp = 18 "short_icmp_header";
    /// The packet ends in its GRE header.
    ShortGre = 19 "short_gre_header";
    /// Nothing is wrong, but a header lies where the kernel side does not read.
    Unread = 20 "header_not_read";
}

/// A [`Return`] of a call that has not returned.
pub const NOT_RETURNED: i64 = i64::MIN;
/// Bit of a [`SyscallId`] that marks a 32-bit call on a 64-bit kernel.
pub const SYSCALL_COMPAT: u32 = 1 << 16;

impl FieldType {
    /// The columns a field of this type and `name` becomes.
    ///
    /// `doc` describes the field; types with several columns describe the others themselves.
    pub fn columns(self, name: &'static str, doc: &'static str) -> Vec<Column> {
        let one = |ty| vec![Column::nullable(name, ty, doc)];
        match self {
            Self::DurationNs => one(Int64),
            Self::Tid | Self::Pid | Self::CpuId | Self::Priority => one(Int32),
            Self::Upid | Self::CgroupId | Self::Bits | Self::Uid | Self::Gid => one(Int64),
            Self::Comm | Self::TaskState => one(Text),
            Self::PeerTid => vec![
                Column::nullable("waker_tid", Int32, doc),
                Column::nullable(
                    "waker_upid",
                    Int64,
                    "Process of that thread, where it was recorded.",
                ),
            ],
            Self::SyscallId | Self::IoUringOp => vec![
                Column::nullable("syscall", Text, "Name of the call, such as `openat`."),
                Column::nullable(
                    "via",
                    Text,
                    "How it was made: `syscall`, `compat` (32-bit) or `io_uring`.",
                ),
            ],
            Self::Return => vec![
                Column::nullable(name, Int64, doc),
                Column::nullable(
                    "error",
                    Text,
                    "Name of the error, such as `ENOENT`; NULL on success.",
                ),
            ],
            Self::Args => ARG_NAMES.iter().map(|name| Column::nullable(name, Int64, doc)).collect(),
            Self::ExitStatus => vec![
                Column::nullable("exit_code", Int32, "Exit code, when it exited by itself."),
                Column::nullable("signal", Text, "Signal that ended it, such as `SIGKILL`."),
            ],
            Self::Address | Self::SizeBytes | Self::StackId | Self::Inode => one(Int64),
            Self::OneIn => one(Int32),
            Self::AllocationOp | Self::CpuMode | Self::FaultKind | Self::Device => one(Text),
            Self::IpAddress => one(Text),
            Self::Port => one(Int32),
            Self::LocalEnd => vec![
                Column::nullable(
                    "local_address",
                    Text,
                    "Own address; of a unix socket the path, or `@name`; NULL if it has none.",
                ),
                Column::nullable("local_port", Int32, "Own port."),
            ],
            Self::RemoteEnd => vec![
                Column::nullable(
                    "remote_address",
                    Text,
                    "Address of the other end; of a unix socket the path, or `@name`; NULL if it has none.",
                ),
                Column::nullable("remote_port", Int32, "Port of the other end."),
            ],
            Self::ConnectionId | Self::Count => one(Int64),
            Self::FewOf => one(Int32),
            Self::Flag => one(Bool),
            Self::Errno
            | Self::SocketProtocol
            | Self::SocketRole
            | Self::SocketState
            | Self::SocketEvent
            | Self::Word => one(Text),

            Self::Sequence | Self::Number | Self::Bytes => one(Int64),
            Self::Name | Self::MacAddress | Self::EtherType | Self::IpProtocol => one(Text),
            Self::Direction | Self::TcpFlags | Self::IpFlags => one(Text),
            Self::ArpOperation | Self::Malformed => one(Text),

            Self::DnsMessage => {
                let mut columns = DNS_COLUMNS.to_vec();
                columns.push(Column::nullable(name, Int32, doc));
                columns
            }
            Self::Transport | Self::DnsSide => one(Text),

            Self::Sector => one(Int64),
            Self::Times => one(Int32),
            Self::BlockStatus => one(Text),
            Self::DiskName => one(Text),
            Self::BlockFlags => vec![
                Column::nullable("operation", Text, doc),
                Column::nullable(
                    "flags",
                    Text,
                    "Flags in the kernel's words, joined by `|`: `sync`, `meta`, `fua`, `preflush`, `rahead`, ...",
                ),
            ],
            Self::SignalCode => vec![
                Column::nullable("signal", Text, doc),
                Column::nullable(
                    "code",
                    Text,
                    "Why it was sent: `SI_USER` (kill), `SI_TKILL`, `SI_KERNEL`, `CLD_EXITED`, `SEGV_MAPERR`, ...",
                ),
            ],
            Self::SignalResult | Self::SignalReach | Self::SignalHandler => one(Text),
            Self::GaugeId => vec![
                Column::nullable("component", Text, doc),
                Column::nullable(
                    "metric",
                    Text,
                    "What was read, with its unit last: see the list of metrics.",
                ),
            ],
            Self::Real => one(Float64),

            Self::Reserved | Self::RawId | Self::Plain => vec![],
        }
    }
}

const ARG_NAMES: [&str; 6] = ["arg0", "arg1", "arg2", "arg3", "arg4", "arg5"];

/// What is read from a message of the domain name system.
pub const DNS_COLUMNS: &[Column] = &[
    Column::nullable("kind", Text, "`query` or `response`."),
    Column::nullable("id", Int32, "Number that a response has from its query."),
    Column::nullable(
        "name",
        Text,
        "Name that is asked for, with a dot at the end; special characters as in zone files (`\\.`, `\\007`).",
    ),
    Column::nullable(
        "type",
        Text,
        "Type that is asked for: `A`, `AAAA`, `MX`, ... or `TYPE65280`.",
    ),
    Column::nullable("class", Text, "Class that is asked for: `IN`, `CH`, ..."),
    Column::nullable("opcode", Text, "What is asked: `QUERY`, `NOTIFY`, `UPDATE`, ..."),
    Column::nullable("rcode", Text, "Of a response: `NOERROR`, `NXDOMAIN`, `SERVFAIL`, ..."),
    Column::nullable(
        "flags",
        Text,
        "Flags as `dig` shows them: `aa` authoritative, `tc` truncated by the server, `rd` recursion desired, `ra` available, `ad` authentic, `cd` unchecked.",
    ),
    Column::nullable("question_count", Int32, "Questions; the first is shown."),
    Column::nullable("answer_count", Int32, "Records in the answer, as the message says."),
    Column::nullable(
        "answers",
        Text,
        "Answer, at most 16 records: `192.0.2.1, CNAME www.example.org.`; the type is left out for addresses.",
    ),
    Column::nullable("ttl_min_s", Int64, "Least time that the records of the answer may be kept."),
    Column::nullable("malformed", Text, "What is wrong with the message; NULL when nothing is."),
];
