-- # How long system calls take
-- One row per stretch, process and range of lengths: system calls. A range reaches from `low` to twice that.
-- @needs syscalls
-- @heat syscalls
SELECT
    (CAST(ts AS BIGINT) - $first) / $width AS slot,
    host, upid,
    log2_bucket(duration_ns) AS low,
    count(*) AS events
FROM syscalls
WHERE duration_ns IS NOT NULL
GROUP BY 1, host, upid, log2_bucket(duration_ns)
ORDER BY 1, host, upid, log2_bucket(duration_ns)
