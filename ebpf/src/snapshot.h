/* Walks over all tasks: who is in scope when a segment begins, and what is unfinished at the end. */
#pragma once

/* Takes down the call in which a thread sleeps, for its row; when it began is not known. A helper of
 * 5.15 and newer tells the registers; on older kernels the call is known when it returns. */
static __always_inline void found_in_call(struct task_struct *task, struct thread *thread)
{
	thread->bits |= FOUND;
	if (!has_syscalls || !BPF_CORE_READ(task, mm) || !(state_of(task) & 1) /* TASK_INTERRUPTIBLE */)
		return;
	if (!bpf_core_enum_value_exists(enum bpf_func_id, BPF_FUNC_task_pt_regs))
		return;
	struct pt_regs *regs = (void *)bpf_task_pt_regs(task);
	if (!regs)
		return;
	struct pt_regs copy;
	bpf_core_read(&copy, sizeof(copy), regs);
	__u32 number = call_number(&copy);
	bool compat = is_compat(task);
	struct call *what = call_of(number | (compat ? EBREC_SYSCALL_COMPAT : 0));
	if (number >= CALLS || !what || !what->wanted)
		return;
	arguments(thread->args, &copy, compat);
	thread->call = number | (compat ? EBREC_SYSCALL_COMPAT : 0);
	thread->enter_ns = bpf_ktime_get_ns();
}

SEC("iter/task")
int iter__snapshot(struct bpf_iter__task *ctx)
{
	struct task_struct *task = ctx->task;
	if (!task)
		return 0;
	struct thread *thread = thread_of(task);
	if (!thread) {
		thread = thread_consider(task, 0, LANE_WALK);
		/* The command waits to be let go in a call of the recorder's, not of its own. */
		if (thread && BPF_CORE_READ(task, tgid) != launched_pid)
			found_in_call(task, thread);
	}
	if (thread && in_scope(thread)) {
		__u64 cred = (__u64)BPF_CORE_READ(task, cred);
		announce(task, thread, LANE_WALK);
		if (!thread->cred)
			note_credentials(task, thread, cred, LANE_WALK);
		/* The reader of the walk gets the processes, for what only /proc tells of them. */
		__u64 upid = upid_of(task);
		if (BPF_CORE_READ(task, pid) == BPF_CORE_READ(task, tgid))
			bpf_seq_write(ctx->meta->seq, &upid, sizeof(upid));
	}
	return 0;
}

SEC("iter/task")
int iter__finish(struct bpf_iter__task *ctx)
{
	struct task_struct *task = ctx->task;
	if (!task)
		return 0;
	struct thread *thread = thread_of(task);
	if (!thread || !in_scope(thread))
		return 0;
	__u64 pid_tgid = (__u64)BPF_CORE_READ(task, tgid) << 32 | (__u32)BPF_CORE_READ(task, pid);
	if (has_syscalls)
		syscall_unfinished_of(task, thread, pid_tgid, LANE_WALK);
	if (!has_sched)
		return 0;
	if (thread->on_ns)
		slice_emit(task, thread, EBREC_UNKNOWN, ~0u, LANE_WALK);
	else if (thread->off_ns)
		offcpu_emit(task, thread, EBREC_UNKNOWN, EBREC_UNKNOWN, LANE_WALK);
	return 0;
}
