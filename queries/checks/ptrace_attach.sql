-- # Took control of another process
-- Who attached itself to a process that it did not start? One row per process that did, and thread it attached to. A
-- debugger that starts the program it looks at is silent, and so is a helper that looks at its own parent, as the
-- detector of leaks in programs built with sanitizers does.
-- @severity medium
-- @technique T1055.008
-- @rationale Who traces a process can read its memory and make it do anything, with its rights.
-- @false-positive `gdb -p` and `strace -p` of somebody who looks for a fault; reporters of crashes; Wine, whose server
--     looks into its clients.
-- @needs syscalls, processes
-- @window all
-- @column ts        When it attached itself first.
-- @column host      Machine.
-- @column upid      Process for good.
-- @column pid       Process id.
-- @column sentence  What was found.
-- @column exe       Program file of the process, as last known.
-- @column target    The thread it attached to, as it calls it.
-- @column target_upid  Process of that thread; NULL when it was not recorded.
-- @column target_comm  Name of that process.
-- @caveat In a process namespace of a container, numbers of processes are others: the target may not be known by its
--     name.
-- @evidence SELECT * FROM syscalls WHERE host = {host} AND upid = {upid} AND syscall = 'ptrace' AND arg1 = {target}
-- @next ebrec explain --pid {pid} --at {ts}
-- @fires attacks, execution
-- @silent lookalikes, web, compiler, database, packages, cron, desktop
WITH calls AS (
    -- Numbers of children as the process itself sees them: they are right in a namespace of processes, too.
    SELECT
        host,
        upid,
        CASE WHEN syscall = 'ptrace' THEN arg1 ELSE ret END AS target,
        min(CASE WHEN syscall = 'ptrace' AND arg0 IN (16, 16902) AND ret = 0 THEN ts END) AS ts,
        min(pid) AS pid,
        min(comm) AS comm
    FROM syscalls
    WHERE syscall IN ('ptrace', 'clone', 'clone3', 'fork', 'vfork')
    GROUP BY host, upid, CASE WHEN syscall = 'ptrace' THEN arg1 ELSE ret END
    HAVING
        -- PTRACE_ATTACH and PTRACE_SEIZE.
        sum(CASE WHEN syscall = 'ptrace' AND arg0 IN (16, 16902) AND ret = 0 THEN 1 ELSE 0 END) > 0
        AND sum(CASE WHEN syscall <> 'ptrace' THEN 1 ELSE 0 END) = 0
),
targets AS (
    SELECT c.*, t.upid AS target_upid, q.parent_upid AS target_parent, q.comm AS target_comm
    FROM calls c
    LEFT JOIN threads t
        ON c.host = t.host AND c.target = t.tid AND t.start_ts <= c.ts AND coalesce(t.end_ts, c.ts) >= c.ts
    LEFT JOIN processes q ON t.host = q.host AND t.upid = q.upid
)
SELECT
    min(t.ts) AS ts,
    t.host,
    t.upid,
    min(t.pid) AS pid,
    concat(
        min(t.comm), ' attached itself to ',
        coalesce(concat(min(t.target_comm), ' (', min(t.target), ')'), concat('process ', min(t.target))),
        ', which it had not started'
    ) AS sentence,
    min(p.exe) AS exe,
    min(t.target) AS target,
    t.target_upid,
    min(t.target_comm) AS target_comm
FROM targets t
JOIN processes p ON t.host = p.host AND t.upid = p.upid
WHERE
    coalesce(t.target_parent, 0) <> t.upid
    AND coalesce(t.target_upid, 0) <> coalesce(p.parent_upid, -1)
GROUP BY t.host, t.upid, t.target_upid, CASE WHEN t.target_upid IS NULL THEN t.target END
ORDER BY ts, t.host, t.upid, target
