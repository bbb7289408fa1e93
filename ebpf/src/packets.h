/* Packets one by one: the rest of their headers, the filter, and the first bytes. */
#pragma once

#define CAPTURE_MAX 9216u /* as SNAPLEN_MAX in recorder/src/options.rs */

/* Bytes of each packet that are kept. */
const volatile __u32 snaplen = 0;
/* Whether there is a filter, in `packet_filter`. */
const volatile bool has_packet_filter = false;

/* A condition of the filter; as `Term` in recorder/src/filter.rs. */
struct filter_term {
	__u32 operation; /* FILTER_ */
	__u32 sides;	 /* bit 0: the source may fit, bit 1: the destination may */
	__u32 low, high; /* of ports and of what has a number */
	__u8 address[16];
	__u8 mask[16];
	__u32 negated;
	__u32 reserved;
};
#define FILTER_NONE 0 /* ends a clause */
#define FILTER_ADDRESS 1
#define FILTER_PORT 2
#define FILTER_PROTOCOL 3
#define FILTER_ETHERTYPE 4
#define FILTER_INTERFACE 5
#define FILTER_CLAUSES 8
#define FILTER_TERMS 8

/* A packet is wanted when all terms of one clause hold. */
struct filter {
	__u32 clauses;
	__u32 reserved;
	struct filter_term terms[FILTER_CLAUSES * FILTER_TERMS];
};
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct filter);
} packet_filter SEC(".maps");

struct packet_record {
	struct ebrec_packet fixed;
	__u8 captured[TAIL_HEADER + CAPTURE_MAX + 8];
};
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct packet_record);
} packet_records SEC(".maps");

static __always_inline bool address_fits(const struct filter_term *term, const __u8 *address)
{
	const __u64 *mask = (void *)term->mask, *wanted = (void *)term->address, *found = (void *)address;
	return (found[0] & mask[0]) == wanted[0] && (found[1] & mask[1]) == wanted[1];
}

static __always_inline bool is_between(const struct filter_term *term, __u32 number)
{
	return number >= term->low && number <= term->high;
}

static __always_inline bool term_holds(const struct filter_term *term, struct packet *p)
{
	bool local = term->sides & (p->sent ? 1 : 2), remote = term->sides & (p->sent ? 2 : 1);
	bool holds = false;
	switch (term->operation) {
	case FILTER_ADDRESS:
		holds = (p->key.known & KNOWN_ADDRESSES) &&
			((local && address_fits(term, p->key.local)) || (remote && address_fits(term, p->key.remote)));
		break;
	case FILTER_PORT:
		holds = (p->key.known & KNOWN_PORTS) && ((local && is_between(term, p->key.local_port)) ||
							 (remote && is_between(term, p->key.remote_port)));
		break;
	case FILTER_PROTOCOL:
		holds = (p->key.known & KNOWN_PROTOCOL) && is_between(term, p->key.protocol);
		break;
	case FILTER_ETHERTYPE:
		holds = is_between(term, p->key.ethertype);
		break;
	case FILTER_INTERFACE:
		holds = address_fits(term, (const __u8 *)p->interface);
		break;
	}
	return holds != !!term->negated;
}

/* A function of its own: the verifier looks at its loop once. */
__noinline int packet_is_wanted(void)
{
	__u32 zero = 0;
	struct packet *p = bpf_map_lookup_elem(&packet_now, &zero);
	struct filter *filter = bpf_map_lookup_elem(&packet_filter, &zero);
	if (!p || !filter)
		return 0;
	bool holds = true;
	for (__u32 i = 0; i < FILTER_CLAUSES * FILTER_TERMS; i++) {
		__u32 clause = i / FILTER_TERMS, at = i % FILTER_TERMS;
		if (clause >= filter->clauses)
			break;
		if (!at)
			holds = true;
		const struct filter_term *term = &filter->terms[i];
		if (holds && term->operation != FILTER_NONE)
			holds = term_holds(term, p);
		if (holds && at == FILTER_TERMS - 1)
			return 1;
	}
	return 0;
}

/* The hardware address at a place, as a number. */
static __always_inline __u64 mac_at(const __u8 *at)
{
	__u64 number = 0;
	__builtin_memcpy(&number, at, 4);
	return number | (__u64)at[4] << 32 | (__u64)at[5] << 40;
}

