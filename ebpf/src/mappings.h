/* Which file the code at an address is of: looked up, remembered for each page, and announced.
 *
 * The first time a segment sees a mapping it gets a record, so that addresses can be told apart
 * later. The first time the recording sees a file, the recorder is asked to read what the kernel side
 * needs of it, while the process that has it open still lives. */
#pragma once

const volatile __u32 page_shift = 12;

/* Code pages seen. The process's amount of code changes when it maps or unmaps some; it serves as the
 * generation of its mappings. */
struct page {
	__u64 number;
	__u64 image;
	__u32 tgid;
	__u32 exec_vm;
};
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 16384);
	__type(key, struct page);
	__type(value, struct mapping);
} pages SEC(".maps");

/* Mappings that were announced, and as what. */
struct mapping_key {
	__u64 start;
	__u64 image;
	__u32 tgid;
	__u32 pad;
};
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 16384);
	__type(key, struct mapping_key);
	__type(value, struct mapping);
} mappings_seen SEC(".maps");

/* Files the recorder was asked for. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 16384);
	__type(key, struct file_key);
	__type(value, __u32);
} files_asked SEC(".maps");

/* A request, on `modules_ring`; a tail EBREC_TAIL_FILE follows. The mapping says which entry of
 * /proc/PID/map_files is the file. For the vdso, inode and device are 0. */
struct module_request {
	__u64 inode;
	__u32 device;
	__u32 pid;
	__u64 start;
	__u64 end;
};

/* Set by the recorder: it attaches probes to processes, and is told of those that come. */
const volatile bool has_probes = false;

/* A process that is new or has a new program: a request without a mapping. */
static __always_inline void tell_process(__u32 pid)
{
	struct module_request request = {.pid = pid};
	if (has_probes)
		bpf_ringbuf_output(&modules_ring, &request, sizeof(request), BPF_RB_FORCE_WAKEUP);
}

#define VM_EXEC 4

/* Nodes of the maple tree, by the type that the low bits of a pointer to one hold. */
#define MAPLE_LEAF 1
#define MAPLE_RANGE 2
#define MAPLE_ARANGE 3
#define MAPLE_DEPTH 8

/* The mapping at `u->at` or, where there is none, anything: to be checked. The tree may change while it
 * is read. bpf_find_vma() would not do: with interrupts off it works once per interrupt only. */
static __always_inline struct vm_area_struct *maple_find(struct unwind *u, struct mm_struct *mm)
{
	u->node = (__u64)BPF_CORE_READ(mm, mm_mt.ma_root);
	for (int depth = 0; depth < MAPLE_DEPTH; depth++) {
		__u64 node = u->node & ~0xffull;
		__u32 type = u->node >> 3 & 15, pivots, slots, last, i;
		if (!node)
			return 0;
		if (type == MAPLE_ARANGE) {
			pivots = bpf_core_field_offset(struct maple_arange_64, pivot);
			slots = bpf_core_field_offset(struct maple_arange_64, slot);
			last = 9;
			bpf_probe_read_kernel(u->pivots, 9 * 8, (void *)(node + pivots));
		} else if (type == MAPLE_RANGE || type == MAPLE_LEAF) {
			pivots = bpf_core_field_offset(struct maple_range_64, pivot);
			slots = bpf_core_field_offset(struct maple_range_64, slot);
			last = 15;
			bpf_probe_read_kernel(u->pivots, 15 * 8, (void *)(node + pivots));
		} else {
			return 0;
		}
		/* Slot i ends at pivot i; the last one in use has none or 0. */
		for (i = 0; i < 15; i++) {
			__u64 pivot = u->pivots[i];
			if (i >= last || u->at <= pivot || (i && !pivot))
				break;
		}
		if (bpf_probe_read_kernel(&u->node, 8, (void *)(node + slots + 8 * i)))
			return 0;
		if (type == MAPLE_LEAF)
			return (void *)u->node;
	}
	return 0;
}

/* The same in kernels before 6.1. */
#define RB_DEPTH 32
static __always_inline struct vm_area_struct *rb_find(struct unwind *u, struct mm_struct *mm)
{
	struct mm_struct___v61 *old = (void *)mm;
	u->node = (__u64)BPF_CORE_READ(old, mm_rb.rb_node);
	for (int i = 0; i < RB_DEPTH; i++) {
		struct rb_node *node = (void *)u->node;
		if (!node)
			return 0;
		struct vm_area_struct *vma =
			(void *)(u->node - bpf_core_field_offset(struct vm_area_struct___v61, vm_rb));
		if (u->at >= BPF_CORE_READ(vma, vm_end))
			u->node = (__u64)BPF_CORE_READ(node, rb_right);
		else if (u->at < BPF_CORE_READ(vma, vm_start))
			u->node = (__u64)BPF_CORE_READ(node, rb_left);
		else
			return vma;
	}
	return 0;
}

static __always_inline struct vm_area_struct *vma_find(struct unwind *u, struct mm_struct *mm)
{
	struct mm_struct___v61 *old = (void *)mm;
	if (bpf_core_field_exists(mm->mm_mt))
		return maple_find(u, mm);
	if (bpf_core_field_exists(old->mm_rb))
		return rb_find(u, mm);
	return 0;
}

