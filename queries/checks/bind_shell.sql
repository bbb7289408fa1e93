-- # Bind shell
-- Does a shell take its orders from whoever connects to a port? One row per shell whose input is a connection that was
-- accepted before the shell was run, by the process or by an ancestor. Scripts that a super-server starts for a
-- connection do not count: they are run by their own path.
-- @severity critical
-- @technique T1059.004, T1571
-- @rationale Everybody who finds the port may type.
-- @false-positive The old servers of `rsh` and `rexec` hand the connection to the shell of the user.
-- @needs process_events, connections
-- @window all
-- @column ts        When the shell was run.
-- @column host      Machine.
-- @column upid      Process for good, of the shell.
-- @column pid       Process id of the shell.
-- @column sentence  What was found.
-- @column port      Port that was connected to.
-- @column remote    Who connected.
-- @column exe       The shell, as the kernel names it.
-- @column argv      Its arguments.
-- @caveat A shell behind a terminal of its own, which a server passes on, is not here: `web_shell` tells of some.
-- @caveat A connection that had not ended when the recording was read is not there yet.
-- @evidence SELECT * FROM connections WHERE host = {host} AND local_port = {port}
-- @next ebrec explain --pid {pid} --at {ts}
-- @fires attacks, execution
-- @silent lookalikes, web, network, packages, cron, desktop
WITH shells AS (
    SELECT ts, host, upid, pid, comm, exe, argv
    FROM execs
    WHERE
        (
            regexp_like(exe, '/(b?a|da|z|[lm]?k|t?c|fi)?sh([0-9.-]+|-static)?$')
            OR (
                regexp_like(exe, '/(busybox|toybox)$')
                AND regexp_like(argv, '^-?([^ ]*/)?((busybox|toybox) )?(b?a|hu)?sh( |$)')
            )
        )
        -- Not by the path of a script that begins with the shell's name.
        AND regexp_like(path, '(^|/)((b?a|da|z|[lm]?k|t?c|fi|hu)?sh([0-9.-]+|-static)?|busybox|toybox)$')
),
families AS (
    SELECT ts, host, upid, pid, comm, exe, argv, upid AS member FROM shells
    UNION ALL
    SELECT s.ts, s.host, s.upid, s.pid, s.comm, s.exe, s.argv, p.upid AS member
    FROM shells s
    JOIN processes p ON s.host = p.host AND s.upid = p.parent_upid
),
found AS (
    SELECT
        f.ts, f.host, f.upid, f.pid, f.comm, f.exe, f.argv, c.local_port AS port,
        concat(c.remote_address, ' ', c.remote_port) AS remote
    FROM families f
    JOIN connections c ON f.host = c.host AND f.member = c.upid
    WHERE
        c.role = 'server'
        AND c.remote_port > 0
        AND c.ts <= f.ts
        AND (c.duration_ns IS NULL OR CAST(c.ts AS BIGINT) + c.duration_ns > CAST(f.ts AS BIGINT))
)
SELECT
    min(ts) AS ts,
    host,
    upid,
    min(pid) AS pid,
    concat(
        first_value(comm ORDER BY ts, remote), ' takes its orders from ', first_value(remote ORDER BY ts, remote),
        ', which connected to port ', first_value(port ORDER BY ts, remote), ' of this machine before it began'
    ) AS sentence,
    first_value(port ORDER BY ts, remote) AS port,
    first_value(remote ORDER BY ts, remote) AS remote,
    first_value(exe ORDER BY ts, remote) AS exe,
    first_value(argv ORDER BY ts, remote) AS argv
FROM found
GROUP BY host, upid
ORDER BY ts, host, upid
