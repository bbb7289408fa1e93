/* Memory of processes: page faults, how much they have, and who is ended for want of it. */
#pragma once

static __always_inline int fault(struct perf_event_context *ctx, __u32 kind)
{
	struct task_struct *task = current_task();
	struct thread *thread = thread_of(task);
	if (!thread || !in_scope(thread))
		return 0;
	identify(task, thread);
	struct ebrec_page_fault record = {};
	header(&record.header, EBREC_PAGE_FAULT, bpf_ktime_get_ns(), FIELD(task, tgid), FIELD(task, pid), sizeof(record));
	record.address = ctx->addr;
	record.fault = kind;
	record.mode = mode_of(ctx);
	if (has_stacks)
		record.stack_id = stack_of(ctx, task, true, 0, true, LANE_EVENT);
	emit(&faults_ring, &record, EBREC_PAGE_FAULT, sizeof(record), LANE_EVENT);
	return 0;
}

SEC("perf_event")
int perf_event__fault_minor(struct perf_event_context *ctx)
{
	return fault(ctx, 0);
}

SEC("perf_event")
int perf_event__fault_major(struct perf_event_context *ctx)
{
	return fault(ctx, 1);
}

/* Since 6.2 a counter of pages is a sum and, for each CPU, what is not yet added to it: so many pages
 * that small processes would be counted wrongly. */
#define CPUS_MAX 512u

/* In the kernel's order. */
#define PAGES_FILE 0
#define PAGES_ANONYMOUS 1
#define PAGES_SWAP 2
#define PAGES_SHARED 3

/* How far the memory of a CPU is from the addresses that the kernel keeps: that of a map's value for the
 * CPU less that of the value as such. No helper tells it, and pointers become numbers in memory only. */
static __always_inline bool cpu_area(struct scratch *s, __u32 cpu)
{
	__u32 zero = 0;
	void *value = bpf_map_lookup_percpu_elem(&counters, &zero, cpu);
	if (!value)
		return false;
	*(volatile __u64 *)&s->at = (__u64)value;
	*(volatile __u64 *)&s->mount = (__u64)&counters;
	struct bpf_array *array = (void *)*(volatile __u64 *)&s->mount;
	s->at = *(volatile __u64 *)&s->at - (__u64)BPF_CORE_READ(array, pptrs[0]);
	return true;
}

static __always_inline __s64 pages_of_cpu(struct percpu_counter *counter, __u64 area)
{
	__s32 pages = 0;
	bpf_probe_read_kernel(&pages, sizeof(pages), (void *)((__u64)BPF_CORE_READ(counter, counters) + area));
	return pages;
}

static __always_inline __u64 bytes_of(__s64 pages)
{
	return pages > 0 ? (__u64)pages << page_shift : 0;
}

/* Fills in the record in the lane's scratch, behind its header. */
__noinline int memory_count(__u64 address, __u32 lane)
{
	struct scratch *s = scratch(lane);
	if (!s)
		return 0;
	struct mm_struct *mm = (void *)address;
	struct ebrec_memory_usage *record = (void *)s->bytes;
	struct mm_struct___v62 *old = (void *)mm;
	if (bpf_core_field_exists(mm->rss_stat)) {
		record->file_bytes = BPF_CORE_READ(mm, rss_stat[PAGES_FILE].count);
		record->anonymous_bytes = BPF_CORE_READ(mm, rss_stat[PAGES_ANONYMOUS].count);
		record->swap_bytes = BPF_CORE_READ(mm, rss_stat[PAGES_SWAP].count);
		record->shared_bytes = BPF_CORE_READ(mm, rss_stat[PAGES_SHARED].count);
		struct percpu_counter *counters = __builtin_preserve_access_index(&mm->rss_stat[0]);
		__u32 size = bpf_core_type_size(struct percpu_counter);
		for (__u32 cpu = 0; cpu < CPUS_MAX && cpu_area(s, cpu); cpu++) {
			__u64 area = s->at;
			record->file_bytes += pages_of_cpu((void *)counters + PAGES_FILE * size, area);
			record->anonymous_bytes += pages_of_cpu((void *)counters + PAGES_ANONYMOUS * size, area);
			record->swap_bytes += pages_of_cpu((void *)counters + PAGES_SWAP * size, area);
			record->shared_bytes += pages_of_cpu((void *)counters + PAGES_SHARED * size, area);
		}
	} else {
		record->file_bytes = BPF_CORE_READ(old, rss_stat.count[PAGES_FILE].counter);
		record->anonymous_bytes = BPF_CORE_READ(old, rss_stat.count[PAGES_ANONYMOUS].counter);
		record->swap_bytes = BPF_CORE_READ(old, rss_stat.count[PAGES_SWAP].counter);
		record->shared_bytes = BPF_CORE_READ(old, rss_stat.count[PAGES_SHARED].counter);
	}
	record->file_bytes = bytes_of(record->file_bytes);
	record->anonymous_bytes = bytes_of(record->anonymous_bytes);
	record->swap_bytes = bytes_of(record->swap_bytes);
	record->shared_bytes = bytes_of(record->shared_bytes);
	record->rss_bytes = record->file_bytes + record->anonymous_bytes + record->shared_bytes;
	/* The kernel notes the peak only when the memory is about to shrink. */
	__u64 peak = bytes_of(BPF_CORE_READ(mm, hiwater_rss));
	record->rss_peak_bytes = peak > record->rss_bytes ? peak : record->rss_bytes;
	record->virtual_bytes = bytes_of(BPF_CORE_READ(mm, total_vm));
	return 1;
}

