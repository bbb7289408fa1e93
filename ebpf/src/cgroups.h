/* Control groups and namespaces of a task: which group tells most about it, and whether it is in a wanted
 * one.
 *
 * There is the unified hierarchy (v2), and on some machines older ones beside it or instead of it (v1),
 * one for each controller or for several. A task is in one group of each. */
#pragma once

/* Set by the recorder. */
const volatile bool has_old_hierarchies = false; /* v1 is in use */
const volatile __u64 wanted_hierarchies = 0;	 /* bits: those of v1 that wanted groups are in */

/* Control groups whose members, and those of groups below them, are in scope; by cgroup_id(). */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1024);
	__type(key, __u64);
	__type(value, __u32);
} wanted_cgroups SEC(".maps");

/* Control groups that the recorder is told of at once, while what runtimes know of them can be read: the
 * records of the processes stream, which are no part of the trace here. */
struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 4096);
} cgroups_ring SEC(".maps");

/* Ids are unique in a hierarchy only; the unified one has number 0. */
static __always_inline __u64 cgroup_id(struct cgroup *cgroup)
{
	return BPF_CORE_READ(cgroup, kn, id) | (__u64)BPF_CORE_READ(cgroup, root, hierarchy_id) << 48;
}

static __always_inline struct cgroup *cgroup_parent(struct cgroup *cgroup)
{
	struct cgroup_subsys_state *parent = BPF_CORE_READ(cgroup, self.parent);
	return parent ? BPF_CORE_READ(parent, cgroup) : 0;
}

/* The kernel has up to so many controllers: 12 to 16 by its configuration. */
#define CONTROLLERS_MAX 16

static __always_inline __u32 controllers(struct css_set *set)
{
	__u32 count = bpf_core_field_size(set->subsys) / sizeof(void *);
	return count < CONTROLLERS_MAX ? count : CONTROLLERS_MAX;
}

/* The group that a task is in for a controller. */
static __always_inline struct cgroup *cgroup_by_controller(struct css_set *set, __u32 controller)
{
	struct cgroup_subsys_state *state = 0;
	bpf_probe_read_kernel(&state, sizeof(state),
			      (char *)set + bpf_core_field_offset(set->subsys) + controller * sizeof(void *));
	return state ? BPF_CORE_READ(state, cgroup) : 0;
}

/* Whether a group has the name of a container: an id of 64 digits is part of it. Read in words, most of
 * which are not, to spare the stack. */
#define CONTAINER_NAME 64
static __always_inline bool is_named_after_container(struct cgroup *cgroup)
{
	const char *name = BPF_CORE_READ(cgroup, kn, name);
	for (int i = 0; i < CONTAINER_NAME; i += 8) {
		__u64 word;
		if (!name || bpf_probe_read_kernel(&word, sizeof(word), name + i))
			return false;
		if ((word - 0x0101010101010101) & ~word & 0x8080808080808080)
			return false; /* one of its bytes is 0 */
	}
	return true;
}

/* The same for the group around it: a container may have groups of its own in its group. */
static __always_inline bool is_of_container(struct cgroup *cgroup)
{
	return is_named_after_container(cgroup) || is_named_after_container(cgroup_parent(cgroup));
}

/* The group in an older hierarchy that tells most: that of a container, or else the first that is not the
 * root. The unified hierarchy may have only the service that started the container. A global function: the
 * verifier looks at it once. */
__noinline __u64 cgroup_of_old(__u64 set_address)
{
	struct css_set *set = (void *)set_address;
	__u64 first = 0;
	for (__u32 i = 0; i < CONTROLLERS_MAX; i++) {
		if (i >= controllers(set))
			break;
		struct cgroup *cgroup = cgroup_by_controller(set, i);
		if (!cgroup || !BPF_CORE_READ(cgroup, self.parent) || !BPF_CORE_READ(cgroup, root, hierarchy_id))
			continue;
		if (is_of_container(cgroup))
			return (__u64)cgroup;
		if (!first)
			first = (__u64)cgroup;
	}
	return first;
}

/* The control group that tells most about a task. */
static __always_inline struct cgroup *cgroup_of(struct task_struct *task)
{
	struct css_set *set = BPF_CORE_READ(task, cgroups);
	struct cgroup *unified = BPF_CORE_READ(set, dfl_cgrp);
	if (!has_old_hierarchies)
		return unified;
	bool is_root = !BPF_CORE_READ(unified, self.parent);
	if (!is_root && is_of_container(unified))
		return unified;
	struct cgroup *old = (void *)cgroup_of_old((__u64)set);
	return old && (is_root || is_of_container(old)) ? old : unified;
}

/* Control groups may be nested deeper than this; what lies deeper is not found. */
#define CGROUP_DEPTH 24

static __always_inline bool is_below_wanted(struct cgroup *cgroup)
{
	for (int i = 0; i < CGROUP_DEPTH && cgroup; i++) {
		__u64 id = cgroup_id(cgroup);
		if (bpf_map_lookup_elem(&wanted_cgroups, &id))
			return true;
		cgroup = cgroup_parent(cgroup);
	}
	return false;
}

/* The same for the groups of older hierarchies; returns 1 or 0. */
__noinline int is_below_wanted_old(__u64 set_address)
{
	struct css_set *set = (void *)set_address;
	__u64 left = wanted_hierarchies;
	for (__u32 i = 0; i < CONTROLLERS_MAX; i++) {
		if (i >= controllers(set))
			break;
		struct cgroup *cgroup = cgroup_by_controller(set, i);
		__u32 hierarchy = cgroup ? BPF_CORE_READ(cgroup, root, hierarchy_id) : 0;
		/* Controllers may share a hierarchy. */
		if (hierarchy >= 64 || !(left >> hierarchy & 1))
			continue;
		left &= ~(1ull << hierarchy);
		if (is_below_wanted(cgroup))
			return 1;
	}
	return 0;
}

static __always_inline bool cgroup_matches(struct task_struct *task)
{
	struct css_set *set = BPF_CORE_READ(task, cgroups);
	return is_below_wanted(BPF_CORE_READ(set, dfl_cgrp)) ||
	       (wanted_hierarchies && is_below_wanted_old((__u64)set));
}

/* The network namespace of a task, by its inode number; 0 when it has ended. */
static __always_inline __u64 netns_of(struct task_struct *task)
{
	struct nsproxy *nsproxy = BPF_CORE_READ(task, nsproxy);
	return nsproxy ? BPF_CORE_READ(nsproxy, net_ns, ns.inum) : 0;
}
