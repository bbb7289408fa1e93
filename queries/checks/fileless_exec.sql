-- # Program run from memory
-- Was a program run that is in no file, or one that was handed over as a descriptor only? One row per exec of such a
-- program, and per process that ran one when recording began. The kernel has no path for what was made by
-- `memfd_create`: `exe` is `/memfd:NAME`, or `/`. Of a program in a file that was run by its descriptor, `exe` is
-- where the file is or was.
-- @severity critical
-- @technique T1620
-- @rationale What never was on a disk leaves nothing to look at afterwards, and few honest programs need it.
-- @false-positive Container runtimes run a sealed copy of themselves in memory. Those below `/usr`, `/opt`, `/snap`
--     and `/var/lib/rancher` are left out; one that is installed elsewhere is found: its parent is the runtime.
-- @false-positive A program that checks a file and then runs the descriptor it checked, outside the folders of the
--     system, looks the same: `exe` is the file.
-- @needs process_events, processes
-- @window 0s
-- @column ts        When.
-- @column host      Machine.
-- @column upid      Process for good.
-- @column pid       Process id.
-- @column sentence  What was found.
-- @column exe       The program, as the kernel names it.
-- @column path      The path it was run by, such as `/dev/fd/3`.
-- @column argv      Its arguments.
-- @column parent    Name of the process that started it.
-- @caveat A program that maps code of its own into its memory, without exec, is not seen.
-- @evidence SELECT * FROM process_events WHERE host = {host} AND upid = {upid} AND event = 'exec'
-- @next ebrec explain --pid {pid} --at {ts}
-- @fires attacks, execution, intrusion
-- @silent lookalikes, web, compiler, database, packages, cron, desktop
WITH programs AS (
    SELECT ts, host, upid, pid, comm, exe, path, argv, parent_comm, parent_exe FROM execs
    UNION ALL
    -- What ran when recording began; what it forks is the same program once more.
    SELECT
        p.start_ts AS ts, p.host, p.upid, p.pid, p.comm, p.exe, CAST(NULL AS VARCHAR) AS path, p.argv,
        q.comm AS parent_comm, q.exe AS parent_exe
    FROM processes p
    LEFT ANTI JOIN execs e ON p.host = e.host AND p.upid = e.upid
    LEFT JOIN processes q ON p.host = q.host AND p.parent_upid = q.upid
    WHERE p.exe LIKE '/memfd:%' AND coalesce(q.exe, '') <> p.exe
)
SELECT
    ts,
    host,
    upid,
    pid,
    concat(
        comm,
        CASE
            WHEN path IS NULL THEN ' is a program that is in no file; it ran when recording began, as '
            WHEN exe = '/' OR exe LIKE '/memfd:%' THEN ' is a program that is in no file; it was run as '
            ELSE ' was run not by a path but by a descriptor, '
        END,
        coalesce(path, exe), ', by ', coalesce(parent_comm, 'an unknown process')
    ) AS sentence,
    exe,
    path,
    argv,
    parent_comm AS parent
FROM programs
WHERE
    (
        exe = '/'
        OR exe LIKE '/memfd:%'
        OR (
            -- An empty path with a descriptor is `/dev/fd/N` to the kernel; a script gets that as an argument.
            regexp_like(coalesce(path, ''), '^/(dev|proc/(self|thread-self|[0-9]+))/fd/[0-9]+$')
            AND (
                NOT regexp_like(coalesce(exe, ''), '^/(usr|bin|sbin|lib(32|64)?|opt|snap|nix|gnu)/')
                OR strpos(coalesce(argv, ''), path) > 0
            )
        )
    )
    AND NOT regexp_like(
        coalesce(parent_exe, ''), '^/(usr|opt|snap|var/lib/rancher)/.*/(docker-)?(runc|crun|youki)$'
    )
ORDER BY ts, host, upid
