-- # Guessing of passwords over the network
-- Are there many short connections to a service that asks for a password? One row per program, peer and port: tries of
-- others at a service of this machine (`in`), and tries of a program of this machine at another's (`out`). A try counts
-- when the client said something, it was over soon, and the service answered with no more than it takes to refuse: who
-- gets in gets more. Databases say little to those who get in, too: of them a try counts when the answer is shorter than
-- that to a login that succeeds, or, of MySQL, when one of both said no more than a login takes, and no query. Of SSH
-- it does not count when the server started something for the client, or `ssh` did not end with the code of a refusal.
-- @severity medium
-- @technique T1110.001, T1110.003
-- @rationale Weak passwords are found by trying; a guess that succeeds is among many that did not.
-- @false-positive A monitor that logs in every second with a program other than `ssh` and only says hello; it does so
--     for ever and at one pace.
-- @false-positive A job with a password that has been changed tries again and again: `rate` is steady and low.
-- @needs connections
-- @param tries integer 20  Connections within the window from which on it is a finding.
-- @param window duration 60s  Length of the window.
-- @param longest duration 30s  A connection that lasted longer is no try.
-- @param answer bytes 6KiB  A service that sent more has let the client in.
-- @window 2m
-- @column ts              When the number was reached.
-- @column host            Machine.
-- @column upid            Process for good; of several, their parent.
-- @column pid             Process id.
-- @column sentence        What was found.
-- @column direction [key] `in` or `out`.
-- @column peer [key]      Address of the other machine.
-- @column port [key]      Port of the service.
-- @column service         What is at this port by custom.
-- @column tries           Connections in all.
-- @column processes       Processes that made or served them.
-- @caveat A service at an unusual port is not known as one.
-- @caveat Several tries over one connection, as ssh allows, are one.
-- @caveat A database that speaks TLS answers with more, and is not found; nor is MySQL that asks for another kind of
--     password first, seen from the server.
-- @evidence SELECT ts, comm, role, remote_address, remote_port, local_port, duration_ns, sent_bytes, received_bytes
--     FROM connections WHERE host = {host} AND remote_address = {peer} AND (remote_port = {port} OR local_port = {port})
-- @next ebrec report connections --peer {peer} --port {port} --sort time
-- @fires attacks, intrusion
-- @silent lookalikes, web, network, packages, cron, desktop
WITH services AS (
    SELECT column1 AS port, column2 AS service, column3 AS answer, column4 AS client_says, column5 AS server_says
    FROM (VALUES
        (21, 'FTP', NULL, NULL, NULL), (22, 'SSH', NULL, NULL, NULL), (23, 'telnet', NULL, NULL, NULL),
        (110, 'POP3', NULL, NULL, NULL), (143, 'IMAP', NULL, NULL, NULL), (445, 'SMB', NULL, NULL, NULL),
        (993, 'IMAP', NULL, NULL, NULL), (995, 'POP3', NULL, NULL, NULL), (2222, 'SSH', NULL, NULL, NULL),
        (3389, 'RDP', NULL, NULL, NULL), (5900, 'VNC', NULL, NULL, NULL), (5985, 'WinRM', NULL, NULL, NULL),
        -- A refusal is a line. A login that succeeds is followed by entries.
        (389, 'LDAP', 128, NULL, NULL),
        -- A refusal has at most 300 bytes, with the longest names; settings that follow a success have 330 more.
        (5432, 'PostgreSQL', 320, NULL, NULL),
        (1433, 'SQL Server', 256, NULL, NULL),
        -- A success is shorter than a refusal, but a query and a farewell follow. Both sides say something twice: hello and
        -- refusal here, name and, where the server asks for it, another kind of password there.
        (3306, 'MySQL', 512, 2, 2)
    )
),
-- A server of SSH that has let somebody in starts something for them, and `ssh` that was refused ends with 255.
let_in AS (
    SELECT p.host, p.upid
    FROM processes p
    JOIN processes q ON p.host = q.host AND p.upid = q.parent_upid
    WHERE regexp_like(p.exe, '/(sshd(-session)?|dropbear)$') AND q.exe <> p.exe
    UNION
    SELECT host, upid FROM processes WHERE regexp_like(exe, '/(ssh|dbclient)$') AND exit_code <> 255
),
-- What a process tries within a second is one row: a busy client of a database would fill the memory otherwise.
tries AS (
    SELECT
        c.host,
        CASE c.role WHEN 'client' THEN 'out' ELSE 'in' END AS direction,
        coalesce(p.exe, c.comm) AS program,
        c.remote_address AS peer,
        s.port,
        s.service,
        coalesce(o.upid, c.upid) AS upid,
        p.parent_upid,
        min(c.ts) AS first_ts,
        max(c.ts) AS ts,
        count(*) AS tries
    FROM services s
    JOIN connections c ON s.port = CASE c.role WHEN 'client' THEN c.remote_port ELSE c.local_port END
    -- Who accepted it: a server may hand it to a process of a process, one for each client.
    LEFT JOIN processes o
        ON c.host = o.host AND c.opener_pid = o.pid AND o.start_ts <= c.ts AND coalesce(o.end_ts, c.ts) >= c.ts
    LEFT JOIN processes p ON c.host = p.host AND coalesce(o.upid, c.upid) = p.upid
    LEFT ANTI JOIN let_in l ON c.host = l.host AND c.upid = l.upid
    WHERE
        c.protocol = 'tcp'
        AND c.duration_ns <= $longest
        AND CASE c.role WHEN 'client' THEN c.sent_bytes ELSE c.received_bytes END > 0
        -- One that did not come about was refused by nobody.
        AND CASE c.role WHEN 'client' THEN c.received_bytes ELSE c.sent_bytes END
            BETWEEN 1 AND coalesce(s.answer, $answer)
        AND c.sends <= coalesce(CASE c.role WHEN 'client' THEN s.client_says ELSE s.server_says END, c.sends)
    GROUP BY
        c.host, c.role, coalesce(p.exe, c.comm), c.remote_address, s.port, s.service, coalesce(o.upid, c.upid),
        p.parent_upid,
        time_bucket(c.ts, 1000000000)
),
-- A process that does enough by itself is told by itself; others are put together below their parent.
owned AS (
    SELECT
        *,
        CASE
            WHEN sum(tries) OVER (PARTITION BY host, direction, upid, peer, port) >= $tries THEN upid
            ELSE coalesce(parent_upid, upid)
        END AS who
    FROM tries
),
counted AS (
    SELECT
        *,
        sum(tries) OVER (
            PARTITION BY host, direction, program, who, peer, port
            ORDER BY CAST(ts AS BIGINT) RANGE BETWEEN $window PRECEDING AND CURRENT ROW
        ) AS recent
    FROM owned
),
found AS (
    SELECT
        min(ts) FILTER (WHERE recent >= $tries) AS ts,
        host, direction, peer, port,
        min(service) AS service,
        CASE WHEN min(upid) = max(upid) THEN min(upid) ELSE who END AS upid,
        program,
        sum(tries) AS tries,
        count(DISTINCT upid) AS processes,
        max(CAST(ts AS BIGINT)) - min(CAST(first_ts AS BIGINT)) AS duration_ns
    FROM counted
    GROUP BY host, direction, program, who, peer, port
    HAVING max(recent) >= $tries
)
SELECT
    f.ts,
    f.host,
    f.upid,
    p.pid,
    CASE f.direction
        WHEN 'out' THEN concat(
            coalesce(p.comm, base_name(f.program), '?'), ' tried to log in to ', f.service, ' at ', f.peer, ' port ', f.port, ' ',
            f.tries, ' times in ', human_duration(f.duration_ns)
        )
        ELSE concat(
            f.peer, ' tried to log in to ', f.service, ' (', coalesce(p.comm, base_name(f.program), '?'), ') at port ', f.port, ' ',
            f.tries, ' times in ', human_duration(f.duration_ns)
        )
    END AS sentence,
    f.direction,
    f.peer,
    f.port,
    f.service,
    f.tries,
    f.processes
FROM found f
LEFT JOIN processes p ON f.host = p.host AND f.upid = p.upid
ORDER BY f.ts, f.host, f.direction, f.peer, f.port, f.upid, f.program
