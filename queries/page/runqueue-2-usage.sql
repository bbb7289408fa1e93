-- # Waiting for a CPU
-- One row per stretch and process: time that threads were ready to run and had no CPU, as the scheduler counts it once a
-- second.
-- @needs task_usage
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
FROM task_usage
WHERE wait_ns > 0
GROUP BY 1, host, upid
ORDER BY 1, host, upid
