/* Flows: packets and bytes between two addresses, added up here and fetched once a second.
 *
 * There are two tables. The recorder says which one is filled, and when nobody can be writing to the
 * other any more it reads and empties that. What finds no room is added up without its addresses. */
#pragma once

struct flow {
	__u64 first_ns;
	__u64 first_jiffies, last_jiffies; /* exact time for each packet costs as much as the sums do */
	__u64 sent_packets, sent_bytes;
	__u64 received_packets, received_bytes;
	__u32 pid, tid; /* whose it is, or 0 */
	__u64 pid_is_sure;
	char interface[16];
};

/* As FLOWS_MAX in recorder/src/flows.rs; 1 when flows are not recorded. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 65536);
	__type(key, struct flow_key);
	__type(value, struct flow);
} flows_even SEC(".maps"), flows_odd SEC(".maps");

/* What found no room in each of the two. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 2);
	__type(key, __u32);
	__type(value, struct flow);
} flows_rest SEC(".maps");

/* Which of the two is filled: 0 or 1. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u32);
} flows_filled SEC(".maps");

const struct flow empty_flow = {};

static __always_inline void flow_begin(struct flow *flow)
{
	flow->first_ns = bpf_ktime_get_ns();
	flow->first_jiffies = bpf_jiffies64();
}

static __always_inline struct flow *flow_make(void *map, struct packet *p, struct sk_buff *skb)
{
	/* Fails where another CPU was faster, which is as good, or where the table is full. */
	bpf_map_update_elem(map, &p->key, &empty_flow, BPF_NOEXIST);
	struct flow *flow = bpf_map_lookup_elem(map, &p->key);
	if (!flow)
		return 0;
	flow_begin(flow);
	BPF_CORE_READ_INTO(&flow->interface, skb, dev, name);
	return flow;
}

static __always_inline void flow_add(struct packet *p, struct sk_buff *skb)
{
	__u32 zero = 0, *filled = bpf_map_lookup_elem(&flows_filled, &zero);
	if (!filled)
		return;
	__u32 which = *filled & 1;
	if (hash_addresses) {
		/* Whose it is depends on the addresses that it has. */
		packet_owner();
		redact_address(p->key.local);
		redact_address(p->key.remote);
	}
	/* Apart, so that each look-up is of one map that the verifier knows, which is faster. */
	struct flow *flow;
	if (which) {
		flow = bpf_map_lookup_elem(&flows_odd, &p->key);
		if (!flow)
			flow = flow_make(&flows_odd, p, skb);
	} else {
		flow = bpf_map_lookup_elem(&flows_even, &p->key);
		if (!flow)
			flow = flow_make(&flows_even, p, skb);
	}
	if (!flow) {
		flow = bpf_map_lookup_elem(&flows_rest, &which);
		if (!flow)
			return;
		if (!flow->first_ns)
			flow_begin(flow);
	} else if (!flow->pid_is_sure && (p->sent || !flow->pid)) {
		/* Among the first packets is one that its process sends; others are of no process. */
		__u64 seen = flow->sent_packets + flow->received_packets;
		if (seen < 16 || !(seen & (seen - 1)))
			packet_owner();
		if (p->pid) {
			flow->pid = p->pid;
			flow->tid = p->tid;
			flow->pid_is_sure = p->pid_is_sure;
		}
	}
	flow->last_jiffies = bpf_jiffies64();
	if (p->sent) {
		__sync_fetch_and_add(&flow->sent_packets, 1);
		__sync_fetch_and_add(&flow->sent_bytes, p->counted);
	} else {
		__sync_fetch_and_add(&flow->received_packets, 1);
		__sync_fetch_and_add(&flow->received_bytes, p->counted);
	}
}
