/* Walks over sockets: those that are open when recording begins, those that are gone and did not tell, and
 * those that are left when it ends.
 *
 * The last two hand their records to the reader of the walk, who puts them where those of the ring go. */
#pragma once

/* Processes that ended: what they had open ended with them. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 4096);
	__type(key, __u32);
	__type(value, __u64);
} ended_processes SEC(".maps");

/* When a process ends, what it has open ends soon after. */
SEC("tp_btf/sched_process_exit")
int BPF_PROG(tp_btf__sched_process_exit__for_network, struct task_struct *task)
{
	struct thread *thread = thread_of(task);
	if (!thread || !in_scope(thread) || BPF_CORE_READ(task, signal, live.counter))
		return 0;
	__u32 pid = FIELD(task, tgid);
	__u64 now_ns = bpf_ktime_get_ns();
	bpf_map_update_elem(&ended_processes, &pid, &now_ns, BPF_ANY);
	return 0;
}

/* Every open file of the machine, when the other programs are attached. */
SEC("iter/task_file")
int iter__open_sockets(struct bpf_iter__task_file *ctx)
{
	struct task_struct *task = ctx->task;
	struct file *file = ctx->file;
	if (!task || !file || (BPF_CORE_READ(file, f_inode, i_mode) & 0170000) != 0140000)
		return 0;
	struct thread *thread = thread_of(task);
	if (!thread || !in_scope(thread))
		return 0;
	struct socket *socket = BPF_CORE_READ(file, private_data);
	struct sock *sk = BPF_CORE_READ(socket, sk);
	__u64 key = (__u64)sk;
	if (!key)
		return 0;
	struct socket_state *s = bpf_map_lookup_elem(&sockets, &key);
	if (s) {
		/* Used before this walk came by, and surely open before the recording. */
		if (s->bits & SOCKET_COUNTS)
			s->bits |= SOCKET_PREEXISTING;
		return 0;
	}
	__u64 owner = (__u64)BPF_CORE_READ(task, tgid) << 32 | (__u32)BPF_CORE_READ(task, pid);
	if (!has_messages && BPF_CORE_READ(sk, sk_protocol) != 6)
		return 0;
	s = socket_found(sk, key, owner, 0, false, LANE_WALK);
	if (s) {
		s->bits |= SOCKET_PREEXISTING;
		s->opener_pid = 0;
	}
	return 0;
}

/* Hands a record to the reader of the walk. The entry goes first: who deletes it tells of the end. */
static __always_inline void hand_over(struct seq_file *seq, __u64 key, struct socket_state *s, __u64 ended_ns,
				      bool approximate)
{
	struct scratch *parts = scratch(LANE_WALK);
	if (!parts)
		return;
	tell_rest(s);
	connection_record((void *)parts->bytes, s, ended_ns, approximate);
	parts->size = sizeof(struct ebrec_connection);
	bool named = s->named;
	if (bpf_map_delete_elem(&sockets, &key))
		return;
	if (named)
		tail_names(parts, key);
	struct ebrec_header *record = (void *)parts->bytes;
	__u32 size = parts->size;
	if (size > SCRATCH_MAX)
		return;
	record->size = size;
	struct counter *counter = counter_of(EBREC_CONNECTION, LANE_NONE);
	if (!counter)
		return;
	__sync_fetch_and_add(&counter->emitted, 1);
	if (bpf_seq_write(seq, parts->bytes, size))
		__sync_fetch_and_add(&counter->lost, 1);
}

static __always_inline void look_at_socket(struct bpf_iter__bpf_map_elem *ctx, bool is_end)
{
	__u64 *address = ctx->key;
	if (!address)
		return;
	__u64 key = *address;
	struct socket_state *s = bpf_map_lookup_elem(&sockets, &key);
	if (!s)
		return;
	const struct sock *sk = (void *)s->sock;
	bool gone = is_gone(sk, s);
	bool approximate = false;
	__u64 ended_ns = s->ended_ns;
	if (s->protocol == EBREC_PROTOCOL_TCP) {
		/* TCP goes on without its program, and is told of when it ends. */
		gone = gone && s->ended_ns;
		if (!s->ended_ns) {
			note_ends(sk, s);
			s->inode = socket_inode(sk) ?: s->inode;
			if (s->role == EBREC_ROLE_LISTENER)
				note_listener(s);
			else if (is_end)
				note_counts(sk, s);
		}
	} else if (gone) {
		__u32 pid = s->owner >> 32;
		__u64 *exit_ns = bpf_map_lookup_elem(&ended_processes, &pid);
		ended_ns = exit_ns && *exit_ns >= s->used_ns ? *exit_ns : bpf_ktime_get_ns();
		approximate = true;
	} else {
		note_now(sk, key, s, LANE_WALK);
		s->drops = drops_of(sk) - s->drops_before;
	}
	if (gone || is_end)
		hand_over(ctx->meta->seq, key, s, ended_ns, approximate);
}

/* Sockets that are gone and did not tell; to be run once a second. */
SEC("iter/bpf_map_elem")
int iter__gone_sockets(struct bpf_iter__bpf_map_elem *ctx)
{
	look_at_socket(ctx, false);
	return 0;
}

/* All that are left when recording ends. */
SEC("iter/bpf_map_elem")
int iter__last_sockets(struct bpf_iter__bpf_map_elem *ctx)
{
	look_at_socket(ctx, true);
	return 0;
}
