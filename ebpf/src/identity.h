/* Who a thread is: announcing it, its control group and its credentials. */
#pragma once

/* Segment in which each control group was last announced. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 4096);
	__type(key, __u64);
	__type(value, __u32);
} cgroups_announced SEC(".maps");

/* A process for good: start time in milliseconds since boot, and the process id. */
static __always_inline __u64 upid_of(struct task_struct *task)
{
	struct task_struct *leader = BPF_CORE_READ(task, group_leader);
	__u64 start_ms = BPF_CORE_READ(leader, start_boottime) / 1000000;
	return start_ms << 22 | (__u32)BPF_CORE_READ(task, tgid);
}

/* Tells the recorder of the control group whose record is in the scratch. It reads what a runtime knows of
 * the container that it may be, which is gone soon after the container. */
static __always_inline bool tell_cgroup(struct scratch *s)
{
	__u32 size = s->size;
	return size <= SCRATCH_MAX && !bpf_ringbuf_output(&cgroups_ring, s->bytes, size, BPF_RB_FORCE_WAKEUP);
}

/* Sends the path of a task's control group, once per segment. Returns the group's id. */
static __always_inline __u64 announce_cgroup(struct cgroup *cgroup, __u32 lane)
{
	__u64 id = cgroup_id(cgroup);
	__u32 now = epoch(), *announced = bpf_map_lookup_elem(&cgroups_announced, &id);
	if (announced && *announced == now)
		return id;
	struct scratch *s = scratch(lane);
	if (!s)
		return id;
	struct ebrec_cgroup *record = (void *)s->bytes;
	header(&record->header, EBREC_CGROUP, bpf_ktime_get_ns(), 0, 0, sizeof(*record));
	record->id = id;
	s->size = sizeof(*record);
	tail_cgroup_names(s, cgroup);
	if (emit_scratch(&processes_ring, s, EBREC_CGROUP, lane) && tell_cgroup(s))
		bpf_map_update_elem(&cgroups_announced, &id, &now, BPF_ANY);
	return id;
}

/* Sends who the thread is. When the ring is full the thread is announced at its next event. */
static __always_inline int announce(struct task_struct *task, struct thread *thread, __u32 lane)
{
	__u32 now = epoch();
	struct task_struct *parent = BPF_CORE_READ(task, real_parent);
	const struct cred *cred = BPF_CORE_READ(task, real_cred);
	struct ebrec_thread record = {};
	record.cgroup_id = announce_cgroup(cgroup_of(task), lane);
	header(&record.header, EBREC_THREAD, bpf_ktime_get_ns(), BPF_CORE_READ(task, tgid),
	       BPF_CORE_READ(task, pid), sizeof(record));
	record.upid = upid_of(task);
	record.parent_upid = upid_of(parent);
	record.uid = BPF_CORE_READ(cred, uid.val);
	record.gid = BPF_CORE_READ(cred, gid.val);
	BPF_CORE_READ_STR_INTO(&record.thread_comm, task, comm);
	record.netns = netns_of(task);
	if (emit(&processes_ring, &record, EBREC_THREAD, sizeof(record), lane))
		thread->epoch = now;
	return 0;
}

/* Sends a change of credentials since they were last looked at. */
static __always_inline int note_credentials(struct task_struct *task, struct thread *thread, __u64 cred_address,
					    __u32 lane)
{
	const struct cred *cred = (void *)cred_address;
	struct ebrec_setuid record = {};
	record.uid = BPF_CORE_READ(cred, uid.val);
	record.gid = BPF_CORE_READ(cred, gid.val);
	record.euid = BPF_CORE_READ(cred, euid.val);
	record.egid = BPF_CORE_READ(cred, egid.val);
	bpf_core_read(&record.cap_effective, sizeof(record.cap_effective), &cred->cap_effective);
	record.old_uid = thread->uid;
	record.old_euid = thread->euid;
	bool first = !thread->cred;
	bool same = record.uid == thread->uid && record.gid == thread->gid && record.euid == thread->euid &&
		    record.egid == thread->egid && record.cap_effective == thread->cap_effective;
	thread->cred = cred_address;
	thread->uid = record.uid;
	thread->gid = record.gid;
	thread->euid = record.euid;
	thread->egid = record.egid;
	thread->cap_effective = record.cap_effective;
	if (first || same)
		return 0;
	header(&record.header, EBREC_SETUID, bpf_ktime_get_ns(), BPF_CORE_READ(task, tgid),
	       BPF_CORE_READ(task, pid), sizeof(record));
	emit(&processes_ring, &record, EBREC_SETUID, sizeof(record), lane);
	return 0;
}

/* To be called at each event of the task: announces it where that is due. */
static __always_inline void identify_in(struct task_struct *task, struct thread *thread, __u32 lane)
{
	if (thread->epoch != epoch())
		announce(task, thread, lane);
	__u64 cred = (__u64)FIELD(task, cred);
	if (cred != thread->cred)
		note_credentials(task, thread, cred, lane);
}

static __always_inline void identify(struct task_struct *task, struct thread *thread)
{
	identify_in(task, thread, LANE_EVENT);
}

/* The same as a function of its own, for programs that have little room on their stack. */
static __noinline int identify_apart(struct task_struct *task, struct thread *thread, __u32 lane)
{
	identify_in(task, thread, lane);
	return 0;
}
