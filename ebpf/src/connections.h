/* Sockets from their first sign of life to their end, and what happens to them in between.
 *
 * TCP tells of each change of state. Internet sockets of other protocols tell of their end by a program
 * at the root of the control groups. Nothing tells of the end of a unix socket: a walk over the sockets
 * known, once a second, finds those that are gone.
 *
 * Programs here run in system calls and in the softirqs that interrupt them. So they put their records
 * together on the stack and count them atomically (LANE_NONE); the scratch of events is used in system
 * calls only. */
#pragma once

#define TCP_ESTABLISHED EBREC_STATE_ESTABLISHED
#define TCP_SYN_SENT EBREC_STATE_SYN_SENT
#define TCP_SYN_RECV EBREC_STATE_SYN_RECV
#define TCP_FIN_WAIT1 EBREC_STATE_FIN_WAIT1
#define TCP_FIN_WAIT2 EBREC_STATE_FIN_WAIT2
#define TCP_TIME_WAIT EBREC_STATE_TIME_WAIT
#define TCP_CLOSE EBREC_STATE_CLOSE
#define TCP_LAST_ACK EBREC_STATE_LAST_ACK
#define TCP_LISTEN EBREC_STATE_LISTEN
#define TCP_CLOSING EBREC_STATE_CLOSING
#define STATES_WITH_FIN \
	(1u << TCP_FIN_WAIT1 | 1u << TCP_FIN_WAIT2 | 1u << TCP_TIME_WAIT | 1u << TCP_CLOSING | 1u << TCP_LAST_ACK)

static __always_inline bool is_unix(struct socket_state *s)
{
	return s->protocol >= EBREC_PROTOCOL_UNIX_STREAM && s->protocol <= EBREC_PROTOCOL_UNIX_SEQPACKET;
}

/* What a socket speaks; 0 if it is not recorded. */
static __always_inline __u32 protocol_of(const struct sock *sk)
{
	__u16 family = BPF_CORE_READ(sk, __sk_common.skc_family), type = BPF_CORE_READ(sk, sk_type);
	if (family == AF_UNIX) {
		switch (type) {
		case 1: return EBREC_PROTOCOL_UNIX_STREAM;
		case 2: return EBREC_PROTOCOL_UNIX_DGRAM;
		case 5: return EBREC_PROTOCOL_UNIX_SEQPACKET;
		}
		return 0;
	}
	if (family != AF_INET && family != AF_INET6)
		return 0;
	if (type == 3)
		return EBREC_PROTOCOL_RAW;
	switch (BPF_CORE_READ(sk, sk_protocol)) {
	case 6: return EBREC_PROTOCOL_TCP;
	case 17: return EBREC_PROTOCOL_UDP;
	case 136: return EBREC_PROTOCOL_UDPLITE;
	case 1:
	case 58: return EBREC_PROTOCOL_ICMP;
	case 132: return EBREC_PROTOCOL_SCTP;
	case 262: return EBREC_PROTOCOL_MPTCP;
	}
	return 0;
}

/* Sends a row of connection_events. `what` is the event and, shifted by 8 and 16 bits, the state before
 * and the one from now on. */
static __noinline int tell(struct socket_state *s, __u32 what, __u32 error, __u32 events, __u32 reason)
{
	struct ebrec_connection_event record = {};
	header(&record.header, EBREC_CONNECTION_EVENT, bpf_ktime_get_ns(), s->owner >> 32, (__u32)s->owner,
	       sizeof(record));
	record.connection_id = s->id;
	record.event = what & 0xff;
	record.protocol = s->protocol;
	__builtin_memcpy(record.local, &s->local, sizeof(record.local));
	__builtin_memcpy(record.remote, &s->remote, sizeof(record.remote));
	record.old_state = what >> 8 & 0xff ?: ~0u;
	record.state = what >> 16 & 0xff ?: ~0u;
	record.error = error;
	record.events = events;
	struct word *word = reason ? bpf_map_lookup_elem(&drop_reasons, &reason) : 0;
	if (word)
		__builtin_memcpy(record.reason, word->text, sizeof(record.reason));
	emit(&network_ring, &record, EBREC_CONNECTION_EVENT, sizeof(record), LANE_NONE);
	return 0;
}

