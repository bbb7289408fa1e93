/* What is not to be kept: arguments, paths, addresses.
 *
 * They are left out or replaced here, before a record leaves the kernel side, so that they are in no ring
 * and in no spool. An address becomes a token: a keyed hash of it (SipHash-2-4), the same for the same
 * address within a recording. The key is drawn for each recording and kept nowhere. */
#pragma once

/* Set by the recorder. */
const volatile bool no_args = false;		 /* no argument vectors */
const volatile __u32 args_uid = ~0u;		 /* those of this user's processes only; ~0: of all */
const volatile bool no_paths = false;		 /* no paths; of programs and libraries the file's name */
const volatile bool hash_addresses = false;	 /* tokens in place of addresses */
const volatile __u64 address_key0 = 0, address_key1 = 0;

#define ROTATED(x, bits) ((x) << (bits) | (x) >> (64 - (bits)))
#define SIP_ROUND                                                      \
	do {                                                           \
		v0 += v1, v1 = ROTATED(v1, 13) ^ v0, v0 = ROTATED(v0, 32); \
		v2 += v3, v3 = ROTATED(v3, 16) ^ v2;                       \
		v0 += v3, v3 = ROTATED(v3, 21) ^ v0;                       \
		v2 += v1, v1 = ROTATED(v1, 17) ^ v2, v2 = ROTATED(v2, 32); \
	} while (0)

/* SipHash-2-4 of two words. A global function: the verifier looks at it once. */
__noinline __u64 address_hash(__u64 first, __u64 second)
{
	__u64 v0 = address_key0 ^ 0x736f6d6570736575, v1 = address_key1 ^ 0x646f72616e646f6d;
	__u64 v2 = address_key0 ^ 0x6c7967656e657261, v3 = address_key1 ^ 0x7465646279746573;
	__u64 length = 16ull << 56;
	v3 ^= first;
	SIP_ROUND;
	SIP_ROUND;
	v0 ^= first;
	v3 ^= second;
	SIP_ROUND;
	SIP_ROUND;
	v0 ^= second;
	v3 ^= length;
	SIP_ROUND;
	SIP_ROUND;
	v0 ^= length;
	v2 ^= 0xff;
	SIP_ROUND;
	SIP_ROUND;
	SIP_ROUND;
	SIP_ROUND;
	return v0 ^ v1 ^ v2 ^ v3;
}

/* The token of an IPv4 address, both in the order of the network: one of 240.0.0.0/4, which nobody has.
 * No address and loopback stay as they are. */
static __always_inline __u32 redacted_v4(__u32 address)
{
	if (!hash_addresses || !address || (address & 0xff) == 127)
		return address;
	return ((__u32)address_hash(0xffff, address) & ~0xfu) | 0xf0;
}

/* Replaces an IPv6 address, in the order of the network, by its token: one of fdeb::/64, which is for
 * private use. One that stands for an IPv4 address goes on to do so, with the token of that. */
static __always_inline void redact_address(__u8 ip[16])
{
	if (!hash_addresses)
		return;
	__u64 high, low;
	__builtin_memcpy(&high, ip, 8);
	__builtin_memcpy(&low, ip + 8, 8);
	if (!high && (__u32)low == 0xffff0000) {
		low = (__u64)redacted_v4(low >> 32) << 32 | 0xffff0000;
		__builtin_memcpy(ip + 8, &low, 8);
		return;
	}
	/* :: and ::1 */
	if (!high && (!low || low == 1ull << 56))
		return;
	low = address_hash(high, low);
	high = 0xebfd;
	__builtin_memcpy(ip, &high, 8);
	__builtin_memcpy(ip + 8, &low, 8);
}

#define AF_UNIX 1
#define AF_INET 2
#define AF_INET6 10
#define AF_NETLINK 16

/* Bounds a value that is below anyway, where the verifier lost sight of that. */
#define BOUNDED(value, mask)                        \
	do {                                        \
		asm volatile("" : "+r"(value));     \
		value &= mask;                      \
	} while (0)

#define UNIX_KEPT 128u	 /* bytes of a name that the token is made of */
#define TOKEN_DIGITS 16u /* of the token of a name */

/* The token of a Unix socket's name, which has `length` bytes at `at`, in its place. Returns how long it is.
 * The two copies lie behind the address, where the next part has room. */
static __always_inline __u32 redact_unix(struct scratch *s, __u32 at, __u32 length)
{
	if (at > SCRATCH_MAX - 4 * UNIX_KEPT - 16 || !length || length > UNIX_KEPT)
		return 0;
	__u32 whole = at + UNIX_KEPT + 8, name = whole + UNIX_KEPT;
	bool is_abstract = !s->bytes[at];
	BOUNDED(length, 0xff);
	__builtin_memset(&s->bytes[whole], 0, UNIX_KEPT);
	__builtin_memset(&s->bytes[name], 0, UNIX_KEPT);
	bpf_probe_read_kernel(&s->bytes[whole], length, &s->bytes[at]);
	/* A path ends where it says, an abstract name at its length. */
	if (is_abstract)
		bpf_probe_read_kernel(&s->bytes[name], UNIX_KEPT, &s->bytes[whole]);
	else
		bpf_probe_read_kernel_str(&s->bytes[name], UNIX_KEPT, &s->bytes[whole]);
	__u64 token = is_abstract ? length : 0;
	for (__u32 i = 0; i < UNIX_KEPT / 8; i++) {
		__u64 word;
		__builtin_memcpy(&word, &s->bytes[name + 8 * i], 8);
		token = address_hash(token, word);
	}
	if (!is_abstract)
		s->bytes[at] = '/';
	for (__u32 i = 0; i < TOKEN_DIGITS; i++) {
		__u32 digit = token >> 4 * i & 15;
		s->bytes[at + 1 + i] = digit < 10 ? '0' + digit : 'a' + digit - 10;
	}
	return 1 + TOKEN_DIGITS;
}

/* Redacts the socket address of `length` bytes at `at`. Returns how long it is now; of a family that is
 * not known here, only the family stays. */
static __noinline __u32 redact_sockaddr(struct scratch *s, __u32 at, __u32 length)
{
	if ((!hash_addresses && !no_paths) || at > SCRATCH_MAX - 4 * UNIX_KEPT - 32 || length < 2)
		return length;
	__u16 family = *(__u16 *)&s->bytes[at];
	if (family == AF_UNIX) {
		bool is_path = length > 2 && s->bytes[at + 2];
		if (hash_addresses)
			return 2 + redact_unix(s, at + 2, length - 2);
		return is_path ? 2 : length;
	}
	if (!hash_addresses)
		return length;
	if (family == AF_INET && length >= 8) {
		__u32 address;
		__builtin_memcpy(&address, &s->bytes[at + 4], 4);
		address = redacted_v4(address);
		__builtin_memcpy(&s->bytes[at + 4], &address, 4);
		return 8;
	}
	if (family == AF_INET6 && length >= 24) {
		redact_address(&s->bytes[at + 8]);
		return length < 28 ? 24 : 28;
	}
	if (family == AF_NETLINK)
		return length < 12 ? length : 12;
	return 2;
}
