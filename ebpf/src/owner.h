/* Whose a packet is: the thread that sent it, or whose socket it is for.
 *
 * A packet may leave in an interrupt of somebody else's time, so that the current thread says nothing by
 * itself: it is the sender when the call that it is in names the socket; else who used the socket last
 * is. What was found out so is remembered for the packets that go and come between the same addresses. */
#pragma once

/* As OWNERS_MAX in recorder/src/flows.rs; 1 when neither flows nor packets are recorded. */
struct owner {
	__u32 pid, tid;
	__u64 leader; /* address of its process's first thread */
};
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 16384);
	__type(key, struct flow_key);
	__type(value, struct owner);
} owners SEC(".maps");

/* Network namespaces whose packets are recorded whoever they are of; 0 is none. */
#define NETNS_MAX 8
const volatile __u32 wanted_netns[NETNS_MAX] = {};

static __always_inline bool netns_is_wanted(__u32 netns)
{
#pragma unroll
	for (int i = 0; i < NETNS_MAX; i++) {
		if (wanted_netns[i] == netns)
			return true;
	}
	return false;
}

/* The addresses of a packet, at whatever interface; without the other side: those of the socket. */
static __always_inline void owner_key(struct packet *p, struct flow_key *key, bool of_socket)
{
	*key = p->key;
	key->ifindex = 0;
	if (of_socket) {
		__builtin_memset(key->remote, 0, sizeof(key->remote));
		__builtin_memset(key->local, 0, sizeof(key->local));
		key->remote_port = 0;
		key->ethertype = 0;
	}
}

/* The thread in scope that sends it right now. */
static __always_inline bool sender_is_known(struct packet *p)
{
	if (!p->sk)
		return false;
	struct task_struct *task = current_task();
	struct thread *thread = thread_of(task);
	if (!thread || !in_scope(thread) || !calls_on(task, p->sk)) {
		struct socket_state *state = socket_of((void *)p->sk);
		if (!state || !state->owner)
			return false;
		p->pid = state->owner >> 32;
		p->tid = state->owner;
		p->pid_is_sure = true;
		return true;
	}
	struct owner owner = {
		.pid = FIELD(task, tgid), .tid = FIELD(task, pid), .leader = (__u64)FIELD(task, group_leader)};
	p->pid = owner.pid;
	p->tid = owner.tid;
	p->pid_is_sure = true;
	if (!(p->key.known & KNOWN_PORTS))
		return true;
	struct flow_key key;
	owner_key(p, &key, false);
	bpf_map_update_elem(&owners, &key, &owner, BPF_ANY);
	owner_key(p, &key, true);
	bpf_map_update_elem(&owners, &key, &owner, BPF_ANY);
	return true;
}

static __always_inline bool owner_is_remembered(struct packet *p, bool of_socket)
{
	struct flow_key key;
	owner_key(p, &key, of_socket);
	struct owner *owner = bpf_map_lookup_elem(&owners, &key);
	/* Its memory may be somebody else's by now, or nobody's. */
	struct task_struct *leader = owner ? (void *)owner->leader : 0;
	if (!leader || BPF_CORE_READ(leader, tgid) != owner->pid || BPF_CORE_READ(leader, exit_state))
		return false;
	p->pid = owner->pid;
	p->tid = owner->tid;
	p->pid_is_sure = !of_socket;
	return true;
}

/* The whole of it. A function of its own: it is for the first packets of a flow only. */
__noinline int packet_owner(void)
{
	__u32 zero = 0;
	struct packet *p = bpf_map_lookup_elem(&packet_now, &zero);
	if (!p || p->pid || sender_is_known(p))
		return 0;
	/* What begins a connection may be of another process than the last between the same ports. */
	if (!(p->key.known & KNOWN_PORTS) || (p->tcp_syn && p->sent))
		return 0;
	if (!p->tcp_syn && owner_is_remembered(p, false))
		return 0;
	owner_is_remembered(p, true);
	return 0;
}
