-- # Network
-- One row per stretch: bytes that interfaces of the machine sent and received, read once a second.
-- @needs system
-- @lane network
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
WHERE component = 'interface' AND metric IN ('sent_bytes', 'received_bytes') AND change IS NOT NULL
GROUP BY 1, host
ORDER BY 1, host