/* Of what may come as a flood there is a row for each of the first, and then for so many together. */
#define TOLD_SINGLY 256u
#define TOLD_TOGETHER 256u

static __always_inline void tell_sparingly(struct socket_state *s, __u32 event, __u32 *seen, __u32 *untold,
					   __u32 events, __u32 reason)
{
	__u32 number = ++*seen;
	events += *untold;
	if (number > TOLD_SINGLY && number % TOLD_TOGETHER) {
		*untold = events;
		return;
	}
	*untold = 0;
	tell(s, event | (__u32)s->state << 16, 0, events, reason);
}

/* What was held back, at the end of the socket. */
static __always_inline void tell_rest(struct socket_state *s)
{
	if (s->retransmits_untold)
		tell(s, EBREC_SOCKET_RETRANSMIT | (__u32)s->state << 16, 0, s->retransmits_untold, 0);
	if (s->drops_untold)
		tell(s, EBREC_SOCKET_DROP | (__u32)s->state << 16, 0, s->drops_untold, 0);
	s->retransmits_untold = 0;
	s->drops_untold = 0;
}

static __always_inline void connection_record(struct ebrec_connection *record, struct socket_state *s,
					      __u64 ended_ns, bool approximate)
{
	header(&record->header, EBREC_CONNECTION, s->opened_ns, s->owner >> 32, (__u32)s->owner, sizeof(*record));
	record->duration_ns = ended_ns ? ended_ns - s->opened_ns : EBREC_UNKNOWN;
	record->connection_id = s->id;
	record->protocol = s->protocol;
	record->role = s->role;
	if (s->role == EBREC_ROLE_PEER && !is_unix(s)) {
		struct listener_key key = {.netns = s->netns, .port = s->local.port};
		if (bpf_map_lookup_elem(&listeners, &key))
			record->role = EBREC_ROLE_SERVER;
	}
	__builtin_memcpy(record->local, &s->local, sizeof(record->local));
	__builtin_memcpy(record->remote, &s->remote, sizeof(record->remote));
	record->netns = s->netns;
	record->socket_inode = s->inode;
	record->connect_latency_ns = s->connect_latency_ns;
	record->sent_bytes = s->sent_bytes;
	record->received_bytes = s->received_bytes;
	record->sends = s->sends;
	record->receives = s->receives;
	record->drops = s->drops;
	bool tcp = s->protocol == EBREC_PROTOCOL_TCP && s->role != EBREC_ROLE_LISTENER;
	record->retransmits = tcp ? s->retransmits : EBREC_UNKNOWN;
	record->srtt_ns = s->srtt_us ? s->srtt_us * 1000ull : EBREC_UNKNOWN;
	record->rtt_min_ns = tcp && s->srtt_us && s->rtt_min_us != ~0u ? s->rtt_min_us * 1000ull : EBREC_UNKNOWN;
	record->state = s->state;
	record->error = s->error;
	record->resets_sent = tcp ? s->resets_sent : ~0u;
	record->resets_received = tcp ? s->resets_received : ~0u;
	record->preexisting = !!(s->bits & SOCKET_PREEXISTING);
	record->approximate_end = approximate;
	record->opener_pid = s->opener_pid;
	record->peer_pid = s->peer_pid;
}

