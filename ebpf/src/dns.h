/* Messages of the domain name system, as they pass an interface.
 *
 * Only which packets are wanted is decided here: those of threads in scope, and the answers to them.
 * A packet is handed to the recorder as a whole by bpf_skb_output(), the one helper of every kernel
 * that reads a packet whose payload lies in other pages, as that of TCP always does. The recorder
 * (recorder/src/dns/) puts messages together and makes records of them; only what does not fit into
 * its buffers is counted here. */
#pragma once

#define DNS_PORTS 8
#define DNS_FLOWS 8192
/* Bytes of a packet that are handed over: above that a message is cut. */
#define DNS_PACKET_KEPT 16384
#define DNS_HEADERS 8 /* extension headers of IPv6 that are passed over, at most */

#define DNS_UDP 17
#define DNS_TCP 6
#define DNS_TCP_FIN 1u
#define DNS_TCP_SYN 2u
#define DNS_TCP_RST 4u
#define DNS_LOOPBACK 8u /* IFF_LOOPBACK */

const volatile bool has_dns = false;
const volatile __u16 dns_ports[DNS_PORTS] = {};

struct {
	__uint(type, BPF_MAP_TYPE_PERF_EVENT_ARRAY);
	__uint(max_entries, 0);
	__uint(key_size, sizeof(__u32));
	__uint(value_size, sizeof(__u32));
} dns_packets SEC(".maps");

struct dns_owner {
	__u32 pid, tid;
};

/* A conversation; of a server, its address with nobody as client. */
struct dns_flow {
	__u8 client[16], server[16];
	__u16 client_port, server_port;
	__u32 protocol;
};

/* The threads in scope at its ends. */
struct dns_owners {
	struct dns_owner client, server;
};

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, DNS_FLOWS);
	__type(key, struct dns_flow);
	__type(value, struct dns_owners);
} dns_flows SEC(".maps");

/* What goes before the bytes of a packet; as `Wire` in recorder/src/dns/packet.rs. */
struct dns_packet {
	__u64 ts_ns;
	struct dns_flow flow;
	struct dns_owners owners;
	__u32 payload_at; /* where it begins in the bytes that follow */
	__u32 payload;	  /* its bytes, of which not all may follow */
	__u32 sequence;	  /* of TCP */
	__u32 kept;	  /* bytes of the packet that follow */
	__u32 interface;
	__u16 cpu;
	__u8 tcp_flags;
	__u8 bits; /* DNS_SENT, DNS_TO_SERVER */
};
#define DNS_SENT 1u	 /* it leaves by the interface */
#define DNS_TO_SERVER 2u

static __always_inline __u16 dns_u16(const __u8 *at)
{
	return (__u16)at[0] << 8 | at[1];
}

static __always_inline bool dns_port(__u16 port)
{
#pragma unroll
	for (int i = 0; i < DNS_PORTS; i++) {
		if (dns_ports[i] == port)
			return port;
	}
	return false;
}

/* The thread in scope that sends a packet of this socket right now. */
static __always_inline struct dns_owner dns_sender(struct sock *sk)
{
	struct task_struct *task = current_task();
	struct thread *thread = thread_of(task);
	if (!thread || !in_scope(thread) || !calls_on(task, (__u64)sk)) {
		struct socket_state *state = socket_of(sk);
		struct dns_owner last = {state ? state->owner >> 32 : 0, state ? state->owner : 0};
		return last;
	}
	struct dns_owner owner = {BPF_CORE_READ(task, tgid), BPF_CORE_READ(task, pid)};
	return owner;
}

static __always_inline void dns_mapped(__u8 *out, const __u8 *v4)
{
	out[10] = out[11] = 0xff;
	__builtin_memcpy(out + 12, v4, 4);
}

