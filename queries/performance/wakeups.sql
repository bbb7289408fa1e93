-- # Wake-ups
-- Who wakes whom, how often, and how long until it runs? One row per name of the waking and of the woken thread, those
-- that ended most waiting first. `waited_ns` is what the waits that this ended took together: of threads that work for
-- each other it says who keeps whom waiting. p50, p99 and max are from the wake-up to running; where
-- they are long, the woken
-- thread found no CPU (see `runqueue_latency`).
-- @needs offcpu
-- @param by name|thread name  What is told apart: `name` of threads, or `thread` (with their numbers).
-- @column waker [key]              Thread that woke; `(interrupt)` when none did: timers, disks.
-- @column wakee [key]              Thread that was woken.
-- @column wakeups [total]          Times.
-- @column waited_ns [total]        Time that the woken thread had been off the CPU, until it was woken.
-- @column p50_ns [mean]    Half of the times it ran no later after that.
-- @column p99_ns [mean]    99 % of the times it ran no later.
-- @column max_ns [max]     The longest.
-- @caveat An interrupt wakes in the name of whatever thread it came upon. Waits for time or a disk are therefore given to
--     `(interrupt)`; the timeout of another wait, or a packet, may still show a waker that makes no sense.
-- @caveat Wake-ups that came before the thread had left its CPU have no waker, and are with the interrupts.
-- @plot bar wakee waited_ns
-- @dataset locks, web, database, compiler, threads, memory
WITH wakes AS (
    SELECT
        -- An interrupt wakes in the name of whatever thread it came upon.
        CASE WHEN reason NOT IN ('sleep', 'disk', 'fault') THEN waker_comm END AS waker_comm,
        comm,
        CASE WHEN $by = 'thread' THEN host END AS host,
        CASE WHEN $by = 'thread' AND reason NOT IN ('sleep', 'disk', 'fault') THEN waker_tid END AS waker_tid,
        CASE WHEN $by = 'thread' THEN tid END AS tid,
        duration_ns, wait_ns
    FROM waits
    WHERE state <> 'preempted' AND wait_ns IS NOT NULL AND $by IN ('name', 'thread')
),
sums AS (
    SELECT
        waker_comm, comm, host, waker_tid, tid,
        count(*) AS wakeups,
        CAST(sum(duration_ns - wait_ns) AS BIGINT) AS waited_ns,
        quantile(wait_ns, 0.5) AS p50_ns,
        quantile(wait_ns, 0.99) AS p99_ns,
        max(wait_ns) AS max_ns
    FROM wakes
    GROUP BY waker_comm, comm, host, waker_tid, tid
)
SELECT
    CASE WHEN waker_comm IS NULL THEN '(interrupt)' WHEN waker_tid IS NULL THEN waker_comm ELSE concat(waker_comm, '[', waker_tid, ']') END AS waker,
    CASE WHEN tid IS NULL THEN comm ELSE concat(comm, '[', tid, ']') END AS wakee,
    wakeups,
    waited_ns,
    -- A quantile is the middle of a range of values; that can be above the largest.
    least(p50_ns, max_ns) AS p50_ns,
    least(p99_ns, max_ns) AS p99_ns,
    max_ns
FROM sums
ORDER BY waited_ns DESC, wakeups DESC, waker, wakee, host
