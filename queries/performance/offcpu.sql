-- # Off-CPU time
-- Where do programs wait, how long, and who ends it? One row per name of a thread, reason and stack it left
-- the CPU with, the longest time first. Unlike a count of stacks this is weighted by time: a stack that waits once for
-- a second comes before one that waits a thousand times for a microsecond. Threads that wait for work are most of it:
-- `--reason lock`, `disk` or `network` leave the rest out. The picture is a flame graph of time off the CPU.
-- @needs offcpu
-- @param reason text %  Only these waits: `lock`, `disk`, `network`, `pipe`, `child`, `sleep`, `poll`, `fault`, `cpu` (preempted), ...
-- @param state text %   Only those left in a state that is LIKE this: `sleeping`, `disk sleep`, ...
-- @param min duration 0s  Leaves out shorter intervals.
-- @column comm [key]             Name of the thread.
-- @column reason [key]           What it waited for.
-- @column time_ns [total]        Time off the CPU.
-- @column times [total]          Intervals.
-- @column max_ns [max]           The longest.
-- @column function             Innermost function of the program, without those of libc that only wait.
-- @column waker                  Name of the thread that ended most of this time; NULL where an interrupt may have done it.
-- @column stack [key]            The stack, outermost function first; NULL where none was taken.
-- @caveat Intervals that were not over when the recording ended have no length and are not among them; `bottlenecks`
--     counts them.
-- @caveat Stacks are there only where the source `offcpu` was recorded, and of intervals from the length on that it was told.
-- @plot flame stack time_ns
-- @dataset locks, web, database, compiler, threads, memory
WITH parts AS (
    SELECT
        host, comm, reason, stack_id,
        -- An interrupt wakes in the name of whatever thread it came upon.
        CASE WHEN reason IN ('lock', 'network', 'pipe', 'child', 'poll') THEN waker_comm END AS waker,
        sum(duration_ns) AS ns,
        max(duration_ns) AS max_ns,
        count(*) AS times
    FROM waits
    WHERE duration_ns >= $min AND reason LIKE $reason AND state LIKE $state
    GROUP BY 1, 2, 3, 4, 5
),
named AS (
    SELECT p.comm, p.reason, s.folded AS stack, p.waker, p.ns, p.max_ns, p.times
    FROM parts p
    LEFT JOIN stacks s ON s.host = p.host AND s.stack_id = p.stack_id
),
together AS (
    SELECT
        comm, reason, stack,
        CAST(sum(ns) AS BIGINT) AS time_ns,
        max(max_ns) AS max_ns,
        CAST(sum(times) AS BIGINT) AS times,
        first_value(waker ORDER BY ns DESC, waker) AS waker
    FROM named
    GROUP BY comm, reason, stack
)
SELECT
    comm,
    reason,
    time_ns,
    times,
    max_ns,
    -- The function of the program: without those of the kernel, and of libc for the wait.
    stack_leaf(regexp_replace(
        regexp_replace(stack, ';(entry_|asm_|el0|do_syscall_64|handle_exception|ret_from_|\[kernel\]\+).*$', ''),
        '(;(_*(GI_|libc_|pthread|futex|lll_|new_sem_|sem_)[^;]*|_*(clock_)?nanosleep|epoll_p?wait2?|p?poll|p?select|(libc|libpthread|ld-)[^;+]*\+[^;]*))+$', ''
    )) AS function,
    waker,
    stack
FROM together
ORDER BY time_ns DESC, times DESC, comm, reason, stack
