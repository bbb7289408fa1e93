/* Sending records: one ring per family, and a count of what was emitted and what was lost.
 *
 * For each kind and CPU, emitted = stored + lost: every record passes through emit(). The reader is
 * woken once per `wake_mask` + 1 records, since a wake-up per record triples the cost of a call. */
#pragma once

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 4096);
} processes_ring SEC(".maps"), syscalls_ring SEC(".maps"), sched_ring SEC(".maps"), stacks_ring SEC(".maps"),
	allocations_ring SEC(".maps"), cpu_ring SEC(".maps"), faults_ring SEC(".maps"), network_ring SEC(".maps"),
	packets_ring SEC(".maps"), dns_ring SEC(".maps"), disk_ring SEC(".maps"), signals_ring SEC(".maps"),
	system_ring SEC(".maps");

/* Requests to the recorder, which are no part of the trace: see stacks.h. */
struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 4096);
} modules_ring SEC(".maps");

struct counter {
	__u64 emitted;
	__u64 lost;
	__u64 skipped; /* of the lost, those whose program was left out */
};

/* What is per CPU is kept once for each lane: programs that can interrupt each other use different
 * ones. Programs at tracepoints run with preemption off, and so do those at page faults, which no
 * program at a tracepoint takes: they share one. A walk over tasks can be preempted. What runs with
 * interrupts off (the timer of CPU samples, stacks at scheduler events) can interrupt all others, but
 * not each other. Programs at probes of user space can be preempted in favour of each other, end in any
 * order, and on another CPU than they began on: what they use is not per CPU, and each takes a lane that
 * is free while it runs (lane_claim). Before 5.12 they run with preemption off. */
#define LANE_EVENT 0u
#define LANE_WALK 1u
#define LANE_IRQ 2u
#define LANE_PROBE 3u /* the first of PROBES */
#ifdef EBREC_HASH
#define PROBES 1u
#define LANES_OF_CPU 4
#else
#define PROBES 32u
#define LANES_OF_CPU 3
#endif
#define LANE_NONE (LANE_PROBE + PROBES) /* what found no free lane; it has no scratch */

/* All probes count together, atomically. */
#define LANES_COUNTED 4
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, LANES_COUNTED * EBREC_KINDS);
	__type(key, __u32);
	__type(value, struct counter);
} counters SEC(".maps");

/* A record with variable parts is put together here: the stack has 512 bytes. What a loop carries
 * lies here too: the verifier does not follow values in memory, so that it sees one state where it
 * would otherwise see one for each length a string can have. */
#define SCRATCH_MAX 16384
struct scratch {
	__u32 size; /* bytes of the record so far */
	__u32 base; /* where the part being written begins */
	__u64 at;   /* the node a walk has come to */
	__u64 mount;
	__u8 bytes[SCRATCH_MAX];
};
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, LANES_OF_CPU);
	__type(key, __u32);
	__type(value, struct scratch);
} scratches SEC(".maps");

#ifndef EBREC_HASH
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, PROBES);
	__type(key, __u32);
	__type(value, struct scratch);
} probe_scratches SEC(".maps");

/* Which lanes of probes are in use. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, PROBES);
	__type(key, __u32);
	__type(value, __u64);
} probes_taken SEC(".maps");
#endif

const volatile __u64 wake_mask = 255;

static __always_inline struct scratch *scratch(__u32 lane)
{
#ifndef EBREC_HASH
	if (lane >= LANE_PROBE) {
		__u32 probe = lane - LANE_PROBE;
		return bpf_map_lookup_elem(&probe_scratches, &probe);
	}
#endif
	return bpf_map_lookup_elem(&scratches, &lane);
}

static __always_inline struct counter *counter_of(__u32 kind, __u32 lane)
{
	__u32 key = (lane < LANE_PROBE ? lane : LANE_PROBE) * EBREC_KINDS + kind;
	return bpf_map_lookup_elem(&counters, &key);
}

static __always_inline void header(struct ebrec_header *h, __u16 kind, __u64 ts_ns, __u32 pid, __u32 tid,
				   __u16 size)
{
	h->ts_ns = ts_ns;
	h->tid = tid;
	h->pid = pid;
	h->kind = kind;
	h->size = size;
	h->fixed = size;
	h->cpu = bpf_get_smp_processor_id();
}

/* Count a record that could not even be made. */
static __always_inline void emit_failed(__u32 kind, __u32 lane)
{
	struct counter *counter = counter_of(kind, lane);
	if (!counter)
		return;
	if (lane >= LANE_PROBE) {
		__sync_fetch_and_add(&counter->emitted, 1);
		__sync_fetch_and_add(&counter->lost, 1);
		return;
	}
	counter->emitted++;
	counter->lost++;
}

