-- # Lock contention
-- Which locks do threads wait for, how long, and who holds them? One row per process and futex (the word in memory that
-- a mutex, condition variable, semaphore or join sleeps on), the longest waits first. The thread that wakes a waiter has
-- just given the lock up, so that `look_at` says who held it most, and in which functions of the program it
-- was asked for and let go. Many short waits are a lock that is taken too often; few long ones are a lock that is held too
-- long. Locks in the kernel and of files have no address: a row per
-- system call.
-- @needs offcpu, syscalls
-- @param min duration 0s  Leaves out shorter waits.
-- @column process [key]        Name of the process, with its number.
-- @column lock [key]           Address of the futex; of other locks the system call.
-- @column total_ns [total]     Time of all waits.
-- @column waits [total]        Waits for which a thread slept.
-- @column waiters [total]      Threads that waited.
-- @column max_ns [max]         The longest.
-- @column look_at              Of most of this time: the function that asked for it, who ended the wait, and where.
-- @caveat A futex says that threads wait, not for what: threads of a pool without work and `pthread_join` are here too.
-- @caveat What was waited for by spinning is not here, since the thread did not sleep.
-- @caveat The functions are there only where the source `offcpu` was recorded, and of intervals from the length on that it was told.
-- @plot bar lock total_ns
-- @dataset locks, threads
WITH parts AS (
    SELECT
        host, upid,
        CASE WHEN syscall = 'futex' THEN syscall_arg0 END AS address,
        CASE WHEN syscall IS DISTINCT FROM 'futex' THEN coalesce(syscall, '?') END AS syscall,
        tid, waker_tid, stack_id, waker_stack_id,
        min(waker_comm) AS waker_comm,
        min(pid) AS pid,
        sum(duration_ns) AS ns,
        max(duration_ns) AS max_ns,
        count(*) AS waits
    FROM waits
    WHERE reason = 'lock' AND duration_ns >= $min
    GROUP BY 1, 2, 3, 4, 5, 6, 7, 8
),
-- Of each thread that ended waits how many it ended, whoever waited.
wakers AS (
    SELECT
        host, upid, address, syscall, waker_tid, stack_id, waker_stack_id, tid,
        pid, ns, max_ns, waits, waker_comm,
        sum(ns) OVER (PARTITION BY host, upid, address, syscall, waker_tid, stack_id, waker_stack_id) AS together_ns
    FROM parts
),
sums AS (
    SELECT
        host, upid, address, syscall,
        min(pid) AS pid,
        CAST(sum(ns) AS BIGINT) AS total_ns,
        CAST(sum(waits) AS BIGINT) AS waits,
        count(DISTINCT tid) AS waiters,
        max(max_ns) AS max_ns,
        first_value(waker_comm || '[' || CAST(waker_tid AS VARCHAR) || ']' ORDER BY together_ns DESC, waker_tid, stack_id, waker_stack_id, waker_comm) AS woken_by,
        first_value(stack_id ORDER BY together_ns DESC, waker_tid, stack_id, waker_stack_id) AS stack_id,
        first_value(waker_stack_id ORDER BY together_ns DESC, waker_tid, stack_id, waker_stack_id) AS waker_stack_id
    FROM wakers
    GROUP BY host, upid, address, syscall
),
-- The innermost function of the program: without those of the kernel, and of libc for locks.
functions AS (
    SELECT
        host, stack_id,
        stack_leaf(regexp_replace(
            regexp_replace(folded, ';(entry_|asm_|el0|do_syscall_64|handle_exception|ret_from_|\[kernel\]\+).*$', ''),
            '(;(_*(GI_|libc_|pthread|futex|lll_|new_sem_|sem_)[^;]*|(libc|libpthread|ld-)[^;+]*\+[^;]*))+$', ''
        )) AS function
    FROM stacks
)
SELECT
    concat(coalesce(p.comm, '?'), '[', s.pid, ']') AS process,
    coalesce(hex(s.address), s.syscall) AS lock,
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
FROM sums s
LEFT JOIN processes p ON p.host = s.host AND p.upid = s.upid
LEFT JOIN functions w ON w.host = s.host AND w.stack_id = s.stack_id
LEFT JOIN functions h ON h.host = s.host AND h.stack_id = s.waker_stack_id
ORDER BY s.total_ns DESC, s.waits DESC, process, lock, s.host, s.upid