/* The names of a unix socket, behind the record in the scratch. */
static __always_inline void tail_names(struct scratch *parts, __u64 key)
{
	struct unix_names *names = bpf_map_lookup_elem(&unix_names, &key);
	if (!names)
		return;
	__u32 at = parts->size, length = names->local_length;
	if (length && length <= UNIX_NAME_MAX && at <= TAIL_LIMIT) {
		bpf_probe_read_kernel(&parts->bytes[at + TAIL_HEADER], length, names->local);
		tail_end(parts, EBREC_TAIL_LOCAL_NAME, length, false);
	}
	at = parts->size;
	length = names->remote_length;
	if (length && length <= UNIX_NAME_MAX && at <= TAIL_LIMIT) {
		bpf_probe_read_kernel(&parts->bytes[at + TAIL_HEADER], length, names->remote);
		tail_end(parts, EBREC_TAIL_REMOTE_NAME, length, false);
	}
	bpf_map_delete_elem(&unix_names, &key);
}

static __always_inline void forget_listener(struct socket_state *s)
{
	struct listener_key key = {.netns = s->netns, .port = s->listens_at};
	struct listener *listener = s->listens_at ? bpf_map_lookup_elem(&listeners, &key) : 0;
	s->listens_at = 0;
	if (!listener)
		return;
	__sync_fetch_and_add(&listener->count, -1);
	if ((__s32)listener->count <= 0)
		bpf_map_delete_elem(&listeners, &key);
}

static __always_inline void note_listener(struct socket_state *s)
{
	struct listener_key key = {.netns = s->netns, .port = s->local.port};
	if (s->listens_at || !s->local.port)
		return;
	struct listener *known = bpf_map_lookup_elem(&listeners, &key);
	struct listener listener = {.owner = s->owner, .count = 1, .opener_pid = s->opener_pid};
	if (known)
		__sync_fetch_and_add(&known->count, 1);
	else
		bpf_map_update_elem(&listeners, &key, &listener, BPF_ANY);
	s->listens_at = s->local.port;
}

/* Sends the row of an internet socket, whose state goes. Global functions are looked at by the verifier
 * once, and not for each way to them. */
__noinline int connection_send(__u64 key, __u64 ended_ns, __u32 approximate)
{
	struct socket_state *s = bpf_map_lookup_elem(&sockets, &key);
	if (!s)
		return 0;
	struct ebrec_connection record = {};
	connection_record(&record, s, ended_ns, approximate);
	if (!bpf_map_delete_elem(&sockets, &key))
		emit(&network_ring, &record, EBREC_CONNECTION, sizeof(record), LANE_NONE);
	return 0;
}

/* The same of a unix socket; in system calls only. */
__noinline int connection_send_named(__u64 key, __u64 ended_ns, __u32 approximate)
{
	struct socket_state *s = bpf_map_lookup_elem(&sockets, &key);
	struct scratch *parts = scratch(LANE_EVENT);
	if (!s || !parts)
		return 0;
	connection_record((void *)parts->bytes, s, ended_ns, approximate);
	parts->size = sizeof(struct ebrec_connection);
	bool named = s->named;
	if (bpf_map_delete_elem(&sockets, &key))
		return 0;
	if (named)
		tail_names(parts, key);
	emit_scratch(&network_ring, parts, EBREC_CONNECTION, LANE_NONE);
	return 0;
}

static __always_inline void inet_end(__u64 key, struct socket_state *s, __u64 ended_ns, bool approximate)
{
	tell_rest(s);
	forget_listener(s);
	connection_send(key, ended_ns, approximate);
}

/* The end of a TCP socket that TCP may have closed before. A program may have read on from then on,
 * unless the socket was made ready for another connection. */
static __always_inline void tcp_end(__u64 key, struct socket_state *s)
{
	const struct tcp_sock *tcp = (void *)s->sock;
	if (!s->ended_ns) {
		note_counts((void *)s->sock, s);
	} else if (s->role != EBREC_ROLE_LISTENER && BPF_CORE_READ(tcp, bytes_received) == s->received_raw) {
		__s64 received = tcp_received((void *)s->sock) - s->received_before;
		if (received > 0)
			s->received_bytes = received;
	}
	inet_end(key, s, s->ended_ns ?: bpf_ktime_get_ns(), false);
}

