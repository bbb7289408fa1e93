/* Processes and threads: start, program, name, control group, end. */
#pragma once

static __always_inline int process_forks(struct task_struct *parent, struct task_struct *child)
{
	struct thread *parent_thread = thread_of(parent);
	struct thread *thread = thread_consider(child, parent_thread ? parent_thread->bits : 0, LANE_EVENT);
	if (!thread || !in_scope(thread))
		return 0;
	bool is_process = BPF_CORE_READ(child, pid) == BPF_CORE_READ(child, tgid);
	const struct cred *cred = BPF_CORE_READ(child, real_cred);
	struct ebrec_fork record = {};
	__u64 ts_ns = bpf_ktime_get_ns();
	record.child_cgroup_id = announce_cgroup(cgroup_of(child), LANE_EVENT);
	record.child_upid = upid_of(child);
	record.child_tid = BPF_CORE_READ(child, pid);
	record.child_pid = BPF_CORE_READ(child, tgid);
	record.uid = BPF_CORE_READ(cred, uid.val);
	record.gid = BPF_CORE_READ(cred, gid.val);
	record.netns = netns_of(child);
	/* thread_start is fork without the ids at its end. */
	__u32 kind = is_process ? EBREC_FORK : EBREC_THREAD_START;
	__u32 size = is_process ? sizeof(struct ebrec_fork) : sizeof(struct ebrec_thread_start);
	header(&record.header, kind, ts_ns, BPF_CORE_READ(parent, tgid), BPF_CORE_READ(parent, pid), size);
	bool parent_known = parent_thread && in_scope(parent_thread);
	if (emit(&processes_ring, &record, kind, size, LANE_EVENT) && parent_known)
		thread->epoch = epoch();
	/* A child whose parent is unknown has no name yet: it is announced at its first event. */
	note_credentials(child, thread, (__u64)BPF_CORE_READ(child, cred), LANE_EVENT);
	if (!parent_known)
		announce(child, thread, LANE_EVENT);
	if (is_process)
		tell_process(record.child_pid);
	return 0;
}

SEC("tp_btf/sched_process_fork")
int BPF_PROG(tp_btf__sched_process_fork, struct task_struct *parent, struct task_struct *child)
{
	return process_forks(parent, child);
}

SEC("tp_btf/sched_process_fork")
int BPF_PROG(tp_btf__sched_process_fork__guarded, struct task_struct *parent, struct task_struct *child)
{
	return GUARDED(process_forks(parent, child));
}

/* The file of an execve in progress: at its end the program that named it is gone. */
struct exec_path {
	char path[PATH_KEPT];
};
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 1024);
	__type(key, __u64);
	__type(value, struct exec_path);
} exec_paths SEC(".maps");

static __always_inline void keep_exec_path(struct task_struct *task, const void *path, bool of_kernel)
{
	struct scratch *s = scratch(LANE_EVENT);
	if (!s)
		return;
	__u64 key = (__u64)task;
	long length = of_kernel ? bpf_probe_read_kernel_str(s->bytes, PATH_KEPT, path)
				: bpf_probe_read_user_str(s->bytes, PATH_KEPT, path);
	if (length > 0)
		bpf_map_update_elem(&exec_paths, &key, s->bytes, BPF_ANY);
}

static __always_inline int process_execs(struct task_struct *task, int old_pid, struct linux_binprm *bprm)
{
	struct thread *thread = thread_of(task);
	if (!thread || !in_scope(thread))
		return 0;
	identify(task, thread);
	__u64 key = (__u64)task;
	if (has_syscalls && !no_paths && !bpf_map_lookup_elem(&exec_paths, &key))
		keep_exec_path(task, BPF_CORE_READ(bprm, filename), true);
	struct scratch *s = scratch(LANE_EVENT);
	if (!s)
		return 0;
	const struct cred *cred = BPF_CORE_READ(task, cred);
	struct mm_struct *mm = BPF_CORE_READ(task, mm);
	struct ebrec_exec *record = (void *)s->bytes;
	header(&record->header, EBREC_EXEC, bpf_ktime_get_ns(), BPF_CORE_READ(task, tgid),
	       BPF_CORE_READ(task, pid), sizeof(*record));
	record->exec_upid = upid_of(task);
	record->old_tid = old_pid;
	record->uid = BPF_CORE_READ(cred, uid.val);
	record->gid = BPF_CORE_READ(cred, gid.val);
	record->euid = BPF_CORE_READ(cred, euid.val);
	record->netns = netns_of(task);
	s->size = sizeof(*record);
	if (!no_paths)
		tail_kernel_string(s, EBREC_TAIL_PATH, BPF_CORE_READ(bprm, filename));
	struct file *exe = BPF_CORE_READ(mm, exe_file);
	if (exe)
		tail_file_names(s, EBREC_TAIL_EXE, __builtin_preserve_access_index(&exe->f_path));
	struct fs_struct *fs = BPF_CORE_READ(task, fs);
	if (fs && !no_paths)
		tail_file_names(s, EBREC_TAIL_CWD, __builtin_preserve_access_index(&fs->pwd));
	if (!no_args && (args_uid == ~0u || args_uid == record->uid))
		tail_argv(s, mm);
	emit_scratch(&processes_ring, s, EBREC_EXEC, LANE_EVENT);
	tell_process(FIELD(task, tgid));
	return 0;
}

