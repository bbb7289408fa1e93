/* What the scheduler gave each thread: totals that it keeps anyway, so that nothing is done at a switch.
 *
 * They are told once a second of threads that ran, at the end of a thread, and once more after its last
 * switch, which comes later: when its memory is freed, or when it is met before that and waits for its
 * parent. */
#pragma once

/* How many threads have ended so far, and of how many of them the last switch is told. The kernel frees
 * a thread some milliseconds after its end, so a recording that stops waits for those that have ended. */
enum {
	USAGE_ENDED,
	USAGE_TOLD,
	USAGE_COUNTS,
};
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, USAGE_COUNTS);
	__type(key, __u32);
	__type(value, __u64);
} usage_ends SEC(".maps");

static __always_inline void usage_count(__u32 which)
{
	__u64 *count = bpf_map_lookup_elem(&usage_ends, &which);
	if (count)
		__sync_fetch_and_add(count, 1);
}

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

/* At the end of a thread. */
static __always_inline void task_usage_ends(struct task_struct *task, struct thread *thread)
{
	task_usage_emit(task, thread, bpf_ktime_get_ns(), LANE_NONE);
	thread->usage_end_ns = bpf_ktime_get_ns();
	usage_count(USAGE_ENDED);
}

/* What a thread did after its end, once. */
static __always_inline void task_usage_last(struct task_struct *task, struct thread *thread, __u32 lane)
{
	if (thread->usage_is_told)
		return;
	task_usage_emit(task, thread, thread->usage_end_ns, lane);
	thread->usage_is_told = true;
	usage_count(USAGE_TOLD);
}

/* Runs in interrupts. */
static __always_inline void task_usage_freed(struct task_struct *task)
{
	struct thread *thread = thread_of(task);
	if (has_cpu && thread && in_scope(thread) && thread->usage_end_ns)
		task_usage_last(task, thread, LANE_NONE);
}

#define TASK_DEAD 0x80

static __always_inline bool is_off_cpu_for_good(struct task_struct *task)
{
	struct task_struct___on_cpu *smp = (void *)task;
	bool on_cpu = bpf_core_field_exists(smp->on_cpu) && BPF_CORE_READ(smp, on_cpu);
	return !on_cpu && state_of(task) == TASK_DEAD;
}

/* Every thread in scope; to be run once a second. */
SEC("iter/task")
int iter__usage(struct bpf_iter__task *ctx)
{
	struct task_struct *task = ctx->task;
	if (!task)
		return 0;
	struct thread *thread = thread_of(task);
	if (!thread || !in_scope(thread))
		return 0;
	if (thread->usage_end_ns) {
		if (is_off_cpu_for_good(task))
			task_usage_last(task, thread, LANE_WALK);
		return 0;
	}
	if (thread->epoch != epoch())
		announce(task, thread, LANE_WALK);
	task_usage_emit(task, thread, bpf_ktime_get_ns(), LANE_WALK);
	return 0;
}

#ifndef EBREC_HASH
SEC("tp_btf/sched_process_free")
int BPF_PROG(tp_btf__sched_process_free__for_cpu, struct task_struct *task)
{
	task_usage_freed(task);
	return 0;
}
#endif