static __always_inline void usage_emit(struct task_struct *task, __u32 lane)
{
	struct scratch *s = scratch(lane);
	if (!s)
		return;
	struct ebrec_memory_usage *record = (void *)s->bytes;
	__u64 mm = (__u64)BPF_CORE_READ(task, mm);
	if (mm) {
		memory_count(mm, lane);
	} else {
		/* At the end of a process before 6.16: the memory is gone, its peak was kept. */
		__builtin_memset(s->bytes, 0xff, sizeof(*record));
		record->rss_peak_bytes = bytes_of(BPF_CORE_READ(task, signal, maxrss));
	}
	__u32 pid = BPF_CORE_READ(task, tgid);
	header(&record->header, EBREC_MEMORY_USAGE, bpf_ktime_get_ns(), pid, BPF_CORE_READ(task, pid), sizeof(*record));
	emit(&faults_ring, record, EBREC_MEMORY_USAGE, sizeof(*record), lane);
}

/* Every process in scope; to be run once a second. */
SEC("iter/task")
int iter__memory(struct bpf_iter__task *ctx)
{
	struct task_struct *task = ctx->task;
	if (!task)
		return 0;
	struct thread *thread = thread_of(task);
	if (!thread || !in_scope(thread) || BPF_CORE_READ(task, pid) != BPF_CORE_READ(task, tgid) ||
	    !BPF_CORE_READ(task, mm))
		return 0;
	if (thread->epoch != epoch())
		announce(task, thread, LANE_WALK);
	usage_emit(task, LANE_WALK);
	return 0;
}

static __always_inline void oom_emit(__u32 pid, __u32 tid, __u64 mm)
{
	struct scratch *s = scratch(LANE_EVENT);
	if (!s)
		return;
	struct ebrec_memory_usage *usage = (void *)s->bytes;
	__u64 current = bpf_get_current_pid_tgid();
	struct ebrec_oom_kill record = {.rss_bytes = EBREC_UNKNOWN, .virtual_bytes = EBREC_UNKNOWN};
	if (mm && memory_count(mm, LANE_EVENT)) {
		record.rss_bytes = usage->rss_bytes;
		record.virtual_bytes = usage->virtual_bytes;
	}
	record.by_tid = (__u32)current;
	record.by_pid = current >> 32;
	header(&record.header, EBREC_OOM_KILL, bpf_ktime_get_ns(), pid, tid, sizeof(record));
	emit(&faults_ring, &record, EBREC_OOM_KILL, sizeof(record), LANE_EVENT);
}

SEC("tp_btf/mark_victim")
int BPF_PROG(tp_btf__mark_victim, struct task_struct *victim)
{
	/* Read directly, which is refused where the argument is a number. */
	__u32 tid = victim->pid, pid = victim->tgid;
	struct thread *thread = thread_of(victim);
	if (thread && in_scope(thread))
		oom_emit(pid, tid, (__u64)BPF_CORE_READ(victim, mm));
	return 0;
}

/* Kernels before 6.9 tell the thread's number only. Often the one that asks for memory is chosen. */
SEC("tp_btf/mark_victim")
int BPF_PROG(tp_btf__mark_victim__v69, int tid)
{
	struct task_struct *task = current_task();
	struct thread *thread = thread_of(task);
	__u64 current = bpf_get_current_pid_tgid();
	if (thread && in_scope(thread) && (current >> 32 == tid || (__u32)current == tid))
		oom_emit(current >> 32, tid, (__u64)BPF_CORE_READ(task, mm));
	else if (!required || bpf_map_lookup_elem(&roots, &tid))
		oom_emit(tid, tid, 0);
	return 0;
}
