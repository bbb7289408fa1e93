/* Generated from schema/src/events.rs by `cargo test -p schema`; do not edit. */
#pragma once

struct ebrec_header {
	__u64 ts_ns;
	__u32 tid;
	__u32 pid;
	__u16 kind;
	__u16 size;
	__u16 fixed;
	__u16 cpu;
};
_Static_assert(sizeof(struct ebrec_header) == 24, "header");

#define EBREC_KINDS 64
#define EBREC_UNKNOWN (~0ULL)
#define EBREC_NOT_RETURNED (-__LONG_LONG_MAX__ - 1)
#define EBREC_SYSCALL_COMPAT 0x10000
#define EBREC_TAIL_TRUNCATED 1

enum ebrec_tail {
	EBREC_TAIL_PATH = 1,
	EBREC_TAIL_PATH2 = 2,
	EBREC_TAIL_ADDRESS = 3,
	EBREC_TAIL_ARGV = 4,
	EBREC_TAIL_EXE = 5,
	EBREC_TAIL_CWD = 6,
	EBREC_TAIL_CGROUP = 7,
	EBREC_TAIL_FRAMES = 8,
	EBREC_TAIL_BUILD_ID = 9,
	EBREC_TAIL_FILE = 10,
	EBREC_TAIL_LOCAL_NAME = 13,
	EBREC_TAIL_REMOTE_NAME = 14,
	EBREC_TAIL_CAPTURED = 11,
	EBREC_TAIL_MESSAGE = 12,
	EBREC_TAIL_INSTANCE = 24,
};

enum ebrec_operation {
	EBREC_OP_MALLOC = 1,
	EBREC_OP_CALLOC = 2,
	EBREC_OP_REALLOC = 3,
	EBREC_OP_REALLOCARRAY = 4,
	EBREC_OP_POSIX_MEMALIGN = 5,
	EBREC_OP_ALIGNED_ALLOC = 6,
	EBREC_OP_MEMALIGN = 7,
	EBREC_OP_NEW = 8,
	EBREC_OP_FREE = 9,
	EBREC_OP_DELETE = 10,
	EBREC_OP_MMAP = 11,
	EBREC_OP_MUNMAP = 12,
	EBREC_OP_MREMAP = 13,
	EBREC_OP_BRK = 14,
};

enum ebrec_protocol {
	EBREC_PROTOCOL_TCP = 1,
	EBREC_PROTOCOL_UDP = 2,
	EBREC_PROTOCOL_UNIX_STREAM = 3,
	EBREC_PROTOCOL_UNIX_DGRAM = 4,
	EBREC_PROTOCOL_UNIX_SEQPACKET = 5,
	EBREC_PROTOCOL_UDPLITE = 6,
	EBREC_PROTOCOL_ICMP = 7,
	EBREC_PROTOCOL_RAW = 8,
	EBREC_PROTOCOL_MPTCP = 9,
	EBREC_PROTOCOL_SCTP = 10,
};

enum ebrec_role {
	EBREC_ROLE_CLIENT = 1,
	EBREC_ROLE_SERVER = 2,
	EBREC_ROLE_LISTENER = 3,
	EBREC_ROLE_PEER = 4,
};

enum ebrec_state {
	EBREC_STATE_ESTABLISHED = 1,
	EBREC_STATE_SYN_SENT = 2,
	EBREC_STATE_SYN_RECV = 3,
	EBREC_STATE_FIN_WAIT1 = 4,
	EBREC_STATE_FIN_WAIT2 = 5,
	EBREC_STATE_TIME_WAIT = 6,
	EBREC_STATE_CLOSE = 7,
	EBREC_STATE_CLOSE_WAIT = 8,
	EBREC_STATE_LAST_ACK = 9,
	EBREC_STATE_LISTEN = 10,
	EBREC_STATE_CLOSING = 11,
	EBREC_STATE_NEW_SYN_RECV = 12,
	EBREC_STATE_BOUND_INACTIVE = 13,
	EBREC_STATE_UNCONNECTED = 64,
};

enum ebrec_socket {
	EBREC_SOCKET_STATE = 1,
	EBREC_SOCKET_RETRANSMIT = 2,
	EBREC_SOCKET_RESET_SENT = 3,
	EBREC_SOCKET_RESET_RECEIVED = 4,
	EBREC_SOCKET_DROP = 5,
	EBREC_SOCKET_FIRST_USE = 6,
	EBREC_SOCKET_ERROR = 7,
};

