-- # How long disk requests take
-- One row per stretch, process and range of lengths: requests to disks that completed. A range reaches from `low` to twice that.
-- @needs block_io
-- @heat performance
SELECT
    (CAST(ts AS BIGINT) - $first) / $width AS slot,
    host, upid,
    log2_bucket(duration_ns) AS low,
    count(*) AS events
FROM block_io
WHERE duration_ns IS NOT NULL
GROUP BY 1, host, upid, log2_bucket(duration_ns)
ORDER BY 1, host, upid, log2_bucket(duration_ns)
