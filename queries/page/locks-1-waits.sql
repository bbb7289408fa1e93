-- # Waiting for locks
-- One row per stretch and process: time that its threads waited for locks. A wait that goes on in the next stretch counts in
-- each for the part that lies in it.
-- @needs offcpu, syscalls
-- @lane locks
-- @unit ns
-- @rate threads
-- @shape stack
WITH placed AS (
    SELECT
        host, upid,
        CAST(ts AS BIGINT) - $first AS at_ns,
        coalesce(duration_ns, 0) AS ns
    FROM waits
    WHERE reason = 'lock'
),
parts AS (
    SELECT
        host, upid, at_ns, ns,
        -- A trace that lies about lengths costs no more than an honest one: there are some 300 stretches.
        unnest(range(greatest(at_ns / $width, -1), least((at_ns + ns) / $width, 1000) + 1)) AS slot
    FROM placed
)
SELECT
    slot, host, upid,
    CAST(NULL AS VARCHAR) AS label,
    CAST(sum(least(at_ns + ns, (slot + 1) * $width) - greatest(at_ns, slot * $width)) AS BIGINT) AS value,
    max(ns) AS peak
FROM parts
GROUP BY slot, host, upid
ORDER BY slot, host, upid
