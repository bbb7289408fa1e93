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
	unsigned short i_mode;
	unsigned long i_ino;
	struct super_block *i_sb;
};
struct file {
	void *private_data;
	struct path f_path;
	struct inode *f_inode;
};
struct fs_struct {
	struct path pwd;
};
struct files_struct;

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
	int exit_code, exit_state;
	unsigned int __state;
	__u64 start_boottime;
	struct task_struct *group_leader, *real_parent;
	struct mm_struct *mm;
	void *stack;
	struct uprobe_task *utask;
	struct fs_struct *fs;
	struct files_struct *files;
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
struct io_cmd_data {
	struct file *file;
};
struct io_kiocb {
	struct io_cmd_data cmd; /* of each operation a structure of its own: below */
	__u8 opcode;
	unsigned int flags;
	struct io_cqe cqe;
};
struct filename {
	const char *name; /* as the program wrote it, in the kernel's memory */
};
struct open_how {
	__u64 flags, mode;
};
struct io_open {
	int dfd;
	__u32 file_slot;
	struct filename *filename;
	struct open_how how;
};
struct io_unlink {
	int dfd, flags;
	struct filename *filename;
};
struct io_mkdir {
	int dfd;
	unsigned short mode;
	struct filename *filename;
};
struct io_rename {
	int old_dfd, new_dfd, flags;
	struct filename *oldpath, *newpath;
};
struct io_link { /* of symbolic links, too, which have no old_dfd */
	int old_dfd, new_dfd, flags;
	struct filename *oldpath, *newpath;
};
struct io_statx {
	int dfd;
	unsigned int mask, flags;
	struct filename *filename;
};
/* 9fa3ec84587c: a name is imported in two steps, and is in a structure in between; copied it is after the first. */
struct delayed_filename {
	struct filename *__incomplete_filename;
};
struct io_open___v70 {
	struct delayed_filename filename;
};
struct io_unlink___v70 {
	struct delayed_filename filename;
};
struct io_mkdir___v70 {
	struct delayed_filename filename;
};
struct io_rename___v70 {
	struct delayed_filename oldpath, newpath;
};
struct io_link___v70 {
	struct delayed_filename oldpath, newpath;
};
struct io_statx___v70 {
	struct delayed_filename filename;
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

struct fdtable {
	unsigned int max_fds;
	struct file **fd;
};
struct files_struct {
	struct fdtable *fdt;
};
struct upid {
	int nr;
};
struct pid {
	struct upid numbers[1];
};
struct ns_common {
	unsigned int inum;
};
struct net {
	struct ns_common ns;
};
typedef struct {
	struct net *net;
} possible_net_t;
struct in6_addr {
	__u8 bytes[16];
};
struct sock_common {
	__be32 skc_daddr, skc_rcv_saddr;
	__be16 skc_dport;
	__u16 skc_num;
	unsigned short skc_family;
	volatile unsigned char skc_state;
	possible_net_t skc_net;
	struct in6_addr skc_v6_daddr, skc_v6_rcv_saddr;
	unsigned long skc_flags;
};
struct numa_drop_counters {
	atomic_t drops0, drops1;
};
struct sock {
	struct sock_common __sk_common;
	atomic_t sk_drops;
	int sk_err;
	__u16 sk_protocol, sk_type;
	struct socket *sk_socket;
	struct pid *sk_peer_pid;
	struct numa_drop_counters *sk_drop_counters; /* since 6.18, of sockets for datagrams */
};
struct socket {
	struct file *file;
	struct sock *sk;
};
struct socket_alloc {
	struct socket socket;
	struct inode vfs_inode;
};
struct inet_sock {
	struct sock sk;
	__be16 inet_sport;
};
struct minmax_sample {
	__u32 t, v;
};
struct minmax {
	struct minmax_sample s[3];
};
struct tcp_sock {
	__u32 write_seq, snd_una, rcv_nxt, copied_seq;
	__u64 bytes_acked, bytes_received;
	__u32 srtt_us, total_retrans;
	struct minmax rtt_min;
};
struct sockaddr_un {
	char sun_path[108];
};
struct unix_address {
	int len;
	struct sockaddr_un name[0];
};
struct unix_sock {
	struct unix_address *addr;
	struct sock *peer;
};
struct tcp_skb_cb {
	__u16 tcp_gso_segs;
};
struct bpf_iter__task_file {
	struct bpf_iter_meta *meta;
	struct task_struct *task;
	__u32 fd;
	struct file *file;
};
struct bpf_map;
struct bpf_iter__bpf_map_elem {
	struct bpf_iter_meta *meta;
	struct bpf_map *map;
	void *key, *value;
};

struct net_device {
	char name[16];
	int ifindex;
	unsigned short type;
	possible_net_t nd_net;
};
struct sk_buff {
	struct net_device *dev;
	struct sock *sk;
	char cb[48];
	unsigned int len, data_len;
	__be16 protocol, vlan_proto;
	__u16 vlan_tci, network_header, mac_header;
	unsigned char *head, *data;
};
struct sk_buff___v62 { /* 354259fa73e2: a tag is there when it is not 0 */
	__u8 vlan_present : 1;
};

struct net_device___dns {
	int ifindex;
	unsigned int flags;
};
struct sk_buff___dns {
	struct sock *sk;
	struct net_device___dns *dev;
	unsigned int len, data_len; /* in all, and of it outside of what `data` points to */
	__u16 network_header;
	unsigned char *head, *data;
};

struct sched_entity {
	__u64 sum_exec_runtime;
};
struct sched_info {
	unsigned long long run_delay; /* with CONFIG_SCHED_INFO */
};
struct task_struct___usage {
	struct sched_entity se;
	struct sched_info sched_info;
	__u64 utime, stime;
	unsigned long nvcsw, nivcsw;
};
struct task_struct___on_cpu {
	int on_cpu; /* with CONFIG_SMP */
};
struct task_struct___flags {
	unsigned int flags; /* bit PF_IO_WORKER: a thread of io_uring in a process */
};
struct gendisk {
	int major, first_minor;
	char disk_name[32];
};
struct request_queue {
	struct gendisk *disk;
};
struct request___block { /* the name is taken by our requests of io_uring */
	struct request_queue *q;
	unsigned int cmd_flags, rq_flags;
	unsigned int __data_len;
	__u64 __sector;
	__u64 start_time_ns;
};
struct request___v517 { /* f3fa33acca9f: only the queue has the disk, since 5.15 */
	struct gendisk *rq_disk;
};
enum rqf_flags { /* 5f89154e8e9e: flags became an enum, and another bit */
	__RQF_FLUSH_SEQ = 1,
};
union __sifields {
	struct {
		int _pid;
	} _kill;
};
struct kernel_siginfo {
	int si_signo, si_code;
	union __sifields _sifields;
};
struct sigaction {
	void *sa_handler;
};
struct k_sigaction {
	struct sigaction sa;
};

struct net___ns { /* the part of a network namespace that says its number */
	struct {
		unsigned int inum;
	} ns;
};
struct nsproxy {
	struct net___ns *net_ns;
};

#pragma clang attribute pop
