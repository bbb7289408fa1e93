/* Requests to block devices, from their making to their completion.
 *
 * They complete in interrupts, on any CPU, so that what is known of a request lies in a hash keyed by
 * its address, and counts are atomic (LANE_NONE). A request belongs to the thread that made it: kernels
 * since 6.5 tell when that is; before, it is the thread that inserted it into the queue or, where there
 * is no queue, issued it. */
#pragma once

/* Whether this kernel tells of the making of requests. */
const volatile bool has_io_start = true;

/* As in the kernel. */
#define REQUEST_OP_WRITE 1u
#define REQUEST_OP_FLUSH 2u
#define REQUEST_OP_MASK 0xffu
#define REQUEST_PREFLUSH (1u << 18)
#define REQUEST_NAME 32

struct block_request {
	__u64 made_ns;
	__u64 issued_ns; /* or 0 */
	__u64 start_time_ns; /* the kernel's own: tells one request from the next at the same address */
	__u64 sector;
	__u32 made_bytes, bytes;
	__u32 pid, tid;
	__u32 cmd_flags;
	__u32 device;
	__u32 requeues;
	__u32 status; /* of a part that completed with an error, or 0 */
	__u32 is_foreign; /* made out of scope: kept, so that who issues it is not taken for its maker */
	__u32 reserved;
	char disk[REQUEST_NAME];
};

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1);
	__type(key, __u64);
	__type(value, struct block_request);
} block_requests SEC(".maps");

static __always_inline struct gendisk *disk_of(struct request___block *rq)
{
	struct request___v517 *old = (void *)rq;
	if (bpf_core_field_exists(old->rq_disk))
		return old->rq_disk;
	return rq->q->disk;
}

/* Whether this completion is of the data of a request that a flush of the disk's cache belongs to. */
static __always_inline bool is_flush_step(struct request___block *rq)
{
	__u32 flags = rq->rq_flags;
	if (bpf_core_enum_value_exists(enum rqf_flags, __RQF_FLUSH_SEQ))
		return flags & (1u << bpf_core_enum_value(enum rqf_flags, __RQF_FLUSH_SEQ));
	return flags & (1u << 4);
}

static __always_inline void request_measure(struct block_request *request, struct request___block *rq)
{
	request->bytes = rq->__data_len;
	request->sector = rq->__sector;
	request->cmd_flags = rq->cmd_flags;
	/* What asks for nothing but a flush is made as a write of nothing. */
	if (!request->bytes && (request->cmd_flags & REQUEST_OP_MASK) == REQUEST_OP_WRITE &&
	    (request->cmd_flags & REQUEST_PREFLUSH))
		request->cmd_flags = (request->cmd_flags & ~REQUEST_OP_MASK) | REQUEST_OP_FLUSH;
}

/* As in the kernel since 5.12. */
#define PF_IO_WORKER 0x10u

/* Whose requests the running thread makes: the workers of io_uring are not followed as threads, and stand
 * for the first thread of their process. */
static __always_inline struct task_struct *maker(void)
{
	struct task_struct *task = current_task();
	struct task_struct___flags *worker = (void *)task;
	/* The flag first: to look a thread up costs more. */
	if (!(FIELD(worker, flags) & PF_IO_WORKER) || thread_of(task))
		return task;
	return FIELD(task, group_leader);
}

/* A request of the running thread. */
static __always_inline int request_make(struct request___block *rq, bool keep_foreign)
{
	struct task_struct *task = maker();
	struct thread *thread = task ? thread_of(task) : 0;
	bool is_ours = thread && in_scope(thread);
	if (!is_ours && !keep_foreign)
		return 0;
	__u64 key = (__u64)rq;
	struct block_request request = {};
	request.made_ns = bpf_ktime_get_ns();
	request.start_time_ns = rq->start_time_ns;
	request.is_foreign = !is_ours;
	if (is_ours) {
		identify(task, thread);
		request.pid = FIELD(task, tgid);
		request.tid = FIELD(task, pid);
		/* Kernels that do not tell when it was made may at least have noted it. */
		if (!has_io_start && request.start_time_ns && request.start_time_ns < request.made_ns)
			request.made_ns = request.start_time_ns;
		request_measure(&request, rq);
		request.made_bytes = request.bytes;
		struct gendisk *disk = disk_of(rq);
		if (disk) {
			request.device = disk->major << 20 | disk->first_minor;
			BPF_CORE_READ_STR_INTO(&request.disk, disk, disk_name);
		}
	}
	if (bpf_map_update_elem(&block_requests, &key, &request, BPF_ANY) && is_ours)
		emit_failed(EBREC_BLOCK_IO, LANE_NONE);
	return 0;
}

static __always_inline void block_emit(struct block_request *request, __u64 end_ns, __u32 status, __u32 lane)
{
	struct ebrec_block_io record = {};
	header(&record.header, EBREC_BLOCK_IO, request->made_ns, request->pid, request->tid, sizeof(record));
	record.duration_ns = end_ns ? end_ns - request->made_ns : EBREC_UNKNOWN;
	record.queue_ns = request->issued_ns ? request->issued_ns - request->made_ns : EBREC_UNKNOWN;
	record.service_ns = end_ns && request->issued_ns ? end_ns - request->issued_ns : EBREC_UNKNOWN;
	bool is_flush = (request->cmd_flags & REQUEST_OP_MASK) == REQUEST_OP_FLUSH;
	record.sector = is_flush ? EBREC_UNKNOWN : request->sector;
	record.bytes = request->bytes;
	record.merged_bytes = request->bytes > request->made_bytes ? request->bytes - request->made_bytes : 0;
	record.request_flags = request->cmd_flags;
	record.error = status ? status : request->status;
	record.device = request->device;
	record.requeues = request->requeues;
	__builtin_memcpy(record.disk, request->disk, sizeof(record.disk));
	emit(&disk_ring, &record, EBREC_BLOCK_IO, sizeof(record), lane);
}

