-- # Slowest system calls
-- Which single calls took longest, and with what arguments? One row per call, the slowest first. Calls whose purpose
-- is to wait (`poll`, `futex`, `nanosleep`, `wait4`, `accept`, ...) would hide all others and are left out unless
-- `--waits true`. A `read` or `recvfrom` of a pipe, socket or terminal waits for the other end; an `fsync`, `openat`
-- or `unlink` that takes milliseconds points to the disk.
-- @needs syscalls
-- @param syscall text %  Only calls whose name is LIKE this, such as `fsync` or `open%`.
-- @param min_duration duration 0s  Only calls that took at least this long.
-- @param waits bool false  With the calls whose purpose is to wait.
-- @param limit integer 100  How many calls.
-- @column duration_ns  Time from entry to return.
-- @column comm         Name of the thread.
-- @column tid          Thread id.
-- @column call         The call as `strace` writes it.
-- @column ts           When it began.
-- @caveat A call that had not returned when the recording ended has no duration and is not here.
-- @plot timeline ts duration_ns comm
-- @dataset server, threads, compiler, database, web
WITH chosen AS (
    SELECT *
    FROM syscalls
    WHERE duration_ns >= $min_duration AND syscall LIKE $syscall
        AND ($waits OR syscall NOT IN (
            'poll', 'ppoll', 'ppoll_time64', 'select', '_newselect', 'pselect6', 'pselect6_time64',
            'epoll_wait', 'epoll_pwait', 'epoll_pwait2', 'io_getevents', 'io_pgetevents', 'io_uring_enter',
            'nanosleep', 'clock_nanosleep', 'clock_nanosleep_time64', 'restart_syscall',
            'wait4', 'waitid', 'waitpid', 'pause', 'rt_sigsuspend', 'sigsuspend', 'rt_sigtimedwait',
            'rt_sigtimedwait_time64', 'futex', 'futex_time64', 'futex_wait', 'futex_waitv', 'accept', 'accept4'
        ))
),
slow AS (
    SELECT min(duration_ns) AS duration_ns
    FROM (SELECT duration_ns FROM chosen ORDER BY duration_ns DESC LIMIT $limit)
),
slowest AS (
    -- Of most calls nothing but the time is read.
    SELECT *
    FROM chosen
    WHERE duration_ns >= (SELECT duration_ns FROM slow)
    ORDER BY duration_ns DESC, ts, tid, syscall
    LIMIT $limit
)
-- The text is made of the few that are left.
SELECT
    duration_ns,
    comm,
    tid,
    syscall_text(syscall, arg0, arg1, arg2, arg3, arg4, arg5, ret, path, path2, address, truncated) AS call,
    ts
FROM slowest
ORDER BY duration_ns DESC, ts, tid, call
