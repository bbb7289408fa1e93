-- # Programs that programs start, for baselines
-- One row per program and program that it started, or became.
-- @needs process_events
WITH by_process AS (
    SELECT
        host,
        upid,
        previous AS program,
        program AS item,
        count(*) AS times,
        min(start_ts) AS ts,
        min(pid) AS pid,
        min(exe) AS exe
    FROM programs
    WHERE previous IS NOT NULL AND start_ts IS NOT NULL
    GROUP BY host, upid, previous, program
)
SELECT
    'children' AS section,
    program,
    item,
    sum(times) AS times,
    count(*) AS processes,
    min(ts) AS ts,
    first_value(host ORDER BY ts, host, upid) AS host,
    first_value(upid ORDER BY ts, host, upid) AS upid,
    first_value(pid ORDER BY ts, host, upid) AS pid,
    first_value(exe ORDER BY ts, host, upid) AS example
FROM by_process
GROUP BY program, item
ORDER BY program, item
