-- # Lock contention
-- Which locks do threads wait for, how long, and who holds them? One row per process and futex (the word in memory that
-- a mutex, condition variable, semaphore or join sleeps on), the longest waits first. The thread that wakes a waiter has
-- just given the lock up, so that `look_at` says who held it most, and in which functions of the program it
-- was asked for and let go. Many short waits are a lock that is taken too often; few long ones are a lock that is held too
-- long. That is true of what is held: `mutex`, `rwlock`, `syscall`. Who waits for an `event`, a `condition`,
-- a `semaphore`, a `barrier` or a `join` waits for something to happen: threads without work do so, and it is no contention
-- (`--kind held` leaves them out). Locks in the kernel and of files have no address: a row per system call.
-- @needs offcpu, syscalls
-- @param min duration 0s  Leaves out shorter waits.
-- @param kind all|held all  `held` leaves out what is known to be no lock that somebody holds; what is `unknown` stays. A lock that a program
--     made of a condition variable, as Python's global one is, goes with them.
-- @column process [key]        Name of the process, with its number.
-- @column lock [key]           Address of the futex; of other locks the system call.
-- @column kind                 `mutex`, `rwlock`, `condition`, `semaphore`, `barrier`, `join` (the end of a thread);
--     `event` is a condition variable or a semaphore; `syscall` a lock in the kernel or of a file; `unknown`.
-- @column total_ns [total]     Time of all waits.
-- @column waits [total]        Waits for which a thread slept.
-- @column waiters [total]      Threads that waited.
-- @column max_ns [max]         The longest.
-- @column look_at              Of most of this time: the function that asked for it, who ended the wait, and where.
-- @caveat The kernel is not told what a futex is for. `kind` is by the names of functions on the stack where there are any,
--     else by what the C library of GNU asks for: a mutex with FUTEX_WAIT for the value 2, the end of a thread for
--     its number, what can be signalled with FUTEX_WAIT_BITSET for the value 0, a condition variable at two neighbouring
--     words. What fits none of these is `unknown`.
-- @caveat What was waited for by spinning is not here, since the thread did not sleep.
-- @caveat The functions are there only where the source `offcpu` was recorded, and of intervals from the length on that it was told.
-- @plot bar lock total_ns
-- @dataset locks, threads
WITH parts AS (
    SELECT
        host, upid,
        CASE WHEN syscall = 'futex' THEN syscall_arg0 END AS address,
        CASE WHEN syscall IS DISTINCT FROM 'futex' THEN coalesce(syscall, '?') END AS syscall,
        -- The operation without FUTEX_PRIVATE_FLAG and FUTEX_CLOCK_REALTIME.
        CASE
            WHEN syscall IS DISTINCT FROM 'futex' THEN 'syscall'
            WHEN (syscall_arg1 & 127) IN (6, 13) THEN 'mutex'
            WHEN (syscall_arg1 & 127) = 11 THEN 'condition'
            -- The kernel wakes who waits for the end of a thread, in the name of that thread.
            WHEN (syscall_arg1 & 255) = 9 AND syscall_arg2 = waker_tid THEN 'join'
            WHEN (syscall_arg1 & 127) = 0 AND syscall_arg2 = 2 THEN 'mutex'
            WHEN (syscall_arg1 & 127) = 9 AND syscall_arg2 = 0 THEN 'event'
        END AS kind,
        tid, waker_tid, stack_id, waker_stack_id,
        min(waker_comm) AS waker_comm,
        min(pid) AS pid,
        sum(duration_ns) AS ns,
        max(duration_ns) AS max_ns,
        count(*) AS waits
    FROM waits
    WHERE reason = 'lock' AND duration_ns >= $min
    GROUP BY 1, 2, 3, 4, 5, 6, 7, 8, 9
),
-- The innermost function of the program: without those of the kernel, and of libc for locks; and what those say of the
-- lock. Who was signalled and takes the mutex again waits for the mutex.
functions AS (
    SELECT
        host, stack_id,
        stack_leaf(regexp_replace(program, '(;(_*(GI_|libc_|pthread|futex|lll_|new_sem_|sem_)[^;]*|(libc|libpthread|ld-)[^;+]*\+[^;]*))+$', '')) AS function,
        CASE
            WHEN regexp_like(program, ';_*(GI_)*_*(pthread_mutex_|lll_lock|lll_mutex)[^;]*(;_*(lll|futex)[^;]*)*$|;[^;]*sync::mutex::[^;]*(;[^;]*(futex|syscall)[^;]*)*$') THEN 'mutex'
            WHEN regexp_like(program, ';_*(GI_)*_*pthread_rwlock_|;[^;]*sync::rwlock::') THEN 'rwlock'
            WHEN regexp_like(program, ';_*(GI_)*_*pthread_cond_|;[^;]*sync::condvar::') THEN 'condition'
            WHEN regexp_like(program, ';_*(new_)?sem_[a-z]*wait') THEN 'semaphore'
            WHEN regexp_like(program, ';_*(GI_)*_*pthread_barrier_') THEN 'barrier'
            WHEN regexp_like(program, ';_*(GI_)*_*pthread_[a-z]*join') THEN 'join'
        END AS kind
    FROM (
        SELECT
            host, stack_id,
            regexp_replace(folded, ';(entry_|asm_|el0|do_syscall_64|__x64_sys_|__arm64_sys_|handle_exception|ret_from_|\[kernel\]\+).*$', '') AS program
        FROM stacks
    ) programs
),
-- Of each thread that ended waits how many it ended, whoever waited; and of each kind how long it was waited for.
wakers AS (
    SELECT
        p.host, p.upid, p.address, p.syscall, p.waker_tid, p.stack_id, p.waker_stack_id, p.tid,
        p.pid, p.ns, p.max_ns, p.waits, p.waker_comm,
        coalesce(CASE WHEN p.syscall IS NULL THEN f.kind END, p.kind) AS kind,
        sum(p.ns) OVER (PARTITION BY p.host, p.upid, p.address, p.syscall, coalesce(f.kind, p.kind)) AS of_kind_ns,
        sum(p.ns) OVER (PARTITION BY p.host, p.upid, p.address, p.syscall, p.waker_tid, p.stack_id, p.waker_stack_id) AS together_ns
    FROM parts p
    LEFT JOIN functions f ON f.host = p.host AND f.stack_id = p.stack_id
),
sums AS (
    SELECT
        host, upid, address, syscall,
        min(pid) AS pid,
        CAST(sum(ns) AS BIGINT) AS total_ns,
        CAST(sum(waits) AS BIGINT) AS waits,
        count(DISTINCT tid) AS waiters,
        max(max_ns) AS max_ns,
        -- An address can be used again for something else: what it was for most of the time, where that is known.
        first_value(kind ORDER BY kind IS NULL, of_kind_ns DESC, kind) AS kind,
        first_value(waker_comm || '[' || CAST(waker_tid AS VARCHAR) || ']' ORDER BY together_ns DESC, waker_tid, stack_id, waker_stack_id, waker_comm) AS woken_by,
        first_value(stack_id ORDER BY together_ns DESC, waker_tid, stack_id, waker_stack_id) AS stack_id,
        first_value(waker_stack_id ORDER BY together_ns DESC, waker_tid, stack_id, waker_stack_id) AS waker_stack_id
    FROM wakers
    GROUP BY host, upid, address, syscall
),
neighbours AS (
    SELECT
        *,
        -- The two groups of waiters of a condition variable.
        kind = 'event' AND (
            lag(address) OVER near = address - 4 AND lag(kind) OVER near = 'event'
            OR lead(address) OVER near = address + 4 AND lead(kind) OVER near = 'event'
        ) AS is_pair
    FROM sums
    WINDOW near AS (PARTITION BY host, upid ORDER BY address)
)
SELECT
    concat(coalesce(p.comm, '?'), '[', s.pid, ']') AS process,
    coalesce(hex(s.address), s.syscall) AS lock,
    CASE WHEN s.is_pair THEN 'condition' ELSE coalesce(s.kind, 'unknown') END AS kind,
    s.total_ns,
    s.waits,
    s.waiters,
    s.max_ns,
    nullif(concat_ws(
        ', ',
        'in ' || w.function,
        -- A timeout has no waker, or that of the thread that its interrupt came upon.
        'let go by ' || s.woken_by || coalesce(' in ' || h.function, '')
    ), '') AS look_at
FROM neighbours s
LEFT JOIN processes p ON p.host = s.host AND p.upid = s.upid
LEFT JOIN functions w ON w.host = s.host AND w.stack_id = s.stack_id
LEFT JOIN functions h ON h.host = s.host AND h.stack_id = s.waker_stack_id
WHERE $kind = 'all' OR s.kind IS NULL OR s.kind IN ('mutex', 'rwlock', 'syscall')
ORDER BY s.total_ns DESC, s.waits DESC, process, lock, s.host, s.upid