static __always_inline void record_tcp(struct packet *p, struct ebrec_packet *record, const __u8 *tcp)
{
	record->seq = be32(tcp + 4);
	record->ack = be32(tcp + 8);
	record->tcp_flags = be16(tcp + 12) & 0xfff;
	record->window = be16(tcp + 14);
	__u32 header = (tcp[12] >> 4) * 4;
	if (header < 20 || p->transport + header > p->end)
		p->malformed = p->malformed ?: EBREC_MALFORMED_BAD_TCP_HEADER_LENGTH;
	else
		p->payload = p->transport + header;
}

static __always_inline void record_udp(struct packet *p, struct ebrec_packet *record, const __u8 *udp)
{
	__u32 length = be16(udp + 4), rest = p->end - p->transport;
	/* What is to be cut into packets later is larger than its length can say. */
	bool is_whole = !(p->fragment & 0x3fff) && rest <= 0xffff;
	if (is_whole && length && (length < 8 || length > rest))
		p->malformed = p->malformed ?: EBREC_MALFORMED_BAD_UDP_LENGTH;
	p->payload = p->transport + 8;
	__u16 port = p->sent ? p->key.remote_port : p->key.local_port;
	__u8 vxlan[8];
	if ((port == 4789 || port == 8472) && p->payload + 8 <= p->end && p->payload + 8 <= p->linear &&
	    !bpf_probe_read_kernel(vxlan, sizeof(vxlan), (void *)(p->at + p->payload)) && (vxlan[0] & 8)) {
		record->tunnel_id = be32(vxlan + 4) >> 8;
		p->payload += 8;
	}
}

static __always_inline void record_gre(struct packet *p, struct ebrec_packet *record)
{
	if (!read_l4(p, 4, EBREC_MALFORMED_SHORT_GRE_HEADER))
		return;
	__u8 flags = p->l4[0];
	__u32 key = flags & 0x80 ? 8 : 4;
	__u32 header = key + (flags & 0x20 ? 4 : 0) + (flags & 0x10 ? 4 : 0);
	if (!packet_has(p, p->transport, header, EBREC_MALFORMED_SHORT_GRE_HEADER))
		return;
	__u8 bytes[4];
	if ((flags & 0x20) && !bpf_probe_read_kernel(bytes, 4, (void *)(p->at + p->transport + key)))
		record->tunnel_id = be32(bytes);
	p->payload = p->transport + header;
}

/* What lies in the IP packet. Returns how much of the record is used. */
static __always_inline __u32 record_transport(struct packet *p, struct ebrec_packet *record)
{
	__u32 protocol = p->key.protocol;
	__u32 size = __builtin_offsetof(struct ebrec_packet, seq);
	if (!p->transport || (p->fragment & 0x1fff))
		return size;
	bool has_icmp = protocol == IPPROTO_ICMP || protocol == ICMPV6;
	if (p->key.known & KNOWN_PORTS) {
		record->source_port = p->sent ? p->key.local_port : p->key.remote_port;
		record->destination_port = p->sent ? p->key.remote_port : p->key.local_port;
		/* Where they were read at once the rest is not in its place yet. */
		if (p->l4_at_once && !read_l4(p, protocol == IPPROTO_TCP ? 20 : 8, 0))
			return size;
		if (protocol == IPPROTO_TCP) {
			record_tcp(p, record, p->l4);
			return __builtin_offsetof(struct ebrec_packet, icmp_type);
		}
		record_udp(p, record, p->l4);
		return __builtin_offsetof(struct ebrec_packet, arp_operation);
	}
	if (p->malformed && p->malformed != EBREC_MALFORMED_BAD_IPV4_LENGTH &&
	    p->malformed != EBREC_MALFORMED_BAD_IPV6_LENGTH)
		return size;
	if (has_icmp) {
		if (!read_l4(p, 8, EBREC_MALFORMED_SHORT_ICMP_HEADER))
			return size;
		record->icmp_type = p->l4[0];
		record->icmp_code = p->l4[1];
		p->payload = p->transport + 8;
		return __builtin_offsetof(struct ebrec_packet, arp_operation);
	}
	if (protocol == IPPROTO_GRE) {
		record_gre(p, record);
		return __builtin_offsetof(struct ebrec_packet, arp_operation);
	}
	return size;
}