enum ebrec_malformed {
	EBREC_MALFORMED_SHORT_ETHERNET_HEADER = 1,
	EBREC_MALFORMED_SHORT_VLAN_TAG = 2,
	EBREC_MALFORMED_SHORT_ARP = 3,
	EBREC_MALFORMED_BAD_ARP_ADDRESSES = 4,
	EBREC_MALFORMED_SHORT_IPV4_HEADER = 5,
	EBREC_MALFORMED_BAD_IPV4_VERSION = 6,
	EBREC_MALFORMED_BAD_IPV4_HEADER_LENGTH = 7,
	EBREC_MALFORMED_BAD_IPV4_LENGTH = 8,
	EBREC_MALFORMED_SHORT_IPV6_HEADER = 9,
	EBREC_MALFORMED_BAD_IPV6_VERSION = 10,
	EBREC_MALFORMED_BAD_IPV6_LENGTH = 11,
	EBREC_MALFORMED_SHORT_IPV6_EXTENSION = 12,
	EBREC_MALFORMED_MANY_IPV6_EXTENSIONS = 13,
	EBREC_MALFORMED_SHORT_TCP_HEADER = 14,
	EBREC_MALFORMED_BAD_TCP_HEADER_LENGTH = 15,
	EBREC_MALFORMED_SHORT_UDP_HEADER = 16,
	EBREC_MALFORMED_BAD_UDP_LENGTH = 17,
	EBREC_MALFORMED_SHORT_ICMP_HEADER = 18,
	EBREC_MALFORMED_SHORT_GRE_HEADER = 19,
	EBREC_MALFORMED_HEADER_NOT_READ = 20,
};

enum ebrec_kind {
	EBREC_THREAD = 1,
	EBREC_FORK = 2,
	EBREC_THREAD_START = 3,
	EBREC_EXEC = 4,
	EBREC_EXIT = 5,
	EBREC_THREAD_EXIT = 6,
	EBREC_RENAME = 7,
	EBREC_SETUID = 8,
	EBREC_CGROUP = 9,
	EBREC_CGROUP_ATTACH = 10,
	EBREC_SYSCALL = 16,
	EBREC_IO_URING = 17,
	EBREC_SCHED_SLICE = 32,
	EBREC_OFFCPU = 33,
	EBREC_MIGRATION = 34,
	EBREC_STACK = 48,
	EBREC_MAPPING = 49,
	EBREC_ALLOCATION = 40,
	EBREC_DEALLOCATION = 41,
	EBREC_CPU_SAMPLE = 42,
	EBREC_PAGE_FAULT = 43,
	EBREC_MEMORY_USAGE = 44,
	EBREC_OOM_KILL = 45,
	EBREC_CONNECTION = 50,
	EBREC_CONNECTION_EVENT = 51,
	EBREC_FLOW = 52,
	EBREC_PACKET = 53,
	EBREC_DNS = 54,
	EBREC_TASK_USAGE = 59,
	EBREC_BLOCK_IO = 55,
	EBREC_SIGNAL_SENT = 56,
	EBREC_SIGNAL_RECEIVED = 57,
	EBREC_GAUGE = 58,
};

/* A thread that is in scope: found when recording or a segment began, or seen for the first time. */
struct ebrec_thread {
	struct ebrec_header header;
	__u64 upid; /* Its process. */
	__u64 parent_upid; /* The process that started it. */
	__u64 cgroup_id; /* Control group it is in. */
	__u32 uid; /* Real user id. */
	__u32 gid; /* Real group id. */
	char thread_comm[16]; /* Its name. */
	__u64 netns; /* Network namespace it is in, by its inode number. */
};
_Static_assert(sizeof(struct ebrec_thread) == 80, "thread");

/* A process started another. */
struct ebrec_fork {
	struct ebrec_header header;
	__u64 child_upid; /* The new process. */
	__u64 child_cgroup_id; /* Control group the child is in. */
	__u32 child_tid; /* Thread id of the new process's first thread. */
	__u32 child_pid; /* Process id of the new process. */
	__u32 uid; /* Real user id. */
	__u32 gid; /* Real group id. */
	__u64 netns; /* Network namespace that a new process or program is in, by its inode number. */
};
_Static_assert(sizeof(struct ebrec_fork) == 64, "fork");

