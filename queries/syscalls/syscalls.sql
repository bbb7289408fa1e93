-- # System calls
-- Which system calls are made, how often, how long do they take and how many fail? One row per system call; with
-- `--by process` per name of a thread, with `--by process_syscall` per both. Sorted by the time in them. A call
-- that waits on purpose (`poll`, `futex`, `nanosleep`) leads the list of an idle program: look at mean and p99 of
-- the others, and at errors beside calls.
-- @needs syscalls
-- @param by syscall|process|process_syscall syscall  What rows are told apart by: `syscall`, `process` or `process_syscall`.
-- @param syscall text %  Only calls whose name is LIKE this, such as `fsync` or `open%`.
-- @column syscall [key]    Name of the call; of io_uring, that of the operation. NULL when rows are by process.
-- @column comm [key]       Name of the thread. NULL when rows are by system call.
-- @column calls [total]    Calls that were made.
-- @column errors [total]   Calls that returned an error.
-- @column total_ns [total] Time in them, in all threads.
-- @column mean_ns [mean]   Mean time of a call.
-- @column p50_ns [mean]    Half of the calls took no longer.
-- @column p99_ns [mean]    99 % of the calls took no longer.
-- @column max_ns [max]     The longest.
-- @caveat Calls that did not return, such as `exit_group`, count as calls and have no time; `strace -c` leaves them
--     out.
-- @caveat As in `strace -c`, a call that a signal interrupted counts as an error (`ERESTARTSYS`), and so does
--     `rt_sigreturn` after it, which returns what the interrupted call did.
-- @caveat Times are from entry to return: a call that waits for a lock, a disk or a CPU is in it all that time.
-- @plot bar syscall total_ns
-- @dataset script, server, threads, compiler, database, web, locks
WITH calls AS (
    SELECT
        CASE WHEN $by = 'process' THEN NULL ELSE syscall END AS syscall,
        CASE WHEN $by IN ('process', 'process_syscall') THEN comm END AS comm,
        error,
        duration_ns
    FROM syscalls
    WHERE syscall LIKE $syscall
),
sums AS (
    SELECT
        syscall,
        comm,
        count(*) AS calls,
        count(error) AS errors,
        CAST(sum(duration_ns) AS BIGINT) AS total_ns,
        count(duration_ns) AS returned,
        -- A quantile is the middle of a range of values; that can be above the largest.
        least(quantile(duration_ns, 0.5), max(duration_ns)) AS p50_ns,
        least(quantile(duration_ns, 0.99), max(duration_ns)) AS p99_ns,
        max(duration_ns) AS max_ns
    FROM calls
    GROUP BY syscall, comm
)
SELECT
    syscall,
    comm,
    calls,
    errors,
    total_ns,
    total_ns / nullif(returned, 0) AS mean_ns,
    p50_ns,
    p99_ns,
    max_ns
FROM sums
ORDER BY total_ns DESC NULLS LAST, calls DESC, syscall, comm
