/* Variable parts of records: strings of the program, paths of the kernel.
 *
 * The kernel's paths are sent as names from the file up to the root; the reader turns them round. */
#pragma once

#define PATH_KEPT 1024	  /* bytes of a path, its NUL included */
#define ARGV_KEPT 4096	  /* bytes of the argument vector */
#define NAMES_KEPT 1024	  /* bytes of a path's names */
#define NAME_KEPT 256	  /* bytes of one name */
#define NAMES_DEPTH 40	  /* names of a path */
#define ADDRESS_KEPT 128  /* bytes of a socket address */
#define TAIL_HEADER 4

/* Offsets stay below this, so that the longest part fits behind. */
#define TAIL_LIMIT (SCRATCH_MAX - ARGV_KEPT - TAIL_HEADER - NAME_KEPT)

static __always_inline void tail_end(struct scratch *s, __u8 tag, __u32 length, bool truncated)
{
	__u32 at = s->size;
	if (at > TAIL_LIMIT)
		return;
	s->bytes[at] = tag;
	s->bytes[at + 1] = truncated ? EBREC_TAIL_TRUNCATED : 0;
	*(__u16 *)&s->bytes[at + 2] = length;
	s->size = at + TAIL_HEADER + length;
}

/* A string of the program. Nothing is added when it cannot be read. */
static __always_inline void tail_user_string(struct scratch *s, __u8 tag, const void *user)
{
	__u32 at = s->size;
	if (at > TAIL_LIMIT)
		return;
	long length = bpf_probe_read_user_str(&s->bytes[at + TAIL_HEADER], PATH_KEPT, user);
	if (length <= 0)
		return;
	char last = 0;
	if (length == PATH_KEPT)
		bpf_probe_read_user(&last, 1, (const char *)user + PATH_KEPT - 1);
	tail_end(s, tag, length - 1, last);
}

/* A string of the kernel. */
static __always_inline void tail_kernel_string(struct scratch *s, __u8 tag, const void *string)
{
	__u32 at = s->size;
	if (at > TAIL_LIMIT)
		return;
	long length = bpf_probe_read_kernel_str(&s->bytes[at + TAIL_HEADER], PATH_KEPT, string);
	if (length > 0)
		tail_end(s, tag, length - 1, length == PATH_KEPT);
}

/* Names are gathered behind `size` with `base` running ahead, until names_end() makes them a part. */
static __always_inline void names_begin(struct scratch *s)
{
	s->base = s->size + TAIL_HEADER;
}

static __always_inline bool push_name(struct scratch *s, const void *name)
{
	__u32 at = s->base;
	if (at > TAIL_LIMIT + NAMES_KEPT || at - s->size > NAMES_KEPT)
		return false;
	long length = bpf_probe_read_kernel_str(&s->bytes[at], NAME_KEPT, name);
	if (length <= 0)
		return false;
	s->base = at + length;
	return true;
}

static __always_inline void names_end(struct scratch *s, __u8 tag, bool truncated)
{
	tail_end(s, tag, s->base - s->size - TAIL_HEADER, truncated);
}

/* The names of a file, across the mounts on the way to the root; where paths are not kept, its own. */
static __always_inline void tail_file_names(struct scratch *s, __u8 tag, struct path *path)
{
	struct vfsmount *vfsmount = BPF_CORE_READ(path, mnt);
	s->at = (__u64)BPF_CORE_READ(path, dentry);
	if (!s->at || !vfsmount)
		return;
	s->mount = (__u64)vfsmount - bpf_core_field_offset(struct mount, mnt);
	names_begin(s);
	bool truncated = true;
	for (int i = 0; i < NAMES_DEPTH; i++) {
		struct dentry *dentry = (void *)s->at;
		struct mount *mount = (void *)s->mount;
		struct dentry *parent = BPF_CORE_READ(dentry, d_parent);
		if (dentry == BPF_CORE_READ(mount, mnt.mnt_root) || dentry == parent) {
			struct mount *above = BPF_CORE_READ(mount, mnt_parent);
			if (above == mount || !above) {
				truncated = false;
				break;
			}
			s->at = (__u64)BPF_CORE_READ(mount, mnt_mountpoint);
			s->mount = (__u64)above;
			continue;
		}
		if (!push_name(s, BPF_CORE_READ(dentry, d_name.name)) || no_paths)
			break;
		s->at = (__u64)parent;
	}
	names_end(s, tag, truncated);
}

static __always_inline struct kernfs_node *kernfs_parent(struct kernfs_node *node)
{
	struct kernfs_node___v615 *renamed = (void *)node;
	if (bpf_core_field_exists(renamed->__parent))
		return BPF_CORE_READ(renamed, __parent);
	return BPF_CORE_READ(node, parent);
}

static __always_inline void tail_cgroup_names(struct scratch *s, struct cgroup *cgroup)
{
	s->at = (__u64)BPF_CORE_READ(cgroup, kn);
	names_begin(s);
	bool truncated = true;
	for (int i = 0; i < NAMES_DEPTH; i++) {
		struct kernfs_node *node = (void *)s->at;
		struct kernfs_node *parent = node ? kernfs_parent(node) : 0;
		if (!parent) {
			truncated = false;
			break;
		}
		if (!push_name(s, BPF_CORE_READ(node, name)))
			break;
		s->at = (__u64)parent;
	}
	names_end(s, EBREC_TAIL_CGROUP, truncated);
}

/* The argument vector as it lies in the program's memory. */
static __always_inline void tail_argv(struct scratch *s, struct mm_struct *mm)
{
	unsigned long start = BPF_CORE_READ(mm, arg_start);
	unsigned long length = BPF_CORE_READ(mm, arg_end) - start;
	__u32 at = s->size;
	if (at > TAIL_LIMIT || !length)
		return;
	bool truncated = length > ARGV_KEPT;
	if (truncated)
		length = ARGV_KEPT;
	if (bpf_probe_read_user(&s->bytes[at + TAIL_HEADER], length, (void *)start))
		return;
	tail_end(s, EBREC_TAIL_ARGV, length, truncated);
}

/* A socket address of the program. */
static __always_inline void tail_address(struct scratch *s, const void *user, __u32 length)
{
	__u32 at = s->size;
	if (at > TAIL_LIMIT || !user || length < 2)
		return;
	if (length > ADDRESS_KEPT)
		length = ADDRESS_KEPT;
	BOUNDED(length, 0xff);
	if (bpf_probe_read_user(&s->bytes[at + TAIL_HEADER], length, user))
		return;
	tail_end(s, EBREC_TAIL_ADDRESS, redact_sockaddr(s, at + TAIL_HEADER, length), false);
}

/* Sends the record put together in the scratch, whose fixed part is `record`. */
static __always_inline bool emit_scratch(void *ring, struct scratch *s, __u32 kind, __u32 lane)
{
	struct ebrec_header *record = (void *)s->bytes;
	__u32 size = s->size;
	if (size > SCRATCH_MAX)
		return false;
	record->size = size;
	return emit(ring, record, kind, size, lane);
}
