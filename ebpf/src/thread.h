/* What is kept for each thread, and which threads are in scope.
 *
 * The state lies in task storage, or (flavour EBREC_HASH, kernels before 5.11) in a hash keyed by
 * the task's address. A thread outside the scope has no state, so that it pays for one look-up. */
#pragma once

/* Why a thread is in scope; all bits of `required` must be set. */
#define SCOPE_TREE 1u	/* descends from a root process */
#define SCOPE_COMM 2u	/* has the wanted name */
#define SCOPE_CGROUP 4u /* is in a wanted control group */
/* Found when recording began, and still in the call it was in then: its beginning was not seen. */
#define FOUND 8u

struct thread {
	__u64 enter_ns; /* entry of the call it is in, or 0 */
	__u64 args[6];
	__u32 call; /* number of that call, and EBREC_SYSCALL_COMPAT */
	__u32 bits;
	__u64 cred; /* address of the credentials last seen */
	__u64 cap_effective;
	__u32 uid, gid, euid, egid;
	__u64 on_ns;   /* when it got the CPU, or 0 */
	__u64 off_ns;  /* when it left the CPU, or 0 */
	__u64 wake_ns; /* when it became ready to run, or 0 */
	__u64 wait_ns; /* wait before the slice it is in */
	__u32 off_state;
	__u32 waker_tid, waker_pid;
	__u32 epoch; /* segment in which it was last announced */
	char waker_comm[16];
	__u64 stack_id; /* that it left the CPU with */
	__u64 waker_stack_id;
	struct memory_call {
		__u64 sp; /* stack pointer at its entry, or 0 */
		__u64 pc, fp; /* of its caller */
		__u64 inner_sp; /* the same of what it called in turn, if that returns its result */
		__u64 size, old;
		__u32 operation;
		__u64 begin_ns; /* of a realloc */
		__u32 delegates; /* only what it calls has a probe at its return */
	} in; /* the function of an allocator it is in */
	bool memory_call;      /* it is in mmap or its like, where that is noted */
	__u64 freed, freed_sp; /* what operator delete gives back, and where it was called */
	struct usage {
		__u64 cpu_ns, user_ns, system_ns, wait_ns;
		__u64 voluntary, involuntary;
		__u64 is_known;
	} usage;	    /* what it had when it was last told: usage.h */
	__u64 usage_end_ns; /* when it ended, or 0 */
	bool usage_is_told; /* with its last switch */
};

#ifdef EBREC_HASH
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 65536);
	__type(key, __u64);
	__type(value, struct thread);
} threads SEC(".maps");
/* Too big for the stack of a program. */
const struct thread empty_thread = {};
#define FIELD(task, field) BPF_CORE_READ(task, field)
#define current_task() ((struct task_struct *)bpf_get_current_task())
#else
struct {
	__uint(type, BPF_MAP_TYPE_TASK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, struct thread);
} threads SEC(".maps");
#define FIELD(task, field) ((task)->field)
#define current_task() ((struct task_struct *)bpf_get_current_task_btf())
#endif

/* Set by the recorder before loading. */
const volatile __u32 required = 0;	/* SCOPE_ bits a thread must have; 0: the whole machine */
const volatile __u32 self_pid = 0;	/* the recorder, which is never in scope */
const volatile __u32 launched_pid = 0;	/* the command it starts, waiting to be let go */
const volatile char wanted_comm[16] = {};
const volatile bool has_syscalls = false, has_sched = false, has_faults = false, has_cpu = false;

/* The segment being recorded: when it changes, threads and control groups are announced again. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u32);
} control SEC(".maps");

/* Processes whose descendants are in scope. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 65536);
	__type(key, __u32);
	__type(value, __u32);
} roots SEC(".maps");

static __always_inline __u32 epoch(void)
{
	__u32 zero = 0, *value = bpf_map_lookup_elem(&control, &zero);
	return value ? *value : 0;
}

static __always_inline struct thread *thread_of(struct task_struct *task)
{
#ifdef EBREC_HASH
	__u64 key = (__u64)task;
	return bpf_map_lookup_elem(&threads, &key);
#else
	/* Most threads outside the scope have no storage at all: that is cheaper to see than to ask. */
	if (!task->bpf_storage)
		return 0;
	return bpf_task_storage_get(&threads, task, 0, 0);
