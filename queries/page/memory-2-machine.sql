-- # Memory of the machine
-- One row per stretch: memory that is in use, which is all but what programs can still have.
-- @needs system
-- @lane memory
-- @unit bytes
-- @shape level
WITH readings AS (
    SELECT
        ts, host,
        max(value) FILTER (WHERE metric = 'total_bytes') AS total_bytes,
        max(value) FILTER (WHERE metric = 'available_bytes') AS available_bytes
    FROM system
    WHERE component = 'memory' AND metric IN ('total_bytes', 'available_bytes')
    GROUP BY ts, host
)
SELECT
    (CAST(ts AS BIGINT) - $first) / $width AS slot,
    host,
    CAST(NULL AS BIGINT) AS upid,
    'in use' AS label,
    CAST(max(total_bytes - available_bytes) AS BIGINT) AS value,
    CAST(max(total_bytes - available_bytes) AS BIGINT) AS peak
FROM readings
GROUP BY 1, host
ORDER BY 1, host