/* A process started another thread in itself. */
struct ebrec_thread_start {
	struct ebrec_header header;
	__u64 child_upid; /* The process. */
	__u64 child_cgroup_id; /* Control group the thread is in. */
	__u32 child_tid; /* Thread id of the new thread. */
	__u32 child_pid; /* Process id of the new thread: that of the process. */
};
_Static_assert(sizeof(struct ebrec_thread_start) == 48, "thread_start");

/* A process replaced its program. */
struct ebrec_exec {
	struct ebrec_header header;
	__u64 exec_upid; /* The process. */
	__u32 old_tid; /* Thread that called exec; from here on it has the process's id. */
	__u32 uid; /* Real user id. */
	__u32 gid; /* Real group id. */
	__u32 euid; /* Effective user id, which a set-user-id program changes. */
	__u64 netns; /* Network namespace that a new process or program is in, by its inode number. */
};
_Static_assert(sizeof(struct ebrec_exec) == 56, "exec");

/* The last thread of a process ended. */
struct ebrec_exit {
	struct ebrec_header header;
	__u32 status; /* How it ended. */
	__u32 reserved; /* Fills a gap. */
};
_Static_assert(sizeof(struct ebrec_exit) == 32, "exit");

/* A thread ended; its process goes on. */
struct ebrec_thread_exit {
	struct ebrec_header header;
	__u32 status; /* How it ended. */
	__u32 reserved; /* Fills a gap. */
};
_Static_assert(sizeof(struct ebrec_thread_exit) == 32, "thread_exit");

/* A thread changed its name; exec does so too. */
struct ebrec_rename {
	struct ebrec_header header;
	char new_comm[16]; /* The new name; `comm` is the old one. */
};
_Static_assert(sizeof(struct ebrec_rename) == 40, "rename");

/* A thread's user, group or capabilities changed. */
struct ebrec_setuid {
	struct ebrec_header header;
	__u64 cap_effective; /* Effective capabilities. */
	__u32 uid; /* Real user id. */
	__u32 gid; /* Real group id. */
	__u32 euid; /* Effective user id. */
	__u32 egid; /* Effective group id. */
	__u32 old_uid; /* Real user id before. */
	__u32 old_euid; /* Effective user id before. */
};
_Static_assert(sizeof(struct ebrec_setuid) == 56, "setuid");

/* A control group that a recorded thread is in. */
struct ebrec_cgroup {
	struct ebrec_header header;
	__u64 id; /* Its id. */
};
_Static_assert(sizeof(struct ebrec_cgroup) == 32, "cgroup");

/* A thread was moved to another control group. */
struct ebrec_cgroup_attach {
	struct ebrec_header header;
	__u64 child_cgroup_id; /* Control group it is in from now on. */
};
_Static_assert(sizeof(struct ebrec_cgroup_attach) == 32, "cgroup_attach");

/* A system call. */
struct ebrec_syscall {
	struct ebrec_header header;
	__u64 duration_ns; /* Time in the call; NULL when it has not returned or began before the recording. */
	__s64 ret; /* What it returned; a negative error number on failure; NULL when it has not returned. */
	__u32 call; /* Which call. */
	__u32 reserved; /* Fills a gap. */
	__u64 args[6]; /* Argument register as a signed number; NULL where the call has fewer. */
};
_Static_assert(sizeof(struct ebrec_syscall) == 96, "syscall");

/* An operation submitted through io_uring, from submission to completion. */
struct ebrec_io_uring {
	struct ebrec_header header;
	__u64 duration_ns; /* Time from submission to completion. */
	__s64 ret; /* What it completed with; a negative error number on failure; NULL when that was not told. */
	__u32 call; /* Which operation. */
	__u32 reserved; /* Fills a gap. */
	__u64 args[6]; /* Those of the system call where a path is among them, pointers as 0; else the first: the file descriptor. */
};
_Static_assert(sizeof(struct ebrec_io_uring) == 96, "io_uring");

/* A thread ran on a CPU. */
struct ebrec_sched_slice {
	struct ebrec_header header;
	__u64 duration_ns; /* Time on the CPU. */
	__u64 wait_ns; /* Time it was ready to run and waited for the CPU before. */
	__u32 end_state; /* Why it left the CPU: `preempted`, or the state it left in, in the words of `/proc/PID/status`. */
	__u32 priority; /* Priority it ran at. */
};
_Static_assert(sizeof(struct ebrec_sched_slice) == 48, "sched_slice");

