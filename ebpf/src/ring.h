/* Sending records: one ring per family, and a count of what was emitted and what was lost.
 *
 * For each kind and CPU, emitted = stored + lost: every record passes through emit(). The reader is
 * woken once per `wake_mask` + 1 records, since a wake-up per record triples the cost of a call. */
#pragma once

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 4096);
} processes_ring SEC(".maps"), syscalls_ring SEC(".maps"), sched_ring SEC(".maps");

struct counter {
	__u64 emitted;
	__u64 lost;
};

/* Programs at tracepoints run with preemption off, so what is per CPU is theirs alone. A walk over
 * tasks can be preempted by them: it has counters and a scratch of its own. */
#define LANE_EVENT 0u
#define LANE_WALK 1u
#define LANES 2

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, LANES * EBREC_KINDS);
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
	__uint(max_entries, LANES);
	__type(key, __u32);
	__type(value, struct scratch);
} scratches SEC(".maps");

const volatile __u64 wake_mask = 255;

/* No program that an interrupt can start uses it. */
static __always_inline struct scratch *scratch(__u32 lane)
{
	return bpf_map_lookup_elem(&scratches, &lane);
}

static __always_inline struct counter *counter_of(__u32 kind, __u32 lane)
{
	__u32 key = lane * EBREC_KINDS + kind;
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
	if (counter) {
		counter->emitted++;
		counter->lost++;
	}
}

static __always_inline bool emit(void *ring, void *record, __u32 kind, __u32 size, __u32 lane)
{
	struct counter *counter = counter_of(kind, lane);
	if (!counter)
		return false;
	__u64 flags = (++counter->emitted & wake_mask) ? BPF_RB_NO_WAKEUP : BPF_RB_FORCE_WAKEUP;
	if (bpf_ringbuf_output(ring, record, size, flags)) {
		counter->lost++;
		return false;
	}
	return true;
}
