/* Memory that processes ask for: functions of allocators, by probes in user space, and system calls.
 *
 * A function's entry keeps what it was asked for, its return sends. What it calls in turn is part of
 * it: operator new calls malloc. */
#pragma once

/* Which allocations are recorded; set by the recorder. */
const volatile __u64 size_min = 0;	/* those of at least this many bytes */
const volatile __u32 sample_one_in = 1; /* and one address in so many: */
const volatile __u64 sample_salt = 0;	/* mix(address ^ salt) % one_in == 0 */

#if defined(__TARGET_ARCH_x86)
#define ARGUMENT0(regs) ((regs)->di)
#define ARGUMENT1(regs) ((regs)->si)
#define ARGUMENT2(regs) ((regs)->dx)
#define RESULT(regs) ((regs)->ax)
#define PC(regs) ((regs)->ip)
#define FP(regs) ((regs)->bp)
#define RETURN_POPS 8 /* the return address lies on the stack */
#else
#define ARGUMENT0(regs) ((regs)->regs[0])
#define ARGUMENT1(regs) ((regs)->regs[1])
#define ARGUMENT2(regs) ((regs)->regs[2])
#define RESULT(regs) ((regs)->regs[0])
#define PC(regs) ((regs)->pc)
#define FP(regs) ((regs)->regs[29])
#define RETURN_POPS 0
#endif

/* Kernels since 6.13 give programs of this type a stack for each CPU, as if none could be preempted in
 * favour of another; those that may end in a tail call keep a stack of their own. This one is never made. */
#ifndef EBREC_HASH
const volatile bool ends_in_another = false;
struct {
	__uint(type, BPF_MAP_TYPE_PROG_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u32);
} others SEC(".maps");
#define KEEP_OWN_STACK(regs)                              \
	do {                                              \
		if (ends_in_another)                      \
			bpf_tail_call(regs, &others, 0);  \
	} while (0)
#else
#define KEEP_OWN_STACK(regs)
#endif

/* The finaliser of splitmix64; the library in preload/ does the same. */
static __always_inline __u64 mix(__u64 x)
{
	x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9;
	x = (x ^ x >> 27) * 0x94d049bb133111eb;
	return x ^ x >> 31;
}

/* By address, so that both ends of an allocation are kept or neither. */
static __always_inline bool sampled(__u64 address)
{
	return sample_one_in <= 1 || mix(address ^ sample_salt) % sample_one_in == 0;
}

/* Whether a function that begins at `sp` is called by the one the thread is in. The return address of
 * that is where it was, or replaced by the kernel, unless it was left by an exception or a longjmp. */
static __always_inline bool is_inner(struct task_struct *task, struct thread *thread, __u64 sp, struct pt_regs *regs)
{
	__u64 outer = thread->in.sp, word = 0;
	if (!outer || sp > outer)
		return false;
#if defined(__TARGET_ARCH_x86)
	read_word(&word, outer);
#else
	if (sp < outer)
		return true;
	word = regs->regs[30];
#endif
	if (!word)
		return false;
	return word == thread->in.pc || word == BPF_CORE_READ(task, mm, uprobes_state.xol_area, vaddr);
}

static __always_inline int call_begins(struct pt_regs *regs, __u32 operation, __u64 size, __u64 old, bool delegates)
{
	KEEP_OWN_STACK(regs);
	struct task_struct *task = current_task();
	struct thread *thread = thread_of(task);
	__u64 sp = regs->sp;
	if (!thread || !in_scope(thread))
		return 0;
	thread->freed = 0;
	if (is_inner(task, thread, sp, regs)) {
		if (thread->in.delegates && !delegates && !thread->in.inner_sp)
			thread->in.inner_sp = sp;
		return 0;
	}
	__u64 pc = 0;
#if defined(__TARGET_ARCH_x86)
	if (delegates)
		read_word(&pc, sp);
#else
	pc = regs->regs[30];
#endif
	thread->in.sp = sp;
	thread->in.pc = pc;
	thread->in.fp = FP(regs);
	thread->in.inner_sp = 0;
	thread->in.size = size;
	thread->in.old = old;
	thread->in.begin_ns = old ? bpf_ktime_get_ns() : 0;
	thread->in.operation = operation;
	thread->in.delegates = delegates;
	return 0;
}