/* Reads the headers of a packet; false if it is none of a port that is wanted. */
static __always_inline bool dns_headers(struct dns_packet *packet, struct sk_buff___dns *skb, bool is_sent)
{
	__u8 ip[40];
	unsigned char *base = is_sent ? skb->head + skb->network_header : skb->data;
	__u32 at = base - skb->data, linear = skb->len - skb->data_len;
	if (bpf_probe_read_kernel(ip, sizeof(ip), base))
		return false;
	__u8 source[16] = {}, destination[16] = {}, protocol;
	__u32 end, version = ip[0] >> 4;
	if (version == 4) {
		/* A fragment behind the first has no ports. */
		if (dns_u16(ip + 6) & 0x1fff)
			return false;
		protocol = ip[9];
		end = at + dns_u16(ip + 2);
		dns_mapped(source, ip + 12);
		dns_mapped(destination, ip + 16);
		at += (ip[0] & 15) * 4;
	} else if (version == 6) {
		protocol = ip[6];
		end = at + 40 + dns_u16(ip + 4);
		__builtin_memcpy(source, ip + 8, 16);
		__builtin_memcpy(destination, ip + 24, 16);
		at += 40;
		for (int i = 0; i < DNS_HEADERS; i++) {
			__u8 next[4];
			/* Hop-by-hop options, routing, a fragment, options of the destination. */
			if (protocol != 0 && protocol != 43 && protocol != 44 && protocol != 60)
				break;
			if (bpf_probe_read_kernel(next, sizeof(next), skb->data + at))
				return false;
			if (protocol == 44 && dns_u16(next + 2) & 0xfff8)
				return false;
			at += protocol == 44 ? 8 : (next[1] + 1) * 8;
			protocol = next[0];
		}
	} else {
		return false;
	}
	if ((protocol != DNS_UDP && protocol != DNS_TCP) || at + 8 > linear)
		return false;
	__u8 l4[16];
	if (bpf_probe_read_kernel(l4, sizeof(l4), skb->data + at))
		return false;
	__u16 source_port = dns_u16(l4), destination_port = dns_u16(l4 + 2);
	bool to_server = dns_port(destination_port);
	if (!to_server && !dns_port(source_port))
		return false;
	/* A packet that is put together of many may have no length of its own; a short one is padded. */
	bool has_length = version == 4 ? dns_u16(ip + 2) : dns_u16(ip + 4);
	if (!has_length || end < at || end > skb->len)
		end = skb->len;
	if (protocol == DNS_UDP) {
		__u32 length = dns_u16(l4 + 4);
		/* Of a message in fragments only the first is here, but its length is known. */
		packet->payload = length > 8 ? length - 8 : 0;
		at += 8;
	} else {
		at += (l4[12] >> 4) * 4;
		packet->payload = end > at ? end - at : 0;
		packet->sequence = (__u32)dns_u16(l4 + 4) << 16 | dns_u16(l4 + 6);
		packet->tcp_flags = l4[13] & (DNS_TCP_FIN | DNS_TCP_SYN | DNS_TCP_RST);
	}
	packet->payload_at = at;
	packet->bits = (is_sent ? DNS_SENT : 0) | (to_server ? DNS_TO_SERVER : 0);
	packet->flow.protocol = protocol;
	__builtin_memcpy(packet->flow.client, to_server ? source : destination, 16);
	__builtin_memcpy(packet->flow.server, to_server ? destination : source, 16);
	packet->flow.client_port = to_server ? source_port : destination_port;
	packet->flow.server_port = to_server ? destination_port : source_port;
	return true;
}

/* The same conversation whoever its client is. */
static __always_inline void dns_any_client(struct dns_flow *flow)
{
	__builtin_memset(flow->client, 0, sizeof(flow->client));
	flow->client_port = 0;
}

/* Remembers who is at an end of a conversation. */
static __always_inline void dns_remember(struct dns_flow *flow, bool is_client, struct dns_owner owner)
{
	struct dns_owners *known = bpf_map_lookup_elem(&dns_flows, flow);
	if (!known) {
		struct dns_owners none = {};
		bpf_map_update_elem(&dns_flows, flow, &none, BPF_NOEXIST);
		known = bpf_map_lookup_elem(&dns_flows, flow);
		if (!known)
			return;
	}
	if (is_client)
		known->client = owner;
	else
		known->server = owner;
}

static __always_inline int dns_seen(struct sk_buff___dns *skb, bool is_sent)
{
	struct dns_packet packet = {};
	/* What is received on a loopback interface was sent on it before. */
	if (!is_sent && BPF_CORE_READ(skb, dev, flags) & DNS_LOOPBACK)
		return 0;
	if (!dns_headers(&packet, skb, is_sent))
		return 0;
	bool to_server = packet.bits & DNS_TO_SERVER;
	if (is_sent) {
		struct dns_owner owner = dns_sender(skb->sk);
		if (owner.pid) {
			dns_remember(&packet.flow, to_server, owner);
			if (!to_server) {
				struct dns_flow server = packet.flow;
				dns_any_client(&server);
				dns_remember(&server, false, owner);
			}
		}
	}
	struct dns_owners *owners = bpf_map_lookup_elem(&dns_flows, &packet.flow);
	if (!owners && to_server) {
		/* A server in scope is known by what it has answered. */
		struct dns_flow server = packet.flow;
		dns_any_client(&server);
		owners = bpf_map_lookup_elem(&dns_flows, &server);
	}
	if (owners)
		packet.owners = *owners;
	else if (required)
		return 0;
	if (!packet.payload && !packet.tcp_flags)
		return 0;
	packet.ts_ns = bpf_ktime_get_ns();
	packet.interface = BPF_CORE_READ(skb, dev, ifindex);
	packet.cpu = bpf_get_smp_processor_id();
	__u64 kept = skb->len;
	if (kept > DNS_PACKET_KEPT)
		kept = DNS_PACKET_KEPT;
	packet.kept = kept;
	long error = bpf_skb_output(skb, &dns_packets, BPF_F_CURRENT_CPU | kept << 32, &packet, sizeof(packet));
	if (error && packet.payload)
		emit_failed(EBREC_DNS, LANE_NONE);
	return 0;
}

SEC("tp_btf/net_dev_start_xmit")
int BPF_PROG(tp_btf__net_dev_start_xmit__for_dns, struct sk_buff___dns *skb)
{
	return has_dns ? dns_seen(skb, true) : 0;
}

SEC("tp_btf/netif_receive_skb")
int BPF_PROG(tp_btf__netif_receive_skb__for_dns, struct sk_buff___dns *skb)
{
	return has_dns ? dns_seen(skb, false) : 0;
}
