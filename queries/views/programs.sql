-- # Programs that each process ran
-- One row per process and program that it ran, one after the other: what a process did belongs to the program that it
-- ran at that moment, which is its parent's until it runs one itself. Where that is not known, because neither the fork
-- nor the parent is in the recording, it is taken for the one that came next.
-- @whole processes, process_events
-- @column host      Name of the machine.
-- @column pid       Process id.
-- @column upid      Process for good.
-- @column start_ts  From when on; NULL: since the process started.
-- @column end_ts    Until it ran another program; NULL: until it ended.
-- @column program   What it is called: the file with `*` for what is different each time, or `[comm]` where it is in
--     no file.
-- @column previous  The program that it ran before; NULL of the first.
-- @column exe       Absolute path of the program file.
-- @column comm      Name of the thread that ran it, from then on; of the first, the name of the first thread.
WITH execs AS (
    SELECT host, upid, pid, ts, exe, comm FROM process_events WHERE event = 'exec'
),
first_execs AS (
    SELECT host, upid, min(ts) AS ts FROM execs GROUP BY host, upid
),
forks AS (
    SELECT host, child_upid AS upid, min(ts) AS ts
    FROM process_events
    WHERE event = 'fork' AND child_upid IS NOT NULL
    GROUP BY host, child_upid
),
-- What a parent ran when it forked, if it had run something by then. Where the fork is not in the recording, the time
-- that the kernel has is only known to a tick of its clock.
parents AS (
    SELECT
        p.host,
        p.upid,
        last_value(e.exe ORDER BY e.ts) AS exe,
        last_value(e.comm ORDER BY e.ts) AS comm
    FROM execs e
    JOIN processes p ON e.host = p.host AND e.upid = p.parent_upid
    LEFT JOIN forks k ON p.host = k.host AND p.upid = k.upid
    WHERE e.ts <= coalesce(k.ts, p.start_ts + INTERVAL '10 milliseconds')
    GROUP BY p.host, p.upid
),
lives AS (
    SELECT host, upid, pid, ts AS start_ts, exe, comm FROM execs
    UNION ALL
    SELECT
        p.host,
        p.upid,
        p.pid,
        CAST(NULL AS TIMESTAMP) AS start_ts,
        CASE
            -- It ran nothing itself: what is known of it last is so from the beginning.
            WHEN f.ts IS NULL THEN p.exe
            WHEN r.upid IS NOT NULL THEN r.exe
            -- Nor did its parent.
            WHEN q.upid IS NOT NULL AND g.ts IS NULL THEN q.exe
            ELSE p.exe
        END AS exe,
        CASE
            WHEN f.ts IS NULL THEN p.comm
            WHEN r.upid IS NOT NULL THEN r.comm
            WHEN q.upid IS NOT NULL AND g.ts IS NULL THEN q.comm
            ELSE p.comm
        END AS comm
    FROM processes p
    LEFT JOIN first_execs f ON p.host = f.host AND p.upid = f.upid
    LEFT JOIN parents r ON p.host = r.host AND p.upid = r.upid
    LEFT JOIN processes q ON p.host = q.host AND p.parent_upid = q.upid
    LEFT JOIN first_execs g ON p.host = g.host AND p.parent_upid = g.upid
),
named AS (
    SELECT host, pid, upid, start_ts, program_name(exe, comm) AS program, exe, comm FROM lives
)
SELECT
    host,
    pid,
    upid,
    start_ts,
    lead(start_ts) OVER (PARTITION BY host, upid ORDER BY start_ts NULLS FIRST) AS end_ts,
    program,
    lag(program) OVER (PARTITION BY host, upid ORDER BY start_ts NULLS FIRST) AS previous,
    exe,
    comm
FROM named
