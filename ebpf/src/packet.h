/* Packets at interfaces: the headers of each, for flows.h and packets.h.
 *
 * What is sent is seen where the interface is given it, what is received where the interface hands it
 * over: there the bytes are those that the interface counts. Both run with bottom halves disabled, so
 * that one packet at a time is looked at on a CPU, and what is here needs no lane. Only the part of a
 * packet that lies together is read; the kernel itself has the headers there by the time they matter. */
#pragma once

#define PACKET_HEAD 80u	   /* Ethernet, IPv6 and TCP without options, and 6 bytes */
#define PACKET_ETHERNET 14u /* where the network header is, in `head` */
#define PACKET_L4 20u	   /* TCP without options */
#define PACKET_EXTENSIONS 8

#define ICMPV6 58 /* protocol number; the header of user space has a struct of ours */
#define ARPHRD_ETHER 1
#define ARPHRD_LOOPBACK 772
#define ETHERTYPE_IPV4 0x0800
#define ETHERTYPE_ARP 0x0806
#define ETHERTYPE_VLAN 0x8100
#define ETHERTYPE_IPV6 0x86dd
#define ETHERTYPE_QINQ 0x88a8
#define ETHERTYPE_802_2 4 /* the length of a frame is where others have their type */

/* What tells flows apart. */
struct flow_key {
	__u8 local[16];
	__u8 remote[16];
	__u32 netns;
	__u32 ifindex;
	__u16 local_port;
	__u16 remote_port;
	__u16 ethertype;
	__u8 protocol;
	__u8 known; /* KNOWN_ bits: what the packet has of it */
};
#define KNOWN_ADDRESSES 1u
#define KNOWN_PROTOCOL 2u
#define KNOWN_PORTS 4u

struct packet {
	struct flow_key key;
	__u64 at;	/* address of its first byte */
	__u32 length;	/* its bytes */
	__u32 counted;	/* and as the interface counts them */
	__u32 linear;	/* how many of them lie together */
	__u32 network;	/* where the network header is */
	__u32 transport; /* and what lies in the IP packet; 0 if there is none */
	__u32 payload;	/* behind the last header that was understood */
	__u32 end;	/* where the network packet ends: a frame may be padded */
	__u32 malformed;
	__u32 fragment; /* of IP: the flags and the offset, as in IPv4 */
	__u32 id;
	__u32 ttl;
	__u32 vlans;	/* how many tags it has; the first may be kept aside */
	__u16 vlan[2];
	__u16 aside_protocol; /* the first tag, if it is kept aside */
	__u16 aside;
	__u32 ethernet; /* bytes of the Ethernet header: 0 where there is none */
	bool sent;
	bool l4_at_once; /* the transport header is in `head` */
	bool tcp_syn;	 /* it asks for a connection */
	bool pid_is_sure; /* and not that of the last to use the port */
	__u32 pid, tid; /* whose it is, or 0 */
	__u64 sk;	/* the socket it is sent by, or 0 */
	char interface[16]; /* read where it is needed only */
	__u8 before_head[2]; /* so that the network header lies well */
	__u8 head[PACKET_HEAD]; /* Ethernet header, network header, ... without tags in between */
	__u8 l4[PACKET_L4];    /* transport header */
	__u8 after[2];
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct packet);
} packet_now SEC(".maps");

const volatile bool has_flows = false, has_packets = false;

/* Whether the packet has `bytes` from `offset` on; says what is wrong if not. */
static __always_inline bool packet_has(struct packet *p, __u32 offset, __u32 bytes, __u32 malformed)
{
	if (offset + bytes > p->end)
		p->malformed = malformed;
	else if (offset + bytes > p->linear)
		p->malformed = EBREC_MALFORMED_HEADER_NOT_READ;
	else
		return true;
	return false;
}

/* Source and destination by whose side of the interface they are on. */
static __always_inline __u8 *source_of(struct packet *p)
{
	return p->sent ? p->key.local : p->key.remote;
}

static __always_inline __u8 *destination_of(struct packet *p)
{
	return p->sent ? p->key.remote : p->key.local;
}

