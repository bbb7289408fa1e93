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
};
_Static_assert(sizeof(struct ebrec_thread) == 72, "thread");

/* A process started another. */
struct ebrec_fork {
	struct ebrec_header header;
	__u64 child_upid; /* The new process. */
	__u64 child_cgroup_id; /* Control group the child is in. */
	__u32 child_tid; /* Thread id of the new process's first thread. */
	__u32 child_pid; /* Process id of the new process. */
	__u32 uid; /* Real user id. */
	__u32 gid; /* Real group id. */
};
_Static_assert(sizeof(struct ebrec_fork) == 56, "fork");

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
};
_Static_assert(sizeof(struct ebrec_exec) == 48, "exec");

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
};
_Static_assert(sizeof(struct ebrec_offcpu) == 72, "offcpu");

/* A thread was moved to another CPU's run queue. */
struct ebrec_migration {
	struct ebrec_header header;
	__u32 from_cpu; /* CPU it was on. */
	__u32 to_cpu; /* CPU it is on from now on. */
};
_Static_assert(sizeof(struct ebrec_migration) == 32, "migration");
