-- # Bytes of programs in each second, for baselines
-- One row per program, machine, second and direction in which it sent or received packets.
-- @needs flows
WITH by_process AS (
    SELECT
        l.program,
        l.host,
        l.upid,
        time_bucket(f.ts, 1000000000) AS ts,
        min(f.pid) AS pid,
        sum(f.sent_bytes) AS sent,
        sum(f.received_bytes) AS received
    FROM programs l
    JOIN flows f ON l.host = f.host AND l.upid = f.upid
    WHERE (l.start_ts IS NULL OR f.ts >= l.start_ts) AND (l.end_ts IS NULL OR f.ts < l.end_ts)
    GROUP BY l.program, l.host, l.upid, time_bucket(f.ts, 1000000000)
),
both_ways AS (
    SELECT
        program,
        host,
        upid,
        ts,
        pid,
        sent,
        received,
        unnest(make_array('sent_bytes_per_second', 'received_bytes_per_second')) AS rate
    FROM by_process
),
amounts AS (
    SELECT
        program,
        host,
        upid,
        ts,
        pid,
        rate,
        CASE rate WHEN 'sent_bytes_per_second' THEN sent ELSE received END AS value
    FROM both_ways
)
SELECT
    rate,
    program,
    ts,
    host,
    first_value(upid ORDER BY value DESC, upid) AS upid,
    first_value(pid ORDER BY value DESC, upid) AS pid,
    sum(value) AS value
FROM amounts
WHERE value > 0
GROUP BY rate, program, host, ts
