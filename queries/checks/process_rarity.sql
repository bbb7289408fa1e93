-- # Program that was run once
-- Did a process that runs the same few programs again and again run another, once? One row per such program.
-- @severity info
-- @technique T1059
-- @rationale Worth knowing when something else was found: what is rare is seldom routine.
-- @false-positive The last step of a script, and what a script does when something fails.
-- @needs process_events
-- @param runs integer 50  Programs run by the process from which on its habits are known.
-- @param programs integer 5  A process that runs more different programs than this has no habits.
-- @window all
-- @column ts         When it was run.
-- @column host       Machine.
-- @column upid       Process for good.
-- @column pid        Process id.
-- @column sentence   What was found.
-- @column exe [key]  The program, as the kernel names it.
-- @column argv       Its arguments.
-- @column parent_upid [key]  Process that ran it.
-- @column runs       Programs that this one ran, in all.
-- @column programs   Different ones.
-- @evidence SELECT exe, count(*) AS runs, min(argv) AS argv FROM execs WHERE host = {host} AND parent_upid = {parent_upid}
--     GROUP BY exe ORDER BY runs DESC, exe
-- @next ebrec explain --pid {pid} --at {ts}
-- @fires attacks, behaviour
-- @silent lookalikes, web, compiler, database, packages, cron, desktop
WITH runs AS (
    SELECT
        host, parent_upid, exe,
        count(*) AS times,
        min(ts) AS ts, min(upid) AS upid, min(pid) AS pid, min(comm) AS comm, min(argv) AS argv, min(parent_comm) AS parent_comm
    FROM execs
    WHERE parent_upid IS NOT NULL
    GROUP BY host, parent_upid, exe
),
counted AS (
    SELECT
        *,
        sum(times) OVER (PARTITION BY host, parent_upid) AS runs,
        count(*) OVER (PARTITION BY host, parent_upid) AS programs
    FROM runs
)
SELECT
    ts,
    host,
    upid,
    pid,
    concat(
        comm, ' was run once by ', coalesce(parent_comm, '?'), ', of ', CAST(runs AS BIGINT), ' programs that it ran: ', exe
    ) AS sentence,
    exe,
    argv,
    parent_upid,
    CAST(runs AS BIGINT) AS runs,
    programs
FROM counted
WHERE times = 1 AND runs >= $runs AND programs <= $programs
ORDER BY ts, host, upid
