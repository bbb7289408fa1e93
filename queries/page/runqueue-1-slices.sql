-- # Waiting for a CPU
-- One row per stretch and process: time that threads were ready to run and had no CPU, told where the wait ended.
-- @needs sched_slices
-- @lane runqueue
-- @unit ns
-- @rate threads
-- @shape stack
SELECT
    (CAST(ts AS BIGINT) - $first) / $width AS slot,
    host, upid,
    CAST(NULL AS VARCHAR) AS label,
    CAST(sum(wait_ns) AS BIGINT) AS value,
    max(wait_ns) AS peak
FROM sched_slices
WHERE wait_ns > 0
GROUP BY 1, host, upid
ORDER BY 1, host, upid
