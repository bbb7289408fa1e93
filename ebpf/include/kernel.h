/* The few kernel structures the programs read, as partial declarations.
 *
 * `preserve_access_index` makes clang record each access by name, and the loader puts in the offset
 * of the running kernel (CO-RE). A structure whose field was renamed has a flavour with a suffix
 * after three underscores; bpf_core_field_exists() tells which one this kernel has. */
#pragma once

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

#if defined(__TARGET_ARCH_x86)
struct thread_info {
	__u32 status; /* bit TS_COMPAT: inside a 32-bit system call */
	__u32 cpu;    /* since 5.16; before in task_struct */
};
struct pt_regs {
	unsigned long r15, r14, r13, r12, bp, bx, r11, r10, r9, r8, ax, cx, dx, si, di, orig_ax;
};
#elif defined(__TARGET_ARCH_arm64)
struct thread_info {
	unsigned long flags; /* bit TIF_32BIT: a 32-bit program */
	__u32 cpu;	     /* since 5.16; before in task_struct */
};
struct pt_regs {
	__u64 regs[31];
	__u64 orig_x0;
	__s32 syscallno;
};
#endif

typedef struct {
	__u32 val;
} kuid_t;
typedef struct {
	__u32 val;
} kgid_t;
typedef struct {
	int counter;
} atomic_t;

struct cred {
	kuid_t uid;
	kgid_t gid;
	kuid_t euid;
	kgid_t egid;
	struct {
		__u64 val;
	} cap_effective;
};

struct qstr {
	const unsigned char *name;
};
struct dentry {
	struct dentry *d_parent;
	struct qstr d_name;
};
struct vfsmount {
	struct dentry *mnt_root;
};
struct mount {
	struct mount *mnt_parent;
	struct dentry *mnt_mountpoint;
	struct vfsmount mnt;
};
struct path {
	struct vfsmount *mnt;
	struct dentry *dentry;
};
struct file {
	struct path f_path;
};
struct fs_struct {
	struct path pwd;
};
struct mm_struct {
	unsigned long arg_start, arg_end;
	struct file *exe_file;
};

struct kernfs_node {
	const char *name;
	struct kernfs_node *parent;
	__u64 id;
};
struct kernfs_node___v615 { /* 633488947ef6: parent became __parent */
	struct kernfs_node *__parent;
};
struct cgroup_root {
	int hierarchy_id;
};
struct cgroup;
struct cgroup_subsys_state {
	struct cgroup *cgroup;
	struct cgroup_subsys_state *parent;
};
struct cgroup {
	struct cgroup_subsys_state self;
	struct kernfs_node *kn;
	struct cgroup_root *root;
};
struct css_set {
	struct cgroup_subsys_state *subsys[8];
	struct cgroup *dfl_cgrp;
};

struct signal_struct {
	atomic_t live;
};

struct task_struct {
	struct thread_info thread_info;
	int pid, tgid;
	int prio;
	int exit_code;
	unsigned int __state;
	__u64 start_boottime;
	struct task_struct *group_leader, *real_parent;
	struct mm_struct *mm;
	struct fs_struct *fs;
	struct signal_struct *signal;
	const struct cred *cred, *real_cred;
	struct css_set *cgroups;
	char comm[16];
	void *bpf_storage;
};
struct task_struct___v514 { /* 2f064a59a11f: state became __state */
	volatile long state;
};
struct task_struct___v516 { /* bcf9033e5449: cpu moved to thread_info */
	unsigned int cpu;
};

struct linux_binprm {
	const char *filename;
};

struct io_cqe {
	__s32 fd;
};
struct io_kiocb {
	__u8 opcode;
	struct io_cqe cqe;
};
struct io_uring_cqe___kernel { /* the name is taken by the user-space header */
	__s32 res;
};

struct seq_file;
struct bpf_iter_meta {
	struct seq_file *seq;
	__u64 seq_num;
};
struct bpf_iter__task {
	struct bpf_iter_meta *meta;
	struct task_struct *task;
};

#pragma clang attribute pop
