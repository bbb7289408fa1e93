-- # System calls of programs, for baselines
-- One row per program and system call.
-- @needs syscalls
WITH by_process AS (
    SELECT
        l.host,
        l.upid,
        l.program,
        s.syscall,
        s.via,
        count(*) AS times,
        min(s.ts) AS ts,
        min(s.pid) AS pid
    FROM programs l
    JOIN syscalls s ON l.host = s.host AND l.upid = s.upid
    WHERE (l.start_ts IS NULL OR s.ts >= l.start_ts) AND (l.end_ts IS NULL OR s.ts < l.end_ts)
    GROUP BY l.host, l.upid, l.program, s.syscall, s.via
)
SELECT
    'syscalls' AS section,
    program,
    CASE via
        WHEN 'io_uring' THEN concat('io_uring:', syscall)
        WHEN 'compat' THEN concat('32-bit:', syscall)
        ELSE syscall
    END AS item,
    sum(times) AS times,
    count(*) AS processes,
    min(ts) AS ts,
    first_value(host ORDER BY ts, host, upid) AS host,
    first_value(upid ORDER BY ts, host, upid) AS upid,
    first_value(pid ORDER BY ts, host, upid) AS pid,
    min(syscall) AS example
FROM by_process
GROUP BY program, syscall, via
ORDER BY program, item