/* A thread was off the CPU. */
struct ebrec_offcpu {
	struct ebrec_header header;
	__u64 duration_ns; /* Time until it ran again; NULL when it has not, or when the kernel did not tell of it. */
	__u64 wait_ns; /* Part of it in which it was ready and waited for a CPU. */
	__u32 state; /* State it left the CPU in: `preempted`, or the words of `/proc/PID/status`. */
	__u32 waker; /* Thread that woke it; NULL when none did or an interrupt came with no thread running. */
	__u32 waker_pid; /* Process of the thread that woke it. */
	__u32 reserved; /* Fills a gap. */
	char waker_comm[16]; /* Name of the thread that woke it. */
	__u64 stack_id; /* Stack it was left with; NULL unless the source `offcpu` was recorded. */
	__u64 waker_stack_id; /* Stack of the thread that woke it. */
};
_Static_assert(sizeof(struct ebrec_offcpu) == 88, "offcpu");

/* A thread was moved to another CPU's run queue. */
struct ebrec_migration {
	struct ebrec_header header;
	__u32 from_cpu; /* CPU it was on. */
	__u32 to_cpu; /* CPU it is on from now on. */
};
_Static_assert(sizeof(struct ebrec_migration) == 32, "migration");

/* A stack that is seen for the first time in a segment. */
struct ebrec_stack {
	struct ebrec_header header;
	__u64 raw_id; /* Number by which events of this segment refer to it. */
	__u32 kernel_frames; /* How many of its addresses, from the first, are the kernel's. */
	__u32 stack_flags; /* Bits: 1 the outermost frames are missing, 2 some were found by frame pointers only. */
};
_Static_assert(sizeof(struct ebrec_stack) == 40, "stack");

/* Memory of a process that code was seen to run in. */
struct ebrec_mapping {
	struct ebrec_header header;
	__u64 start_address; /* First address. */
	__u64 end_address; /* Address behind the last. */
	__u64 offset_bytes; /* Where it begins in the file. */
	__u64 inode; /* Inode number of the file; NULL when there is no file. */
	__u32 device; /* Device of the file, as major and minor number. */
	__u32 reserved; /* Fills a gap. */
};
_Static_assert(sizeof(struct ebrec_mapping) == 64, "mapping");

/* Memory was allocated, or moved, by an allocator or by the kernel. */
struct ebrec_allocation {
	struct ebrec_header header;
	__u64 address; /* Address of the memory; of `brk`, the end of the heap from now on. NULL when it failed. */
	__u64 old_address; /* Of `realloc` and `mremap`, the address before; of `brk`, the end before. */
	__u64 size_bytes; /* Bytes asked for; of `munmap`, given back; of `brk`, by how much the heap grew. */
	__u64 stack_id; /* Stack of the caller. */
	__u32 operation; /* The function or call: `malloc`, `free`, `new`, `mmap`, ... */
	__u32 one_in; /* How many calls this one stands for: 1 when all are recorded. */
};
_Static_assert(sizeof(struct ebrec_allocation) == 64, "allocation");

/* Memory was given back to an allocator. */
struct ebrec_deallocation {
	struct ebrec_header header;
	__u64 address; /* Address of the memory. */
	__u32 operation; /* The function: `free` or `delete`. */
	__u32 one_in; /* How many calls this one stands for: 1 when all are recorded. */
};
_Static_assert(sizeof(struct ebrec_deallocation) == 40, "deallocation");

/* A tick at which a thread was found running. */
struct ebrec_cpu_sample {
	struct ebrec_header header;
	__u64 period_ns; /* CPU time it stands for. */
	__u64 stack_id; /* Where it was found. */
	__u32 mode; /* Whether it was in `user` or `kernel` mode. */
	__u32 reserved; /* Fills a gap. */
};
_Static_assert(sizeof(struct ebrec_cpu_sample) == 48, "cpu_sample");

/* A thread touched a page that was not mapped. */
struct ebrec_page_fault {
	struct ebrec_header header;
	__u64 address; /* Address that it touched. */
	__u64 stack_id; /* Stack that touched it. */
	__u32 fault; /* `minor`, or `major` when the page had to be read in. */
	__u32 mode; /* Whether it was touched in `user` or `kernel` mode. */
};
_Static_assert(sizeof(struct ebrec_page_fault) == 48, "page_fault");

