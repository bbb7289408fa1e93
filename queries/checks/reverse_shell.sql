-- # Reverse shell
-- Does a shell take its orders from a machine that was called? One row per shell. It counts when a connection that was
-- there before the shell, made by the process or by an ancestor, is used by the shell or by what it starts; when the
-- shell itself called another machine and got an answer; or when an interactive shell is started by, or beside, a
-- program that has just called another machine and passes on what comes. A program outside the folders of the system
-- counts as a shell in the first case.
-- @severity critical
-- @technique T1059.004, T1095
-- @rationale A firewall lets out what it would not let in: so an intruder has the machine call back and types.
-- @false-positive Agents of remote support and of cloud providers give out a shell over a connection that they made:
--     `how` is `relayed`, and the parent is the agent.
-- @false-positive Scripts that speak a protocol with bash's `/dev/tcp` to another machine: `how` is `called`.
-- @needs process_events, connections
-- @param within duration 10s  How long before the shell a program that passes on the connection may have made it.
-- @window all
-- @column ts        When the shell was run; of one that called by itself, when it did.
-- @column host      Machine.
-- @column upid      Process for good, of the shell.
-- @column pid       Process id of the shell.
-- @column sentence  What was found.
-- @column how       `inherited`: it was there before the shell; `called`: by the shell; `relayed`: by a program
--     beside.
-- @column remote    The other end.
-- @column exe       The shell, as the kernel names it.
-- @column argv      Its arguments.
-- @caveat A connection that had not ended when the recording was read is not there yet.
-- @evidence SELECT * FROM connections WHERE host = {host} AND concat(remote_address, ' ', remote_port) = {remote}
-- @next ebrec explain --pid {pid} --at {ts}
-- @fires attacks, execution, intrusion
-- @silent lookalikes, web, network, packages, cron, desktop
WITH programs AS (
    SELECT
        ts, host, upid, pid, comm, exe, argv, parent_upid, parent_comm,
        regexp_like(exe, '/(b?a|da|z|[lm]?k|t?c|fi)?sh([0-9.-]+|-static)?$')
            OR (
                regexp_like(exe, '/(busybox|toybox)$')
                AND regexp_like(argv, '^-?([^ ]*/)?((busybox|toybox) )?(b?a|hu)?sh( |$)')
            ) AS is_shell,
        -- No script and no command: only options, such as -i and -l.
        regexp_like(argv, '^(''[^'']*''|"[^"]*"|[^ ]+)( (b?a|hu)?sh)?( --?[a-z]*)*$') AS is_interactive
    FROM execs
    WHERE
        regexp_like(exe, '/(b?a|da|z|[lm]?k|t?c|fi)?sh([0-9.-]+|-static)?$|/(busybox|toybox)$')
        OR NOT regexp_like(exe, '^/(usr|bin|sbin|lib(32|64)?|opt|snap|nix|gnu)/')
),
families AS (
    SELECT ts, host, upid, pid, comm, exe, argv, upid AS member FROM programs
    UNION ALL
    SELECT s.ts, s.host, s.upid, s.pid, s.comm, s.exe, s.argv, p.upid AS member
    FROM programs s
    JOIN processes p ON s.host = p.host AND s.upid = p.parent_upid
    WHERE s.is_shell
),
calls AS (
    SELECT
        ts, host, upid, opener_pid, remote_address, received_bytes, sent_bytes, duration_ns,
        concat(remote_address, ' ', remote_port) AS remote
    FROM connections
    WHERE role = 'client' AND remote_port > 0
),
found AS (
    SELECT
        f.ts, f.host, f.upid, f.pid, f.comm, f.exe, f.argv, c.remote, 'inherited' AS how,
        concat(' takes its orders from ', c.remote, ': the connection was there before it') AS what
    FROM families f
    JOIN calls c ON f.host = c.host AND f.member = c.upid
    WHERE
        c.ts <= f.ts
        -- What was closed when the program began is none of its own.
        AND (c.duration_ns IS NULL OR CAST(c.ts AS BIGINT) + c.duration_ns > CAST(f.ts AS BIGINT))
    UNION ALL
    SELECT
        c.ts, p.host, p.upid, p.pid, p.comm, p.exe, p.argv, c.remote, 'called' AS how,
        concat(' called ', c.remote, ' itself and got ', human_bytes(c.received_bytes)) AS what
    FROM processes p
    JOIN calls c ON p.host = c.host AND p.pid = c.opener_pid
    LEFT JOIN (SELECT host, upid, max(ts) AS ts FROM execs GROUP BY host, upid) e
        ON p.host = e.host AND p.upid = e.upid
    WHERE
        regexp_like(p.exe, '/(b?a|da|z|[lm]?k|t?c|fi)?sh([0-9.-]+|-static)?$')
        AND p.start_ts <= c.ts
        -- What a process called before it became a shell was called by another program.
        AND (e.ts IS NULL OR e.ts <= c.ts)
        AND (p.end_ts IS NULL OR p.end_ts >= c.ts)
        AND c.received_bytes > 0
        -- Health checks of a container ask their own machine.
        AND c.remote_address NOT LIKE '127.%'
        AND c.remote_address <> '::1'
    UNION ALL
    SELECT
        s.ts, s.host, s.upid, s.pid, s.comm, s.exe, s.argv, r.remote, 'relayed' AS how,
        concat(
            ' is an interactive shell next to ', r.comm, ', which had called ', r.remote, ' ',
            human_duration(abs(CAST(s.ts AS BIGINT) - CAST(r.ts AS BIGINT))),
            CASE WHEN r.ts <= s.ts THEN ' before' ELSE ' after it began' END
        ) AS what
    FROM programs s
    JOIN (
        SELECT
            c.ts, c.host, c.remote, p.comm, p.upid, p.exe,
            unnest(make_array(p.upid, p.parent_upid)) AS near
        FROM processes p
        JOIN calls c ON p.host = c.host AND p.upid = c.upid
        WHERE
            c.received_bytes > 0
            AND c.sent_bytes > 0
            AND c.remote_address NOT LIKE '127.%'
            AND c.remote_address <> '::1'
            -- It forwards ports, and gives out shells.
            AND NOT regexp_like(coalesce(p.exe, ''), '^/usr/(s?bin|lib|libexec)/(.*/)?(sshd(-session)?|dropbear)$')
    ) r ON s.host = r.host AND s.parent_upid = r.near
    WHERE
        s.is_shell
        AND s.is_interactive
        AND s.upid <> r.upid
        AND abs(CAST(s.ts AS BIGINT) - CAST(r.ts AS BIGINT)) <= $within
        -- A parent has called before; a neighbour in a pipeline counts when it is a tool that passes things on.
        AND (
            (r.near = r.upid AND r.ts <= s.ts)
            OR regexp_like(r.exe, '/(nc([.](openbsd|traditional))?|ncat|netcat|socat[0-9]?|openssl|telnet|busybox)$')
        )
)
SELECT
    min(ts) AS ts,
    host,
    upid,
    min(pid) AS pid,
    first_value(concat(comm, what) ORDER BY how <> 'inherited', how, ts, remote) AS sentence,
    first_value(how ORDER BY how <> 'inherited', how, ts, remote) AS how,
    first_value(remote ORDER BY how <> 'inherited', how, ts, remote) AS remote,
    first_value(exe ORDER BY how <> 'inherited', how, ts, remote) AS exe,
    first_value(argv ORDER BY how <> 'inherited', how, ts, remote) AS argv
FROM found
GROUP BY host, upid
ORDER BY ts, host, upid
