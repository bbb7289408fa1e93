-- # System calls
-- One row per stretch, process and outcome: system calls that began in it, and those of them that failed.
-- @needs syscalls
-- @lane syscalls
-- @unit calls
-- @shape stack
-- @minor failed
WITH sums AS (
    SELECT
        (CAST(ts AS BIGINT) - $first) / $width AS slot,
        host, upid,
        count(*) AS calls,
        count(error) AS failed
    FROM syscalls
    GROUP BY 1, host, upid
)
SELECT slot, host, upid, CAST(NULL AS VARCHAR) AS label, calls AS value, calls AS peak FROM sums
UNION ALL
SELECT slot, host, upid, 'failed' AS label, failed AS value, failed AS peak FROM sums WHERE failed > 0
ORDER BY slot, host, upid, label
