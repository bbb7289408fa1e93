/* Rows of sockets: of what happens to them, and of their end.
 *
 * Programs at sockets run in system calls and in the softirqs that interrupt them. So they put their
 * records together on the stack and count them atomically (LANE_NONE); the scratch of events is used in
 * system calls only. */
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

/* Both ends, as they are kept. */
static __always_inline void put_ends(__u8 *local, __u8 *remote, struct socket_state *s)
{
	__builtin_memcpy(local, &s->local, sizeof(s->local));
	__builtin_memcpy(remote, &s->remote, sizeof(s->remote));
	redact_address(local);
	redact_address(remote);
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
	put_ends(record.local, record.remote, s);
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
	put_ends(record->local, record->remote, s);
	record->netns = s->netns;
	record->socket_inode = s->inode;
	record->connect_latency_ns = s->connect_latency_ns;
	record->sent_bytes = s->sent_bytes;
	record->received_bytes = s->received_bytes;
	record->sends = has_messages ? s->sends : EBREC_UNKNOWN;
	record->receives = has_messages ? s->receives : EBREC_UNKNOWN;
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

static __always_inline void tail_name(struct scratch *parts, __u8 tag, const char *name, __u64 length)
{
	__u32 at = parts->size;
	/* What is compared is what is used: else the verifier does not see that it is bounded. */
	asm volatile("" : "+r"(length));
	if (!length || length > UNIX_NAME_MAX || at > TAIL_LIMIT)
		return;
	if (no_paths && !hash_addresses && name[0])
		return;
	bpf_probe_read_kernel(&parts->bytes[at + TAIL_HEADER], length, name);
	if (hash_addresses)
		length = redact_unix(parts, at + TAIL_HEADER, length);
	tail_end(parts, tag, length, false);
}

/* The names of a unix socket, behind the record in the scratch. */
static __always_inline void tail_names(struct scratch *parts, __u64 key)
{
	struct unix_names *names = bpf_map_lookup_elem(&unix_names, &key);
	if (!names)
		return;
	tail_name(parts, EBREC_TAIL_LOCAL_NAME, names->local, names->local_length);
	tail_name(parts, EBREC_TAIL_REMOTE_NAME, names->remote, names->remote_length);
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

static __always_inline void inet_end(struct socket_state *s, __u64 ended_ns, bool approximate)
{
	tell_rest(s);
	forget_listener(s);
	connection_send(s->sock, ended_ns, approximate);
}