SEC("tp_btf/sched_process_exec")
int BPF_PROG(tp_btf__sched_process_exec, struct task_struct *task, int old_pid, struct linux_binprm *bprm)
{
	return process_execs(task, old_pid, bprm);
}

SEC("tp_btf/sched_process_exec")
int BPF_PROG(tp_btf__sched_process_exec__guarded, struct task_struct *task, int old_pid, struct linux_binprm *bprm)
{
	return GUARDED(process_execs(task, old_pid, bprm));
}

static __always_inline void syscall_unfinished(struct task_struct *task, struct thread *thread);

/* Newer kernels pass whether it was the last thread; the count of live ones tells it on all. */
static __always_inline int process_exits(struct task_struct *task)
{
	struct thread *thread = thread_of(task);
	if (!thread || !in_scope(thread))
		return 0;
	identify(task, thread);
	if (has_syscalls)
		syscall_unfinished(task, thread);
	bool last = BPF_CORE_READ(task, signal, live.counter) == 0;
	if (has_faults && last)
		usage_emit(task, LANE_EVENT);
	if (has_cpu)
		task_usage_ends(task, thread);
	__u32 kind = last ? EBREC_EXIT : EBREC_THREAD_EXIT;
	struct ebrec_exit record = {};
	header(&record.header, kind, bpf_ktime_get_ns(), BPF_CORE_READ(task, tgid), BPF_CORE_READ(task, pid),
	       sizeof(record));
	record.status = BPF_CORE_READ(task, exit_code);
	emit(&processes_ring, &record, kind, sizeof(record), LANE_EVENT);
	return 0;
}

SEC("tp_btf/sched_process_exit")
int BPF_PROG(tp_btf__sched_process_exit, struct task_struct *task)
{
	return process_exits(task);
}

SEC("tp_btf/sched_process_exit")
int BPF_PROG(tp_btf__sched_process_exit__guarded, struct task_struct *task)
{
	return GUARDED(process_exits(task));
}

static __always_inline int task_renames(struct task_struct *task, const char *comm)
{
	struct ebrec_rename record = {};
	bpf_probe_read_kernel_str(record.new_comm, sizeof(record.new_comm), comm);
	struct thread *thread = thread_of(task);
	bool before = thread && in_scope(thread);
	if (required & SCOPE_COMM) {
		__u32 bits = scope_bits(task, thread ? thread->bits : 0, record.new_comm);
		if (!thread && (bits & required) == required && BPF_CORE_READ(task, tgid) != self_pid)
			thread = thread_create(task);
		if (thread)
			thread->bits = (thread->bits & FOUND) | bits;
	}
	if (!thread || !(before || in_scope(thread)))
		return 0;
	identify(task, thread);
	header(&record.header, EBREC_RENAME, bpf_ktime_get_ns(), BPF_CORE_READ(task, tgid),
	       BPF_CORE_READ(task, pid), sizeof(record));
	if (!emit(&processes_ring, &record, EBREC_RENAME, sizeof(record), LANE_EVENT))
		thread->epoch = 0;
	return 0;
}

SEC("tp_btf/task_rename")
int BPF_PROG(tp_btf__task_rename, struct task_struct *task, const char *comm)
{
	return task_renames(task, comm);
}

SEC("tp_btf/task_rename")
int BPF_PROG(tp_btf__task_rename__guarded, struct task_struct *task, const char *comm)
{
	return GUARDED(task_renames(task, comm));
}

static __always_inline int cgroup_attaches(struct cgroup *cgroup, const char *path, struct task_struct *task)
{
	struct thread *thread = thread_of(task);
	bool before = thread && in_scope(thread);
	if (required & SCOPE_CGROUP)
		thread = thread_consider(task, thread ? thread->bits : 0, LANE_EVENT) ?: thread;
	if (thread && (required & SCOPE_CGROUP) && !cgroup_matches(task))
		thread->bits &= ~SCOPE_CGROUP;
	if (!thread || !(before || in_scope(thread)))
		return 0;
	identify(task, thread);
	struct ebrec_cgroup_attach record = {};
	record.child_cgroup_id = announce_cgroup(cgroup_of(task), LANE_EVENT);
	header(&record.header, EBREC_CGROUP_ATTACH, bpf_ktime_get_ns(), BPF_CORE_READ(task, tgid),
	       BPF_CORE_READ(task, pid), sizeof(record));
	if (!emit(&processes_ring, &record, EBREC_CGROUP_ATTACH, sizeof(record), LANE_EVENT))
		thread->epoch = 0;
	return 0;
}

SEC("tp_btf/cgroup_attach_task")
int BPF_PROG(tp_btf__cgroup_attach_task, struct cgroup *cgroup, const char *path, struct task_struct *task)
{
	return cgroup_attaches(cgroup, path, task);
}

SEC("tp_btf/cgroup_attach_task")
int BPF_PROG(tp_btf__cgroup_attach_task__guarded, struct cgroup *cgroup, const char *path, struct task_struct *task)
{
	return GUARDED(cgroup_attaches(cgroup, path, task));
}

#ifdef EBREC_HASH
SEC("tp_btf/sched_process_free")
int BPF_PROG(tp_btf__sched_process_free, struct task_struct *task)
{
	__u64 key = (__u64)task;
	task_usage_freed(task);
	bpf_map_delete_elem(&threads, &key);
	return 0;
}
#endif