/* Count a record that was not made because the kernel left the program out. */
static __always_inline void emit_skipped(__u32 kind, __u32 lane)
{
	struct counter *counter = counter_of(kind, lane);
	if (counter)
		__sync_fetch_and_add(&counter->skipped, 1);
	emit_failed(kind, lane);
}

/* A lane for a program at a probe of user space; LANE_NONE when all are in use. A global function: the
 * verifier looks at what follows once, not for each lane. */
__noinline int lane_claim(void)
{
#ifdef EBREC_HASH
	return LANE_PROBE;
#else
	/* Others begin elsewhere, so that they do not meet. */
	__u32 first = bpf_get_smp_processor_id();
	for (__u32 i = 0; i < PROBES; i++) {
		__u32 probe = (first + i) & (PROBES - 1);
		__u64 *taken = bpf_map_lookup_elem(&probes_taken, &probe);
		if (taken && !__sync_lock_test_and_set(taken, 1))
			return LANE_PROBE + probe;
	}
	return LANE_NONE;
#endif
}

static __always_inline void lane_release(__u32 lane)
{
#ifndef EBREC_HASH
	__u32 probe = lane - LANE_PROBE;
	__u64 *taken = bpf_map_lookup_elem(&probes_taken, &probe);
	if (taken)
		*(volatile __u64 *)taken = 0;
#endif
}

/* Programs at system calls can be preempted since 7.0; those at what processes do were seen to be left out
 * there too. What is between these two is not preempted, so that it may use what is per CPU. Both are
 * functions of the kernel (bpf_preempt_disable, bpf_preempt_enable) whose numbers the loader puts in, so
 * they are in programs only that older kernels need not load.
 *
 * A program that is preempted where it ends is left out for all others on that CPU until it goes on. So
 * the guarded programs at system calls look whether the one before them was left out, and make up for it;
 * of others the recorder counts how often that was. */
#define KERNEL_FUNCTION(placeholder) \
	asm volatile(".8byte " placeholder "00002085" ::: "r0", "r1", "r2", "r3", "r4", "r5", "memory")
#define preempt_off() KERNEL_FUNCTION("0x7eb0ff01")
#define preempt_on() KERNEL_FUNCTION("0x7eb0ff02")

/* The same program, not preempted. */
#define GUARDED(call)             \
	({                        \
		preempt_off();    \
		int result = call; \
		preempt_on();     \
		result;           \
	})

static __always_inline bool emit(void *ring, void *record, __u32 kind, __u32 size, __u32 lane)
{
	struct counter *counter = counter_of(kind, lane);
	if (!counter)
		return false;
	if (lane >= LANE_PROBE)
		__sync_fetch_and_add(&counter->emitted, 1);
	else
		counter->emitted++;
	__u64 flags = (counter->emitted & wake_mask) ? BPF_RB_NO_WAKEUP : BPF_RB_FORCE_WAKEUP;
	if (!bpf_ringbuf_output(ring, record, size, flags))
		return true;
	if (lane >= LANE_PROBE)
		__sync_fetch_and_add(&counter->lost, 1);
	else
		counter->lost++;
	return false;
}
