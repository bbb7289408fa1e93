/* Stacks: walked, given a number, and sent once per segment.
 *
 * Records refer to a stack by its number, a hash of its frames and of the process they are of. */
#pragma once

/* Set by the recorder: whether the programs that can have stacks shall take them. */
const volatile bool has_stacks = true;

/* Segment in which each stack was last sent. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 65536);
	__type(key, __u64);
	__type(value, __u32);
} stacks_seen SEC(".maps");

/* Sends the stack of a walk that is done, unless this segment has it. */
static __always_inline void stack_intern(struct unwind *u, __u32 lane)
{
	__u64 id = u->hash ?: 1;
	__u32 now = epoch(), count = u->count;
	u->raw_id = id;
	__u32 *seen = bpf_map_lookup_elem(&stacks_seen, &id);
	if (seen && *seen == now)
		return;
	__u32 length = count * sizeof(__u64);
	__u32 size = sizeof(struct ebrec_stack) + TAIL_HEADER + length;
	if (length > (FRAMES_SPACE - 1) * sizeof(__u64))
		return;
	struct ebrec_stack record = {};
	header(&record.header, EBREC_STACK, bpf_ktime_get_ns(), u->tgid, (__u32)bpf_get_current_pid_tgid(),
	       sizeof(record));
	record.header.size = size;
	record.raw_id = id;
	record.kernel_frames = u->kernel_frames;
	record.stack_flags = u->flags;
	__builtin_memcpy(u->record, &record, sizeof(record));
	u->tag = EBREC_TAIL_FRAMES;
	u->tail_flags = u->flags & STACK_TRUNCATED ? EBREC_TAIL_TRUNCATED : 0;
	u->length = length;
	if (emit(&stacks_ring, u->record, EBREC_STACK, size, lane))
		bpf_map_update_elem(&stacks_seen, &id, &now, BPF_ANY);
}

/* Walks the user's part of a stack whose kernel part is taken down, and sends it. */
__noinline int stack_finish(__u32 lane)
{
	struct unwind *u = unwind_of(lane);
	if (!u)
		return 0;
	/* One of the kernel alone is the same in all processes. */
	u->hash = u->pc ? hash_add(u->image, u->tgid) : 0;
	for (__u32 i = 0; i < KERNEL_FRAMES_MAX; i++) {
		if (i >= u->kernel_frames)
			break;
		u->hash = hash_add(u->hash, u->frames[i]);
	}
	u->count = u->kernel_frames;
	if (u->pc) {
		for (__u32 i = 0; i <= FRAMES_MAX; i++)
			if (!unwind_step(lane))
				break;
	}
	if (u->count)
		stack_intern(u, lane);
	return 0;
}

/* A number for a memory. Its address is used again soon; where its arguments lie is random. */
static __always_inline __u64 image_of(struct mm_struct *mm)
{
	return (__u64)mm ^ (__u64)BPF_CORE_READ(mm, arg_start) << 16;
}

/* Begins a walk in the current task. */
static __always_inline void stack_begin(struct unwind *u, struct task_struct *task)
{
	u->pc = u->sp = u->fp = 0;
	u->image = u->trampoline = u->instance = 0;
	u->raw_id = 0;
	u->kernel_frames = 0;
	u->flags = 0;
	u->exact = 1;
	u->limit = stack_depth_max < FRAMES_MAX ? stack_depth_max : FRAMES_MAX;
	u->mapping.start = u->mapping.end = 0;
	u->rows.rows = 0;
	u->tgid = FIELD(task, tgid);
	struct mm_struct *mm = BPF_CORE_READ(task, mm);
	if (!mm)
		return;
	u->image = image_of(mm);
	if (!bpf_core_field_exists(task->utask))
		return;
	struct uprobe_task *utask = FIELD(task, utask);
	u->instance = utask ? (__u64)BPF_CORE_READ(utask, return_instances) : 0;
	u->trampoline = u->instance ? BPF_CORE_READ(mm, uprobes_state.xol_area, vaddr) : 0;
}

/* Where the user's registers are while a task is in the kernel: at the top of its stack. */
#define THREAD_SIZE 16384
static __always_inline struct pt_regs *registers_of(struct task_struct *task)
{
#ifndef EBREC_HASH
	if (bpf_core_enum_value_exists(enum bpf_func_id, BPF_FUNC_task_pt_regs))
		return (void *)bpf_task_pt_regs(task);
#endif
	return (void *)((__u64)FIELD(task, stack) + THREAD_SIZE - bpf_core_type_size(struct pt_regs));
}

static __always_inline void user_registers(struct unwind *u, struct task_struct *task)
{
	struct pt_regs *regs = registers_of(task);
	if (!regs || !u->image)
		return;
#if defined(__TARGET_ARCH_x86)
	u->pc = BPF_CORE_READ(regs, ip);
	u->sp = BPF_CORE_READ(regs, sp);
	u->fp = BPF_CORE_READ(regs, bp);
	/* There are no rules for 32-bit programs. */
	if (BPF_CORE_READ(regs, cs) != 0x33)
		u->limit = 1;
#else
	u->pc = BPF_CORE_READ(regs, pc);
	u->sp = BPF_CORE_READ(regs, sp);
	u->fp = BPF_CORE_READ(regs, regs[29]);
	if (BPF_CORE_READ(regs, pstate) & 0x10) /* PSR_MODE32_BIT */
		u->limit = 1;
#endif
}

/* The kernel's frames of a program at a tracepoint begin with the program and what called it. */
#ifdef EBREC_HASH
#define TRACEPOINT_FRAMES 3
#else
#define TRACEPOINT_FRAMES 2
#endif

/* The number of the current task's stack; 0 when there is none. `skipped` frames of the kernel are left
 * out. `with_user` is false for tasks whose memory is not to be looked at. */
static __always_inline __u64 stack_of(void *ctx, struct task_struct *task, bool with_kernel, __u32 skipped,
				      bool with_user, __u32 lane)
{
	struct unwind *u = unwind_of(lane);
	if (!u)
		return 0;
	stack_begin(u, task);
	if (with_kernel) {
		long size = bpf_get_stack(ctx, u->frames, KERNEL_FRAMES_MAX * sizeof(__u64), skipped);
		u->kernel_frames = size > 0 ? size / sizeof(__u64) : 0;
	}
	if (with_user)
		user_registers(u, task);
	stack_finish(lane);
	return u->raw_id;
}

/* The same from given registers of user space on, `pc` being where a call returns to. */
static __always_inline __u64 stack_from(struct task_struct *task, __u64 pc, __u64 sp, __u64 fp, __u32 lane)
{
	struct unwind *u = unwind_of(lane);
	if (!u)
		return 0;
	stack_begin(u, task);
	u->pc = pc;
	u->sp = sp;
	u->fp = fp;
	u->exact = 0;
	stack_finish(lane);
	return u->raw_id;
}
