-- # CPU
-- One row per stretch and process: CPU time that samples stand for.
-- @needs cpu_samples
-- @lane cpu
-- @unit ns
-- @rate CPUs
-- @shape stack
SELECT
    (CAST(ts AS BIGINT) - $first) / $width AS slot,
    host, upid,
    CAST(NULL AS VARCHAR) AS label,
    CAST(sum(period_ns) AS BIGINT) AS value,
    max(period_ns) AS peak
FROM cpu_samples
GROUP BY 1, host, upid
ORDER BY 1, host, upid
