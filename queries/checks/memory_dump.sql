-- # Memory of another process read
-- Who opened the memory of a process that it did not start, and the map that says what is where in it? One row per
-- process and target.
-- @severity medium
-- @technique T1003.007
-- @rationale In the memory of `sshd`, an agent of keys, a browser or a server are passwords and keys in the clear.
--     `gcore`, and tools that were made to steal, open `/proc/PID/mem` and `/proc/PID/maps` or `smaps`.
-- @false-positive A developer who attaches a debugger to a program of their own: the target says so.
-- @needs syscalls
-- @window 1m
-- @column ts            When the first of both was opened.
-- @column host          Machine.
-- @column upid          Process for good.
-- @column pid           Process id.
-- @column sentence      What was found.
-- @column exe           Program file of the process at the first of them.
-- @column target [key]  Process id of the process whose memory it was.
-- @column target_comm   Name of that process.
-- @caveat Who reads the memory by `process_vm_readv` or by ptrace alone is not told here.
-- @caveat In a container with process ids of its own the target is named by those, and `target_comm` may be of another.
-- @evidence SELECT ts, last_ts, comm, exe, operation, path, calls, failures FROM file_accesses WHERE host = {host} AND
--     upid = {upid} AND path LIKE concat('/proc/', {target}, '/%') ORDER BY ts, operation, path
-- @fires attacks, persistence
-- @silent lookalikes, web, compiler, database, packages, cron, desktop
WITH
reads AS (
    SELECT
        host,
        upid,
        split_part(path, '/', 3) AS target,
        min(ts) AS ts,
        min(pid) AS pid,
        first_value(comm ORDER BY ts, path) AS comm,
        first_value(exe ORDER BY ts, path) AS exe
    FROM file_accesses
    WHERE
        operation IN ('read', 'write', 'open')
        AND failures < calls
        AND regexp_like(path, '^/proc/[0-9]+/(task/[0-9]+/)?(mem|s?maps)$')
        AND split_part(path, '/', 3) <> CAST(pid AS VARCHAR)
        AND NOT regexp_like(
            coalesce(exe, ''),
            '^/(usr/)?(s?bin/criu|lib/systemd/systemd-coredump)$|^/(opt|usr/lib)/([^/]+/)*(chrome_)?crashpad_handler$'
        )
    GROUP BY host, upid, split_part(path, '/', 3)
    HAVING
        bool_or(path LIKE '%/mem')
        AND bool_or(path LIKE '%maps')
),
-- Whoever debugs a program mostly starts it as well.
others AS (
    SELECT r.*
    FROM reads r
    LEFT ANTI JOIN processes t
        ON r.host = t.host AND r.upid = t.parent_upid AND r.target = CAST(t.pid AS VARCHAR)
)
SELECT
    r.ts,
    r.host,
    r.upid,
    r.pid,
    concat(
        r.comm, ' opened the memory of process ', r.target, coalesce(concat(' (', max(t.comm), ')'), ''),
        ' and the map of it'
    ) AS sentence,
    r.exe,
    r.target,
    max(t.comm) AS target_comm
FROM others r
LEFT JOIN processes t ON r.host = t.host AND r.target = CAST(t.pid AS VARCHAR)
GROUP BY r.ts, r.host, r.upid, r.pid, r.comm, r.exe, r.target
ORDER BY r.ts, r.host, r.upid, r.target
