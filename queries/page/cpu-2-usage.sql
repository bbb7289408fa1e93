-- # CPU
-- One row per stretch and process: time that its threads were on a CPU, as the scheduler counts it once a second.
-- @needs task_usage
-- @lane cpu
-- @unit ns
-- @rate CPUs
-- @shape stack
SELECT
    (CAST(ts AS BIGINT) - $first) / $width AS slot,
    host, upid,
    CAST(NULL AS VARCHAR) AS label,
    CAST(sum(cpu_ns) AS BIGINT) AS value,
    max(cpu_ns) AS peak
FROM task_usage
GROUP BY 1, host, upid
ORDER BY 1, host, upid
