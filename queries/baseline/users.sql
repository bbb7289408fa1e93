-- # Users of programs, for baselines
-- One row per program and user that it ran as, whether really or in effect.
-- @needs processes
WITH changes AS (
    SELECT host, upid, pid, ts, unnest(make_array(uid, euid)) AS uid
    FROM process_events
    WHERE event IN ('exec', 'setuid')
),
-- What a process was last is known, even where it was not seen to become so.
known AS (
    SELECT l.host, l.upid, l.pid, coalesce(l.start_ts, p.start_ts) AS ts, l.program, p.uid
    FROM programs l
    JOIN processes p ON l.host = p.host AND l.upid = p.upid
    WHERE l.end_ts IS NULL
    UNION ALL
    SELECT l.host, l.upid, c.pid, c.ts, l.program, c.uid
    FROM programs l
    JOIN changes c ON l.host = c.host AND l.upid = c.upid
    WHERE (l.start_ts IS NULL OR c.ts >= l.start_ts) AND (l.end_ts IS NULL OR c.ts < l.end_ts)
),
by_process AS (
    SELECT host, upid, program, uid, count(*) AS times, min(ts) AS ts, min(pid) AS pid
    FROM known
    WHERE uid BETWEEN 0 AND 4294967294
    GROUP BY host, upid, program, uid
)
SELECT
    'users' AS section,
    program,
    CAST(uid AS VARCHAR) AS item,
    sum(times) AS times,
    count(*) AS processes,
    min(ts) AS ts,
    first_value(host ORDER BY ts NULLS LAST, host, upid) AS host,
    first_value(upid ORDER BY ts NULLS LAST, host, upid) AS upid,
    first_value(pid ORDER BY ts NULLS LAST, host, upid) AS pid,
    CAST(uid AS VARCHAR) AS example
FROM by_process
GROUP BY program, uid
ORDER BY program, item