#endif
}

static __always_inline struct thread *thread_create(struct task_struct *task)
{
#ifdef EBREC_HASH
	__u64 key = (__u64)task;
	struct thread *found = bpf_map_lookup_elem(&threads, &key);
	if (found)
		return found;
	bpf_map_update_elem(&threads, &key, &empty_thread, BPF_NOEXIST);
	return bpf_map_lookup_elem(&threads, &key);
#else
	return bpf_task_storage_get(&threads, task, 0, BPF_LOCAL_STORAGE_GET_F_CREATE);
#endif
}

static __always_inline __u32 state_of(struct task_struct *task)
{
	struct task_struct___v514 *old = (void *)task;
	if (bpf_core_field_exists(task->__state))
		return BPF_CORE_READ(task, __state);
	return BPF_CORE_READ(old, state);
}

/* What the scheduler gave a task so far. */
static __always_inline void usage_read(struct task_struct *task, struct usage *usage)
{
	struct task_struct___usage *counts = (void *)task;
	usage->cpu_ns = BPF_CORE_READ(counts, se.sum_exec_runtime);
	usage->user_ns = BPF_CORE_READ(counts, utime);
	usage->system_ns = BPF_CORE_READ(counts, stime);
	usage->wait_ns = bpf_core_field_exists(counts->sched_info.run_delay) ? BPF_CORE_READ(counts, sched_info.run_delay)
									     : EBREC_UNKNOWN;
	usage->voluntary = BPF_CORE_READ(counts, nvcsw);
	usage->involuntary = BPF_CORE_READ(counts, nivcsw);
	usage->is_known = 1;
}

static __always_inline bool in_scope(struct thread *thread)
{
	return (thread->bits & required) == required;
}

static __always_inline bool comm_matches(const char *comm)
{
#pragma unroll
	for (int i = 0; i < 16; i++) {
		if (comm[i] != wanted_comm[i])
			return false;
		if (!comm[i])
			return true;
	}
	return true;
}

/* The scope bits of a task; `comm` is the name it has or is about to have. */
static __always_inline __u32 scope_bits(struct task_struct *task, __u32 inherited, const char *comm)
{
	__u32 bits = inherited & SCOPE_TREE;
	if (required & SCOPE_TREE) {
		__u32 pid = BPF_CORE_READ(task, tgid);
		if (bpf_map_lookup_elem(&roots, &pid))
			bits |= SCOPE_TREE;
	}
	if ((required & SCOPE_COMM) && comm_matches(comm))
		bits |= SCOPE_COMM;
	if ((required & SCOPE_CGROUP) && cgroup_matches(task))
		bits |= SCOPE_CGROUP;
	return bits;
}

/* The state of a task that is in scope or may come into it; NULL for others. */
static __always_inline struct thread *thread_consider(struct task_struct *task, __u32 inherited, __u32 lane)
{
	__u32 tgid = BPF_CORE_READ(task, tgid);
	if (tgid == self_pid || !BPF_CORE_READ(task, pid))
		return 0;
	/* Nor are the helpers of the recorder. */
	if (BPF_CORE_READ(task, real_parent, tgid) == self_pid && tgid != launched_pid)
		return 0;
	char comm[16];
	BPF_CORE_READ_STR_INTO(&comm, task, comm);
	__u32 bits = scope_bits(task, inherited, comm);
	/* Descent is not to be found out later, so it is kept even while another filter excludes. */
	if ((bits & required) != required && !(bits & SCOPE_TREE))
		return 0;
	struct thread *thread = thread_create(task);
	if (!thread) {
		emit_failed(EBREC_THREAD, lane);
		return 0;
	}
	thread->bits = (thread->bits & FOUND) | bits;
	/* What it had before it was followed is not told. */
	if (has_cpu && !thread->usage.is_known)
		usage_read(task, &thread->usage);
	return thread;
}
