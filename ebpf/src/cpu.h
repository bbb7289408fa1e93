/* Samples of what runs: a timer on each CPU. */
#pragma once

/* CPU time between two samples; set by the recorder. */
const volatile __u64 cpu_period_ns = 10101010;

/* What a program at a perf event is given. The header of Linux has it with registers that kernel.h
 * describes too, by another order of declarations. */
struct perf_event_context {
#if defined(__TARGET_ARCH_x86)
	__u64 other[16];
	__u64 ip, cs, flags, sp, ss;
#else
	__u64 regs[31];
	__u64 sp, pc, pstate;
#endif
	__u64 sample_period;
	__u64 addr;
};

/* 0 user, 1 kernel. */
static __always_inline __u32 mode_of(struct perf_event_context *ctx)
{
#if defined(__TARGET_ARCH_x86)
	return !(ctx->cs & 3);
#else
	return (ctx->pstate & 0xf) != 0; /* PSR_MODE_MASK, with 0 for EL0t; 32-bit modes are below 0x10 + 1 */
#endif
}

SEC("perf_event")
int perf_event__cpu(struct perf_event_context *ctx)
{
	struct task_struct *task = current_task();
	struct thread *thread = thread_of(task);
	if (!thread || !in_scope(thread))
		return 0;
	identify_in(task, thread, LANE_IRQ);
	struct ebrec_cpu_sample record = {};
	header(&record.header, EBREC_CPU_SAMPLE, bpf_ktime_get_ns(), FIELD(task, tgid), FIELD(task, pid), sizeof(record));
	record.period_ns = cpu_period_ns;
	record.mode = mode_of(ctx);
	if (has_stacks)
		record.stack_id = stack_of(ctx, task, true, 0, true, LANE_IRQ);
	emit(&cpu_ring, &record, EBREC_CPU_SAMPLE, sizeof(record), LANE_IRQ);
	return 0;
}
