/* What programs do with sockets: each time something is sent or received on one.
 *
 * Since 6.3 the kernel has tracepoints for what was sent and received, however it was asked to. Before,
 * the exits of system calls tell, which costs every system call of the machine a look-up. */
#pragma once

#define MSG_PEEK 0x2
#define MSG_ERRQUEUE 0x2000
#define EINTR 4
#define EAGAIN 11

static __always_inline void unix_name(const struct sock *sk, char *name, __u16 *length)
{
	const struct unix_sock *unix_socket = (void *)sk;
	struct unix_address *address = BPF_CORE_READ(unix_socket, addr);
	*length = 0;
	if (!address)
		return;
	/* The address family comes first. */
	__u64 bytes = BPF_CORE_READ(address, len) - 2;
	asm volatile("" : "+r"(bytes));
	if (!bytes || bytes > UNIX_NAME_MAX)
		return;
	void *path = (void *)address + bpf_core_field_offset(struct unix_address, name) +
		     bpf_core_field_offset(struct sockaddr_un, sun_path);
	if (!bpf_probe_read_kernel(name, bytes, path))
		*length = bytes;
}

/* Notes the names of a unix socket and of its peer, and what they tell of its role. */
static __always_inline void note_names(const struct sock *sk, __u64 key, struct socket_state *s, __u32 lane)
{
	struct scratch *parts = scratch(lane);
	if (!parts)
		return;
	struct unix_names *names = (void *)parts->bytes;
	const struct unix_sock *unix_socket = (void *)sk;
	struct sock *peer = BPF_CORE_READ(unix_socket, peer);
	unix_name(sk, names->local, &names->local_length);
	names->remote_length = 0;
	if (peer)
		unix_name(peer, names->remote, &names->remote_length);
	bool local = names->local_length, remote = names->remote_length;
	s->local.family = local ? AF_UNIX : 0;
	s->remote.family = remote ? AF_UNIX : 0;
	if (s->state == TCP_LISTEN)
		s->role = EBREC_ROLE_LISTENER;
	else if (local != remote && s->state == TCP_ESTABLISHED)
		s->role = remote ? EBREC_ROLE_CLIENT : EBREC_ROLE_SERVER;
	if (local || remote)
		s->named = !bpf_map_update_elem(&unix_names, &key, names, BPF_ANY);
}

/* Notes what may have changed since the socket was last looked at. */
static __always_inline void note_now(const struct sock *sk, __u64 key, struct socket_state *s, __u32 lane)
{
	__u32 state = BPF_CORE_READ(sk, __sk_common.skc_state);
	if (s->protocol != EBREC_PROTOCOL_TCP && state == TCP_CLOSE)
		state = EBREC_STATE_UNCONNECTED;
	s->state = state;
	s->inode = socket_inode(sk) ?: s->inode;
	if (!is_unix(s)) {
		note_ends(sk, s);
		return;
	}
	struct pid *peer = BPF_CORE_READ(sk, sk_peer_pid);
	s->peer_pid = peer ? BPF_CORE_READ(peer, numbers[0].nr) : 0;
	note_names(sk, key, s, lane);
}

/* Begins a socket that was not seen to be made. `ret` bytes were just sent or received. */
static __always_inline struct socket_state *socket_found(const struct sock *sk, __u64 key, __u64 owner, __s64 ret,
							 bool sent, __u32 lane)
{
	__u32 protocol = protocol_of(sk);
	__u32 state = BPF_CORE_READ(sk, __sk_common.skc_state);
	/* What TCP has closed has been told, or was never connected. */
	if (!protocol || (protocol == EBREC_PROTOCOL_TCP && state == TCP_CLOSE))
		return 0;
	struct socket_state *s = socket_begin(key, protocol, EBREC_ROLE_PEER, owner);
	if (!s)
		return 0;
	if (protocol == EBREC_PROTOCOL_TCP) {
		s->bits |= SOCKET_PREEXISTING;
		s->opener_pid = 0;
		if (state == TCP_LISTEN)
			s->role = EBREC_ROLE_LISTENER;
		if (1u << (state & 15) & STATES_WITH_FIN)
			s->bits |= SOCKET_SENT_FIN;
		const struct tcp_sock *tcp = (void *)sk;
		s->sent_before = tcp_sent(sk, s->bits) - (sent && ret > 0 ? ret : 0);
		s->received_before = tcp_received(sk) - (!sent && ret > 0 ? ret : 0);
		s->retransmits_before = BPF_CORE_READ(tcp, total_retrans);
	}
	s->drops_before = lane == LANE_WALK || protocol == EBREC_PROTOCOL_TCP ? drops_of(sk) : 0;
	note_now(sk, key, s, lane);
	if (state == TCP_LISTEN && protocol == EBREC_PROTOCOL_TCP)
		note_listener(s);
	return s;
}

