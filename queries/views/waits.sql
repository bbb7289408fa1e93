-- # Intervals off the CPU, with what the thread waited for
-- One row per interval of a thread off the CPU. The system call it was in is known where system calls were
-- recorded; the stack where the source `offcpu` was. `reason` is the kind of wait: by the functions of the kernel on
-- the stack, else by the system call, else by the state the thread was left in.
-- @share Most reports on waiting read it, and it takes a pass over all system calls and intervals off the CPU.
-- @column ts              When it left the CPU.
-- @column host            Name of the machine.
-- @column cpu             CPU it left.
-- @column pid             Process id.
-- @column tid             Thread id.
-- @column upid            Process for good.
-- @column comm            Name of the thread at that moment.
-- @column cgroup_id       Control group of the thread at that moment.
-- @column duration_ns     Time until it ran again; NULL when it has not, or when the kernel did not tell of it.
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
-- @column syscall_arg1    Second argument: of `futex`, the operation.
-- @column syscall_arg2    Third argument: of `futex`, the value that the word was expected to have.
-- @column reason          `cpu` (preempted), `lock`, `disk`, `network` (sockets), `pipe` (terminals too; any `read`
--     or `write` that sleeps, where no stack tells), `child`, `sleep` (signals too), `poll`, `fault`, `stopped`,
--     `unknown`.
WITH kernel AS (
    -- Functions of programs may have any name: those of the kernel come after the one it was entered by.
    SELECT
        host, stack_id,
        concat(';', coalesce(
            stack_cut(folded, '%do_syscall_64'), stack_cut(folded, '%do_%syscall_32%'), stack_cut(folded, '%exc_page_fault'),
            stack_cut(folded, 'el0%'), stack_cut(folded, '%handle_exception'), folded
        )) AS functions
    FROM stacks
),
kinds AS (
    -- Of each stack once: there are far fewer of them than of intervals.
    SELECT
        host, stack_id,
        CASE
            WHEN functions LIKE '%;futex_%' OR functions LIKE '%;__futex_%' THEN 'lock'
            WHEN functions LIKE '%;rwsem_down%' OR functions LIKE '%mutex_lock%' OR functions LIKE '%percpu_rwsem_wait%' OR functions LIKE '%;flock_lock%' OR functions LIKE '%;fcntl_setlk%' THEN 'lock'
            WHEN functions LIKE '%page_fault%' OR functions LIKE '%handle_mm_fault%' OR functions LIKE '%;el0_da%' OR functions LIKE '%;el0_ia%' THEN 'fault'
            WHEN functions LIKE '%nanosleep%' OR functions LIKE '%sigsuspend%' OR functions LIKE '%sigtimedwait%' OR functions LIKE '%;timerfd_read%' THEN 'sleep'
            WHEN functions LIKE '%;do_wait;%' OR functions LIKE '%;kernel_clone;%' THEN 'child'
            WHEN functions LIKE '%;ep_poll%' OR functions LIKE '%;do_poll%' OR functions LIKE '%;do_sys_poll%' OR functions LIKE '%;do_select%' OR functions LIKE '%;io_cqring_wait%' OR functions LIKE '%;worker_thread%' THEN 'poll'
            WHEN functions LIKE '%pipe_read%' OR functions LIKE '%pipe_write%' OR functions LIKE '%;fifo_open%' OR functions LIKE '%;n_tty_read%' OR functions LIKE '%;eventfd_%' THEN 'pipe'
            WHEN functions LIKE '%;sock_%' OR functions LIKE '%;__sys_accept%' OR functions LIKE '%;inet_%' OR functions LIKE '%;unix_%' OR functions LIKE '%;tcp_%' THEN 'network'
            WHEN functions LIKE '%io_schedule%' OR functions LIKE '%;jbd2_%' OR functions LIKE '%;fuse_%' OR functions LIKE '%;rpc_%' THEN 'disk'
        END AS kind
    FROM kernel
)
SELECT
    w.*,
    CASE
        WHEN w.state = 'preempted' THEN 'cpu'
        WHEN w.state IN ('stopped', 'tracing stop') THEN 'stopped'
        WHEN k.kind IS NOT NULL THEN k.kind
        WHEN w.syscall IN ('futex', 'futex_wait', 'futex_waitv', 'flock', 'fcntl', 'semop', 'semtimedop') THEN 'lock'
        WHEN w.syscall IN ('nanosleep', 'clock_nanosleep', 'pause', 'rt_sigsuspend', 'rt_sigtimedwait') THEN 'sleep'
        WHEN w.syscall IN ('wait4', 'waitid', 'vfork') THEN 'child'
        WHEN w.syscall IN ('poll', 'ppoll', 'select', 'pselect6', 'epoll_wait', 'epoll_pwait', 'epoll_pwait2', 'io_uring_enter', 'io_getevents', 'io_pgetevents') THEN 'poll'
        WHEN w.syscall IN ('recvfrom', 'recvmsg', 'recvmmsg', 'sendto', 'sendmsg', 'sendmmsg', 'accept', 'accept4', 'connect') THEN 'network'
        WHEN w.syscall IN ('msgrcv', 'msgsnd', 'mq_timedreceive', 'mq_timedsend') THEN 'pipe'
        WHEN w.syscall IN ('fsync', 'fdatasync', 'sync', 'syncfs', 'sync_file_range', 'msync') THEN 'disk'
        WHEN w.state = 'disk sleep' AND w.syscall IS NULL THEN 'fault'
        -- Whoever clones for a new program (`posix_spawn`) is held until it runs.
        WHEN w.state = 'disk sleep' AND w.syscall IN ('clone', 'clone3') THEN 'child'
        -- The lock of the address space, which another thread gave up.
        WHEN w.state = 'disk sleep' AND w.syscall IN ('mmap', 'munmap', 'mremap', 'mprotect', 'madvise', 'brk') AND w.waker_pid = w.pid THEN 'lock'
        WHEN w.state = 'disk sleep' AND w.syscall NOT IN ('exit', 'exit_group', 'bpf', 'perf_event_open', 'ioctl', 'membarrier', 'setns', 'unshare') THEN 'disk'
        WHEN w.syscall IN ('read', 'write', 'readv', 'writev', 'splice', 'tee', 'sendfile') THEN 'pipe'
        ELSE 'unknown'
    END AS reason
-- The smaller side first: it is what a join keeps in memory.
FROM kinds k
RIGHT JOIN waits_computed w ON w.host = k.host AND w.stack_id = k.stack_id
