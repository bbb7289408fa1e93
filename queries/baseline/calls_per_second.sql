-- # System calls of programs in each second, for baselines
-- One row per program, machine and second in which it made any.
-- @needs syscalls
WITH by_process AS (
    SELECT
        l.program,
        l.host,
        l.upid,
        time_bucket(s.ts, 1000000000) AS ts,
        min(s.pid) AS pid,
        count(*) AS value
    FROM programs l
    JOIN syscalls s ON l.host = s.host AND l.upid = s.upid
    WHERE (l.start_ts IS NULL OR s.ts >= l.start_ts) AND (l.end_ts IS NULL OR s.ts < l.end_ts)
    GROUP BY l.program, l.host, l.upid, time_bucket(s.ts, 1000000000)
)
SELECT
    'calls_per_second' AS rate,
    program,
    ts,
    host,
    first_value(upid ORDER BY value DESC, upid) AS upid,
    first_value(pid ORDER BY value DESC, upid) AS pid,
    sum(value) AS value
FROM by_process
GROUP BY program, host, ts
