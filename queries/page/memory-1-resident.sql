-- # Resident memory
-- One row per stretch and process: the most memory it had, read once a second and at its end.
-- @needs memory_usage
-- @lane memory
-- @unit bytes
-- @shape level
SELECT
    (CAST(ts AS BIGINT) - $first) / $width AS slot,
    host, upid,
    CAST(NULL AS VARCHAR) AS label,
    max(rss_bytes) AS value,
    max(rss_bytes) AS peak
FROM memory_usage
GROUP BY 1, host, upid
ORDER BY 1, host, upid
