-- # Intervals off the CPU, with what the thread waited for
-- One row per interval of a thread off the CPU. The system call it was in is known where system calls were
-- recorded; the stack where the source `offcpu` was. `reason` is the kind of wait: by the system call, else by the
-- functions of the kernel on the stack, else by the state the thread was left in.
-- @column ts              When it left the CPU.
-- @column host            Name of the machine.
-- @column cpu             CPU it left.
-- @column pid             Process id.
-- @column tid             Thread id.
-- @column upid            Process for good.
-- @column comm            Name of the thread at that moment.
-- @column cgroup_id       Control group of the thread at that moment.
-- @column duration_ns     Time until it ran again; NULL when it has not.
-- @column wait_ns         Part of it in which it was ready and waited for a CPU.
-- @column state           State it left the CPU in: `preempted`, or the words of `/proc/PID/status`.
-- @column waker_tid       Thread that woke it.
-- @column waker_upid      Process of that thread, where it was recorded.
-- @column waker_pid       Process of the thread that woke it.
-- @column waker_comm      Name of the thread that woke it.
-- @column stack_id        Stack it was left with.
-- @column waker_stack_id  Stack of the thread that woke it.
-- @column syscall         System call that it was in.
-- @column syscall_ts      When that call began: with `tid`, the row of `syscalls`.
-- @column syscall_arg0    First argument of the call: of most, the file descriptor.
-- @column reason          `cpu` (preempted), `lock`, `disk`, `network`, `pipe`, `child`, `sleep`, `poll`, `fault`,
--     `stopped`, `unknown`.
SELECT
    w.*,
    CASE
        WHEN w.state = 'preempted' THEN 'cpu'
        WHEN w.state IN ('stopped', 'tracing stop') THEN 'stopped'
        WHEN w.syscall IN ('futex', 'futex_wait', 'futex_waitv', 'flock', 'semop', 'semtimedop') THEN 'lock'
        WHEN w.syscall IN ('nanosleep', 'clock_nanosleep', 'pause', 'rt_sigsuspend', 'rt_sigtimedwait') THEN 'sleep'
        WHEN w.syscall IN ('wait4', 'waitid', 'vfork') THEN 'child'
        WHEN w.syscall IN ('poll', 'ppoll', 'select', 'pselect6', 'epoll_wait', 'epoll_pwait', 'epoll_pwait2', 'io_uring_enter', 'io_getevents') THEN 'poll'
        WHEN w.syscall IN ('recvfrom', 'recvmsg', 'recvmmsg', 'sendto', 'sendmsg', 'sendmmsg', 'accept', 'accept4', 'connect') THEN 'network'
        WHEN w.syscall IN ('fsync', 'fdatasync', 'sync', 'syncfs', 'sync_file_range', 'msync') THEN 'disk'
        WHEN w.state = 'disk sleep' AND w.syscall IS NULL THEN 'fault'
        WHEN w.state = 'disk sleep' THEN 'disk'
        WHEN s.folded LIKE '%;futex_wait%' THEN 'lock'
        WHEN s.folded LIKE '%nanosleep%' THEN 'sleep'
        WHEN s.folded LIKE '%;do_wait%' THEN 'child'
        WHEN s.folded LIKE '%;ep_poll%' OR s.folded LIKE '%;do_poll%' OR s.folded LIKE '%;do_select%' THEN 'poll'
        WHEN s.folded LIKE '%pipe_read%' OR s.folded LIKE '%pipe_write%' THEN 'pipe'
        WHEN s.folded LIKE '%;sock_%' OR s.folded LIKE '%;inet_%' OR s.folded LIKE '%;unix_%' THEN 'network'
        WHEN s.folded LIKE '%io_schedule%' THEN 'disk'
        WHEN w.syscall IN ('read', 'write', 'readv', 'writev', 'splice', 'tee', 'sendfile') THEN 'pipe'
        ELSE 'unknown'
    END AS reason
FROM waits_computed w
LEFT JOIN stacks s ON w.host = s.host AND w.stack_id = s.stack_id