/* Reads the transport header that follows at `transport`, unless it was read with the first bytes. */
static __always_inline bool read_l4(struct packet *p, __u32 bytes, __u32 malformed)
{
	if (!packet_has(p, p->transport, bytes, malformed))
		return false;
	if (bpf_probe_read_kernel(p->l4, bytes, (void *)(p->at + p->transport))) {
		p->malformed = EBREC_MALFORMED_HEADER_NOT_READ;
		return false;
	}
	return true;
}

static __always_inline void ports(struct packet *p, const __u8 *l4)
{
	__u16 source = be16(l4), destination = be16(l4 + 2);
	p->key.local_port = p->sent ? source : destination;
	p->key.remote_port = p->sent ? destination : source;
	p->key.known |= KNOWN_PORTS;
}

/* TCP and UDP, the ports only; packets.h has the rest. `l4` is where the header is if it was read at once. */
static __always_inline void parse_ports(struct packet *p, const __u8 *l4)
{
	bool tcp = p->key.protocol == IPPROTO_TCP;
	if (!tcp && p->key.protocol != IPPROTO_UDP && p->key.protocol != IPPROTO_UDPLITE)
		return;
	if (p->fragment & 0x1fff)
		return; /* only the first fragment has it */
	__u32 bytes = tcp ? 20 : 8;
	__u32 malformed = tcp ? EBREC_MALFORMED_SHORT_TCP_HEADER : EBREC_MALFORMED_SHORT_UDP_HEADER;
	if (l4) {
		if (packet_has(p, p->transport, bytes, malformed)) {
			ports(p, l4);
			p->tcp_syn = tcp && (l4[13] & 0x12) == 2;
		}
	} else if (tcp ? read_l4(p, 20, malformed) : read_l4(p, 8, malformed)) {
		ports(p, p->l4);
		p->tcp_syn = tcp && (p->l4[13] & 0x12) == 2;
	}
}

/* A function of its own, so that the verifier looks at it once: extension headers are rare. */
__noinline int parse_extensions(__u32 next)
{
	__u32 zero = 0;
	struct packet *p = bpf_map_lookup_elem(&packet_now, &zero);
	if (!p)
		return 0;
	__u32 at = p->transport;
	for (int i = 0; i <= PACKET_EXTENSIONS; i++) {
		bool is_extension = next == 0 || next == 43 || next == 44 || next == 51 || next == 60 || next == 135 ||
				    next == 139 || next == 140;
		if (!is_extension)
			break;
		if (i == PACKET_EXTENSIONS) {
			p->malformed = EBREC_MALFORMED_MANY_IPV6_EXTENSIONS;
			break;
		}
		p->transport = at;
		if (!read_l4(p, 8, EBREC_MALFORMED_SHORT_IPV6_EXTENSION))
			break;
		if (next == 44) {
			__u16 field = be16(p->l4 + 2);
			/* As IPv4 has them: the offset in units of 8 bytes, and the bit for more. */
			p->fragment = field >> 3 | (field & 1) << 13;
			p->id = be32(p->l4 + 4);
			at += 8;
		} else if (next == 51) {
			at += ((__u32)p->l4[1] + 2) * 4;
		} else {
			at += ((__u32)p->l4[1] + 1) * 8;
		}
		next = p->l4[0];
		/* What follows in another fragment is its payload. */
		if (p->fragment & 0x1fff)
			break;
	}
	p->transport = at;
	p->payload = at;
	p->key.protocol = next;
	if (!p->malformed && at > p->end)
		p->malformed = EBREC_MALFORMED_SHORT_IPV6_EXTENSION;
	if (!p->malformed)
		parse_ports(p, 0);
	return 0;
}

