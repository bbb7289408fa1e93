/* Numbers and addresses as they are on the wire. */
#pragma once

/* What lies in the memory of maps can be read wherever it begins. */
static __always_inline __u16 be16(const __u8 *at)
{
	return bpf_ntohs(*(const __u16 *)at);
}

static __always_inline __u32 be32(const __u8 *at)
{
	return bpf_ntohl(*(const __u32 *)at);
}

static __always_inline void mapped_address(__u8 *to, const __u8 *from)
{
	*(__u64 *)to = 0;
	*(__u32 *)(to + 8) = 0xffff0000;
	*(__u32 *)(to + 12) = *(const __u32 *)from;
}