static __noinline int deallocation_emit(struct task_struct *task, struct thread *thread, __u64 address, __u32 operation,
					__u64 ts_ns)
{
	if (!sampled(address))
		return 0;
	__u32 lane = lane_claim();
	if (lane == LANE_NONE) {
		emit_failed(EBREC_DEALLOCATION, LANE_NONE);
		return 0;
	}
	identify_apart(task, thread, lane);
	struct ebrec_deallocation record = {.address = address, .operation = operation};
	record.one_in = sample_one_in ?: 1;
	header(&record.header, EBREC_DEALLOCATION, ts_ns, FIELD(task, tgid), FIELD(task, pid), sizeof(record));
	emit(&allocations_ring, &record, EBREC_DEALLOCATION, sizeof(record), lane);
	lane_release(lane);
	return 0;
}

static __always_inline int freed(struct pt_regs *regs, __u32 operation)
{
	KEEP_OWN_STACK(regs);
	__u64 address = ARGUMENT0(regs), sp = regs->sp;
	if (!address)
		return 0;
	struct task_struct *task = current_task();
	struct thread *thread = thread_of(task);
	if (!thread || !in_scope(thread) || is_inner(task, thread, sp, regs))
		return 0;
	/* operator delete calls another one, or free. */
	if (thread->freed == address && sp <= thread->freed_sp)
		return 0;
	thread->freed = operation == EBREC_OP_DELETE ? address : 0;
	thread->freed_sp = sp;
	deallocation_emit(task, thread, address, operation, bpf_ktime_get_ns());
	return 0;
}

/* The function the thread is in has returned `address`. */
static __always_inline int call_ends(struct task_struct *task, struct thread *thread, __u64 address, __u64 pc, __u64 sp,
				     __u64 fp)
{
	__u64 ts_ns = bpf_ktime_get_ns(), old = thread->in.old, size = thread->in.size;
	__u32 operation = thread->in.operation;
	thread->in.sp = 0;
	if (operation == EBREC_OP_POSIX_MEMALIGN) {
		if ((__u32)address || !read_word(&address, old))
			address = 0;
		old = 0;
	}
	/* What is not recorded may end something that was: it must not seem to live on. So does
	 * realloc(old, 0). */
	bool kept = size >= size_min && (!address || sampled(address));
	/* One that moved gave the old memory back, as a record of its own, of the time before: others may
	 * have it by now. */
	if (old && (address ? !kept || address != old : !size))
		deallocation_emit(task, thread, old, operation, thread->in.begin_ns);
	if (old && !address && !size)
		return 0;
	if (!kept)
		return 0;
	__u32 lane = lane_claim();
	if (lane == LANE_NONE) {
		emit_failed(EBREC_ALLOCATION, LANE_NONE);
		return 0;
	}
	identify_apart(task, thread, lane);
	struct ebrec_allocation record = {.address = address, .old_address = old, .size_bytes = size};
	header(&record.header, EBREC_ALLOCATION, ts_ns, FIELD(task, tgid), FIELD(task, pid), sizeof(record));
	if (has_stacks)
		record.stack_id = stack_from(task, pc, sp, fp, lane);
	record.operation = operation;
	record.one_in = address ? sample_one_in ?: 1 : 1;
	emit(&allocations_ring, &record, EBREC_ALLOCATION, sizeof(record), lane);
	lane_release(lane);
	return 0;
}

/* At the return of any of the functions; the registers are those of the caller. */
SEC("uretprobe")
int uretprobe__allocation(struct pt_regs *regs)
{
	KEEP_OWN_STACK(regs);
	struct task_struct *task = current_task();
	struct thread *thread = thread_of(task);
	__u64 sp = regs->sp, pc = PC(regs), fp = FP(regs), result = RESULT(regs), outer = thread ? thread->in.sp : 0;
	/* Read here, where the context is what it was. */
	asm volatile("" : "+r"(sp), "+r"(pc), "+r"(fp), "+r"(result));
	if (!thread || !outer)
		return 0;
	if (sp != outer + RETURN_POPS) {
		if (!thread->in.inner_sp || sp != thread->in.inner_sp + RETURN_POPS)
			return 0;
		pc = thread->in.pc;
		sp = outer + RETURN_POPS;
		fp = thread->in.fp;
	}
	return call_ends(task, thread, result, pc, sp, fp);
}

