-- # Disk
-- One row per stretch: bytes that disks of the machine read and wrote, read once a second.
-- @needs system
-- @lane disk
-- @unit bytes
-- @shape stack
SELECT
    (CAST(ts AS BIGINT) - $first) / $width AS slot,
    host,
    CAST(NULL AS BIGINT) AS upid,
    'the machine' AS label,
    CAST(sum(change) AS BIGINT) AS value,
    CAST(max(change) AS BIGINT) AS peak
FROM system
WHERE component = 'disk' AND metric IN ('read_bytes', 'written_bytes') AND change IS NOT NULL
GROUP BY 1, host
ORDER BY 1, host