static __always_inline void parse_ipv4(struct packet *p)
{
	const __u8 *ip = p->head + PACKET_ETHERNET;
	if (!packet_has(p, p->network, 20, EBREC_MALFORMED_SHORT_IPV4_HEADER))
		return;
	if (ip[0] >> 4 != 4) {
		p->malformed = EBREC_MALFORMED_BAD_IPV4_VERSION;
		return;
	}
	mapped_address(source_of(p), ip + 12);
	mapped_address(destination_of(p), ip + 16);
	p->key.protocol = ip[9];
	p->key.known |= KNOWN_ADDRESSES | KNOWN_PROTOCOL;
	p->fragment = be16(ip + 6);
	p->id = be16(ip + 4);
	p->ttl = ip[8];
	__u32 header = (ip[0] & 15) * 4, total = be16(ip + 2), rest = p->end - p->network;
	if (header < 20) {
		p->malformed = EBREC_MALFORMED_BAD_IPV4_HEADER_LENGTH;
		return;
	}
	if (header > rest) {
		p->malformed = EBREC_MALFORMED_SHORT_IPV4_HEADER;
		return;
	}
	/* What is larger than a packet can say it is says nothing. */
	if (!total && rest > 0xffff)
		total = rest;
	if (total < header || total > rest)
		p->malformed = EBREC_MALFORMED_BAD_IPV4_LENGTH;
	else
		p->end = p->network + total;
	p->transport = p->payload = p->network + header;
	if (header == 20) {
		p->l4_at_once = true;
		parse_ports(p, p->head + PACKET_ETHERNET + 20);
	} else {
		parse_ports(p, 0);
	}
}

static __always_inline void parse_ipv6(struct packet *p)
{
	const __u8 *ip = p->head + PACKET_ETHERNET;
	if (!packet_has(p, p->network, 40, EBREC_MALFORMED_SHORT_IPV6_HEADER))
		return;
	if (ip[0] >> 4 != 6) {
		p->malformed = EBREC_MALFORMED_BAD_IPV6_VERSION;
		return;
	}
	__u64 *source = (void *)source_of(p), *destination = (void *)destination_of(p);
	const __u64 *from = (void *)(ip + 8);
	source[0] = from[0];
	source[1] = from[1];
	destination[0] = from[2];
	destination[1] = from[3];
	p->key.known |= KNOWN_ADDRESSES | KNOWN_PROTOCOL;
	p->ttl = ip[7];
	__u32 payload = be16(ip + 4), rest = p->end - p->network - 40;
	/* A length of 0: larger than a packet can say it is. */
	if (payload > rest)
		p->malformed = EBREC_MALFORMED_BAD_IPV6_LENGTH;
	else if (payload || rest <= 0xffff)
		p->end = p->network + 40 + payload;
	p->transport = p->payload = p->network + 40;
	__u32 next = ip[6];
	p->key.protocol = next;
	if (next == IPPROTO_TCP || next == IPPROTO_UDP) {
		p->l4_at_once = true;
		parse_ports(p, p->head + PACKET_ETHERNET + 40);
	} else {
		parse_extensions(next);
	}
}

static __always_inline void parse_arp(struct packet *p)
{
	const __u8 *arp = p->head + PACKET_ETHERNET;
	if (!packet_has(p, p->network, 28, EBREC_MALFORMED_SHORT_ARP))
		return;
	if (be32(arp) != 0x10800 || be16(arp + 4) != 0x0604) {
		p->malformed = EBREC_MALFORMED_BAD_ARP_ADDRESSES;
		return;
	}
	mapped_address(source_of(p), arp + 14);
	mapped_address(destination_of(p), arp + 24);
	p->key.known |= KNOWN_ADDRESSES;
	p->payload = p->network + 28;
}

/* Tags that lie in the packet. Takes them out of `head`, so that the network header is where it always is. */
static __always_inline void parse_tags(struct packet *p, __u32 ethertype)
{
	for (int i = 0; i < 2; i++) {
		if (ethertype != ETHERTYPE_VLAN && ethertype != ETHERTYPE_QINQ)
			break;
		if (!packet_has(p, p->network, 4, EBREC_MALFORMED_SHORT_VLAN_TAG))
			break;
		const __u8 *tag = p->head + PACKET_ETHERNET + i * 4;
		if (p->vlans < 2)
			p->vlan[p->vlans & 1] = be16(tag) & 0xfff;
		p->vlans++;
		ethertype = be16(tag + 2);
		p->network += 4;
	}
	p->key.ethertype = ethertype;
	if (!p->malformed && p->network < p->linear) {
		__u32 size = p->linear - p->network;
		if (size > PACKET_HEAD - PACKET_ETHERNET)
			size = PACKET_HEAD - PACKET_ETHERNET;
		bpf_probe_read_kernel(p->head + PACKET_ETHERNET, size, (void *)(p->at + p->network));
	}
}