/* A unix socket that is closed is not told of: another may have come in its place. */
static __always_inline bool is_gone(const struct sock *sk, struct socket_state *s)
{
	struct socket *socket = BPF_CORE_READ(sk, sk_socket);
	return !socket || BPF_CORE_READ(socket, sk) != sk || socket_inode(sk) != s->inode;
}

static __always_inline void unix_end(__u64 key, struct socket_state *s)
{
	tell_rest(s);
	connection_send_named(key, bpf_ktime_get_ns(), true);
}

/* The other end is told of a unix socket's end by receiving nothing. */
static __always_inline void look_at_peer(const struct sock *sk)
{
	const struct unix_sock *unix_socket = (void *)sk;
	__u64 key = (__u64)BPF_CORE_READ(unix_socket, peer);
	struct socket_state *s = key ? bpf_map_lookup_elem(&sockets, &key) : 0;
	if (s && is_unix(s) && is_gone((void *)key, s))
		unix_end(key, s);
}

/* Only in system calls: takes down the first use of a socket. */
__noinline int socket_first_use(__u64 key, __s64 ret, __u32 sent)
{
	struct socket_state *s =
		socket_found((void *)key, key, bpf_get_current_pid_tgid(), ret, sent, LANE_EVENT);
	if (s && s->protocol != EBREC_PROTOCOL_TCP)
		tell(s, EBREC_SOCKET_FIRST_USE | (__u32)s->state << 16, 0, 1, 0);
	return 0;
}

__noinline int unix_closed(__u64 key)
{
	struct socket_state *s = bpf_map_lookup_elem(&sockets, &key);
	if (s && is_unix(s) && is_gone((void *)key, s))
		unix_end(key, s);
	return 0;
}

__noinline int unix_peer_closed(__u64 key)
{
	look_at_peer((void *)key);
	return 0;
}

/* `calls` messages with `bytes` bytes in all were sent or received. */
static __always_inline int socket_used(__u64 key, __s64 bytes, __u32 calls, bool sent)
{
	struct socket_state *s = bpf_map_lookup_elem(&sockets, &key);
	struct task_struct *task = current_task();
	if (s && is_unix(s) && s->inode != socket_inode((void *)key)) {
		unix_closed(s->sock);
		s = 0;
	}
	struct thread *thread = 0;
	if (!s) {
		thread = thread_of(task);
		/* A worker of io_uring has no state of its own. */
		if (!thread)
			thread = thread_of(FIELD(task, group_leader));
		if (!thread || !in_scope(thread))
			return 0;
		/* A pointer becomes a number in memory only. */
		__u64 number = 0;
		bpf_probe_read_kernel(&number, sizeof(number), &key);
		socket_first_use(number, bytes, sent);
		s = bpf_map_lookup_elem(&sockets, &key);
		if (!s)
			return 0;
	}
	__u64 owner = bpf_get_current_pid_tgid();
	if (s->owner != owner && (thread = thread_of(task)) && in_scope(thread)) {
		identify_apart(task, thread, LANE_EVENT);
		s->owner = owner;
		if (!s->opener_pid && !(s->bits & SOCKET_PREEXISTING))
			s->opener_pid = owner >> 32;
		if (!s->inode)
			s->inode = socket_inode((void *)key);
	}
	bool counts = s->bits & SOCKET_COUNTS;
	if (bytes < 0) {
		/* TCP tells of its errors itself. Numbers from 512 are the kernel's own, and to be tried again. */
		if (counts && bytes > -512 && bytes != -EAGAIN && bytes != -EINTR)
			s->error = -bytes;
		return 0;
	}
	if (counts)
		s->used_ns = bpf_ktime_get_ns();
	bool stream = s->protocol == EBREC_PROTOCOL_TCP || s->protocol == EBREC_PROTOCOL_UNIX_STREAM ||
		      s->protocol == EBREC_PROTOCOL_UNIX_SEQPACKET;
	if (sent) {
		__sync_fetch_and_add(&s->sends, calls);
		if (counts)
			__sync_fetch_and_add(&s->sent_bytes, bytes);
	} else if (bytes || !stream) {
		__sync_fetch_and_add(&s->receives, calls);
		if (counts)
			__sync_fetch_and_add(&s->received_bytes, bytes);
	} else if (is_unix(s)) {
		unix_peer_closed(s->sock);
	}
	return 0;
}

SEC("tp_btf/sock_send_length")
int BPF_PROG(tp_btf__sock_send_length, struct sock *sk, int ret)
{
	return socket_used((__u64)sk, ret, 1, true);
}