/* The state of a TCP socket that begins to be something, if that is in scope. */
static __always_inline struct socket_state *tcp_begin(const struct sock *sk, __u64 key, int old, int new)
{
	struct listener *listener = 0;
	if (new == TCP_SYN_RECV && old == TCP_LISTEN) {
		/* In a softirq: it is as yet a copy of the socket that listens. */
		struct listener_key at = {.netns = netns_of(sk), .port = BPF_CORE_READ(sk, __sk_common.skc_num)};
		listener = bpf_map_lookup_elem(&listeners, &at);
		if (required && !listener)
			return 0;
		return socket_begin(key, EBREC_PROTOCOL_TCP, EBREC_ROLE_SERVER, listener ? listener->owner : 0);
	}
	if (new != TCP_SYN_SENT && new != TCP_LISTEN)
		return 0;
	struct task_struct *task = current_task();
	struct thread *thread = thread_of(task);
	if (!thread || !in_scope(thread))
		return 0;
	identify_apart(task, thread, LANE_EVENT);
	__u32 role = new == TCP_LISTEN ? EBREC_ROLE_LISTENER : EBREC_ROLE_CLIENT;
	struct socket_state *s =
		socket_begin(key, EBREC_PROTOCOL_TCP, role, bpf_get_current_pid_tgid());
	if (s && new == TCP_SYN_SENT)
		s->bits |= SOCKET_SENT_SYN;
	return s;
}

SEC("tp_btf/inet_sock_set_state")
int BPF_PROG(tp_btf__inet_sock_set_state, const struct sock *sk, const int old, const int new)
{
	__u64 key = (__u64)sk;
	struct socket_state *s = bpf_map_lookup_elem(&sockets, &key);
	bool begins = new == TCP_SYN_SENT || new == TCP_LISTEN || (new == TCP_SYN_RECV && old == TCP_LISTEN);
	if (!s && !begins)
		return 0;
	if (BPF_CORE_READ(sk, sk_protocol) != 6)
		return 0;
	/* Connected again, after it failed or was disconnected; or, its end unseen, another in its place. */
	if (s && begins) {
		inet_end(key, s, s->ended_ns ?: bpf_ktime_get_ns(), !s->ended_ns);
		s = 0;
	}
	if (!s && !(s = tcp_begin(sk, key, old, new)))
		return 0;
	/* A new server's ends are not there yet: what it is a copy of has them. */
	if (old != TCP_LISTEN || new != TCP_SYN_RECV)
		note_ends(sk, s);
	if (new == TCP_LISTEN)
		note_listener(s);
	__u64 now_ns = bpf_ktime_get_ns();
	if (old == TCP_SYN_SENT && new == TCP_ESTABLISHED)
		s->connect_latency_ns = now_ns - s->opened_ns;
	if (1u << (new & 15) & STATES_WITH_FIN)
		s->bits |= SOCKET_SENT_FIN;
	if (!s->inode)
		s->inode = socket_inode(sk);
	__u32 error = 0;
	if (new == TCP_CLOSE) {
		error = BPF_CORE_READ(sk, sk_err);
		s->error = error;
		s->state = old;
		note_counts(sk, s);
		s->ended_ns = now_ns;
		forget_listener(s);
	} else {
		s->state = new;
	}
	tell(s, EBREC_SOCKET_STATE | (__u32)old << 8 | (__u32)new << 16, error, 1, 0);
	return 0;
}

SEC("tp_btf/tcp_destroy_sock")
int BPF_PROG(tp_btf__tcp_destroy_sock, struct sock *sk)
{
	__u64 key = (__u64)sk;
	struct socket_state *s = bpf_map_lookup_elem(&sockets, &key);
	if (s)
		tcp_end(key, s);
	return 0;
}

