/* io_uring operations, which bypass system calls: submission and completion joined by the request. */
#pragma once

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 16384);
	__type(key, __u64);
	__type(value, struct request);
} requests SEC(".maps");

/* Operations that name no open file: what lies in their request's descriptor is left over. */
#define WITHOUT_FD                                                                                 \
	(NAMES_FILES | OP(IORING_OP_NOP) | OP(IORING_OP_POLL_REMOVE) | OP(IORING_OP_TIMEOUT) |       \
	 OP(IORING_OP_TIMEOUT_REMOVE) | OP(IORING_OP_ASYNC_CANCEL) | OP(IORING_OP_CLOSE) |           \
	 OP(IORING_OP_FILES_UPDATE) | OP(IORING_OP_MADVISE) | OP(IORING_OP_EPOLL_CTL) |              \
	 OP(IORING_OP_PROVIDE_BUFFERS) | OP(IORING_OP_REMOVE_BUFFERS) | OP(IORING_OP_SOCKET) |       \
	 OP(50) /* waitid */ | OP(51) | OP(52) | OP(53) /* futex */)

static __always_inline void request_emit(struct request *request, __u64 duration_ns, __s64 ret, __u32 lane)
{
	struct ebrec_io_uring record = {};
	__u32 size = sizeof(record) - sizeof(record.args) + (request->fd >= 0 ? 8 : 0);
	header(&record.header, EBREC_IO_URING, request->submit_ns, request->pid, request->tid, size);
	record.duration_ns = duration_ns;
	record.ret = ret;
	record.call = request->opcode;
	record.args[0] = request->fd;
	emit(&syscalls_ring, &record, EBREC_IO_URING, size, lane);
}

/* Sends a request that will not be seen to complete. */
static __always_inline void request_emit_begun(struct io_kiocb *req, struct request *request)
{
	if (!names_files(request->opcode)) {
		request_emit(request, EBREC_UNKNOWN, EBREC_NOT_RETURNED, LANE_EVENT);
		return;
	}
	struct scratch *s = scratch(LANE_EVENT);
	if (!s) {
		emit_failed(EBREC_IO_URING, LANE_EVENT);
		return;
	}
	named_record(s, req, request);
	emit_scratch(&syscalls_ring, s, EBREC_IO_URING, LANE_EVENT);
}

static __always_inline int submit(struct io_kiocb *req)
{
	struct task_struct *task = current_task();
	struct thread *thread = thread_of(task);
	__u64 key = (__u64)req, pid_tgid = bpf_get_current_pid_tgid();
	__u32 pid = pid_tgid >> 32, tid = pid_tgid;
	if (thread) {
		if (!in_scope(thread))
			return 0;
		identify_apart(task, thread, LANE_EVENT);
	} else {
		/* A kernel thread that polls the submission queue works for its process. Nobody has announced
		 * it: what it does is of the first thread. */
		struct task_struct *leader = FIELD(task, group_leader);
		thread = leader ? thread_of(leader) : 0;
		if (!thread || !in_scope(thread))
			return 0;
		tid = pid;
	}
	struct request request = {
		.submit_ns = bpf_ktime_get_ns(),
		.pid = pid,
		.tid = tid,
		.opcode = req->opcode,
		.fd = req->cqe.fd,
	};
	if (request.opcode < 64 && (WITHOUT_FD & OP(request.opcode)))
		request.fd = -1;
	/* The kernel says nothing of its success, so that it would be kept for ever. */
	if (req->flags & IOSQE_CQE_SKIP_SUCCESS) {
		request_emit_begun(req, &request);
		return 0;
	}
	bool named = names_files(request.opcode);
	if (named && !named_keep(key, req, &request)) {
		emit_failed(EBREC_IO_URING, LANE_EVENT);
		return 0;
	}
	if (bpf_map_update_elem(&requests, &key, &request, BPF_ANY)) {
		emit_failed(EBREC_IO_URING, LANE_EVENT);
		if (named)
			bpf_map_delete_elem(&named_requests, &key);
	}
	return 0;
}

static __always_inline void request_ends(__u64 key, struct request *request, __u64 duration_ns, __s64 ret, __u32 lane)
{
	if (names_files(request->opcode))
		named_emit(key, duration_ns, ret, lane);
	else
		request_emit(request, duration_ns, ret, lane);
}

static __always_inline int complete(void *req, __s32 res)
{
	__u64 key = (__u64)req;
	struct request *request = bpf_map_lookup_elem(&requests, &key);
	if (!request)
		return 0;
	struct request copy = *request;
	bpf_map_delete_elem(&requests, &key);
	request_ends(key, &copy, bpf_ktime_get_ns() - copy.submit_ns, res, LANE_EVENT);
	return 0;
}

static long request_unfinished(void *map, const void *key, void *request, void *ctx)
{
	request_ends(*(const __u64 *)key, request, EBREC_UNKNOWN, EBREC_NOT_RETURNED, LANE_WALK);
	return 0;
}

/* Operations that have not completed when recording ends, all of them at the first task. */
SEC("iter/task")
int iter__finish_requests(struct bpf_iter__task *ctx)
{
	if (!ctx->meta->seq_num)
		bpf_for_each_map_elem(&requests, request_unfinished, 0, 0);
	return 0;
}

SEC("tp_btf/io_uring_submit_req")
int BPF_PROG(tp_btf__io_uring_submit_req, struct io_kiocb *req)
{
	return submit(req);
}

SEC("tp_btf/io_uring_submit_req")
int BPF_PROG(tp_btf__io_uring_submit_req__guarded, struct io_kiocb *req)
{
	return GUARDED(submit(req));
}

/* The name before 6.4. */
SEC("tp_btf/io_uring_submit_sqe")
int BPF_PROG(tp_btf__io_uring_submit_sqe, struct io_kiocb *req)
{
	return submit(req);
}

SEC("tp_btf/io_uring_complete")
int BPF_PROG(tp_btf__io_uring_complete, void *ring, void *req, struct io_uring_cqe___kernel *cqe)
{
	return complete(req, cqe->res);
}

SEC("tp_btf/io_uring_complete")
int BPF_PROG(tp_btf__io_uring_complete__guarded, void *ring, void *req, struct io_uring_cqe___kernel *cqe)
{
	return GUARDED(complete(req, cqe->res));
}

/* Before 6.10 the result is an argument; loaded where the one above is refused. */
SEC("tp_btf/io_uring_complete")
int BPF_PROG(tp_btf__io_uring_complete__v610, void *ring, void *req, __u64 user_data, int res)
{
	return complete(req, res);
}
