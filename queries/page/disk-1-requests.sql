-- # Disk
-- One row per stretch, process and operation: bytes of the requests to disks that were made in it.
-- @needs block_io
-- @lane disk
-- @unit bytes
-- @shape stack
SELECT
    (CAST(ts AS BIGINT) - $first) / $width AS slot,
    host, upid,
    CAST(NULL AS VARCHAR) AS label,
    CAST(sum(bytes) AS BIGINT) AS value,
    max(bytes) AS peak
FROM block_io
WHERE bytes IS NOT NULL
GROUP BY 1, host, upid
ORDER BY 1, host, upid
