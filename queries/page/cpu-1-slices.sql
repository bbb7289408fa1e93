-- # CPU
-- One row per stretch and process: time that its threads were on a CPU, from every slice that the scheduler gave. A slice
-- that goes on in the next stretch counts in each for the part that lies in it.
-- @needs sched_slices
-- @lane cpu
-- @unit ns
-- @rate CPUs
-- @shape stack
WITH placed AS (
    SELECT
        host, upid,
        CAST(ts AS BIGINT) - $first AS at_ns,
        coalesce(duration_ns, 0) AS ns,
        -- A trace that lies about lengths costs no more than an honest one: there are some 300 stretches.
        greatest((CAST(ts AS BIGINT) - $first) / $width, -1) AS slot,
        least((CAST(ts AS BIGINT) - $first + coalesce(duration_ns, 0)) / $width, 1000) AS last_slot
    FROM sched_slices
),
parts AS (
    SELECT host, upid, slot, ns FROM placed WHERE slot = last_slot
    UNION ALL
    SELECT
        host, upid, each_slot AS slot,
        least(at_ns + ns, (each_slot + 1) * $width) - greatest(at_ns, each_slot * $width) AS ns
    FROM (
        SELECT host, upid, at_ns, ns, unnest(range(slot, last_slot + 1)) AS each_slot
        FROM placed
        WHERE slot < last_slot
    ) spread
)
SELECT slot, host, upid, CAST(NULL AS VARCHAR) AS label, CAST(sum(ns) AS BIGINT) AS value, max(ns) AS peak
FROM parts
GROUP BY slot, host, upid
ORDER BY slot, host, upid
