-- # Left its container
-- Did a process in a container enter the namespaces of another process? One row per process: it ran a program in the
-- container, opened the namespaces of a process by its number or took hold of the process itself, and went in.
-- Runtimes enter a container before they run a program there, and are silent.
-- @severity high
-- @technique T1611
-- @rationale The namespaces are what makes a container one. `nsenter -t 1` is a shell on the machine itself.
-- @false-positive Agents that look after the machine from a privileged container, such as drivers of storage and of
--     networks: they call `nsenter` again and again, and are known by their container.
-- @needs syscalls, processes
-- @window 1m
-- @column ts            When it first went in.
-- @column host          Machine.
-- @column upid          Process for good.
-- @column pid           Process id.
-- @column sentence      What was found.
-- @column exe           Program file of the process, as last known.
-- @column container_id  The container it was in.
-- @column namespaces    Namespaces that it opened; NULL when it did by the process itself.
-- @caveat A process that forked after its last program and enters namespaces itself is not found.
-- @evidence SELECT * FROM syscalls WHERE host = {host} AND upid = {upid} AND (syscall IN ('setns', 'pidfd_open') OR
--     path LIKE '%/ns/%')
-- @next ebrec explain --pid {pid} --at {ts}
-- @fires attacks, execution
-- @silent lookalikes, web, compiler, database, packages, cron, desktop
WITH calls AS (
    SELECT
        host, upid,
        min(CASE WHEN syscall = 'setns' THEN ts END) AS ts,
        min(pid) AS pid,
        min(comm) AS comm,
        sum(CASE WHEN syscall = 'setns' THEN 1 ELSE 0 END) AS entered,
        sum(CASE WHEN syscall = 'pidfd_open' THEN 1 ELSE 0 END) AS opened
    FROM syscalls
    WHERE syscall IN ('setns', 'pidfd_open') AND ret >= 0
    GROUP BY host, upid
    HAVING sum(CASE WHEN syscall = 'setns' THEN 1 ELSE 0 END) > 0
),
places AS (
    -- What leads through `task` is a thread's own, to which libraries go back.
    SELECT host, upid, array_to_string(array_agg(DISTINCT path ORDER BY path), ', ') AS namespaces
    FROM file_accesses
    WHERE operation = 'read' AND calls > failures AND regexp_like(path, '/proc/[0-9]+/ns/[a-z_]+$')
    GROUP BY host, upid
),
ran AS (
    SELECT host, upid, min(ts) AS ts FROM execs GROUP BY host, upid
)
SELECT
    c.ts,
    c.host,
    c.upid,
    c.pid,
    concat(
        c.comm, ' in container ', coalesce(p.container_name, left(p.container_id, 12)), ' entered ', c.entered,
        CASE WHEN c.entered = 1 THEN ' namespace' ELSE ' namespaces' END, ' of another process',
        CASE WHEN n.namespaces IS NULL THEN '' ELSE concat(': ', n.namespaces) END
    ) AS sentence,
    p.exe,
    p.container_id,
    n.namespaces
FROM calls c
JOIN processes p ON c.host = p.host AND c.upid = p.upid
JOIN ran r ON c.host = r.host AND c.upid = r.upid
LEFT JOIN places n ON c.host = n.host AND c.upid = n.upid
WHERE
    p.container_id IS NOT NULL
    AND r.ts < c.ts
    AND (n.namespaces IS NOT NULL OR c.opened > 0)
ORDER BY c.ts, c.host, c.upid