/* At the return instructions of a function that must have no return probe. */
SEC("uprobe")
int uprobe__return(struct pt_regs *regs)
{
	KEEP_OWN_STACK(regs);
	struct task_struct *task = current_task();
	struct thread *thread = thread_of(task);
	__u64 sp = regs->sp, pc = 0;
	if (!thread || !thread->in.sp || sp != thread->in.sp)
		return 0;
#if defined(__TARGET_ARCH_x86)
	read_word(&pc, sp);
#else
	pc = regs->regs[30];
#endif
	return call_ends(task, thread, RESULT(regs), pc, sp + RETURN_POPS, FP(regs));
}

SEC("uprobe")
int uprobe__malloc(struct pt_regs *regs)
{
	return call_begins(regs, EBREC_OP_MALLOC, ARGUMENT0(regs), 0, false);
}

SEC("uprobe")
int uprobe__valloc(struct pt_regs *regs)
{
	return call_begins(regs, EBREC_OP_MEMALIGN, ARGUMENT0(regs), 0, false);
}

/* Operators new, with or without an alignment behind the size. No exception passes a function that has a
 * probe at its return: the program would end. So it has none, and malloc's result is its result. */
SEC("uprobe")
int uprobe__new(struct pt_regs *regs)
{
	return call_begins(regs, EBREC_OP_NEW, ARGUMENT0(regs), 0, true);
}

/* Those that call no function with a probe: uprobe__return is at their return instructions. */
SEC("uprobe")
int uprobe__new__direct(struct pt_regs *regs)
{
	return call_begins(regs, EBREC_OP_NEW, ARGUMENT0(regs), 0, false);
}

SEC("uprobe")
int uprobe__calloc(struct pt_regs *regs)
{
	return call_begins(regs, EBREC_OP_CALLOC, ARGUMENT0(regs) * ARGUMENT1(regs), 0, false);
}

SEC("uprobe")
int uprobe__realloc(struct pt_regs *regs)
{
	return call_begins(regs, EBREC_OP_REALLOC, ARGUMENT1(regs), ARGUMENT0(regs), false);
}

SEC("uprobe")
int uprobe__reallocarray(struct pt_regs *regs)
{
	return call_begins(regs, EBREC_OP_REALLOCARRAY, ARGUMENT1(regs) * ARGUMENT2(regs), ARGUMENT0(regs), false);
}

SEC("uprobe")
int uprobe__memalign(struct pt_regs *regs)
{
	return call_begins(regs, EBREC_OP_MEMALIGN, ARGUMENT1(regs), 0, false);
}

SEC("uprobe")
int uprobe__aligned_alloc(struct pt_regs *regs)
{
	return call_begins(regs, EBREC_OP_ALIGNED_ALLOC, ARGUMENT1(regs), 0, false);
}

SEC("uprobe")
int uprobe__posix_memalign(struct pt_regs *regs)
{
	return call_begins(regs, EBREC_OP_POSIX_MEMALIGN, ARGUMENT2(regs), ARGUMENT0(regs), false);
}

SEC("uprobe")
int uprobe__free(struct pt_regs *regs)
{
	return freed(regs, EBREC_OP_FREE);
}

SEC("uprobe")
int uprobe__delete(struct pt_regs *regs)
{
	return freed(regs, EBREC_OP_DELETE);
}

/* The end of the heap of each memory, for how much a brk adds to it. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 8192);
	__type(key, __u64);
	__type(value, __u64);
} heap_ends SEC(".maps");

/* The operation that a system call is, or 0. */
static __always_inline __u32 memory_call(__u32 number, bool compat)
{
	if (compat) { /* the same on both architectures */
		return number == 192  ? EBREC_OP_MMAP
		       : number == 91 ? EBREC_OP_MUNMAP
		       : number == 163 ? EBREC_OP_MREMAP
		       : number == 45 ? EBREC_OP_BRK
				      : 0;
	}
#if defined(__TARGET_ARCH_x86)
	return number == 9 ? EBREC_OP_MMAP : number == 11 ? EBREC_OP_MUNMAP : number == 25 ? EBREC_OP_MREMAP
	       : number == 12 ? EBREC_OP_BRK : 0;
#else
	return number == 222 ? EBREC_OP_MMAP : number == 215 ? EBREC_OP_MUNMAP : number == 216 ? EBREC_OP_MREMAP
	       : number == 214 ? EBREC_OP_BRK : 0;
#endif
}

