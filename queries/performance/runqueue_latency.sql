-- # Run-queue latency
-- How long do threads that are ready to run wait for a CPU? One row per name of a thread (or per what `--by` says), who
-- waited longest in all first. `delay_percent` is how much of the time it could have run it waited: 50 % means that it
-- took twice as long as on an idle machine. Where it is high, there are too few CPUs for what is ready; look with
-- `--by cpu` whether one CPU is crowded while others are not (affinity), and at `throttled_ns` in `system` for a
-- quota. A high p99 beside a low p50 comes from bursts.
-- @needs sched_slices
-- @param by name|pid|thread|cpu name  What a row is: `name` of a thread, `pid` (each process), `thread` (each thread) or `cpu`.
-- @param min_wait duration 0s  Leaves out shorter waits.
-- @column who [key]             Name, with the number of the process or thread where rows are by that; of a CPU, its number.
-- @column waits [total]         Times that it waited for a CPU.
-- @column p50_ns [mean]    Half of the waits were not longer.
-- @column p99_ns [mean]    99 % of them were not longer.
-- @column max_ns [max]     The longest.
-- @column total_ns [total]      All of them together.
-- @column delay_percent [mean]  Their share of the time in which it could have run: of waits and time on a CPU.
-- @caveat Waits that began before the recording, or were not over when it ended, are not among them.
-- @caveat With `--min-wait`, `delay_percent` is made of what is left.
-- @plot bar who total_ns
-- @dataset locks, web, database, compiler, threads, memory
WITH slices AS (
    -- Only names and numbers are grouped by here, not text made of them.
    SELECT
        CASE WHEN $by = 'cpu' THEN NULL ELSE comm END AS comm,
        CASE WHEN $by = 'pid' THEN pid WHEN $by = 'thread' THEN tid WHEN $by = 'cpu' THEN cpu END AS number,
        CASE WHEN $by IN ('pid', 'thread', 'cpu') THEN host END AS host,
        CASE WHEN $by IN ('pid', 'thread') THEN upid END AS upid,
        duration_ns,
        CASE WHEN wait_ns >= $min_wait THEN wait_ns END AS waited_ns
    FROM sched_slices
    WHERE $by IN ('name', 'pid', 'thread', 'cpu')
),
sums AS (
    SELECT
        -- The threads of a process have several names.
        min(comm) AS comm, number, host, upid,
        count(waited_ns) AS waits,
        quantile(waited_ns, 0.5) AS p50_ns,
        quantile(waited_ns, 0.99) AS p99_ns,
        max(waited_ns) AS max_ns,
        sum(waited_ns) AS all_ns,
        sum(duration_ns) AS on_ns
    FROM slices
    GROUP BY CASE WHEN $by IN ('name', 'thread') THEN comm END, number, host, upid
)
SELECT
    CASE
        WHEN s.number IS NULL THEN s.comm
        WHEN $by = 'cpu' THEN concat('cpu', s.number)
        ELSE concat(coalesce(CASE WHEN $by = 'pid' THEN p.comm END, s.comm), '[', s.number, ']')
    END AS who,
    s.waits,
    -- A quantile is the middle of a range of values; that can be above the largest.
    least(s.p50_ns, s.max_ns) AS p50_ns,
    least(s.p99_ns, s.max_ns) AS p99_ns,
    s.max_ns,
    CAST(s.all_ns AS BIGINT) AS total_ns,
    round(100.0 * s.all_ns / nullif(s.all_ns + coalesce(s.on_ns, 0), 0), 1) AS delay_percent
FROM sums s
LEFT JOIN processes p ON p.host = s.host AND p.upid = s.upid
WHERE s.waits > 0
ORDER BY s.all_ns DESC, s.waits DESC, who, s.host, s.upid
