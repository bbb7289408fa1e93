/* io_uring operations that name files: their paths and arguments, as the system call of the same name has them.
 *
 * The kernel copied the paths before it tells of the submission, and frees them before it tells of the
 * completion. So the record is put together at submission and kept until then. */
#pragma once

/* A request that has not completed. */
struct request {
	__u64 submit_ns;
	__u32 pid, tid;
	__u32 opcode;
	__s32 fd;
};

#define OP(number) (1ull << (number))
#define NAMES_FILES                                                                                  \
	(OP(IORING_OP_OPENAT) | OP(IORING_OP_OPENAT2) | OP(IORING_OP_STATX) | OP(IORING_OP_RENAMEAT) | \
	 OP(IORING_OP_UNLINKAT) | OP(IORING_OP_MKDIRAT) | OP(IORING_OP_SYMLINKAT) | OP(IORING_OP_LINKAT))

struct named_request {
	__u8 record[sizeof(struct ebrec_io_uring) + 2 * (TAIL_HEADER + PATH_KEPT)];
};

/* Allocated beforehand: for each request anew it would take ten times as long. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1); /* set by the recorder */
	__type(key, __u64);
	__type(value, struct named_request);
} named_requests SEC(".maps");

static __always_inline bool names_files(__u32 opcode)
{
	return opcode < 64 && (NAMES_FILES & OP(opcode));
}

/* The flag that the kernel adds to those of every open. */
#if defined(__TARGET_ARCH_x86)
#define O_LARGEFILE 0x8000ull
#else
#define O_LARGEFILE 0x20000ull
#endif

/* A name in the command data of a request. */
#define NAME(type, command, field)                                                             \
	({                                                                                     \
		struct type *now = command;                                                    \
		struct type##___v70 *delayed = command;                                        \
		bpf_core_field_exists(delayed->field.__incomplete_filename)                    \
			? BPF_CORE_READ(delayed, field.__incomplete_filename)                  \
			: BPF_CORE_READ(now, field);                                           \
	})

struct names {
	struct filename *path, *path2;
};

/* Fills in the arguments of a request; one that is a pointer is 0. Returns how many there are. */
static __always_inline __u32 request_arguments(struct io_kiocb *req, __u32 opcode, __u64 *args, struct names *names)
{
	void *command = __builtin_preserve_access_index(&req->cmd);
	if (opcode == IORING_OP_OPENAT || opcode == IORING_OP_OPENAT2) {
		struct io_open *open = command;
		names->path = NAME(io_open, command, filename);
		args[0] = (__s64)BPF_CORE_READ(open, dfd);
		/* Where in the ring's table of files it goes, in place of a descriptor. */
		args[4] = BPF_CORE_READ(open, file_slot);
		if (opcode == IORING_OP_OPENAT) {
			args[2] = BPF_CORE_READ(open, how.flags) & ~O_LARGEFILE;
			args[3] = BPF_CORE_READ(open, how.mode);
		}
		return args[4] ? 5 : opcode == IORING_OP_OPENAT ? 4 : 2;
	}
	if (opcode == IORING_OP_UNLINKAT) {
		struct io_unlink *unlink = command;
		names->path = NAME(io_unlink, command, filename);
		args[0] = (__s64)BPF_CORE_READ(unlink, dfd);
		args[2] = (__s64)BPF_CORE_READ(unlink, flags);
		return 3;
	}
	if (opcode == IORING_OP_MKDIRAT) {
		struct io_mkdir *mkdir = command;
		names->path = NAME(io_mkdir, command, filename);
		args[0] = (__s64)BPF_CORE_READ(mkdir, dfd);
		args[2] = BPF_CORE_READ(mkdir, mode);
		return 3;
	}
	if (opcode == IORING_OP_RENAMEAT) {
		struct io_rename *rename = command;
		names->path = NAME(io_rename, command, oldpath);
		names->path2 = NAME(io_rename, command, newpath);
		args[0] = (__s64)BPF_CORE_READ(rename, old_dfd);
		args[2] = (__s64)BPF_CORE_READ(rename, new_dfd);
		/* Those of renameat2, which is what it does. */
		args[4] = (__s64)BPF_CORE_READ(rename, flags);
		return 5;
	}
	if (opcode == IORING_OP_STATX) {
		struct io_statx *statx = command;
		names->path = NAME(io_statx, command, filename);
		args[0] = (__s64)BPF_CORE_READ(statx, dfd);
		args[2] = BPF_CORE_READ(statx, flags);
		args[3] = BPF_CORE_READ(statx, mask);
		return 5;
	}
	struct io_link *link = command;
	names->path = NAME(io_link, command, oldpath);
	names->path2 = NAME(io_link, command, newpath);
	if (opcode == IORING_OP_SYMLINKAT) {
		args[1] = (__s64)BPF_CORE_READ(link, new_dfd);
		return 3;
	}
	args[0] = (__s64)BPF_CORE_READ(link, old_dfd);
	args[2] = (__s64)BPF_CORE_READ(link, new_dfd);
	args[4] = (__s64)BPF_CORE_READ(link, flags);
	return 5;
}

static __always_inline void tail_filename(struct scratch *s, __u8 tag, struct filename *name)
{
	if (name && !no_paths)
		tail_kernel_string(s, tag, BPF_CORE_READ(name, name));
}

/* Puts together the record of a request that has not completed. A function of its own: requests without names
 * do without its room on the stack. */
static __noinline int named_record(struct scratch *s, struct io_kiocb *req, struct request *request)
{
	struct ebrec_io_uring *record = (void *)s->bytes;
	struct names names = {};
	__builtin_memset(record->args, 0, sizeof(record->args));
	__u32 args = request_arguments(req, request->opcode, record->args, &names);
	s->size = sizeof(*record) - sizeof(record->args) + 8 * args;
	header(&record->header, EBREC_IO_URING, request->submit_ns, request->pid, request->tid, s->size);
	record->duration_ns = EBREC_UNKNOWN;
	record->ret = EBREC_NOT_RETURNED;
	record->call = request->opcode;
	record->reserved = 0;
	tail_filename(s, EBREC_TAIL_PATH, names.path);
	tail_filename(s, EBREC_TAIL_PATH2, names.path2);
	record->header.size = s->size;
	return 0;
}

/* Keeps the record until the request completes. */
static __always_inline bool named_keep(__u64 key, struct io_kiocb *req, struct request *request)
{
	struct scratch *s = scratch(LANE_EVENT);
	if (!s)
		return false;
	named_record(s, req, request);
	return !bpf_map_update_elem(&named_requests, &key, s->bytes, BPF_ANY);
}

static __always_inline void named_emit(__u64 key, __u64 duration_ns, __s64 ret, __u32 lane)
{
	struct named_request *kept = bpf_map_lookup_elem(&named_requests, &key);
	if (!kept) {
		emit_failed(EBREC_IO_URING, lane);
		return;
	}
	struct ebrec_io_uring *record = (void *)kept->record;
	__u32 size = record->header.size;
	record->header.cpu = bpf_get_smp_processor_id();
	record->duration_ns = duration_ns;
	record->ret = ret;
	if (size <= sizeof(kept->record))
		emit(&syscalls_ring, record, EBREC_IO_URING, size, lane);
	bpf_map_delete_elem(&named_requests, &key);
}