SEC("tp_btf/sock_recv_length")
int BPF_PROG(tp_btf__sock_recv_length, struct sock *sk, int ret, int flags)
{
	if (flags & (MSG_PEEK | MSG_ERRQUEUE))
		return 0;
	return socket_used((__u64)sk, ret, 1, false);
}

#if defined(__TARGET_ARCH_x86)
enum { READ = 0, WRITE = 1, READV = 19, WRITEV = 20, SENDFILE = 40, SENDTO = 44, RECVFROM = 45, SENDMSG = 46,
       RECVMSG = 47, SPLICE = 275, RECVMMSG = 299, SENDMMSG = 307 };
#else
enum { READ = 63, WRITE = 64, READV = 65, WRITEV = 66, SENDFILE = 71, SPLICE = 76, SENDTO = 206, RECVFROM = 207,
       SENDMSG = 211, RECVMSG = 212, RECVMMSG = 243, SENDMMSG = 269 };
#endif

/* The socket that a number of the process stands for; 0 if it is another file. */
static __always_inline __u64 socket_of_fd(struct task_struct *task, __u32 fd)
{
	struct fdtable *table = BPF_CORE_READ(task, files, fdt);
	if (fd >= BPF_CORE_READ(table, max_fds))
		return 0;
	struct file **files = BPF_CORE_READ(table, fd), *file = 0;
	bpf_probe_read_kernel(&file, sizeof(file), &files[fd]);
	if (!file || (BPF_CORE_READ(file, f_inode, i_mode) & 0170000) != 0140000)
		return 0;
	struct socket *socket = BPF_CORE_READ(file, private_data);
	return (__u64)BPF_CORE_READ(socket, sk);
}

/* Whether the call that the current thread is in names this socket by its descriptor. */
static __always_inline bool calls_on(struct task_struct *task, __u64 sk)
{
	struct pt_regs *regs = registers_of(task);
	if (!sk || !regs)
		return false;
#if defined(__TARGET_ARCH_x86)
	__u64 descriptor = is_compat(task) ? (__u32)BPF_CORE_READ(regs, bx) : BPF_CORE_READ(regs, di);
#else
	__u64 descriptor = BPF_CORE_READ(regs, orig_x0);
#endif
	return descriptor <= 0xffffffff && socket_of_fd(task, descriptor) == sk;
}

#define MESSAGES_MAX 1024
struct mmsghdr {
	__u64 header[7];
	__u32 length;
};

/* Bytes of all messages of sendmmsg or recvmmsg. */
__noinline int messages_bytes(__u64 messages, __u32 count)
{
	__u32 bytes = 0;
	for (__u32 i = 0; i < MESSAGES_MAX && i < count; i++) {
		__u32 length = 0;
		const struct mmsghdr *message = (void *)messages;
		bpf_probe_read_user(&length, sizeof(length), &message[i].length);
		bytes += length;
	}
	return bytes;
}

/* What a call did to the socket `fd`, if it did anything. */
static __always_inline int call_used(struct task_struct *task, __u32 fd, __s64 ret, __u32 calls, bool sent)
{
	__u64 key = socket_of_fd(task, fd);
	return key ? socket_used(key, ret, calls, sent) : 0;
}

/* Only where the kernel has no sock_send_length: see recorder/src/kernel.rs. */
SEC("tp_btf/sys_exit")
int BPF_PROG(tp_btf__sys_exit__for_network, struct pt_regs *regs, long ret)
{
	struct task_struct *task = current_task();
	struct thread *thread = thread_of(task);
	if (!thread || !in_scope(thread) || is_compat(task))
		return 0;
	struct pt_regs copy;
	bpf_core_read(&copy, sizeof(copy), regs);
	__u32 number = call_number(&copy), calls = 1, fd;
	__s64 bytes = ret;
	__u64 flags = 0;
	bool sent = false;
	__u64 args[6];
	arguments(args, &copy, false);
	fd = args[0];
	switch (number) {
	case SENDMMSG:
	case RECVMMSG:
		if (ret <= 0)
			return 0;
		sent = number == SENDMMSG;
		flags = args[3];
		calls = ret;
		bytes = (__u32)messages_bytes(args[1], calls);
		break;
	case WRITE:
	case WRITEV:
	case SENDTO:
	case SENDMSG:
	case SENDFILE:
		sent = true;
		break;
	case RECVFROM:
		flags = args[3];
		break;
	case RECVMSG:
		flags = args[2];
		break;
	case READ:
	case READV:
		break;
	case SPLICE:
		call_used(task, args[2], ret, 1, true);
		break;
	default:
		return 0;
	}
	if (!sent && flags & (MSG_PEEK | MSG_ERRQUEUE))
		return 0;
	return call_used(task, fd, bytes, calls, sent);
}