/* How much memory a process has: once a second, and at its end. */
struct ebrec_memory_usage {
	struct ebrec_header header;
	__u64 rss_bytes; /* Resident memory: the sum of the next three. */
	__u64 rss_peak_bytes; /* Highest value it ever had. */
	__u64 anonymous_bytes; /* Resident anonymous memory: heap and stacks. */
	__u64 file_bytes; /* Resident pages of files. */
	__u64 shared_bytes; /* Resident shared memory. */
	__u64 swap_bytes; /* Memory moved to swap. */
	__u64 virtual_bytes; /* Address space in use. */
};
_Static_assert(sizeof(struct ebrec_memory_usage) == 80, "memory_usage");

/* The kernel chose a process to end for want of memory. */
struct ebrec_oom_kill {
	struct ebrec_header header;
	__u64 rss_bytes; /* Resident memory of the process. */
	__u64 virtual_bytes; /* Address space it had in use. */
	__u32 by_tid; /* Thread that had asked for memory. */
	__u32 by_pid; /* Process of that thread. */
};
_Static_assert(sizeof(struct ebrec_oom_kill) == 48, "oom_kill");

/* A socket, from its first sign of life to its end. */
struct ebrec_connection {
	struct ebrec_header header;
	__u64 duration_ns; /* Time from then on until it ended; NULL when it had not. */
	__u64 connection_id; /* The socket for good; the same in `connection_events`. */
	__u32 protocol; /* What it speaks: `tcp`, `udp`, `unix_stream`, `unix_dgram`, `unix_seqpacket`, ... */
	__u32 role; /* `client`, `server`, `listener`, or `peer` where there is no telling. */
	__u8 local[20]; /* The own end. */
	__u8 remote[20]; /* The other end. */
	__u64 netns; /* Inode number of the network namespace it is in. */
	__u64 socket_inode; /* Inode number of the socket, as `ss -e` and `/proc/PID/fd` show it. */
	__u64 connect_latency_ns; /* Time from the request to connect until it was established; of clients. */
	__u64 sent_bytes; /* Bytes that programs sent on it. */
	__u64 received_bytes; /* Bytes that programs received on it. */
	__u64 sends; /* Times something was sent on it. */
	__u64 receives; /* Times something was received on it. */
	__u64 retransmits; /* Segments that were sent again. */
	__u64 drops; /* Packets for it that were dropped: no room, or not valid. */
	__u64 srtt_ns; /* Smoothed round-trip time at the end. */
	__u64 rtt_min_ns; /* Least round-trip time of the last minutes. */
	__u32 state; /* Last state before it ended, or the state when the recording ended. */
	__u32 error; /* Why it failed or ended, such as `ECONNREFUSED`, `ETIMEDOUT`, `ECONNRESET`. */
	__u32 resets_sent; /* Resets that were sent. */
	__u32 resets_received; /* Resets that were received. */
	__u32 preexisting; /* Whether it was open before the recording, or came into the scope later. */
	__u32 approximate_end; /* Whether it ended some time in the second before the end that is told. */
	__u32 opener_pid; /* Process that connected, accepted or first used it; `pid` is the one that used it last. */
	__u32 peer_pid; /* Process at the other end, where the kernel knows it: of unix sockets that were connected. */
};
_Static_assert(sizeof(struct ebrec_connection) == 208, "connection");

/* A socket changed its state, or something went wrong with it. */
struct ebrec_connection_event {
	struct ebrec_header header;
	__u64 connection_id; /* The socket. */
	__u32 event; /* What happened: `state`, `retransmit`, `reset_sent`, `reset_received`, `drop`, `error`; `first_use` of a socket that has no states. */
	__u32 protocol; /* What the socket speaks. */
	__u8 local[20]; /* The own end. */
	__u8 remote[20]; /* The other end. */
	__u32 old_state; /* State before. */
	__u32 state; /* State from now on. */
	__u32 error; /* Error that comes with it. */
	__u32 events; /* How many of them the row stands for: segments, of `retransmit`; packets, of `drop`. */
	char reason[32]; /* Why, in the kernel's words, such as `SOCKET_RCVBUFF`; of `drop`. */
};
_Static_assert(sizeof(struct ebrec_connection_event) == 128, "connection_event");

