/* What the overhead benchmark compares with: the least a joined record of a system call can cost,
 * and the least a process outside the scope can pay. */
#include <linux/bpf.h>
#include <stdbool.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 16 << 20);
} ring SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_TASK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, __u64);
} entered SEC(".maps");

const volatile __u32 target_pid = 0;

struct record {
	__u64 ts_ns, duration_ns, pid_tgid;
	__s64 number, ret;
	__u64 args[3];
};
_Static_assert(sizeof(struct record) == 64, "a record of 64 bytes");

SEC("tp_btf/sys_enter")
int BPF_PROG(minimal_enter, void *regs, long number)
{
	if (bpf_get_current_pid_tgid() >> 32 != target_pid)
		return 0;
	__u64 *ts_ns = bpf_task_storage_get(&entered, (void *)bpf_get_current_task_btf(), 0, BPF_LOCAL_STORAGE_GET_F_CREATE);
	if (ts_ns)
		*ts_ns = bpf_ktime_get_ns();
	return 0;
}

SEC("tp_btf/sys_exit")
int BPF_PROG(minimal_exit, void *regs, long ret)
{
	__u64 pid_tgid = bpf_get_current_pid_tgid();
	if (pid_tgid >> 32 != target_pid)
		return 0;
	__u64 *ts_ns = bpf_task_storage_get(&entered, (void *)bpf_get_current_task_btf(), 0, 0);
	if (!ts_ns)
		return 0;
	struct record *record = bpf_ringbuf_reserve(&ring, sizeof(*record), 0);
	if (!record)
		return 0;
	record->ts_ns = *ts_ns;
	record->duration_ns = bpf_ktime_get_ns() - *ts_ns;
	record->pid_tgid = pid_tgid;
	record->number = 0;
	record->ret = ret;
	record->args[0] = record->args[1] = record->args[2] = 0;
	bpf_ringbuf_submit(record, BPF_RB_NO_WAKEUP);
	return 0;
}

SEC("raw_tp/sys_enter")
int empty_enter(void *ctx)
{
	return 0;
}

SEC("raw_tp/sys_exit")
int empty_exit(void *ctx)
{
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
