/* Sockets of the internet from their first sign of life to their end, and what happens to them in between.
 *
 * TCP tells of each change of state. Sockets of other protocols tell of their end by a program at the
 * root of the control groups. Nothing tells of the end of a unix socket: see socket_walks.h. */
#pragma once

/* The end of a TCP socket that TCP may have closed before. A program may have read on from then on,
 * unless the socket was made ready for another connection. */
static __always_inline void tcp_end(struct socket_state *s)
{
	const struct tcp_sock *tcp = (void *)s->sock;
	if (!s->ended_ns) {
		note_counts((void *)s->sock, s);
	} else if (s->role != EBREC_ROLE_LISTENER && BPF_CORE_READ(tcp, bytes_received) == s->received_raw) {
		__s64 received = tcp_received((void *)s->sock) - s->received_before;
		if (received > 0)
			s->received_bytes = received;
	}
	inet_end(s, s->ended_ns ?: bpf_ktime_get_ns(), false);
}

/* The state of a TCP socket that begins to be something, if that is in scope. */
static __always_inline struct socket_state *tcp_begin(const struct sock *sk, __u64 key, int old, int new)
{
	struct listener *listener = 0;
	if (new == TCP_SYN_RECV && old == TCP_LISTEN) {
		/* In a softirq: it is as yet a copy of the socket that listens. */
		struct listener_key at = {.netns = socket_netns(sk), .port = BPF_CORE_READ(sk, __sk_common.skc_num)};
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
		inet_end(s, s->ended_ns ?: bpf_ktime_get_ns(), !s->ended_ns);
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
	struct socket_state *s = socket_of(sk);
	if (s)
		tcp_end(s);
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
	inet_end(s, bpf_ktime_get_ns(), false);
	return 1;
}
