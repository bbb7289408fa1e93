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
	unsigned long ip, cs, flags, sp, ss;
};
#elif defined(__TARGET_ARCH_arm64)
struct thread_info {
	unsigned long flags; /* bit TIF_32BIT: a 32-bit program */
	__u32 cpu;	     /* since 5.16; before in task_struct */
};
struct pt_regs {
	__u64 regs[31];
	__u64 sp, pc, pstate;
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
typedef struct {
	__s64 counter;
} atomic_long_t;

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
struct super_block {
	__u32 s_dev;
};
struct inode {
	unsigned long i_ino;
	struct super_block *i_sb;
};
struct file {
	struct path f_path;
	struct inode *f_inode;
};
struct fs_struct {
	struct path pwd;
};

struct percpu_counter {
	__s64 count;
	__s32 *counters;
};
struct maple_tree {
	void *ma_root;
};
struct maple_range_64 {
	unsigned long pivot[15];
	void *slot[16];
};
struct maple_arange_64 {
	unsigned long pivot[9];
	void *slot[10];
};
typedef struct {
	void *vdso;
} mm_context_t;
struct xol_area {
	unsigned long vaddr; /* where the code lies that functions with a return probe return to */
};
struct uprobes_state {
	struct xol_area *xol_area;
};
struct mm_struct {
	unsigned long arg_start, arg_end;
	unsigned long start_brk, brk;
	unsigned long total_vm, exec_vm, hiwater_rss;
	struct file *exe_file;
	struct percpu_counter rss_stat[4];
	struct maple_tree mm_mt;
	mm_context_t context;
	struct uprobes_state uprobes_state;
};
struct mm_rss_stat___v62 { /* f1a7941243c1: RSS counters became per CPU */
	atomic_long_t count[4];
};
struct rb_node {
	struct rb_node *rb_right, *rb_left;
};
struct rb_root {
	struct rb_node *rb_node;
};
struct mm_struct___v61 { /* 524e00b36e8c: the tree of mappings became a maple tree */
	struct rb_root mm_rb;
};
struct mm_struct___v62 {
	struct mm_rss_stat___v62 rss_stat;
};
struct vm_area_struct {
	unsigned long vm_start, vm_end;
	struct mm_struct *vm_mm;
	unsigned long vm_flags;
	unsigned long vm_pgoff;
	struct file *vm_file;
};
struct vm_area_struct___v61 {
	struct rb_node vm_rb;
};

struct return_instance {
	unsigned long stack;	      /* where the return address was replaced */
	unsigned long orig_ret_vaddr; /* what it was */
	struct return_instance *next; /* of an outer function */
};
struct uprobe_task {
	struct return_instance *return_instances;
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
	struct cgroup_subsys_state *subsys[1]; /* one for each controller that the kernel has */
	struct cgroup *dfl_cgrp;
};

struct signal_struct {
	atomic_t live;
	unsigned long maxrss; /* in pages; kept when the memory goes */
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
	void *stack;
	struct uprobe_task *utask;
	struct fs_struct *fs;
	struct signal_struct *signal;
	const struct cred *cred, *real_cred;
	struct css_set *cgroups;
	struct nsproxy *nsproxy;
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

struct bpf_array {
	void *pptrs[1]; /* of a map per CPU */
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

/* [connections] */

/* [packets] */

/* [dns] */

/* [disk] */

/* [containers] */
struct net___ns { /* the part of a network namespace that says its number */
	struct {
		unsigned int inum;
	} ns;
};
struct nsproxy {
	struct net___ns *net_ns;
};

#pragma clang attribute pop
