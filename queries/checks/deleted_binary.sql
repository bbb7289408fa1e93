-- # Program that was deleted while it runs
-- Whose file was removed while it ran? One row per process and program file. Files that are replaced do not count:
-- those that their remover makes anew, and those that compilers, linkers and package managers remove.
-- @severity high
-- @technique T1070.004
-- @rationale What runs on without a file cannot be looked at any more; malware removes itself so.
-- @false-positive A folder of builds or tests that is cleaned up while a program from it still runs looks the same:
--     `removed_by` says who did it.
-- @false-positive A program outside the folders of the system that was replaced before the recording, and not
--     restarted since, is found when recording begins.
-- @needs processes, syscalls
-- @window 0s
-- @column ts          When the file was removed; when that was before the recording, when the process started.
-- @column host        Machine.
-- @column upid        Process for good.
-- @column pid         Process id.
-- @column sentence    What was found.
-- @column exe         The file.
-- @column removed_by  Name of the thread that removed it; NULL when that was before the recording.
-- @column remover_pid Its process id.
-- @evidence SELECT * FROM files WHERE host = {host} AND path = {exe} AND operation IN ('unlink', 'exec')
-- @next ebrec explain --pid {pid} --at {ts}
-- @fires attacks, execution
-- @silent lookalikes, web, compiler, database, packages, cron, desktop
WITH programs AS (
    SELECT host, upid, exe, max(ts) AS since
    FROM (
        SELECT host, upid, exe, ts FROM execs
        UNION ALL
        SELECT host, upid, exe, start_ts AS ts FROM processes
    )
    WHERE exe IS NOT NULL
    GROUP BY host, upid, exe
),
made AS (
    SELECT host, upid, last_ts, CASE WHEN operation = 'write' THEN path ELSE path2 END AS path
    FROM file_accesses
    WHERE operation IN ('write', 'rename', 'link')
),
removed AS (
    SELECT f.host, f.upid, f.pid, f.comm, f.path, f.ts, f.last_ts
    FROM file_accesses f
    LEFT ANTI JOIN made m ON f.host = m.host AND f.upid = m.upid AND f.path = m.path AND m.last_ts > f.ts
    WHERE
        f.operation = 'unlink'
        AND f.calls > f.failures
        AND NOT regexp_like(
            coalesce(f.exe, ''),
            '^/(usr|bin|sbin|lib(32|64)?|opt|snap|nix|gnu)/(.*/)?([a-z0-9_]+-)*'
                || '(ld([.](bfd|gold|lld|mold))?|lld|mold|gold|collect2|gcc|g[+][+]|clang([+][+])?|rustc|link|go'
                || '|strip|objcopy|dpkg|apt|apt-get|rpm|dnf5|zypper|pacman|apk)(-[0-9.]+)?$'
        )
),
findings AS (
    SELECT
        CASE WHEN r.ts >= g.since THEN r.ts ELSE r.last_ts END AS ts,
        g.host, g.upid, p.pid, p.comm, g.exe, r.comm AS removed_by, r.pid AS remover_pid,
        r.upid = g.upid AS is_self
    FROM removed r
    JOIN programs g ON r.host = g.host AND r.path = g.exe
    JOIN processes p ON g.host = p.host AND g.upid = p.upid
    WHERE
        (r.ts >= g.since AND r.ts < coalesce(p.end_ts, r.ts + INTERVAL '1 second'))
        OR (r.last_ts >= g.since AND r.last_ts < coalesce(p.end_ts, r.last_ts + INTERVAL '1 second'))
    UNION ALL
    -- What /proc said of those that ran when recording began. A package that was upgraded leaves such, too.
    SELECT
        start_ts AS ts, host, upid, pid, comm, exe, CAST(NULL AS VARCHAR) AS removed_by,
        CAST(NULL AS INTEGER) AS remover_pid, false AS is_self
    FROM processes
    WHERE
        exe LIKE '/% (deleted)'
        AND NOT regexp_like(exe, '^/((usr|bin|sbin|lib(32|64)?|opt|snap|nix|gnu)/|memfd:)')
)
SELECT
    min(ts) AS ts,
    host,
    upid,
    min(pid) AS pid,
    concat(
        min(comm), ' runs on without its file: ', exe, ' was removed ',
        CASE
            WHEN bool_or(is_self) THEN 'by itself'
            WHEN min(removed_by) IS NULL THEN 'before the recording'
            ELSE concat('by ', min(removed_by))
        END
    ) AS sentence,
    exe,
    min(removed_by) AS removed_by,
    min(remover_pid) AS remover_pid
FROM findings
GROUP BY host, upid, exe
ORDER BY ts, host, upid, exe
