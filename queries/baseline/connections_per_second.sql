-- # Connections of programs in each second, for baselines
-- One row per program, machine and second in which connections of it began.
-- @needs connections
WITH by_process AS (
    SELECT
        l.program,
        l.host,
        l.upid,
        time_bucket(c.ts, 1000000000) AS ts,
        min(c.pid) AS pid,
        count(*) AS value
    FROM programs l
    JOIN connections c ON l.host = c.host AND l.upid = c.upid
    WHERE c.role IN ('client', 'server')
        AND (c.preexisting IS NULL OR NOT c.preexisting)
        AND (l.start_ts IS NULL OR c.ts >= l.start_ts) AND (l.end_ts IS NULL OR c.ts < l.end_ts)
    GROUP BY l.program, l.host, l.upid, time_bucket(c.ts, 1000000000)
)
SELECT
    'connections_per_second' AS rate,
    program,
    ts,
    host,
    first_value(upid ORDER BY value DESC, upid) AS upid,
    first_value(pid ORDER BY value DESC, upid) AS pid,
    sum(value) AS value
FROM by_process
GROUP BY program, host, ts
