-- # Memory held of allocators
-- One row per stretch and process: what it had asked for and not given back, the most in the stretch.
-- @needs allocations
-- @lane heap
-- @unit bytes
-- @shape level
WITH
pairs AS (
    SELECT
        host, upid,
        (CAST(ts AS BIGINT) - $first) / $width AS slot,
        CASE
            WHEN ended_by IN ('exit', 'none') THEN NULL
            ELSE (CAST(coalesce(end_ts, ts) AS BIGINT) - $first) / $width
        END AS end_slot,
        sum(one_in * size_bytes) AS bytes,
        max(held_bytes) AS held_max_bytes
    FROM allocation_lives
    WHERE size_bytes IS NOT NULL
    GROUP BY 1, 2, 3, 4
),
changes AS (
    SELECT host, upid, slot, bytes, held_max_bytes FROM pairs
    UNION ALL
    SELECT host, upid, end_slot AS slot, -bytes AS bytes, NULL AS held_max_bytes FROM pairs WHERE end_slot IS NOT NULL
),
sums AS (
    SELECT host, upid, slot, CAST(sum(bytes) AS BIGINT) AS bytes, max(held_max_bytes) AS held_max_bytes
    FROM changes
    GROUP BY host, upid, slot
)
SELECT
    slot, host, upid,
    CAST(NULL AS VARCHAR) AS label,
    CAST(sum(bytes) OVER (PARTITION BY host, upid ORDER BY slot) AS BIGINT) AS value,
    -- Between two ends of stretches it may have been more.
    CAST(greatest(sum(bytes) OVER (PARTITION BY host, upid ORDER BY slot), coalesce(held_max_bytes, 0)) AS BIGINT) AS peak
FROM sums
ORDER BY slot, host, upid
