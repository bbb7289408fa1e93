-- # Environments of other processes read
-- Who read the environment of many other processes? One row per process, or per parent of several that did.
-- @severity medium
-- @technique T1003.007, T1552
-- @rationale Keys and passwords are often given to services in their environment, where root and the same user can read
--     them in `/proc/PID/environ`.
-- @false-positive An agent for monitoring that tells of containers or of services by their environment: name it in a
--     suppression.
-- @needs syscalls
-- @param processes integer 3  From how many processes within a minute on it is told.
-- @window 1m
-- @column ts               When the last of the first such minute was opened.
-- @column host             Machine.
-- @column upid             Process for good.
-- @column pid              Process id.
-- @column sentence         What was found.
-- @column exe [key]        Its program file; where several of its children did it, that of their parent.
-- @column targets [total]  Processes that were looked at.
-- @column refused [total]  Those that could not be.
-- @caveat The number of a process is compared with that of the reader: in a container of its own numbers, a process
--     that reads itself counts.
-- @evidence SELECT f.ts, f.comm, f.exe, f.operation, f.path, f.calls, f.failures FROM file_accesses f JOIN processes p
--     ON f.host = p.host AND f.upid = p.upid WHERE f.host = {host} AND (f.upid = {upid} OR p.parent_upid = {upid}) AND
--     f.path LIKE '/proc/%/environ' ORDER BY f.ts, f.path
-- @fires attacks, persistence
-- @silent lookalikes, web, compiler, database, packages, cron, desktop
WITH
reads AS (
    SELECT
        f.host,
        coalesce(p.parent_upid, f.upid) AS family,
        f.upid,
        time_bucket(f.ts, 60000000000) AS minute,
        split_part(f.path, '/', 3) AS target,
        max(f.ts) AS ts,
        min(f.failures) > 0 AS is_refused
    FROM file_accesses f
    LEFT JOIN processes p ON f.host = p.host AND f.upid = p.upid
    WHERE
        f.operation IN ('read', 'open')
        AND regexp_like(f.path, '^/proc/[0-9]+/(task/[0-9]+/)?environ$')
        AND split_part(f.path, '/', 3) <> CAST(f.pid AS VARCHAR)
        AND NOT regexp_like(
            concat(f.exe, ' ', p.argv, ' '),
            '^/(usr/)?s?bin/(ps|top|htop|btop|pgrep|pkill|pidof|gdb|criu|systemctl|loginctl) |^/(usr/)?lib/systemd/'
                || '|^/usr/bin/perl[.0-9]* [^ ]+ (-[Tw]+ )?/usr/sbin/needrestart '
        )
    GROUP BY
        f.host, coalesce(p.parent_upid, f.upid), f.upid, time_bucket(f.ts, 60000000000), split_part(f.path, '/', 3)
),
-- A shell that runs `cat` for each process does what one that reads them all does by itself: those that read few each
-- are taken together and told as their parent.
blamed AS (
    SELECT
        host, minute, target, ts, is_refused,
        CASE WHEN count(*) OVER (PARTITION BY host, upid, minute) >= $processes THEN upid ELSE family END AS upid
    FROM reads
),
minutes AS (
    SELECT
        host,
        upid,
        max(ts) AS ts,
        count(DISTINCT target) AS targets,
        count(DISTINCT CASE WHEN is_refused THEN target END) AS refused
    FROM blamed
    GROUP BY host, upid, minute
    HAVING count(DISTINCT target) >= $processes
),
found AS (
    SELECT
        host,
        upid,
        min(ts) AS ts,
        first_value(targets ORDER BY ts, targets) AS targets,
        first_value(refused ORDER BY ts, targets) AS refused
    FROM minutes
    GROUP BY host, upid
)
SELECT
    m.ts,
    m.host,
    m.upid,
    p.pid,
    concat(
        coalesce(p.comm, 'a process'),
        ' read the environment of ',
        m.targets,
        ' other processes within a minute',
        CASE WHEN m.refused > 0 THEN concat(', of which ', m.refused, ' were refused') ELSE '' END
    ) AS sentence,
    p.exe,
    m.targets,
    m.refused
FROM found m
LEFT JOIN processes p ON m.host = p.host AND m.upid = p.upid
ORDER BY m.ts, m.host, m.upid
