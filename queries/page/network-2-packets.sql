-- # Network
-- One row per stretch and process: bytes of packets.
-- @needs packets
-- @lane network
-- @unit bytes
-- @shape stack
SELECT
    (CAST(ts AS BIGINT) - $first) / $width AS slot,
    host, upid,
    CAST(NULL AS VARCHAR) AS label,
    CAST(sum(length_bytes) AS BIGINT) AS value,
    max(length_bytes) AS peak
FROM packets
GROUP BY 1, host, upid
ORDER BY 1, host, upid
