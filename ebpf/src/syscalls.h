/* System calls: entry and exit joined into one record.
 *
 * Entry keeps the time, the number and the argument registers. Exit has what the call was given to
 * read or wrote in memory, so paths and addresses are read there; the file of an execve is the
 * exception, since a successful one ends the memory it lay in. */
#pragma once

/* What to read of a call, by number; the recorder fills it in from the list of signatures. Argument
 * indexes are one more than the index, 0 for none. */
struct call {
	__u8 args;	   /* number of arguments */
	__u8 wanted;	   /* whether it is recorded: 0, WANTED, WANTED_COPY */
	__u8 path, path2;  /* arguments that are paths */
	__u8 address;	   /* argument that is a socket address */
	__u8 address_kind; /* how long it is: ADDRESS_ below */
	__u8 address_len;  /* argument with its length */
	__u8 is_exec;
};
#define WANTED 1
#define WANTED_COPY 2	  /* of fcntl(): its requests that copy a descriptor */
#define ADDRESS_LEN 1	  /* the length is an argument */
#define ADDRESS_LEN_PTR 2 /* the argument points to the length */
#define ADDRESS_MSGHDR 3  /* it is in a struct msghdr */

#define CALLS 512
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 2 * CALLS);
	__type(key, __u32);
	__type(value, struct call);
} calls SEC(".maps");

static __always_inline bool is_compat(struct task_struct *task)
{
#if defined(__TARGET_ARCH_x86)
	return FIELD(task, thread_info.status) & 2; /* TS_COMPAT */
#else
	return FIELD(task, thread_info.flags) & (1ul << 22); /* TIF_32BIT */
#endif
}

static __always_inline struct call *call_of(__u32 call)
{
	__u32 number = call & 0xffff;
	__u32 key = call & EBREC_SYSCALL_COMPAT ? number + CALLS : number;
	if (number >= CALLS)
		return 0;
	return bpf_map_lookup_elem(&calls, &key);
}

static __always_inline void arguments(__u64 *args, struct pt_regs *regs, bool compat)
{
#if defined(__TARGET_ARCH_x86)
	if (compat) {
		args[0] = (__u32)regs->bx;
		args[1] = (__u32)regs->cx;
		args[2] = (__u32)regs->dx;
		args[3] = (__u32)regs->si;
		args[4] = (__u32)regs->di;
		args[5] = (__u32)regs->bp;
		return;
	}
	args[0] = regs->di;
	args[1] = regs->si;
	args[2] = regs->dx;
	args[3] = regs->r10;
	args[4] = regs->r8;
	args[5] = regs->r9;
#else
	args[0] = regs->orig_x0;
	args[1] = regs->regs[1];
	args[2] = regs->regs[2];
	args[3] = regs->regs[3];
	args[4] = regs->regs[4];
	args[5] = regs->regs[5];
#endif
}

static __always_inline __u32 call_number(struct pt_regs *regs)
{
#if defined(__TARGET_ARCH_x86)
	return regs->orig_ax;
#else
	return regs->syscallno;
#endif
}

/* Whether a wanted call is recorded with these arguments. */
static __always_inline bool is_recorded(struct call *what, __u64 *args)
{
	__u32 request = args[1];
	return what->wanted == WANTED || request == 0 /* F_DUPFD */ || request == 1030 /* F_DUPFD_CLOEXEC */;
}