static __always_inline int request_insert(struct request___block *rq)
{
	__u64 key = (__u64)rq;
	struct block_request *request = bpf_map_lookup_elem(&block_requests, &key);
	/* Inserted once more; else what was there ended without a completion, merged into another. */
	if (request && request->start_time_ns == rq->start_time_ns &&
	    (request->start_time_ns || request->requeues))
		return 0;
	return request_make(rq, true);
}

static __always_inline int request_issue(struct request___block *rq)
{
	__u64 key = (__u64)rq;
	struct block_request *request = bpf_map_lookup_elem(&block_requests, &key);
	if (!request) {
		/* The flush that the kernel makes of those that were asked for is nobody's. */
		if (has_io_start || (rq->cmd_flags & REQUEST_OP_MASK) == REQUEST_OP_FLUSH)
			return 0;
		request_make(rq, false);
		request = bpf_map_lookup_elem(&block_requests, &key);
		if (!request)
			return 0;
	}
	if (request->is_foreign)
		return 0;
	/* By now others have been merged into it. */
	request_measure(request, rq);
	request->issued_ns = bpf_ktime_get_ns();
	return 0;
}

static __always_inline int request_requeue(struct request___block *rq)
{
	__u64 key = (__u64)rq;
	struct block_request *request = bpf_map_lookup_elem(&block_requests, &key);
	if (request)
		request->requeues++;
	return 0;
}

/* It goes on as part of another request, and has no completion of its own. */
static __always_inline int request_merge(struct request___block *rq)
{
	__u64 key = (__u64)rq;
	bpf_map_delete_elem(&block_requests, &key);
	return 0;
}

SEC("tp_btf/block_io_start")
int BPF_PROG(tp_btf__block_io_start, struct request___block *rq)
{
	/* What was at this address ended, and the kernel did not tell: nobody knows when. */
	__u64 key = (__u64)rq;
	struct block_request *request = bpf_map_lookup_elem(&block_requests, &key);
	if (request && !request->is_foreign)
		block_emit(request, 0, 0, LANE_NONE);
	return request_make(rq, false);
}

/* Before 6.5; not attached where the one above is. Before 5.11, but for later releases of 5.10, the queue
 * comes before the request: the variant is taken where there is no second argument. */
SEC("tp_btf/block_rq_insert")
int BPF_PROG(tp_btf__block_rq_insert, void *queue, struct request___block *rq)
{
	return request_insert(rq);
}

SEC("tp_btf/block_rq_insert")
int BPF_PROG(tp_btf__block_rq_insert__v511, struct request___block *rq)
{
	return request_insert(rq);
}

SEC("tp_btf/block_rq_issue")
int BPF_PROG(tp_btf__block_rq_issue, void *queue, struct request___block *rq)
{
	return request_issue(rq);
}

SEC("tp_btf/block_rq_issue")
int BPF_PROG(tp_btf__block_rq_issue__v511, struct request___block *rq)
{
	return request_issue(rq);
}

SEC("tp_btf/block_rq_requeue")
int BPF_PROG(tp_btf__block_rq_requeue, void *queue, struct request___block *rq)
{
	return request_requeue(rq);
}

SEC("tp_btf/block_rq_requeue")
int BPF_PROG(tp_btf__block_rq_requeue__v511, struct request___block *rq)
{
	return request_requeue(rq);
}

SEC("tp_btf/block_rq_merge")
int BPF_PROG(tp_btf__block_rq_merge, void *queue, struct request___block *rq)
{
	return request_merge(rq);
}

SEC("tp_btf/block_rq_merge")
int BPF_PROG(tp_btf__block_rq_merge__v511, struct request___block *rq)
{
	return request_merge(rq);
}

/* Comes for each part that completes; what remains then is still in the request. */
SEC("tp_btf/block_rq_complete")
int BPF_PROG(tp_btf__block_rq_complete, struct request___block *rq, int error, unsigned int done_bytes)
{
	__u64 key = (__u64)rq;
	struct block_request *request = bpf_map_lookup_elem(&block_requests, &key);
	if (!request)
		return 0;
	if (done_bytes < rq->__data_len || is_flush_step(rq)) {
		if (error)
			request->status = error;
		return 0;
	}
	struct block_request copy = *request;
	bpf_map_delete_elem(&block_requests, &key);
	if (!copy.is_foreign)
		block_emit(&copy, bpf_ktime_get_ns(), error, LANE_NONE);
	return 0;
}

static long block_unfinished(void *map, const void *key, void *value, void *ctx)
{
	struct block_request *request = value;
	if (!request->is_foreign)
		block_emit(request, 0, 0, LANE_NONE);
	return 0;
}

/* Requests that have not completed when recording ends, all of them at the first task. */
SEC("iter/task")
int iter__finish_block_io(struct bpf_iter__task *ctx)
{
	if (!ctx->meta->seq_num)
		bpf_for_each_map_elem(&block_requests, block_unfinished, 0, 0);
	return 0;
}
