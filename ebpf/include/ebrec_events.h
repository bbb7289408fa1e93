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
	__s64 ret; /* What it completed with; a negative error number on failure. */
	__u32 call; /* Which operation. */
	__u32 reserved; /* Fills a gap. */
	__u64 args[6]; /* First argument: the file descriptor; the others are NULL. */
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
	__u64 duration_ns; /* Time until it ran again; NULL when it has not. */
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
