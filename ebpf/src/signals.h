/* Signals: sent, and taken by the thread they are for.
 *
 * Those that the kernel sends on its own, at a fault or when a timer runs out, may be sent in an
 * interrupt, where the running thread is anybody: they are records of their target. */
#pragma once

/* Instead of a structure: a signal of a process, or of the kernel, without further information. */
#define SIGNAL_NO_INFO 0ul
#define SIGNAL_OF_KERNEL 1ul

#define SI_USER 0
#define SI_KERNEL 0x80
#define SI_QUEUE (-1)
#define SI_MESGQ (-3)
#define SI_TKILL (-6)
#define SIGNAL_KILL 9
#define SIGNAL_CHILD 17
#define CODE_UNKNOWN 0x7fffffff

#define HANDLER_DEFAULT 0ul
#define HANDLER_IGNORE 1ul

static __always_inline __s32 signal_code(struct kernel_siginfo *info)
{
	if ((unsigned long)info == SIGNAL_NO_INFO)
		return SI_USER;
	if ((unsigned long)info == SIGNAL_OF_KERNEL)
		return SI_KERNEL;
	return BPF_CORE_READ(info, si_code);
}

/* Whether a thread sent it, by a call or by its end. */
static __always_inline bool is_of_thread(__u32 signal, __s32 code)
{
	if (code == SI_USER || code == SI_QUEUE || code == SI_MESGQ || code == SI_TKILL)
		return true;
	return signal == SIGNAL_CHILD && code > 0 && code != SI_KERNEL;
}

SEC("tp_btf/signal_generate")
int BPF_PROG(tp_btf__signal_generate, int signal, struct kernel_siginfo *info, struct task_struct *target, int group,
	     int result)
{
	struct thread *target_thread = thread_of(target);
	bool is_for_us = target_thread && in_scope(target_thread);
	struct task_struct *task = current_task();
	struct thread *thread = thread_of(task);
	bool is_known = thread && in_scope(thread);
	if (!is_for_us && !is_known)
		return 0;
	__s32 code = signal_code(info);
	bool is_sent = is_of_thread(signal, code);
	if (!is_sent && !is_for_us)
		return 0;
	struct ebrec_signal_sent record = {};
	record.signal = (__u64)(__u32)code << 32 | (__u32)signal;
	record.target_upid = upid_of(target);
	record.target_pid = BPF_CORE_READ(target, tgid);
	record.target_tid = BPF_CORE_READ(target, pid);
	BPF_CORE_READ_STR_INTO(&record.target_comm, target, comm);
	record.result = result;
	record.reach = !!group;
	__u32 pid = record.target_pid, tid = record.target_tid;
	record.sender_pid = ~0u;
	if (is_sent) {
		if (is_known)
			identify(task, thread);
		pid = FIELD(task, tgid);
		tid = FIELD(task, pid);
		record.sender_pid = pid;
		BPF_CORE_READ_STR_INTO(&record.sender_comm, task, comm);
	}
	header(&record.header, EBREC_SIGNAL_SENT, bpf_ktime_get_ns(), pid, tid, sizeof(record));
	/* An interrupt may send one while this is being counted. */
	emit(&signals_ring, &record, EBREC_SIGNAL_SENT, sizeof(record), LANE_NONE);
	return 0;
}

SEC("tp_btf/signal_deliver")
int BPF_PROG(tp_btf__signal_deliver, int signal, struct kernel_siginfo *info, struct k_sigaction *action)
{
	struct task_struct *task = current_task();
	struct thread *thread = thread_of(task);
	if (!thread || !in_scope(thread))
		return 0;
	identify(task, thread);
	struct ebrec_signal_received record = {};
	__s32 code = signal_code(info);
	record.sender_pid = 0;
	if ((unsigned long)info > SIGNAL_OF_KERNEL && is_of_thread(signal, code))
		record.sender_pid = BPF_CORE_READ(info, _sifields._kill._pid);
	/* A deadly signal ends all threads of a process by a SIGKILL that nobody sent. */
	if (signal == SIGNAL_KILL && code == SI_USER && !record.sender_pid)
		code = CODE_UNKNOWN;
	record.signal = (__u64)(__u32)code << 32 | (__u32)signal;
	unsigned long handler = (unsigned long)BPF_CORE_READ(action, sa.sa_handler);
	record.action = handler == HANDLER_DEFAULT ? 0 : handler == HANDLER_IGNORE ? 1 : 2;
	header(&record.header, EBREC_SIGNAL_RECEIVED, bpf_ktime_get_ns(), FIELD(task, tgid), FIELD(task, pid),
	       sizeof(record));
	emit(&signals_ring, &record, EBREC_SIGNAL_RECEIVED, sizeof(record), LANE_EVENT);
	return 0;
}