/* Packets of a process between two addresses in a second, counted in the kernel. */
struct ebrec_flow {
	struct ebrec_header header;
	__u64 duration_ns; /* From the first packet of that second to the last, to a few ms. */
	__u64 sent_packets; /* Packets that the interface sent. */
	__u64 sent_bytes; /* Their bytes, as the interface counts them: with the Ethernet header. */
	__u64 received_packets; /* Packets that the interface received. */
	__u64 received_bytes; /* Their bytes, as the interface counts them: with the Ethernet header. */
	__u8 local_address[16]; /* Address on this side; NULL where packets have none, and in rows for what found no room. */
	__u8 remote_address[16]; /* Address on the other side. */
	__u32 local_port; /* Port on this side. */
	__u32 remote_port; /* Port on the other side. */
	__u32 ethertype; /* `ipv4`, `ipv6`, `arp` or a number; NULL in rows for what found no room. */
	__u32 protocol; /* `tcp`, `udp`, `icmp`, `icmpv6`, `gre`, ... or a number. */
	__u32 ifindex; /* Interface by its number in the network namespace. */
	__u32 netns; /* Network namespace of the interface. */
	char interface[16]; /* Interface by its name. */
};
_Static_assert(sizeof(struct ebrec_flow) == 136, "flow");

/* A packet at an interface. */
struct ebrec_packet {
	struct ebrec_header header;
	__u32 direction; /* `sent` or `received`. */
	__u32 length_bytes; /* Its bytes, with the Ethernet header. */
	__u32 ifindex; /* Interface by its number in the network namespace. */
	__u32 netns; /* Network namespace of the interface. */
	char interface[16]; /* Interface by its name. */
	__u64 source_mac; /* Hardware address it is from. */
	__u64 destination_mac; /* Hardware address it is for. */
	__u32 ethertype; /* `ipv4`, `ipv6`, `arp` or a number. */
	__u32 vlan; /* VLAN it is in; of stacked ones, the outer. */
	__u32 inner_vlan; /* The inner of two stacked VLANs. */
	__u32 malformed; /* What is wrong with it; NULL when nothing is. */
	__u8 source_address[16]; /* Address it is from; of ARP, of the sender. */
	__u8 destination_address[16]; /* Address it is for; of ARP, what is looked for. */
	__u32 protocol; /* `tcp`, `udp`, `icmp`, `icmpv6`, `gre`, ... or a number. */
	__u32 ttl; /* Time to live; of IPv6, the hop limit. */
	__u32 ip_id; /* Identification of an IPv4 packet, and of an IPv6 fragment. */
	__u32 ip_flags; /* `DF` (do not fragment), `MF` (more fragments follow). */
	__u32 fragment_offset_bytes; /* Where a fragment belongs in its packet; 0 when it is the first or the only one. */
	__u32 payload_bytes; /* Bytes behind all headers that were read. */
	__u32 source_port; /* Port it is from. */
	__u32 destination_port; /* Port it is for. */
	__u64 seq; /* Sequence number of a TCP segment. */
	__u64 ack; /* Acknowledgement number of a TCP segment. */
	__u32 window; /* Window that a TCP segment offers, not scaled. */
	__u32 tcp_flags; /* Flags of a TCP segment: `SYN|ACK`. */
	__u32 icmp_type; /* Type of an ICMP message. */
	__u32 icmp_code; /* Its code. */
	__u32 tunnel_id; /* Network of a VXLAN packet, or key of a GRE packet. */
	__u32 arp_operation; /* `request`, `reply`, or a number. */
	__u64 arp_sender_mac; /* Hardware address that the sender of an ARP packet says it has. */
	__u64 arp_target_mac; /* Hardware address that an ARP packet has for its target. */
};
_Static_assert(sizeof(struct ebrec_packet) == 208, "packet");

/* A message of the domain name system passed an interface. */
struct ebrec_dns {
	struct ebrec_header header;
	__u32 message_bytes; /* Length of the message. */
	__u32 transport; /* Protocol it came by: `udp` or `tcp`. */
	__u64 latency_ns; /* Of a response, time since the query; NULL when that was not seen. */
	__u32 side; /* Whose process this is: the `client`'s or the `server`'s; NULL when neither is known. */
	__u32 reserved; /* Fills a gap. */
	__u8 client_address[16]; /* Address of the client. */
	__u32 client_port; /* Port of the client. */
	__u32 server_port; /* Port of the server. */
	__u8 server_address[16]; /* Address of the server. */
};
_Static_assert(sizeof(struct ebrec_dns) == 88, "dns");