static __always_inline int syscall_begins(struct pt_regs *regs, long number, bool guarded)
{
	struct task_struct *task = current_task();
	struct thread *thread = thread_of(task);
	if (!thread) {
		/* On the whole machine every thread has state; make up for one that could not be had. */
		if (required || !(thread = thread_consider(task, 0, LANE_EVENT)))
			return 0;
	}
	if (!in_scope(thread))
		return 0;
	/* Nobody saw the call before this one return. */
	if (guarded && thread->enter_ns)
		syscall_unfinished(task, thread);
	bool compat = is_compat(task);
	__u32 call = (number & 0xffff) | (compat ? EBREC_SYSCALL_COMPAT : 0);
	struct call *what = call_of(call);
	thread->bits &= ~FOUND;
	if (what && !what->wanted)
		return 0;
	arguments(thread->args, regs, compat);
	if (what && !is_recorded(what, thread->args))
		return 0;
	if (what && what->is_exec && !no_paths)
		keep_exec_path(task, (void *)thread->args[what->path == 2], false);
	thread->call = call;
	thread->enter_ns = bpf_ktime_get_ns();
	return 0;
}

SEC("tp_btf/sys_enter")
int BPF_PROG(tp_btf__sys_enter, struct pt_regs *regs, long number)
{
	return syscall_begins(regs, number, false);
}

SEC("tp_btf/sys_enter")
int BPF_PROG(tp_btf__sys_enter__guarded, struct pt_regs *regs, long number)
{
	return GUARDED(syscall_begins(regs, number, true));
}

/* Puts together the fixed part of a record, without the arguments the call does not have. */
static __always_inline __u32 syscall_record(struct ebrec_syscall *record, struct thread *thread, __u32 args,
					    __u64 ts_ns, __u64 duration_ns, __s64 ret, __u64 pid_tgid)
{
	__u32 size = sizeof(*record) - sizeof(record->args) + 8 * (args <= 6 ? args : 6);
	header(&record->header, EBREC_SYSCALL, ts_ns, pid_tgid >> 32, (__u32)pid_tgid, size);
	record->duration_ns = duration_ns;
	record->ret = ret;
	record->call = thread->call;
	record->reserved = 0;
	__builtin_memcpy(record->args, thread->args, sizeof(record->args));
	return size;
}

static __always_inline void tail_call_address(struct scratch *s, struct call *what, __u64 *args)
{
	__u32 index = what->address - 1, length_index = what->address_len - 1, length = 0;
	if (index > 5)
		return;
	void *address = (void *)args[index];
	if (what->address_kind == ADDRESS_MSGHDR) {
		struct {
			void *name;
			__u64 name_length;
		} msghdr = {};
		bpf_probe_read_user(&msghdr, sizeof(msghdr), address);
		address = msghdr.name;
		length = msghdr.name_length;
	} else {
		if (length_index > 5)
			return;
		length = args[length_index];
		if (what->address_kind == ADDRESS_LEN_PTR &&
		    bpf_probe_read_user(&length, sizeof(length), (void *)args[length_index]))
			return;
	}
	tail_address(s, address, length);
}

/* The paths and the address of a call, behind the fixed part. */
static __always_inline void call_tails(struct scratch *s, struct call *what, struct thread *thread,
				       struct task_struct *task)
{
	__u32 path = what->path - 1, path2 = what->path2 - 1;
	if (what->is_exec) {
		__u64 key = (__u64)task;
		struct exec_path *kept = bpf_map_lookup_elem(&exec_paths, &key);
		if (kept) {
			tail_kernel_string(s, EBREC_TAIL_PATH, kept->path);
			bpf_map_delete_elem(&exec_paths, &key);
			return;
		}
	}
	if (path <= 5 && !no_paths)
		tail_user_string(s, EBREC_TAIL_PATH, (void *)thread->args[path]);
	if (path2 <= 5 && !no_paths)
		tail_user_string(s, EBREC_TAIL_PATH2, (void *)thread->args[path2]);
	if (what->address)
		tail_call_address(s, what, thread->args);
}

