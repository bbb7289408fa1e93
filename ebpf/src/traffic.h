/* Where packets are seen: what is made of each, by the sources that are recorded. */
#pragma once

static __always_inline int traffic(struct sk_buff *skb, bool sent)
{
	__u32 zero = 0;
	struct packet *p = bpf_map_lookup_elem(&packet_now, &zero);
	if (!p)
		return 0;
	parse(p, skb, sent);
	if (has_flows)
		flow_add(p, skb);
	if (has_packets)
		packet_note(p, skb);
	return 0;
}

SEC("tp_btf/net_dev_start_xmit")
int BPF_PROG(tp_btf__net_dev_start_xmit, struct sk_buff *skb)
{
	return traffic(skb, true);
}

SEC("tp_btf/netif_receive_skb")
int BPF_PROG(tp_btf__netif_receive_skb, struct sk_buff *skb)
{
	return traffic(skb, false);
}
