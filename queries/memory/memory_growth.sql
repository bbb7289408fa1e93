-- # Growth of the heap
-- How does the memory that a process holds of its allocators change over time? One row per process and stretch of
-- time in which it allocated or gave back, processes that grew most first. `held_bytes` at the end of the
-- stretches tells what becomes of a program: it levels off when a cache is full, goes up and down with the work,
-- and grows by about as much in each stretch where there is a leak; the report `leaks` says whose it is. A process
-- that allocates and gives back much more than it holds churns: see `temporary_allocations`.
-- @needs allocations
-- @param every duration 1s  Length of the stretches.
-- @param min_held bytes 0  Leaves out processes that never held so much at once.
-- @column comm [key]        Name of the process.
-- @column pid               Its process id.
-- @column ts [key]          Beginning of the stretch.
-- @column held_bytes [mean] Bytes held at the end of the stretch.
-- @column held_max_bytes [mean]  Most bytes held at once in the stretch; NULL when nothing was allocated in it.
-- @column allocated_bytes [total]  Bytes asked for.
-- @column freed_bytes [total]  Bytes given back, by an `exec` too; what a process ends with is not given back here.
-- @column allocations [total]  Allocations.
-- @caveat Memory from before the recording is not among it; with a range of time, what was allocated before it
--     neither,
--     but in `held_max_bytes`.
-- @caveat What was given back at a moment that is not known counts as given back in the stretch it was allocated in.
-- @caveat Where only a sample of allocations was recorded, numbers are estimates of the whole.
-- @plot line ts held_bytes comm
-- @dataset memory
WITH
pairs AS (
    -- In which stretch each life began and ended: lives are read once, and few rows are left.
    SELECT
        host, upid,
        time_bucket(ts, $every) AS begin_ts,
        CASE
            WHEN ended_by IN ('exit', 'none') THEN NULL
            ELSE time_bucket(coalesce(end_ts, ts), $every)
        END AS end_ts,
        sum(CAST(one_in AS BIGINT)) AS lives,
        sum(one_in * size_bytes) AS bytes,
        max(held_bytes) AS held_max_bytes
    FROM allocation_lives
    WHERE size_bytes IS NOT NULL
    GROUP BY 1, 2, 3, 4
),
sides AS (
    SELECT
        p.host, p.upid,
        CASE WHEN e.side = 0 THEN p.begin_ts ELSE p.end_ts END AS ts,
        CASE WHEN e.side = 0 THEN p.bytes ELSE 0 END AS allocated_bytes,
        CASE WHEN e.side = 1 THEN p.bytes ELSE 0 END AS freed_bytes,
        CASE WHEN e.side = 0 THEN p.lives ELSE 0 END AS allocations,
        CASE WHEN e.side = 0 THEN p.held_max_bytes END AS held_max_bytes
    FROM pairs p
    CROSS JOIN (VALUES (0), (1)) AS e (side)
    WHERE e.side = 0 OR p.end_ts IS NOT NULL
),
stretches AS (
    SELECT
        host, upid, ts,
        CAST(sum(allocated_bytes) AS BIGINT) AS allocated_bytes,
        CAST(sum(freed_bytes) AS BIGINT) AS freed_bytes,
        CAST(sum(allocations) AS BIGINT) AS allocations,
        max(held_max_bytes) AS held_max_bytes
    FROM sides
    GROUP BY host, upid, ts
),
held AS (
    SELECT
        host, upid, ts, allocated_bytes, freed_bytes, allocations, held_max_bytes,
        sum(allocated_bytes - freed_bytes) OVER (PARTITION BY host, upid ORDER BY ts) AS held_bytes,
        sum(allocated_bytes - freed_bytes) OVER (PARTITION BY host, upid) AS last_bytes,
        max(held_max_bytes) OVER (PARTITION BY host, upid) AS peak_bytes
    FROM stretches
)
SELECT
    coalesce(p.comm, '?') AS comm,
    p.pid,
    h.ts,
    h.held_bytes,
    h.held_max_bytes,
    h.allocated_bytes,
    h.freed_bytes,
    h.allocations
FROM held h
LEFT JOIN processes p ON h.host = p.host AND h.upid = p.upid
WHERE h.peak_bytes >= $min_held
ORDER BY h.last_bytes DESC, h.host, h.upid, h.ts
