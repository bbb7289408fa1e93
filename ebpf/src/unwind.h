/* How a user stack is walked: the state of a walk, and the step from a frame to its caller.
 *
 * Code built without frame pointers is followed by rules that the recorder reads from .eh_frame and
 * puts into `unwind_rows`; memory without rules, and all of aarch64, by frame pointers. The steps are
 * global functions: the verifier looks at each once, and not at each of the frames it is called for.
 * What they carry lies in a map for the same reason (see ring.h). */
#pragma once

/* From the file offset `offset` on: where the caller's frame is. The same as Row in unwind/src/row.rs. */
struct unwind_row {
	__u32 offset;
	__s16 cfa_offset; /* in words */
	__u8 kind;
	__s8 fp_offset; /* where the caller's frame pointer was saved, in words from the CFA; 0: unchanged */
};
#define ROW_NONE 0   /* no rule */
#define ROW_SP 1     /* CFA = sp + cfa_offset */
#define ROW_FP 2     /* CFA = fp + cfa_offset */
#define ROW_PLT 3    /* CFA = sp + 8, and 8 more from byte 11 of the entry on */
#define ROW_SIGNAL 4 /* the interrupted registers lie at sp */
#define ROW_END 5    /* the outermost frame */
#define ROW_PLT10 6  /* as ROW_PLT, with byte 10 */
#define FP_LOST (-128)
#define ROWS_STEPS 22 /* of a binary search: 2^22 rows for a file */

/* The rules of all files, one file after the other; the recorder sets the size and fills them in. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct unwind_row);
} unwind_rows SEC(".maps");

/* Which of them are those of a file; of the vdso, all 0. A file that has none yet is not there. */
struct file_key {
	__u32 device; /* major << 20 | minor */
	__u32 pad;
	__u64 inode;
};
struct file_rows {
	__u32 first_row;
	__u32 rows;
};
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 16384);
	__type(key, struct file_key);
	__type(value, struct file_rows);
} files SEC(".maps");

/* Most frames of the user's part of a stack, at most FRAMES_MAX. */
const volatile __u32 stack_depth_max = 64;

#define FRAMES_MAX 127u
#define KERNEL_FRAMES_MAX 64u
#define FRAMES_SPACE 256u /* a power of two above both together */

#define STACK_TRUNCATED 1u	/* the outermost frames are missing */
#define STACK_FRAME_POINTERS 2u /* some were found by frame pointers only */

/* Executable memory of a process, as in its list of mappings. */
struct mapping {
	__u64 start, end;
	__u64 offset; /* of `start` in the file, in bytes */
	__u64 inode;
	__u32 device;
	__u32 epoch; /* segment in which it was last announced */
	__u32 has_rules; /* is of a file, or the vdso */
	__u32 pad;
};

/* A walk: the frame it has come to, and the record that is made of it. */
struct unwind {
	__u64 pc, sp, fp;
	__u64 at;	  /* address whose mapping is looked for */
	__u64 image;	  /* number for the memory of the process */
	__u64 trampoline; /* where functions with a return probe return to, or 0 */
	__u64 instance;	  /* the next of them, from the inside */
	__u64 hash;
	__u64 raw_id;
	__u64 node; /* of the tree of mappings */
	__u64 pivots[15];
	__u32 tgid;
	__u32 count;	     /* frames, the kernel's included */
	__u32 kernel_frames;
	__u32 limit;	     /* most frames of the user */
	__u32 flags;
	__u32 exact;	     /* pc was interrupted there, and is not where a call returns to */
	__u32 low, high;     /* of the binary search */
	struct mapping mapping; /* that of the last frame */
	struct file_rows rows;	/* and its rules */
	__u32 gap; /* aligns `frames` */
	__u8 record[sizeof(struct ebrec_stack)];
	__u8 tag, tail_flags;
	__u16 length;
	__u64 frames[FRAMES_SPACE];
};
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, LANES_OF_CPU);
	__type(key, __u32);
	__type(value, struct unwind);
} unwinds SEC(".maps");

#ifndef EBREC_HASH
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, PROBES);
	__type(key, __u32);
	__type(value, struct unwind);
} probe_unwinds SEC(".maps");
#endif

static __always_inline struct unwind *unwind_of(__u32 lane)
{
#ifndef EBREC_HASH
	if (lane >= LANE_PROBE) {
		__u32 probe = lane - LANE_PROBE;
		return bpf_map_lookup_elem(&probe_unwinds, &probe);
	}
#endif
	return bpf_map_lookup_elem(&unwinds, &lane);
}

static __always_inline __u64 hash_add(__u64 hash, __u64 frame)
{
	hash = (hash ^ frame) * 0x9e3779b97f4a7c15;
	return hash ^ hash >> 32;
}

static __always_inline void push_frame(struct unwind *u, __u64 pc)
{
	u->frames[u->count & (FRAMES_SPACE - 1)] = pc;
	u->count++;
	u->hash = hash_add(u->hash, pc);
}

static __always_inline bool read_word(__u64 *word, __u64 address)
{
	return !bpf_probe_read_user(word, sizeof(*word), (void *)address);
}

/* The function in the frame below has a return probe, which put its own address in place of the one
 * that is looked for; `slot` is where. The kernel keeps them, innermost first; what a longjmp left
 * behind lies further in. */
static __always_inline __u64 replaced_return(struct unwind *u, __u64 slot)
{
	for (int i = 0; i < 32; i++) {
		struct return_instance *instance = (void *)u->instance;
		if (!instance)
			break;
		__u64 stack = BPF_CORE_READ(instance, stack);
		u->instance = (__u64)BPF_CORE_READ(instance, next);
		if (stack >= slot)
			return BPF_CORE_READ(instance, orig_ret_vaddr);
	}
	return 0;
}

