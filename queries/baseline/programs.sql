-- # Programs, for baselines
-- One row per program that ran.
-- @needs processes
WITH by_process AS (
    SELECT host, upid, program, min(pid) AS pid, count(*) AS times, min(start_ts) AS ts, min(exe) AS exe
    FROM programs
    GROUP BY host, upid, program
),
-- One that ran before the recording is told from when it was started.
dated AS (
    SELECT b.host, b.upid, b.program, b.pid, b.times, coalesce(b.ts, p.start_ts) AS ts, b.exe
    FROM by_process b
    LEFT JOIN processes p ON b.host = p.host AND b.upid = p.upid
)
SELECT
    'programs' AS section,
    program,
    program AS item,
    sum(times) AS times,
    count(*) AS processes,
    min(ts) AS ts,
    first_value(host ORDER BY ts NULLS LAST, host, upid) AS host,
    first_value(upid ORDER BY ts NULLS LAST, host, upid) AS upid,
    first_value(pid ORDER BY ts NULLS LAST, host, upid) AS pid,
    first_value(exe ORDER BY ts NULLS LAST, host, upid) AS example
FROM dated
GROUP BY program
ORDER BY program
