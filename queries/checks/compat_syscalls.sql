-- # 32-bit system calls
-- Did a program call the kernel by its old 32-bit entry? One row per process. The machine is a 64-bit one: there, such
-- calls are those of 32-bit programs, and of programs that want to pass by filters and watchers which look at the
-- numbers of 64-bit calls only.
-- @severity low
-- @technique T1106
-- @rationale The numbers of the calls are others: a filter that forgets the 32-bit ones forbids nothing.
-- @false-positive 32-bit programs, such as Wine, games, and old software of vendors: `exe` is one.
-- @needs syscalls
-- @window 0s
-- @column ts             When the first of them was made.
-- @column host           Machine.
-- @column upid           Process for good.
-- @column pid            Process id.
-- @column sentence       What was found.
-- @column exe            Program file of the process, as last known.
-- @column calls [total]  How many such calls it made.
-- @column kinds          The calls it made, at most five.
-- @evidence SELECT * FROM syscalls WHERE host = {host} AND upid = {upid} AND via = 'compat'
-- @next ebrec explain --pid {pid} --at {ts}
-- @fires attacks, execution
-- @silent lookalikes, web, compiler, database, packages, cron, desktop
WITH calls AS (
    SELECT
        host, upid,
        min(ts) AS ts,
        min(pid) AS pid,
        first_value(comm ORDER BY ts) AS comm,
        count(*) AS calls,
        array_agg(DISTINCT syscall ORDER BY syscall) AS kinds
    FROM syscalls
    WHERE via = 'compat'
    GROUP BY host, upid
)
SELECT
    c.ts,
    c.host,
    c.upid,
    c.pid,
    concat(
        c.comm, ' made ', c.calls, CASE WHEN c.calls = 1 THEN ' 32-bit system call: ' ELSE ' 32-bit system calls: ' END,
        array_to_string(array_slice(c.kinds, 1, 5), ', '),
        CASE WHEN array_length(c.kinds) > 5 THEN ', ...' ELSE '' END
    ) AS sentence,
    p.exe,
    c.calls,
    array_to_string(array_slice(c.kinds, 1, 5), ', ') AS kinds
FROM calls c
LEFT JOIN processes p ON c.host = p.host AND c.upid = p.upid
ORDER BY c.ts, c.host, c.upid