static __always_inline void syscall_emit(struct task_struct *task, struct thread *thread, __u64 ts_ns,
					 __u64 duration_ns, __s64 ret)
{
	struct call *what = call_of(thread->call);
	__u32 args = what ? what->args : 6;
	__u64 pid_tgid = bpf_get_current_pid_tgid();
	if (!what || !(what->path | what->address)) {
		struct ebrec_syscall record;
		__u32 size = syscall_record(&record, thread, args, ts_ns, duration_ns, ret, pid_tgid);
		emit(&syscalls_ring, &record, EBREC_SYSCALL, size, LANE_EVENT);
		return;
	}
	struct scratch *s = scratch(LANE_EVENT);
	if (!s)
		return;
	struct ebrec_syscall *record = (void *)s->bytes;
	s->size = syscall_record(record, thread, args, ts_ns, duration_ns, ret, pid_tgid);
	call_tails(s, what, thread, task);
	emit_scratch(&syscalls_ring, s, EBREC_SYSCALL, LANE_EVENT);
}

/* Whether a call returns twice, in a new thread too. */
static __always_inline bool makes_thread(__u32 number)
{
#if defined(__TARGET_ARCH_x86)
	return (number >= 56 && number <= 58) || number == 435; /* clone, fork, vfork, clone3 */
#else
	return number == 220 || number == 435; /* clone, clone3 */
#endif
}

static __always_inline int syscall_returns(struct pt_regs *regs, long ret, bool guarded)
{
	struct task_struct *task = current_task();
	struct thread *thread = thread_of(task);
	if (!thread || !in_scope(thread))
		return 0;
	__u64 enter_ns = thread->enter_ns;
	/* Nobody saw it begin: its duration is unknown. */
	bool missed = guarded && !enter_ns && !(ret == 0 && makes_thread(call_number(regs)));
	if (!enter_ns && !missed && !(thread->bits & FOUND)) {
		/* Not wanted, or a new thread coming out of the call that made it. */
		identify(task, thread);
		return 0;
	}
	__u64 now_ns = bpf_ktime_get_ns();
	identify(task, thread);
	thread->enter_ns = 0;
	if (enter_ns) {
		bool found = thread->bits & FOUND;
		thread->bits &= ~FOUND;
		syscall_emit(task, thread, enter_ns, found ? EBREC_UNKNOWN : now_ns - enter_ns, ret);
		return 0;
	}
	/* So it is of a call that began before the recording. */
	thread->bits &= ~FOUND;
	bool compat = is_compat(task);
	thread->call = (call_number(regs) & 0xffff) | (compat ? EBREC_SYSCALL_COMPAT : 0);
	struct call *what = call_of(thread->call);
	if (!what || !what->wanted)
		return 0;
	arguments(thread->args, regs, compat);
	if (!is_recorded(what, thread->args))
		return 0;
	syscall_emit(task, thread, now_ns, EBREC_UNKNOWN, ret);
	return 0;
}

SEC("tp_btf/sys_exit")
int BPF_PROG(tp_btf__sys_exit, struct pt_regs *regs, long ret)
{
	return syscall_returns(regs, ret, false);
}

SEC("tp_btf/sys_exit")
int BPF_PROG(tp_btf__sys_exit__guarded, struct pt_regs *regs, long ret)
{
	return GUARDED(syscall_returns(regs, ret, true));
}

/* The call a thread is in when it ends (exit_group, or killed in one) or when recording ends. */
static __always_inline void syscall_unfinished_of(struct task_struct *task, struct thread *thread, __u64 pid_tgid,
						  __u32 lane)
{
	if (!thread->enter_ns)
		return;
	struct call *what = call_of(thread->call);
	struct ebrec_syscall record;
	__u32 size = syscall_record(&record, thread, what ? what->args : 6, thread->enter_ns, EBREC_UNKNOWN,
				    EBREC_NOT_RETURNED, pid_tgid);
	thread->enter_ns = 0;
	emit(&syscalls_ring, &record, EBREC_SYSCALL, size, lane);
}

static __always_inline void syscall_unfinished(struct task_struct *task, struct thread *thread)
{
	syscall_unfinished_of(task, thread, bpf_get_current_pid_tgid(), LANE_EVENT);
}
