-- # Kernel module loaded or removed
-- Who put code into the kernel or took it out, other than by loading a module of the system with the tools that are
-- for it? One row per process. `modprobe` and udev, which open a file below `/lib/modules`, are silent; any other
-- program is not, nor is a module from elsewhere, or the removal of one. Attempts count as well.
-- @severity high
-- @technique T1547.006, T1014
-- @rationale A module may do everything, and may hide that it is there. One that is removed may have been a guard.
-- @false-positive `insmod` of a driver somebody builds, `modprobe -r` and `rmmod` of an administrator.
-- @needs syscalls, processes
-- @window 0s
-- @column ts        When it first did or tried.
-- @column host      Machine.
-- @column upid      Process for good.
-- @column pid       Process id.
-- @column sentence  What was found.
-- @column exe       Program file of the process, as last known.
-- @column calls     What it called.
-- @column error     Error of the last that failed, in the order of letters; NULL when none did.
-- @caveat Which module it was is in no argument: files that were opened just before tell it.
-- @evidence SELECT * FROM syscalls WHERE host = {host} AND upid = {upid} AND syscall IN ('init_module',
--     'finit_module', 'delete_module')
-- @next ebrec query "SELECT ts, operation, path FROM file_accesses WHERE upid = {upid} ORDER BY ts"
-- @fires attacks, execution
-- @silent lookalikes, web, compiler, database, packages, cron, desktop
WITH calls AS (
    SELECT
        host, upid,
        min(ts) AS ts,
        min(pid) AS pid,
        min(comm) AS comm,
        count(*) AS times,
        count(error) AS failures,
        max(error) AS error,
        array_to_string(array_agg(DISTINCT syscall ORDER BY syscall), ', ') AS kinds,
        bool_or(syscall = 'delete_module') AS has_removed
    FROM syscalls
    WHERE syscall IN ('init_module', 'finit_module', 'delete_module')
    GROUP BY host, upid
),
shipped AS (
    SELECT DISTINCT host, upid
    FROM file_accesses
    WHERE
        operation = 'read'
        AND calls > failures
        AND regexp_like(path, '^(/usr)?/lib/modules/.*[.]ko([.](gz|xz|zst))?$')
)
SELECT
    c.ts,
    c.host,
    c.upid,
    c.pid,
    concat(
        c.comm,
        CASE WHEN c.failures = c.times THEN ' tried to ' ELSE ' did ' END,
        CASE
            WHEN c.kinds = 'delete_module' THEN 'remove a module of the kernel'
            WHEN c.has_removed THEN 'load and remove modules of the kernel'
            ELSE 'load a module into the kernel'
        END,
        ' (', c.kinds, CASE WHEN c.error IS NULL THEN '' ELSE concat(', ', c.failures, ' failed: ', c.error) END, ')'
    ) AS sentence,
    p.exe,
    c.kinds AS calls,
    c.error
FROM calls c
LEFT JOIN processes p ON c.host = p.host AND c.upid = p.upid
LEFT JOIN shipped s ON c.host = s.host AND c.upid = s.upid
WHERE NOT (
    s.upid IS NOT NULL
    AND regexp_like(
        coalesce(p.exe, ''),
        '^/(usr/)?(s?bin|lib/systemd|lib/udev)/(kmod|modprobe|udevadm|udevd|systemd(-udevd|-modules-load)?)$'
    )
)
ORDER BY c.ts, c.host, c.upid
