/* What is kept for each socket in scope, from its first sign of life to its end.
 *
 * The state lies in a hash keyed by the address of the kernel's `struct sock`. Programs in softirqs
 * share it with those of system calls: what many CPUs may add to at once is added to atomically, and
 * who deletes an entry is who tells of its end. */
#pragma once

#include <bpf/bpf_endian.h>

#define EEXIST 17
#define AF_UNIX 1
#define AF_INET 2
#define AF_INET6 10

/* As LocalEnd and RemoteEnd in schema/src/types.rs. */
struct end {
	__u8 address[16];
	__u16 port;
	__u16 family; /* 0: unknown */
};

#define SOCKET_PREEXISTING 1u /* open before the recording, or before it came into the scope */
#define SOCKET_SENT_FIN 2u    /* the end of what is sent takes a number like a byte */
#define SOCKET_SENT_SYN 4u    /* so does the request to connect */
#define SOCKET_COUNTS 8u      /* TCP keeps no count of bytes for it: they are added up here */

struct socket_state {
	__u64 id;	      /* connection_id */
	__u64 sock;	      /* the key, as a number */
	__u64 opened_ns;
	__u64 ended_ns;	      /* when TCP closed it, before the program does; or 0 */
	__u64 used_ns;	      /* when a program last sent or received */
	__u64 connect_latency_ns;
	__u64 inode;	      /* of the socket; 0 until it is known */
	__u64 owner;	      /* pid << 32 | tid of the thread that used it last; 0: nobody known */
	__u64 sent_bytes, received_bytes;
	__u64 sends, receives;
	__u64 sent_before, received_before; /* when it was found */
	__u64 received_raw;   /* TCP's count when it closed */
	__u64 retransmits, drops;
	__u32 retransmits_before, drops_before;
	__u32 srtt_us, rtt_min_us;
	__u32 opener_pid, peer_pid;
	__u32 netns;
	__u32 error;
	__u32 resets_sent, resets_received;
	__u32 retransmits_seen, retransmits_untold; /* for rows of connection_events */
	__u32 drops_seen, drops_untold;
	__u32 bits;	      /* SOCKET_ */
	__u16 listens_at;     /* port that is in `listeners` on its behalf */
	__u8 protocol, role, state;
	__u8 named;	      /* has an entry in `unix_names` */
	struct end local, remote;
};

/* Whether what is sent and received is seen message by message; without that only TCP is recorded, which
 * keeps count itself. */
const volatile bool has_messages = true;

/* Set by the recorder before loading, to 1 where sockets are not recorded. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 16384);
	__type(key, __u64);
	__type(value, struct socket_state);
} sockets SEC(".maps");

/* Too big for the stack of a program. */
const struct socket_state empty_socket = {};

/* Names of unix sockets: those without one, such as of socketpair(2), have no entry. */
#define UNIX_NAME_MAX 108
struct unix_names {
	__u16 local_length, remote_length;
	char local[UNIX_NAME_MAX], remote[UNIX_NAME_MAX];
};
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 4096);
	__type(key, __u64);
	__type(value, struct unix_names);
} unix_names SEC(".maps");

/* Who listens: what arrives at their ports is theirs. */
struct listener_key {
	__u32 netns;
	__u32 port;
};
struct listener {
	__u64 owner;
	__u32 count; /* of sockets that share the port */
	__u32 opener_pid;
};
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 4096);
	__type(key, struct listener_key);
	__type(value, struct listener);
} listeners SEC(".maps");

/* The kernel's words for why it drops packets, by number; put in by the recorder. */
#define DROP_REASONS 512
struct word {
	char text[32];
};
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, DROP_REASONS);
	__type(key, __u32);
	__type(value, struct word);
} drop_reasons SEC(".maps");

static __always_inline struct socket_state *socket_of(const struct sock *sk)
{
	__u64 key = (__u64)sk;
	return bpf_map_lookup_elem(&sockets, &key);
}

static __always_inline __u32 socket_netns(const struct sock *sk)
{
	return BPF_CORE_READ(sk, __sk_common.skc_net.net, ns.inum);
}

/* The inode number of the socket; 0 when no file is there, or not yet. */
static __always_inline __u64 socket_inode(const struct sock *sk)
{
	struct socket *socket = BPF_CORE_READ(sk, sk_socket);
	if (!socket)
		return 0;
	struct socket_alloc *both = (void *)socket - bpf_core_field_offset(struct socket_alloc, socket);
	return BPF_CORE_READ(both, vfs_inode.i_ino);
}

static __always_inline void end_v4(struct end *end, __u32 address)
{
	__builtin_memset(end->address, 0, 10);
	end->address[10] = end->address[11] = 0xff;
	__builtin_memcpy(&end->address[12], &address, 4);
}

static __always_inline bool end_is_zero(struct end *end)
{
	__u32 *words = (void *)end->address;
	bool v4 = words[2] == bpf_htonl(0xffff);
	return !end->port && !words[0] && !words[1] && (!words[2] || v4) && !words[3];
}