/* What the scheduler gave a thread since the row before: once a second if it ran, and at its end. */
struct ebrec_task_usage {
	struct ebrec_header header;
	__u64 cpu_ns; /* Time on a CPU. */
	__u64 user_ns; /* Part of it in the program, as the kernel found it at its ticks. */
	__u64 system_ns; /* Part of it in the kernel, as the kernel found it at its ticks. */
	__u64 wait_ns; /* Time it was ready to run and waited for a CPU; NULL where the kernel does not count it. */
	__u32 voluntary_switches; /* Times it left the CPU because it waited for something. */
	__u32 involuntary_switches; /* Times it had to leave the CPU for another. */
};
_Static_assert(sizeof(struct ebrec_task_usage) == 64, "task_usage");

/* A request to a block device, from its making to its completion. */
struct ebrec_block_io {
	struct ebrec_header header;
	__u64 duration_ns; /* From its making to its completion; NULL when it has not completed, or the kernel did not tell of it. */
	__u64 queue_ns; /* From its making to its issue to the driver; NULL when it was not issued. */
	__u64 service_ns; /* From its issue to the driver, the last one if there were several, to its completion. */
	__u64 sector; /* Where it begins on the disk, in units of 512 bytes; NULL for a flush. */
	__u64 bytes; /* Bytes that it reads, writes or discards. */
	__u64 merged_bytes; /* Part of `bytes` that was merged into it after it was made, by whatever process. */
	__u32 request_flags; /* What is to be done: `read`, `write`, `flush`, `discard`, `write_zeroes`, ... */
	__u32 error; /* Name of the error it ended with, such as `EIO`; NULL on success. */
	__u32 device; /* Major and minor number of the disk. */
	__u32 requeues; /* How many times the driver gave it back to be issued again. */
	char disk[32]; /* Name of the disk, such as `vda`. */
};
_Static_assert(sizeof(struct ebrec_block_io) == 120, "block_io");

/* A signal was sent. Of one that the kernel sends on its own, the thread is the target. */
struct ebrec_signal_sent {
	struct ebrec_header header;
	__u64 signal; /* Name of the signal, such as `SIGTERM`. */
	__u64 target_upid; /* Process it was sent to, for good. */
	__u32 target_pid; /* Process it was sent to. */
	__u32 target_tid; /* Thread it was sent to; of a signal to a process, one of its threads. */
	char target_comm[16]; /* Name of that thread. */
	char sender_comm[16]; /* Name of the thread that sent it, also where that is out of scope; NULL for the kernel. */
	__u32 sender_pid; /* Process that sent it; NULL for the kernel. Of `signal_received`, as the target sees its id. */
	__u32 result; /* What became of it: `delivered`, `ignored`, `already_pending`, `overflow_fail`, `lose_info`. */
	__u32 reach; /* Whether it was for the whole `process` or for the one `thread`. */
	__u32 reserved; /* Fills a gap. */
};
_Static_assert(sizeof(struct ebrec_signal_sent) == 96, "signal_sent");

/* A thread took a signal that was sent to it or to its process. */
struct ebrec_signal_received {
	struct ebrec_header header;
	__u64 signal; /* Name of the signal. */
	__u32 sender_pid; /* Process that sent it, as this thread sees its id; NULL for the kernel. */
	__u32 action; /* What the thread does: `default`, `ignore`, or a `handler` of the program's. */
};
_Static_assert(sizeof(struct ebrec_signal_received) == 40, "signal_received");

/* A reading of something that the kernel counts or measures. */
struct ebrec_gauge {
	struct ebrec_header header;
	__u32 gauge; /* What it is about: `cpu`, `memory`, `disk`, `cgroup`, ... */
	__u32 reserved; /* Fills a gap. */
	__u64 interval_ns; /* Time since the reading before; NULL for the first. */
	__u64 value; /* What was read. */
	__u64 change; /* How much more it is than at the reading before; NULL for the first, and for what is no sum. */
};
_Static_assert(sizeof(struct ebrec_gauge) == 56, "gauge");
