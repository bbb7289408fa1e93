-- # Port opened by a program that is no server
-- Did a program begin to listen for connections from outside that lies where users write, that passes on anything to
-- anybody (`nc`, `socat`, a shell), or that runs a script? One row per program and port. A script that the service manager
-- started, or that runs in a container, is installed and does not count.
-- @severity medium
-- @technique T1571, T1095
-- @rationale A port that is open is a way in. Servers are installed; what is put in place by hand is not.
-- @false-positive Developers run what they work on from their home folder, or serve a folder with `python3 -m http.server`.
-- @needs connections
-- @window 0s
-- @column ts          When it began to listen.
-- @column host        Machine.
-- @column upid        Process for good.
-- @column pid         Process id.
-- @column sentence    What was found.
-- @column exe [key]   The program, as the kernel names it.
-- @column local_address [key]  Address that it listens at.
-- @column local_port [key]     Port.
-- @column reason      What is odd about it.
-- @column argv        Its arguments.
-- @caveat A port that was open before the recording is not told.
-- @caveat Ports of UDP are not looked at: a client opens one, too.
-- @evidence SELECT ts, comm, role, local_address, local_port, remote_address, remote_port, sent_bytes, received_bytes
--     FROM connections WHERE host = {host} AND local_port = {local_port} ORDER BY ts
-- @next ebrec report connections --port {local_port} --sort time
-- @fires attacks, persistence, intrusion
-- @silent lookalikes, web, network, packages, cron, desktop
WITH listeners AS (
    SELECT
        c.ts, c.host, c.upid, c.pid, coalesce(p.comm, c.comm) AS comm, p.exe, p.argv, c.local_address, c.local_port,
        CASE
            WHEN regexp_like(p.exe, '^/(tmp|var/tmp|dev/shm|dev/mqueue|run/user/[0-9]+|home|root|Users)/') THEN 'lies where users write'
            WHEN regexp_like(p.exe, '^/memfd:| [(]deleted[)]$') THEN 'is in no file'
            WHEN regexp_like(p.exe, '/(nc([.](openbsd|traditional))?|ncat|netcat|socat[0-9]?|busybox|toybox|(b?a|da|z|k|mk|tc|c|fi)?sh|gawk|openssl)$')
                THEN 'passes on anything'
            WHEN
                regexp_like(p.exe, '/(python|perl|ruby|php|node|nodejs|lua|luajit|tclsh|java|Rscript|deno|bun)[0-9.-]*$')
                -- What is started for a login or by a timer is not installed as a service.
                AND p.container_id IS NULL
                AND NOT (
                    p.parent_pid = 1
                    AND p.unit LIKE '%.service'
                    AND NOT regexp_like(p.unit, '^(user@.*|cron|crond|atd|anacron|ssh|sshd|ssh@.*|sshd@.*)[.]service$')
                )
                THEN 'runs a script'
        END AS reason
    FROM connections c
    JOIN processes p ON c.host = p.host AND c.upid = p.upid
    WHERE
        c.role = 'listener'
        AND NOT c.preexisting
        AND c.protocol NOT LIKE 'unix%'
        AND c.local_address NOT LIKE '127.%'
        AND c.local_address <> '::1'
)
SELECT
    min(ts) AS ts,
    host,
    first_value(upid ORDER BY ts, upid) AS upid,
    first_value(pid ORDER BY ts, upid) AS pid,
    concat(
        first_value(comm ORDER BY ts, upid), ' listens at ', CASE WHEN strpos(local_address, ':') > 0 THEN concat('[', local_address, ']') ELSE local_address END,
        ' port ', local_port, ' and ', reason, ': ', exe
    ) AS sentence,
    exe,
    local_address,
    local_port,
    reason,
    first_value(argv ORDER BY ts, upid) AS argv
FROM listeners
WHERE reason IS NOT NULL
GROUP BY host, exe, local_address, local_port, reason
ORDER BY ts, host, upid, local_port