/* The end before a brk, and from now on. A memory that is new here has been seen from its beginning if it
 * was made by an exec; else it counts from the heap's start. */
static __always_inline __u64 heap_end_before(struct task_struct *task, __u64 now)
{
	struct mm_struct *mm = BPF_CORE_READ(task, mm);
	__u64 image = image_of(mm);
	__u64 *known = bpf_map_lookup_elem(&heap_ends, &image);
	__u64 before = known ? *known : BPF_CORE_READ(mm, start_brk);
	bpf_map_update_elem(&heap_ends, &image, &now, BPF_ANY);
	return before;
}

/* Not a variant of tp_btf__sys_exit: attached beside it, when allocations are recorded. */
static __always_inline int memory_call_returns(void *ctx, struct pt_regs *regs, long ret, bool guarded)
{
	struct task_struct *task = current_task();
	bool compat = is_compat(task);
	__u32 operation = memory_call(call_number(regs), compat);
	if (!operation)
		return 0;
	struct thread *thread = thread_of(task);
	if (!thread || !in_scope(thread))
		return 0;
	if (guarded && !thread->memory_call)
		return 0;
	thread->memory_call = false;
	__u64 args[6];
	arguments(args, regs, compat);
	struct ebrec_allocation record = {.operation = operation, .one_in = 1};
	bool failed = ret < 0 && ret >= -4095;
	record.address = ret;
	if (operation == EBREC_OP_BRK) {
		record.old_address = heap_end_before(task, ret);
		failed = args[0] && (__u64)ret != args[0];
		record.size_bytes = (failed ? args[0] : ret) - record.old_address;
		if (!args[0] || !record.size_bytes)
			return 0;
	} else if (operation == EBREC_OP_MREMAP) {
		record.old_address = args[0];
		record.size_bytes = args[2];
	} else {
		record.size_bytes = args[1];
		if (operation == EBREC_OP_MUNMAP)
			record.address = args[0];
	}
	if (failed)
		record.address = 0;
	/* PROT_EXEC, of a file: it may be an allocator's. */
	if (operation == EBREC_OP_MMAP && !failed && args[2] & 4 && (__s32)args[4] >= 0)
		tell_process(FIELD(task, tgid));
	identify_apart(task, thread, LANE_EVENT);
	header(&record.header, EBREC_ALLOCATION, bpf_ktime_get_ns(), FIELD(task, tgid), FIELD(task, pid), sizeof(record));
	if (has_stacks)
		record.stack_id = stack_of(ctx, task, false, 0, true, LANE_EVENT);
	emit(&allocations_ring, &record, EBREC_ALLOCATION, sizeof(record), LANE_EVENT);
	return 0;
}

SEC("tp_btf/sys_exit")
int BPF_PROG(tp_btf__sys_exit__for_allocations, struct pt_regs *regs, long ret)
{
	return memory_call_returns(ctx, regs, ret, false);
}

/* Where programs can be left out, the entry of a call is noted, and there are two programs at its return:
 * the second finds done what the first did. What both did not get to is known at the next entry. */
static __always_inline int memory_call_begins(long number)
{
	struct task_struct *task = current_task();
	struct thread *thread = thread_of(task);
	if (!thread || !in_scope(thread))
		return 0;
	if (thread->memory_call)
		emit_skipped(EBREC_ALLOCATION, LANE_EVENT);
	thread->memory_call = memory_call(number, is_compat(task));
	return 0;
}

SEC("tp_btf/sys_enter")
int BPF_PROG(tp_btf__sys_enter__for_allocations_guarded, struct pt_regs *regs, long number)
{
	return GUARDED(memory_call_begins(number));
}

SEC("tp_btf/sys_exit")
int BPF_PROG(tp_btf__sys_exit__for_allocations_guarded, struct pt_regs *regs, long ret)
{
	return GUARDED(memory_call_returns(ctx, regs, ret, true));
}

SEC("tp_btf/sys_exit")
int BPF_PROG(tp_btf__sys_exit__for_allocations_guarded_again, struct pt_regs *regs, long ret)
{
	return GUARDED(memory_call_returns(ctx, regs, ret, true));
}