/* Copies the first bytes behind the record, with the tag that the kernel keeps aside in its place. */
static __always_inline __u32 capture(struct packet *p, struct packet_record *record, __u32 fixed)
{
	__u32 before = 0, wanted = snaplen, length = p->length;
	__u8 *out = (__u8 *)record + fixed + TAIL_HEADER;
	if (p->aside_protocol && p->ethernet) {
		if (p->linear < PACKET_ETHERNET || wanted < 16)
			return 0;
		__builtin_memcpy(out, p->head, 12);
		out[12] = p->aside_protocol >> 8;
		out[13] = p->aside_protocol;
		out[14] = p->aside >> 8;
		out[15] = p->aside;
		out += 16;
		before = 16;
		wanted -= 16;
		length += 4;
	}
	__u32 from = before ? 12 : 0;
	__u32 size = p->linear - from;
	if (size > wanted)
		size = wanted;
	if (size > CAPTURE_MAX - 16)
		size = CAPTURE_MAX - 16;
	if (bpf_probe_read_kernel(out, size, (void *)(p->at + from)))
		return 0;
	__u32 captured = before + size;
	__u8 *tail = (__u8 *)record + fixed;
	tail[0] = EBREC_TAIL_CAPTURED;
	tail[1] = captured < length ? EBREC_TAIL_TRUNCATED : 0;
	*(__u16 *)(tail + 2) = captured;
	return (TAIL_HEADER + captured + 7) & ~7u;
}

/* A function of its own: what it does with the packet does not add to the states of the rest. */
__noinline int packet_emit(void)
{
	__u32 zero = 0;
	struct packet *p = bpf_map_lookup_elem(&packet_now, &zero);
	struct packet_record *out = bpf_map_lookup_elem(&packet_records, &zero);
	if (!p || !out)
		return 0;
	struct ebrec_packet *record = &out->fixed;
	__builtin_memset(&record->source_mac, 0xff,
			 sizeof(*record) - __builtin_offsetof(struct ebrec_packet, source_mac));
	record->direction = !p->sent;
	record->length_bytes = p->length + (p->aside_protocol && p->ethernet ? 4 : 0);
	record->ifindex = p->key.ifindex;
	record->netns = p->key.netns;
	__builtin_memcpy(record->interface, p->interface, sizeof(record->interface));
	record->malformed = 0;
	if (p->ethernet) {
		record->destination_mac = mac_at(p->head);
		record->source_mac = mac_at(p->head + 6);
	}
	if (p->malformed != EBREC_MALFORMED_SHORT_ETHERNET_HEADER)
		record->ethertype = p->key.ethertype;
	if (p->vlans)
		record->vlan = p->vlan[0];
	if (p->vlans > 1)
		record->inner_vlan = p->vlan[1];
	if (p->key.known & KNOWN_ADDRESSES) {
		__builtin_memcpy(record->source_address, source_of(p), 16);
		__builtin_memcpy(record->destination_address, destination_of(p), 16);
	}
	__u32 fixed = __builtin_offsetof(struct ebrec_packet, seq);
	if (p->key.known & KNOWN_PROTOCOL) {
		record->protocol = p->key.protocol;
		record->ttl = p->ttl;
		bool is_v4 = p->key.ethertype == ETHERTYPE_IPV4;
		if (is_v4)
			record->ip_flags = p->fragment >> 13;
		else if (p->fragment)
			record->ip_flags = p->fragment >> 13;
		if (is_v4 || p->fragment)
			record->ip_id = p->id;
		record->fragment_offset_bytes = (p->fragment & 0x1fff) * 8;
		fixed = record_transport(p, record);
	} else if (p->key.known & KNOWN_ADDRESSES) {
		const __u8 *arp = p->head + PACKET_ETHERNET;
		record->arp_operation = be16(arp + 6);
		record->arp_sender_mac = mac_at(arp + 8);
		record->arp_target_mac = mac_at(arp + 18);
		fixed = sizeof(*record);
	}
	record->malformed = p->malformed;
	if (p->end >= p->payload)
		record->payload_bytes = p->end - p->payload;
	header(&record->header, EBREC_PACKET, bpf_ktime_get_ns(), p->pid, p->tid, fixed);
	__u32 size = fixed;
	if (snaplen && fixed <= sizeof(*record)) {
		size += capture(p, out, fixed);
		record->header.size = size;
	}
	if (size > sizeof(*out))
		return 0;
	emit(&packets_ring, out, EBREC_PACKET, size, LANE_EVENT);
	return 0;
}

static __always_inline void packet_note(struct packet *p, struct sk_buff *skb)
{
	packet_owner();
	if (required && !p->pid && !netns_is_wanted(p->key.netns))
		return;
	BPF_CORE_READ_INTO(&p->interface, skb, dev, name);
	if (has_packet_filter && !packet_is_wanted())
		return;
	packet_emit();
}
