-- # Network
-- One row per stretch and process: bytes at interfaces, both ways. A flow is counted once a second; its bytes are spread
-- evenly over the time from its first packet of that second to the last.
-- @needs flows
-- @lane network
-- @unit bytes
-- @shape stack
WITH placed AS (
    SELECT
        host, upid,
        CAST(ts AS BIGINT) - $first AS at_ns,
        greatest(coalesce(duration_ns, 0), 1) AS ns,
        coalesce(sent_bytes, 0) + coalesce(received_bytes, 0) AS bytes
    FROM flows
),
parts AS (
    SELECT
        host, upid, at_ns, ns, bytes,
        -- A trace that lies about lengths costs no more than an honest one: there are some 300 stretches.
        unnest(range(greatest(at_ns / $width, -1), least((at_ns + ns) / $width, 1000) + 1)) AS slot
    FROM placed
)
SELECT
    slot, host, upid,
    CAST(NULL AS VARCHAR) AS label,
    CAST(round(sum(bytes * CAST(greatest(least(at_ns + ns, (slot + 1) * $width) - greatest(at_ns, slot * $width), 0) AS DOUBLE) / ns)) AS BIGINT) AS value,
    max(bytes) AS peak
FROM parts
GROUP BY slot, host, upid
ORDER BY slot, host, upid