/* Whether the tag that the kernel keeps aside is there. */
static __always_inline bool has_tag_aside(struct sk_buff *skb)
{
	struct sk_buff___v62 *old = (void *)skb;
	if (bpf_core_field_exists(old->vlan_present))
		return BPF_CORE_READ_BITFIELD_PROBED(old, vlan_present);
	return skb->vlan_tci || skb->vlan_proto;
}

static __always_inline void parse(struct packet *p, struct sk_buff *skb, bool sent)
{
	struct net_device *dev = skb->dev;
	__u64 head = (__u64)skb->head, data = (__u64)skb->data;
	__u32 before = 0, type = dev->type;
	bool has_ethernet = type == ARPHRD_ETHER || type == ARPHRD_LOOPBACK;
	/* What is received has its Ethernet header behind it. */
	if (!sent && has_ethernet) {
		__u64 mac = head + skb->mac_header;
		if (mac < data && data - mac < 256)
			before = data - mac;
		has_ethernet = before >= PACKET_ETHERNET;
	}
	__builtin_memset(&p->key, 0, sizeof(p->key));
	p->key.netns = dev->nd_net.net->ns.inum;
	p->key.ifindex = dev->ifindex;
	p->at = data - before;
	p->length = skb->len + before;
	/* The loopback interface counts without the header that it makes up. */
	p->counted = type == ARPHRD_LOOPBACK ? p->length - PACKET_ETHERNET : p->length;
	p->linear = p->length - skb->data_len;
	p->end = p->length;
	p->network = p->payload = has_ethernet ? PACKET_ETHERNET : 0;
	p->ethernet = p->network;
	p->transport = 0;
	p->malformed = 0;
	p->fragment = 0;
	p->vlans = 0;
	p->aside_protocol = 0;
	p->sent = sent;
	p->l4_at_once = false;
	p->tcp_syn = false;
	p->pid_is_sure = false;
	p->pid = p->tid = 0;
	p->sk = sent ? (__u64)skb->sk : 0;
	__u32 ethertype = bpf_ntohs(skb->protocol);
	__u32 size = p->linear;
	if (has_ethernet) {
		if (size > PACKET_HEAD)
			size = PACKET_HEAD;
		bpf_probe_read_kernel(p->head, size, (void *)p->at);
		if (!packet_has(p, 0, PACKET_ETHERNET, EBREC_MALFORMED_SHORT_ETHERNET_HEADER)) {
			p->network = p->payload = p->ethernet = 0;
			return;
		}
		ethertype = be16(p->head + 12);
		if (ethertype < 0x600)
			ethertype = ETHERTYPE_802_2;
	} else {
		if (size > PACKET_HEAD - PACKET_ETHERNET)
			size = PACKET_HEAD - PACKET_ETHERNET;
		bpf_probe_read_kernel(p->head + PACKET_ETHERNET, size, (void *)p->at);
	}
	if (has_tag_aside(skb)) {
		p->aside_protocol = bpf_ntohs(skb->vlan_proto);
		p->aside = skb->vlan_tci;
		p->vlan[0] = p->aside & 0xfff;
		p->vlans = 1;
	}
	p->key.ethertype = ethertype;
	if (ethertype == ETHERTYPE_VLAN || ethertype == ETHERTYPE_QINQ)
		parse_tags(p, ethertype);
	p->payload = p->network;
	if (p->malformed)
		return;
	if (p->key.ethertype == ETHERTYPE_IPV4)
		parse_ipv4(p);
	else if (p->key.ethertype == ETHERTYPE_IPV6)
		parse_ipv6(p);
	else if (p->key.ethertype == ETHERTYPE_ARP)
		parse_arp(p);
}