static __always_inline int unwind_stop(struct unwind *u, __u32 flags)
{
	u->flags |= flags;
	return 0;
}

/* To the caller, whose registers these are. */
static __always_inline int unwind_to(struct unwind *u, __u64 pc, __u64 sp, __u64 fp, __u64 slot)
{
	if (!pc)
		return unwind_stop(u, 0);
	if (pc == u->trampoline)
		pc = replaced_return(u, slot);
#if defined(__TARGET_ARCH_arm64)
	/* Pointer authentication puts a signature above the address. */
	if (pc >> 55)
		pc &= (1ull << 48) - 1;
	else
		pc &= (1ull << 52) - 1;
#endif
	if (!pc)
		return unwind_stop(u, STACK_TRUNCATED);
	u->pc = pc;
	u->sp = sp;
	u->fp = fp;
	u->exact = 0;
	return 1;
}

static __always_inline int unwind_by_frame_pointer(struct unwind *u)
{
	struct {
		__u64 fp, pc;
	} saved;
	__u64 fp = u->fp;
	u->flags |= STACK_FRAME_POINTERS;
#if defined(__TARGET_ARCH_arm64)
	if (!fp)
		return unwind_stop(u, 0);
#endif
	if (fp < u->sp || fp & 7 || bpf_probe_read_user(&saved, sizeof(saved), (void *)fp))
		return unwind_stop(u, STACK_TRUNCATED);
#if defined(__TARGET_ARCH_arm64)
	return unwind_to(u, saved.pc, fp + 16, saved.fp, fp + 16);
#else
	return unwind_to(u, saved.pc, fp + 16, saved.fp, fp + 8);
#endif
}

/* The last row at or before a file offset, or NULL. */
static __always_inline struct unwind_row *find_row(struct unwind *u, __u64 offset)
{
	u->low = u->rows.first_row;
	u->high = u->rows.first_row + u->rows.rows;
	for (int i = 0; i < ROWS_STEPS; i++) {
		__u32 low = u->low, high = u->high;
		if (low >= high)
			break;
		__u32 middle = low + (high - low) / 2;
		struct unwind_row *row = bpf_map_lookup_elem(&unwind_rows, &middle);
		if (!row)
			return 0;
		if (row->offset <= offset)
			u->low = middle + 1;
		else
			u->high = middle;
	}
	__u32 found = u->low - 1;
	if (u->low <= u->rows.first_row)
		return 0;
	return bpf_map_lookup_elem(&unwind_rows, &found);
}

/* Offsets in the ucontext of x86_64. */
#define UCONTEXT_FP 120
#define UCONTEXT_SP 160
#define UCONTEXT_PC 168

static __always_inline int unwind_by_row(struct unwind *u, struct unwind_row *row)
{
	__u64 pc, sp = u->sp, fp = u->fp, cfa, pushed = u->pc & 15;
	switch (row->kind) {
	case ROW_SP:
		cfa = sp + (__s64)row->cfa_offset * 8;
		break;
	case ROW_FP:
		cfa = fp + (__s64)row->cfa_offset * 8;
		break;
	case ROW_PLT:
		cfa = sp + (pushed >= 11 ? 16 : 8);
		break;
	case ROW_PLT10:
		cfa = sp + (pushed >= 10 ? 16 : 8);
		break;
	case ROW_SIGNAL:
		if (!read_word(&pc, sp + UCONTEXT_PC) || !read_word(&fp, sp + UCONTEXT_FP) ||
		    !read_word(&sp, sp + UCONTEXT_SP) || !unwind_to(u, pc, sp, fp, 0))
			return unwind_stop(u, STACK_TRUNCATED);
		u->exact = 1;
		return 1;
	case ROW_END:
		return unwind_stop(u, 0);
	default:
		return unwind_stop(u, STACK_TRUNCATED);
	}
	/* A stack grows down: anything else is no frame. */
	if (cfa <= sp || !read_word(&pc, cfa - 8))
		return unwind_stop(u, STACK_TRUNCATED);
	__s64 fp_offset = row->fp_offset;
	if (fp_offset == FP_LOST)
		fp = 0;
	else if (fp_offset && !read_word(&fp, cfa + fp_offset * 8))
		return unwind_stop(u, STACK_TRUNCATED);
	return unwind_to(u, pc, cfa, fp, cfa - 8);
}

int mapping_find(__u32 lane);

/* Takes down the frame a walk has come to and goes to its caller. Returns 0 at the end. */
__noinline int unwind_step(__u32 lane)
{
	struct unwind *u = unwind_of(lane);
	if (!u)
		return 0;
	if (u->count - u->kernel_frames >= u->limit)
		return unwind_stop(u, STACK_TRUNCATED);
	/* A call at the end of a function returns to behind it. */
	u->at = u->exact ? u->pc : u->pc - 1;
	bool code = mapping_find(lane);
	/* What was interrupted is code, wherever it lies. */
	if (code || (u->exact && u->count == u->kernel_frames))
		push_frame(u, u->pc);
	if (!code)
		return unwind_stop(u, STACK_TRUNCATED);
#if defined(__TARGET_ARCH_x86)
	if (u->rows.rows) {
		struct unwind_row *row = find_row(u, u->at - u->mapping.start + u->mapping.offset);
		return row ? unwind_by_row(u, row) : unwind_stop(u, STACK_TRUNCATED);
	}
#endif
	return unwind_by_frame_pointer(u);
}
