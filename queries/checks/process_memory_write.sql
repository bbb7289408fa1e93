-- # Writes the memory of another process
-- Who opened the memory of another process to write, or wrote it with `process_vm_writev`? One row per process that
-- did and process it did it to. Debuggers do so to what they started: children are left out, and so are processes of
-- one program with one parent, which pass data to each other so (MPI).
-- @severity high
-- @technique T1055.009, T1055
-- @rationale Code that is put into a running program acts under its name and rights, and is in no file.
-- @false-positive `gdb -p` of somebody who looks for a fault, Wine, and supervisors of containers that answer system
--     calls in place of the kernel.
-- @needs syscalls, processes
-- @window 0s
-- @column ts        When it first did.
-- @column host      Machine.
-- @column upid      Process for good.
-- @column pid       Process id.
-- @column sentence  What was found.
-- @column exe       Program file of the process, as last known.
-- @column target    Process id of the other, as it calls it.
-- @column target_comm  Name of the other; NULL when it was not recorded.
-- @caveat A program that writes its own memory through `/proc/self/mem` is left out.
-- @caveat In a process namespace of a container, numbers of processes are others: the target may not be known.
-- @evidence SELECT * FROM syscalls WHERE host = {host} AND upid = {upid} AND (syscall = 'process_vm_writev' OR path
--     LIKE '/proc/%/mem')
-- @next ebrec explain --pid {pid} --at {ts}
-- @fires attacks, execution
-- @silent lookalikes, web, compiler, database, packages, cron, desktop
WITH writes AS (
    SELECT
        host, upid, pid, comm, ts, 'opened its memory to write' AS what,
        CAST(regexp_replace(path, '^/proc/([0-9]+)/.*$', '$1') AS BIGINT) AS target
    FROM file_accesses
    WHERE
        operation = 'write'
        AND calls > failures
        AND regexp_like(path, '^/proc/[0-9]{1,9}/(task/[0-9]+/)?mem$')
    UNION ALL
    SELECT
        host, upid, min(pid) AS pid, min(comm) AS comm, min(ts) AS ts,
        concat('wrote ', human_bytes(CAST(sum(ret) AS BIGINT)), ' into its memory') AS what,
        arg0 AS target
    FROM syscalls
    WHERE syscall = 'process_vm_writev' AND ret > 0
    GROUP BY host, upid, arg0
),
targets AS (
    SELECT
        w.*, t.upid AS target_upid, q.parent_upid AS target_parent, q.exe AS target_exe, q.comm AS target_comm
    FROM writes w
    LEFT JOIN threads t
        ON w.host = t.host AND w.target = t.tid AND t.start_ts <= w.ts AND coalesce(t.end_ts, w.ts) >= w.ts
    LEFT JOIN processes q ON t.host = q.host AND t.upid = q.upid
)
SELECT
    min(t.ts) AS ts,
    t.host,
    t.upid,
    min(t.pid) AS pid,
    concat(
        min(t.comm), ' wrote into process ', t.target,
        CASE WHEN min(t.target_comm) IS NULL THEN '' ELSE concat(' (', min(t.target_comm), ')') END,
        ': it ', array_to_string(array_agg(DISTINCT t.what ORDER BY t.what), ' and ')
    ) AS sentence,
    min(p.exe) AS exe,
    t.target,
    min(t.target_comm) AS target_comm
FROM targets t
JOIN processes p ON t.host = p.host AND t.upid = p.upid
WHERE
    coalesce(t.target_upid, 0) <> t.upid
    AND coalesce(t.target_parent, 0) <> t.upid
    AND NOT (
        coalesce(t.target_exe, '') = coalesce(p.exe, '?')
        AND coalesce(t.target_parent, 0) = coalesce(p.parent_upid, -1)
    )
GROUP BY t.host, t.upid, t.target
ORDER BY ts, t.host, t.upid, t.target
