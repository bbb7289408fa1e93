-- # Ended by its own sandbox
-- Was a process or a thread ended because it made a call that its seccomp filter forbids? One row per program and parent.
-- `SIGSYS` that somebody sent with `kill` does not count, where signals were recorded.
-- @severity medium
-- @technique T1068, T1203
-- @rationale A filter lists what a program needs. Code that was brought in from outside asks for more, and so gives itself
--     away.
-- @false-positive After an update of a library a program makes a call that its filter does not know yet; it then happens
--     at each start, on every machine.
-- @needs process_events
-- @window 1m
-- @column ts        When the first ended.
-- @column host      Machine.
-- @column upid      Process for good, of the first.
-- @column pid       Process id of the first.
-- @column sentence  What was found.
-- @column exe [key] The program, as the kernel names it.
-- @column parent_upid [key]  Process that had started it.
-- @column processes How many processes of this program and parent ended so, or lost a thread.
-- @caveat A filter that answers with an error instead of a signal ends nothing and is not seen here.
-- @evidence SELECT ts, comm, tid, syscall, via, arg0, arg1, arg2, path, ret FROM syscalls
--     WHERE host = {host} AND upid = {upid} ORDER BY ts DESC LIMIT 10
-- @next ebrec explain --pid {pid} --at {ts}
-- @fires attacks, behaviour
-- @silent lookalikes, web, compiler, database, packages, cron, desktop
WITH ends AS (
    SELECT host, upid, min(ts) AS ts, min(pid) AS pid, min(comm) AS comm
    FROM process_events
    WHERE signal = 'SIGSYS'
    GROUP BY host, upid
),
forbidden AS (
    SELECT e.*
    FROM ends e
    LEFT ANTI JOIN signals s
        ON e.host = s.host AND e.upid = s.target_upid AND s.event = 'sent' AND s.signal = 'SIGSYS'
        AND s.code IN ('SI_USER', 'SI_TKILL', 'SI_QUEUE')
)
SELECT
    min(f.ts) AS ts,
    f.host,
    first_value(f.upid ORDER BY f.ts, f.upid) AS upid,
    first_value(f.pid ORDER BY f.ts, f.upid) AS pid,
    concat(
        first_value(coalesce(p.comm, f.comm) ORDER BY f.ts, f.upid),
        CASE
            WHEN count(*) = 1 THEN ' was ended by its seccomp filter: it made a call that is forbidden'
            ELSE concat(' was ended by its seccomp filter ', count(*), ' times: it made calls that are forbidden')
        END
    ) AS sentence,
    p.exe,
    p.parent_upid,
    count(*) AS processes
FROM forbidden f
LEFT JOIN processes p ON f.host = p.host AND f.upid = p.upid
GROUP BY f.host, p.exe, p.parent_upid
ORDER BY ts, f.host, upid