SEC("tp_btf/tcp_retransmit_skb")
int BPF_PROG(tp_btf__tcp_retransmit_skb, const struct sock *sk, const struct sk_buff *skb)
{
	struct socket_state *s = socket_of(sk);
	if (!s)
		return 0;
	const struct tcp_skb_cb *cb = (void *)skb + bpf_core_field_offset(struct sk_buff, cb);
	__u16 segments = BPF_CORE_READ(cb, tcp_gso_segs);
	tell_sparingly(s, EBREC_SOCKET_RETRANSMIT, &s->retransmits_seen, &s->retransmits_untold, segments ?: 1, 0);
	return 0;
}

SEC("tp_btf/tcp_send_reset")
int BPF_PROG(tp_btf__tcp_send_reset, const struct sock *sk)
{
	struct socket_state *s = socket_of(sk);
	if (!s)
		return 0;
	__sync_fetch_and_add(&s->resets_sent, 1);
	tell(s, EBREC_SOCKET_RESET_SENT | (__u32)s->state << 16, 0, 1, 0);
	return 0;
}

SEC("tp_btf/tcp_receive_reset")
int BPF_PROG(tp_btf__tcp_receive_reset, const struct sock *sk)
{
	struct socket_state *s = socket_of(sk);
	if (!s)
		return 0;
	__sync_fetch_and_add(&s->resets_received, 1);
	tell(s, EBREC_SOCKET_RESET_RECEIVED | (__u32)s->state << 16, 0, 1, 0);
	return 0;
}

/* An error that came by ICMP, of a socket that has no states. */
SEC("tp_btf/inet_sk_error_report")
int BPF_PROG(tp_btf__inet_sk_error_report, const struct sock *sk)
{
	struct socket_state *s = socket_of(sk);
	if (!s || s->protocol == EBREC_PROTOCOL_TCP)
		return 0;
	s->error = BPF_CORE_READ(sk, sk_err);
	tell(s, EBREC_SOCKET_ERROR | (__u32)s->state << 16, s->error, 1, 0);
	return 0;
}

static __always_inline int dropped(const struct sock *sk, __u32 reason)
{
	struct socket_state *s = socket_of(sk);
	if (!s)
		return 0;
	/* Those without a word are freed and not dropped. */
	struct word *word = bpf_map_lookup_elem(&drop_reasons, &reason);
	if (!word || !word->text[0])
		return 0;
	tell_sparingly(s, EBREC_SOCKET_DROP, &s->drops_seen, &s->drops_untold, 1, reason);
	return 0;
}

/* Since 6.11 the socket that should have had a packet is told. */
SEC("tp_btf/kfree_skb")
int BPF_PROG(tp_btf__kfree_skb, struct sk_buff *skb, void *location, int reason, struct sock *receiver)
{
	__u64 sk = (__u64)receiver ?: (__u64)BPF_CORE_READ(skb, sk);
	return sk ? dropped((void *)sk, reason) : 0;
}

/* Since 5.17 there are reasons. */
SEC("tp_btf/kfree_skb")
int BPF_PROG(tp_btf__kfree_skb__v611, struct sk_buff *skb, void *location, int reason)
{
	__u64 sk = (__u64)BPF_CORE_READ(skb, sk);
	return sk ? dropped((void *)sk, reason) : 0;
}

/* The end of an internet socket: its context is the kernel's socket itself. TCP tells by itself. */
SEC("cgroup/sock_release")
int cgroup__sock_release(struct bpf_sock *ctx)
{
	__u64 key = (__u64)ctx;
	struct socket_state *s = bpf_map_lookup_elem(&sockets, &key);
	if (!s || s->protocol == EBREC_PROTOCOL_TCP)
		return 1;
	const struct sock *sk = (void *)s->sock;
	note_ends(sk, s);
	s->drops = drops_of(sk) - s->drops_before;
	inet_end(key, s, bpf_ktime_get_ns(), false);
	return 1;
}
