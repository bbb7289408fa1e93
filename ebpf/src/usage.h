/* What the scheduler gave each thread: totals that it keeps anyway, so that nothing is done at a switch.
 *
 * They are told once a second of threads that ran, at the end of a thread, and when its memory is freed:
 * only then its last switch has been counted. */
#pragma once

/* From counts that two CPUs may read at once, so that the sum of all rows stays what the kernel has. */
static __always_inline __u64 grown(__u64 now, __u64 before)
{
	return now > before ? now - before : 0;
}

/* Nothing if it did not run. */
static __always_inline void task_usage_emit(struct task_struct *task, struct thread *thread, __u64 ts_ns, __u32 lane)
{
	struct usage now = {};
	usage_read(task, &now);
	now.end_ns = thread->usage.end_ns;
	struct usage before = thread->usage;
	thread->usage = now;
	if (!before.is_known || (now.cpu_ns == before.cpu_ns && now.voluntary == before.voluntary))
		return;
	struct ebrec_task_usage record = {};
	header(&record.header, EBREC_TASK_USAGE, ts_ns, BPF_CORE_READ(task, tgid), BPF_CORE_READ(task, pid),
	       sizeof(record));
	record.cpu_ns = grown(now.cpu_ns, before.cpu_ns);
	record.user_ns = grown(now.user_ns, before.user_ns);
	record.system_ns = grown(now.system_ns, before.system_ns);
	record.wait_ns = now.wait_ns == EBREC_UNKNOWN ? EBREC_UNKNOWN : grown(now.wait_ns, before.wait_ns);
	record.voluntary_switches = grown(now.voluntary, before.voluntary);
	record.involuntary_switches = grown(now.involuntary, before.involuntary);
	emit(&cpu_ring, &record, EBREC_TASK_USAGE, sizeof(record), lane);
}

/* Every thread in scope; to be run once a second. */
SEC("iter/task")
int iter__usage(struct bpf_iter__task *ctx)
{
	struct task_struct *task = ctx->task;
	if (!task)
		return 0;
	struct thread *thread = thread_of(task);
	/* One that has ended is told when it is freed. */
	if (!thread || !in_scope(thread) || thread->usage.end_ns)
		return 0;
	if (thread->epoch != epoch())
		announce(task, thread, LANE_WALK);
	task_usage_emit(task, thread, bpf_ktime_get_ns(), LANE_WALK);
	return 0;
}

/* What a thread did after it was told for the last time. Runs in interrupts. */
static __always_inline void task_usage_last(struct task_struct *task)
{
	struct thread *thread = thread_of(task);
	if (has_cpu && thread && in_scope(thread) && thread->usage.end_ns)
		task_usage_emit(task, thread, thread->usage.end_ns, LANE_NONE);
}

#ifndef EBREC_HASH
SEC("tp_btf/sched_process_free")
int BPF_PROG(tp_btf__sched_process_free__for_cpu, struct task_struct *task)
{
	task_usage_last(task);
	return 0;
}
#endif
