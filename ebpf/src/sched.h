/* The scheduler: intervals on and off the CPU, who ended a wait, migrations.
 *
 * One record when a thread leaves a CPU (the slice) and one when it gets it (the interval before). */
#pragma once

/* Kernels since 5.18 pass the state; before, it is read from the thread, which a waker on another
 * CPU may already have changed. */
const volatile bool passes_prev_state = true;

/* Whether intervals off the CPU have stacks, and from which length on. The stack can be taken only when
 * the thread leaves, before it is known for how long: this costs a walk at each switch. */
const volatile bool has_offcpu_stacks = false;
const volatile __u64 offcpu_min_ns = 0;

static __always_inline __u32 cpu_of(struct task_struct *task)
{
	struct task_struct___v516 *old = (void *)task;
	if (bpf_core_field_exists(task->thread_info.cpu))
		return BPF_CORE_READ(task, thread_info.cpu);
	return BPF_CORE_READ(old, cpu);
}

static __always_inline void slice_emit(struct task_struct *task, struct thread *thread, __u64 duration_ns, __u32 state,
				       __u32 lane)
{
	struct ebrec_sched_slice record = {};
	header(&record.header, EBREC_SCHED_SLICE, thread->on_ns, FIELD(task, tgid), FIELD(task, pid), sizeof(record));
	record.duration_ns = duration_ns;
	record.wait_ns = thread->wait_ns;
	record.end_state = state;
	record.priority = FIELD(task, prio);
	emit(&sched_ring, &record, EBREC_SCHED_SLICE, sizeof(record), lane);
}

static __always_inline void offcpu_emit(struct task_struct *task, struct thread *thread, __u64 duration_ns,
					__u64 wait_ns, __u32 lane)
{
	struct ebrec_offcpu record = {};
	__u32 size = has_offcpu_stacks ? sizeof(record) : __builtin_offsetof(struct ebrec_offcpu, stack_id);
	header(&record.header, EBREC_OFFCPU, thread->off_ns, FIELD(task, tgid), FIELD(task, pid), size);
	record.duration_ns = duration_ns;
	record.wait_ns = wait_ns;
	record.state = thread->off_state;
	record.waker = thread->waker_tid;
	record.waker_pid = thread->waker_tid ? thread->waker_pid : ~0u;
	__builtin_memcpy(record.waker_comm, thread->waker_comm, sizeof(record.waker_comm));
	/* A length that is not known is the greatest number. */
	if (has_offcpu_stacks && duration_ns >= offcpu_min_ns) {
		record.stack_id = thread->stack_id;
		record.waker_stack_id = thread->waker_stack_id;
	}
	emit(&sched_ring, &record, EBREC_OFFCPU, size, lane);
}

static __always_inline void leaves_cpu(void *ctx, struct task_struct *task, struct thread *thread, __u64 now_ns,
				       __u32 state)
{
	if (thread->epoch != epoch())
		announce(task, thread, LANE_EVENT);
	if (thread->on_ns)
		slice_emit(task, thread, now_ns - thread->on_ns, state, LANE_EVENT);
	else if (thread->off_ns)
		/* Now and then no tracepoint tells that a thread got the CPU, perf's neither (seen on 6.18, with
		 * the CPU taken from an idle thread): the interval is there, and when it ended is not known. */
		offcpu_emit(task, thread, EBREC_UNKNOWN, EBREC_UNKNOWN, LANE_EVENT);
	thread->on_ns = 0;
	thread->off_ns = now_ns;
	thread->off_state = state;
	thread->wake_ns = state ? 0 : now_ns;
	thread->waker_tid = 0;
	__builtin_memset(thread->waker_comm, 0, sizeof(thread->waker_comm));
	if (has_offcpu_stacks) {
		thread->stack_id = stack_of(ctx, task, true, TRACEPOINT_FRAMES, true, LANE_IRQ);
		thread->waker_stack_id = 0;
	}
}

static __always_inline void gets_cpu(struct task_struct *task, struct thread *thread, __u64 now_ns)
{
	__u64 wait_ns = thread->wake_ns ? now_ns - thread->wake_ns : EBREC_UNKNOWN;
	if (thread->off_ns)
		offcpu_emit(task, thread, now_ns - thread->off_ns, wait_ns, LANE_EVENT);
	thread->off_ns = 0;
	thread->wake_ns = 0;
	thread->wait_ns = wait_ns;
	thread->on_ns = now_ns;
}

SEC("tp_btf/sched_switch")
int BPF_PROG(tp_btf__sched_switch, bool preempt, struct task_struct *prev, struct task_struct *next)
{
	__u64 now_ns = bpf_ktime_get_ns();
	struct thread *thread = thread_of(prev);
	if (thread && in_scope(thread)) {
		__u32 state = passes_prev_state ? (__u32)ctx[3] : state_of(prev);
		leaves_cpu(ctx, prev, thread, now_ns, preempt ? 0 : state);
	}
	thread = thread_of(next);
	if (thread && in_scope(thread))
		gets_cpu(next, thread, now_ns);
	return 0;
}

/* Of a waker outside the scope only what the kernel does for it. */
static __always_inline __u64 waker_stack(void *ctx)
{
	struct task_struct *task = current_task();
	struct thread *thread = thread_of(task);
	return stack_of(ctx, task, true, TRACEPOINT_FRAMES, thread && in_scope(thread), LANE_IRQ);
}

/* Runs in the context of the waker. */
SEC("tp_btf/sched_waking")
int BPF_PROG(tp_btf__sched_waking, struct task_struct *task)
{
	struct thread *thread = thread_of(task);
	if (!thread || !in_scope(thread) || !thread->off_ns || thread->wake_ns)
		return 0;
	__u64 waker = bpf_get_current_pid_tgid();
	thread->wake_ns = bpf_ktime_get_ns();
	thread->waker_tid = (__u32)waker;
	thread->waker_pid = waker >> 32;
	if (thread->waker_tid)
		bpf_get_current_comm(thread->waker_comm, sizeof(thread->waker_comm));
	if (has_offcpu_stacks && thread->wake_ns - thread->off_ns >= offcpu_min_ns)
		thread->waker_stack_id = waker_stack(ctx);
	return 0;
}

/* For a wake-up that came before the thread had left its CPU; the waker may not be running here. */
SEC("tp_btf/sched_wakeup")
int BPF_PROG(tp_btf__sched_wakeup, struct task_struct *task)
{
	struct thread *thread = thread_of(task);
	if (thread && in_scope(thread) && thread->off_ns && !thread->wake_ns)
		thread->wake_ns = bpf_ktime_get_ns();
	return 0;
}

SEC("tp_btf/sched_wakeup_new")
int BPF_PROG(tp_btf__sched_wakeup_new, struct task_struct *task)
{
	struct thread *thread = thread_of(task);
	if (thread && in_scope(thread))
		thread->wake_ns = bpf_ktime_get_ns();
	return 0;
}

SEC("tp_btf/sched_migrate_task")
int BPF_PROG(tp_btf__sched_migrate_task, struct task_struct *task, int to_cpu)
{
	struct thread *thread = thread_of(task);
	if (!thread || !in_scope(thread))
		return 0;
	struct ebrec_migration record = {};
	header(&record.header, EBREC_MIGRATION, bpf_ktime_get_ns(), FIELD(task, tgid), FIELD(task, pid), sizeof(record));
	record.from_cpu = cpu_of(task);
	record.to_cpu = to_cpu;
	if (record.from_cpu != record.to_cpu)
		emit(&sched_ring, &record, EBREC_MIGRATION, sizeof(record), LANE_EVENT);
	return 0;
}
