-- # Network service that crashes
-- Did a program that serves connections crash more than once? One row per program. A process counts when it, or its
-- parent, listened or served a connection.
-- @severity medium
-- @technique T1190, T1499.004
-- @rationale Who attacks a service from outside rarely hits at the first try: it crashes, its parent starts it again, and
--     the next try follows.
-- @false-positive A service that crashes by itself at a certain request: the rows of `connections` before each crash are
--     of different peers.
-- @needs processes, connections
-- @param crashes integer 3  Crashes within the window from which on it is a finding.
-- @param window duration 5m  Length of the window.
-- @window 10m
-- @column ts         When the number was reached.
-- @column host       Machine.
-- @column upid       Process for good, of the last.
-- @column pid        Process id of the last.
-- @column sentence   What was found.
-- @column exe [key]  The program.
-- @column crashes    How many processes, in all.
-- @column signals    What ended them.
-- @column peer       Other end of the last connection that one of them served; NULL when none was.
-- @evidence SELECT p.end_ts, p.pid, p.comm, p.signal, c.ts, c.remote_address, c.remote_port, c.received_bytes
--     FROM processes p LEFT JOIN connections c ON p.host = c.host AND p.upid = c.upid
--     WHERE p.host = {host} AND p.exe = {exe} AND p.signal IS NOT NULL
-- @next ebrec explain --pid {pid} --at {ts}
-- @fires attacks, behaviour
-- @silent lookalikes, web, packages, cron, desktop
WITH services AS (
    SELECT
        host, upid,
        last_value(remote_address ORDER BY ts, connection_id) FILTER (WHERE role = 'server') AS peer
    FROM connections
    WHERE role IN ('listener', 'server') AND protocol NOT LIKE 'unix%'
    GROUP BY host, upid
),
crashes AS (
    SELECT
        p.host, p.exe, p.upid, p.pid, p.comm, p.signal, p.end_ts AS ts, CAST(p.end_ts AS BIGINT) AS ns,
        coalesce(max(s.peer), max(q.peer)) AS peer
    FROM processes p
    LEFT JOIN services s ON p.host = s.host AND p.upid = s.upid
    LEFT JOIN services q ON p.host = q.host AND p.parent_upid = q.upid
    WHERE
        p.signal IN ('SIGSEGV', 'SIGABRT', 'SIGBUS', 'SIGILL', 'SIGFPE', 'SIGTRAP')
        AND (s.upid IS NOT NULL OR q.upid IS NOT NULL)
    GROUP BY p.host, p.exe, p.upid, p.pid, p.comm, p.signal, p.end_ts
),
counted AS (
    SELECT
        *,
        count(*) OVER (PARTITION BY host, exe ORDER BY ns RANGE BETWEEN $window PRECEDING AND CURRENT ROW) AS recent
    FROM crashes
)
SELECT
    min(ts) FILTER (WHERE recent >= $crashes) AS ts,
    host,
    last_value(upid ORDER BY ns, upid) AS upid,
    last_value(pid ORDER BY ns, upid) AS pid,
    concat(
        last_value(comm ORDER BY ns, upid), ' serves connections and crashed ', count(*), ' times in ',
        human_duration(max(ns) - min(ns)), ' (', string_agg(DISTINCT signal, ', ' ORDER BY signal), ')'
    ) AS sentence,
    exe,
    count(*) AS crashes,
    string_agg(DISTINCT signal, ', ' ORDER BY signal) AS signals,
    last_value(peer ORDER BY ns, upid) FILTER (WHERE peer IS NOT NULL) AS peer
FROM counted
GROUP BY host, exe
HAVING max(recent) >= $crashes
ORDER BY ts, host, upid