/* Asks for the file of the mapping whose record, with its tail, is in the scratch. */
static __always_inline void ask_for_file(struct unwind *u, struct scratch *s)
{
	struct file_key key = {.device = u->mapping.device, .inode = u->mapping.inode};
	if (!u->mapping.has_rules || bpf_map_lookup_elem(&files_asked, &key))
		return;
	/* In place of the end of the record, in front of its tail. */
	const __u32 at = sizeof(struct ebrec_mapping) - sizeof(struct module_request);
	__u32 size = s->size - at, one = 1;
	if (size > SCRATCH_MAX - at)
		return;
	struct module_request *request = (void *)&s->bytes[at];
	request->inode = u->mapping.inode;
	request->device = u->mapping.device;
	request->pid = u->tgid;
	request->start = u->mapping.start;
	request->end = u->mapping.end;
	if (!bpf_ringbuf_output(&modules_ring, &s->bytes[at], size, BPF_RB_FORCE_WAKEUP))
		bpf_map_update_elem(&files_asked, &key, &one, BPF_ANY);
}

/* Sends the mapping unless this segment knows it. */
static __always_inline bool announce_mapping(struct unwind *u, struct file *file, __u32 lane)
{
	struct mapping_key key = {.start = u->mapping.start, .image = u->image, .tgid = u->tgid};
	struct mapping *seen = bpf_map_lookup_elem(&mappings_seen, &key);
	if (seen && seen->epoch == u->mapping.epoch && seen->end == u->mapping.end &&
	    seen->offset == u->mapping.offset && seen->inode == u->mapping.inode &&
	    seen->device == u->mapping.device)
		return true;
	struct scratch *s = scratch(lane);
	if (!s)
		return false;
	struct ebrec_mapping *record = (void *)s->bytes;
	header(&record->header, EBREC_MAPPING, bpf_ktime_get_ns(), u->tgid, (__u32)bpf_get_current_pid_tgid(),
	       sizeof(*record));
	record->start_address = u->mapping.start;
	record->end_address = u->mapping.end;
	record->offset_bytes = u->mapping.offset;
	record->inode = u->mapping.inode;
	record->device = u->mapping.device;
	record->reserved = 0;
	s->size = sizeof(*record);
	if (file) {
		tail_file_names(s, EBREC_TAIL_FILE, __builtin_preserve_access_index(&file->f_path));
	} else if (u->mapping.has_rules) {
		char name[8] = "[vdso]";
		names_begin(s);
		push_name(s, name);
		names_end(s, EBREC_TAIL_FILE, false);
	}
	if (!emit_scratch(&stacks_ring, s, EBREC_MAPPING, lane))
		return false;
	bpf_map_update_elem(&mappings_seen, &key, &u->mapping, BPF_ANY);
	ask_for_file(u, s);
	return true;
}

static __always_inline void find_rows(struct unwind *u)
{
	struct file_key key = {.device = u->mapping.device, .inode = u->mapping.inode};
	struct file_rows *rows = u->mapping.has_rules ? bpf_map_lookup_elem(&files, &key) : 0;
	u->rows.first_row = rows ? rows->first_row : 0;
	u->rows.rows = rows ? rows->rows : 0;
}

/* Finds the mapping of the code at `u->at`, and its rules, for the current task. Returns 0 when there is
 * no code. */
__noinline int mapping_find(__u32 lane)
{
	struct unwind *u = unwind_of(lane);
	if (!u)
		return 0;
	__u64 at = u->at;
	/* Most callers are in the file that they call. */
	if (at >= u->mapping.start && at < u->mapping.end)
		return 1;
	struct task_struct *task = current_task();
	struct mm_struct *mm = BPF_CORE_READ(task, mm);
	if (!mm)
		return 0;
	struct page page = {.number = at >> page_shift, .image = u->image, .tgid = u->tgid};
	page.exec_vm = BPF_CORE_READ(mm, exec_vm);
	__u32 now = epoch();
	struct mapping *known = bpf_map_lookup_elem(&pages, &page);
	if (known && known->epoch == now) {
		u->mapping = *known;
		find_rows(u);
		return 1;
	}
	struct vm_area_struct *vma = vma_find(u, mm);
	if (!vma || BPF_CORE_READ(vma, vm_mm) != mm || !(BPF_CORE_READ(vma, vm_flags) & VM_EXEC))
		return 0;
	__u64 start = BPF_CORE_READ(vma, vm_start), end = BPF_CORE_READ(vma, vm_end);
	if (at < start || at >= end)
		return 0;
	struct file *file = BPF_CORE_READ(vma, vm_file);
	u->mapping.start = start;
	u->mapping.end = end;
	u->mapping.offset = file ? BPF_CORE_READ(vma, vm_pgoff) << page_shift : 0;
	u->mapping.inode = file ? BPF_CORE_READ(file, f_inode, i_ino) : 0;
	u->mapping.device = file ? BPF_CORE_READ(file, f_inode, i_sb, s_dev) : 0;
	u->mapping.has_rules = file || start == (__u64)BPF_CORE_READ(mm, context.vdso);
	u->mapping.epoch = now;
	u->mapping.pad = 0;
	find_rows(u);
	if (announce_mapping(u, file, lane))
		bpf_map_update_elem(&pages, &page, &u->mapping, BPF_ANY);
	return 1;
}