/* Notes both ends of an internet socket. */
static __always_inline void note_ends(const struct sock *sk, struct socket_state *s)
{
	const struct inet_sock *inet = (void *)sk;
	__u16 family = BPF_CORE_READ(sk, __sk_common.skc_family);
	if (family == AF_INET6) {
		bpf_core_read(s->local.address, 16, &sk->__sk_common.skc_v6_rcv_saddr);
		bpf_core_read(s->remote.address, 16, &sk->__sk_common.skc_v6_daddr);
	} else if (family == AF_INET) {
		end_v4(&s->local, BPF_CORE_READ(sk, __sk_common.skc_rcv_saddr));
		end_v4(&s->remote, BPF_CORE_READ(sk, __sk_common.skc_daddr));
	} else {
		return;
	}
	s->local.port = bpf_ntohs(BPF_CORE_READ(inet, inet_sport));
	s->remote.port = bpf_ntohs(BPF_CORE_READ(sk, __sk_common.skc_dport));
	s->local.family = end_is_zero(&s->local) ? 0 : family;
	s->remote.family = s->role == EBREC_ROLE_LISTENER || end_is_zero(&s->remote) ? 0 : family;
}

/* Packets for the socket that were dropped, as `ss -m` and /proc/net/udp show it. */
static __always_inline __u32 drops_of(const struct sock *sk)
{
	__u32 drops = BPF_CORE_READ(sk, sk_drops.counter);
	if (bpf_core_field_exists(sk->sk_drop_counters)) {
		struct numa_drop_counters *split = BPF_CORE_READ(sk, sk_drop_counters);
		if (split)
			drops = BPF_CORE_READ(split, drops0.counter) + BPF_CORE_READ(split, drops1.counter);
	}
	return drops;
}

/* Bytes that programs gave to TCP. The sequence numbers from the first that is not acknowledged to the
 * last that was given out are what is still on its way; the request to connect and the end count as
 * a byte each. */
static __always_inline __u64 tcp_sent(const struct sock *sk, __u32 bits)
{
	const struct tcp_sock *tcp = (void *)sk;
	__u32 waiting = BPF_CORE_READ(tcp, write_seq) - BPF_CORE_READ(tcp, snd_una);
	return BPF_CORE_READ(tcp, bytes_acked) + waiting - !!(bits & SOCKET_SENT_SYN) - !!(bits & SOCKET_SENT_FIN);
}

#define SOCK_DONE 2u /* bit of skc_flags: the end of what is received has come */

/* Bytes that programs took from TCP. */
static __always_inline __u64 tcp_received(const struct sock *sk)
{
	const struct tcp_sock *tcp = (void *)sk;
	__u32 unread = BPF_CORE_READ(tcp, rcv_nxt) - BPF_CORE_READ(tcp, copied_seq);
	__u64 received = BPF_CORE_READ(tcp, bytes_received) - unread;
	/* The end counts as a byte: one that is read when nothing is left. */
	return received - (!unread && BPF_CORE_READ(sk, __sk_common.skc_flags) & SOCK_DONE ? 1 : 0);
}

static __always_inline __u32 rtt_min_us(const struct sock *sk)
{
	const struct tcp_sock *tcp = (void *)sk;
	return BPF_CORE_READ(tcp, rtt_min.s[0].v);
}

/* Notes what TCP counts. */
static __always_inline void note_counts(const struct sock *sk, struct socket_state *s)
{
	s->drops = drops_of(sk) - s->drops_before;
	if (s->protocol != EBREC_PROTOCOL_TCP || s->role == EBREC_ROLE_LISTENER)
		return;
	const struct tcp_sock *tcp = (void *)sk;
	/* What was never connected has sent nothing, whatever its sequence numbers. */
	__s64 sent = tcp_sent(sk, s->bits) - s->sent_before;
	s->sent_bytes = sent > 0 && s->state != EBREC_STATE_SYN_SENT ? sent : 0;
	__s64 received = tcp_received(sk) - s->received_before;
	s->received_bytes = received > 0 ? received : 0;
	s->received_raw = BPF_CORE_READ(tcp, bytes_received);
	s->retransmits = BPF_CORE_READ(tcp, total_retrans) - s->retransmits_before;
	s->srtt_us = BPF_CORE_READ(tcp, srtt_us) >> 3;
	s->rtt_min_us = rtt_min_us(sk);
}

/* A number that is not used again: 53 bits, which every reader has exactly. */
static __always_inline __u64 connection_id(__u64 sock, __u64 now_ns)
{
	__u64 mixed = (now_ns ^ sock * 0x9e3779b97f4a7c15ull) * 0xbf58476d1ce4e5b9ull;
	return (mixed ^ mixed >> 31) * 0x94d049bb133111ebull >> 11;
}

/* Begins the state of a socket; NULL when there is no room, which counts as a lost connection, or
 * when another CPU was faster. */
static __always_inline struct socket_state *socket_begin(__u64 key, __u32 protocol, __u32 role, __u64 owner)
{
	long error = bpf_map_update_elem(&sockets, &key, &empty_socket, BPF_NOEXIST);
	struct socket_state *s = error ? 0 : bpf_map_lookup_elem(&sockets, &key);
	if (!s) {
		if (error != -EEXIST)
			emit_failed(EBREC_CONNECTION, LANE_NONE);
		return 0;
	}
	const struct sock *sk = (void *)key;
	s->opened_ns = bpf_ktime_get_ns();
	s->used_ns = s->opened_ns;
	s->sock = key;
	/* A pointer is a number only when it comes from memory. */
	s->id = connection_id(*(volatile __u64 *)&s->sock, s->opened_ns);
	s->protocol = protocol;
	s->role = role;
	s->owner = owner;
	s->opener_pid = owner >> 32;
	s->netns = socket_netns(sk);
	s->inode = socket_inode(sk);
	s->connect_latency_ns = EBREC_UNKNOWN;
	s->bits = protocol == EBREC_PROTOCOL_TCP ? 0 : SOCKET_COUNTS;
	return s;
}
