/* io_uring operations, which bypass system calls: submission and completion joined by the request. */
#pragma once

struct request {
	__u64 submit_ns;
	__u32 pid, tid;
	__u32 opcode;
	__s32 fd;
};

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 16384);
	__type(key, __u64);
	__type(value, struct request);
} requests SEC(".maps");

static __always_inline int submit(struct io_kiocb *req)
{
	struct task_struct *task = current_task();
	struct thread *thread = thread_of(task);
	/* A kernel thread that polls the submission queue works for its process. */
	if (!thread) {
		struct task_struct *leader = FIELD(task, group_leader);
		thread = leader ? thread_of(leader) : 0;
	}
	if (!thread || !in_scope(thread))
		return 0;
	identify(task, thread);
	__u64 key = (__u64)req, pid_tgid = bpf_get_current_pid_tgid();
	struct request request = {
		.submit_ns = bpf_ktime_get_ns(),
		.pid = pid_tgid >> 32,
		.tid = (__u32)pid_tgid,
		.opcode = BPF_CORE_READ(req, opcode),
		.fd = BPF_CORE_READ(req, cqe.fd),
	};
	if (bpf_map_update_elem(&requests, &key, &request, BPF_ANY))
		emit_failed(EBREC_IO_URING);
	return 0;
}

static __always_inline int complete(void *req, __s32 res)
{
	__u64 key = (__u64)req;
	struct request *request = bpf_map_lookup_elem(&requests, &key);
	if (!request)
		return 0;
	struct ebrec_io_uring record = {};
	__u32 size = sizeof(record) - sizeof(record.args) + (request->fd >= 0 ? 8 : 0);
	header(&record.header, EBREC_IO_URING, request->submit_ns, request->pid, request->tid, size);
	record.duration_ns = bpf_ktime_get_ns() - request->submit_ns;
	record.ret = res;
	record.call = request->opcode;
	record.args[0] = request->fd;
	bpf_map_delete_elem(&requests, &key);
	emit(&syscalls_ring, &record, EBREC_IO_URING, size);
	return 0;
}

SEC("tp_btf/io_uring_submit_req")
int BPF_PROG(tp_btf__io_uring_submit_req, struct io_kiocb *req)
{
	return submit(req);
}

/* The name before 6.4. */
SEC("tp_btf/io_uring_submit_sqe")
int BPF_PROG(tp_btf__io_uring_submit_sqe, struct io_kiocb *req)
{
	return submit(req);
}

SEC("tp_btf/io_uring_complete")
int BPF_PROG(tp_btf__io_uring_complete, void *ring, void *req, struct io_uring_cqe *cqe)
{
	return complete(req, cqe->res);
}

/* Before 6.10 the result is an argument; loaded where the one above is refused. */
SEC("tp_btf/io_uring_complete")
int BPF_PROG(tp_btf__io_uring_complete__v610, void *ring, void *req, __u64 user_data, int res)
{
	return complete(req, res);
}
