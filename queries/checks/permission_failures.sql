-- # Many files that may not be touched
-- Does a process try many files that it has no right to? One row per process.
-- @severity medium
-- @technique T1083, T1087
-- @rationale Who has just got into a machine looks around, and most of what is worth it is forbidden. Programs know what
--     they may open.
-- @false-positive `find /` and `grep -r` by a user who is not root; `argv` says so.
-- @false-positive A service whose folder has the wrong owner after an update: its paths are all in that folder.
-- @needs syscalls
-- @param paths integer 30  Files within the window from which on it is a finding.
-- @param window duration 60s  Length of the window.
-- @window 2m
-- @column ts          When the number was reached.
-- @column host        Machine.
-- @column upid        Process for good.
-- @column pid         Process id.
-- @column sentence    What was found.
-- @column paths       Files that were refused, in all.
-- @column directories Folders that they are in.
-- @column first_path  The first of them.
-- @column argv        Arguments of the process.
-- @caveat Processes that are started one for each file are not put together.
-- @evidence SELECT * FROM file_accesses WHERE host = {host} AND upid = {upid} AND error IN ('EACCES', 'EPERM')
-- @next ebrec report syscall_errors --pid {pid}
-- @fires attacks, behaviour
-- @silent lookalikes, web, compiler, database, packages, cron, desktop
WITH refused AS (
    SELECT host, upid, path, min(ts) AS ts, min(pid) AS pid, min(comm) AS comm
    FROM file_accesses
    WHERE error IN ('EACCES', 'EPERM')
    GROUP BY host, upid, path
),
counted AS (
    SELECT
        *,
        count(*) OVER (
            PARTITION BY host, upid
            ORDER BY CAST(ts AS BIGINT) RANGE BETWEEN $window PRECEDING AND CURRENT ROW
        ) AS recent
    FROM refused
),
found AS (
    SELECT
        min(ts) FILTER (WHERE recent >= $paths) AS ts,
        host,
        upid,
        min(pid) AS pid,
        min(comm) AS comm,
        count(*) AS paths,
        count(DISTINCT regexp_replace(path, '/?[^/]*$', '')) AS directories,
        max(CAST(ts AS BIGINT)) - min(CAST(ts AS BIGINT)) AS duration_ns,
        first_value(path ORDER BY ts, path) AS first_path
    FROM counted
    GROUP BY host, upid
    HAVING max(recent) >= $paths
)
SELECT
    f.ts,
    f.host,
    f.upid,
    f.pid,
    concat(
        coalesce(p.comm, f.comm), ' was refused ', f.paths, ' files in ', f.directories, ' folders within ',
        human_duration(f.duration_ns), ', the first was ', f.first_path
    ) AS sentence,
    f.paths,
    f.directories,
    f.first_path,
    p.argv
FROM found f
LEFT JOIN processes p ON f.host = p.host AND f.upid = p.upid
ORDER BY f.ts, f.host, f.upid
