-- # Scan of the ports of a machine
-- Does somebody try one port after the other? One row per program, or address, that scans, and address that is scanned.
-- Only TCP ports count that were not open: that refused, or said nothing. A connection shows them, and where
-- packets were recorded a request (SYN) without an answer that the port is open; so a scan with raw packets counts as
-- well.
-- @severity medium
-- @technique T1046, T1595
-- @rationale A scan comes before an attack: it tells what could be attacked. Programs know the port that they want.
-- @false-positive A monitor of many services of one machine, of which many are down.
-- @false-positive Debuggers and tests that look for a free port on their own machine by trying.
-- @needs connections
-- @param direction out|in -  Only scans by programs of this machine (`out`), or of it by others (`in`).
-- @param ports integer 20  Ports that were not open, within the window, from which on it is a finding.
-- @param window duration 60s  Length of the window.
-- @window 2m
-- @column ts              When the number was reached.
-- @column host            Machine.
-- @column upid            Process for good; of several, their parent; NULL of a scan from outside.
-- @column pid             Process id.
-- @column sentence        What was found.
-- @column direction [key] `out` or `in`.
-- @column scanner [key]   Address that the scan came from; NULL where it is not known.
-- @column target [key]    Address that was scanned.
-- @column ports           Ports that were tried.
-- @column closed          Those of them that were not open.
-- @column processes       Processes that did it.
-- @caveat A scan from outside is seen where `packets` were recorded.
-- @caveat A slow scan, of fewer ports in the window, is not found.
-- @caveat UDP ports are not looked at.
-- @evidence SELECT ts, comm, pid, local_address, remote_address, remote_port, state, error FROM connections
--     WHERE host = {host} AND remote_address = {target} AND role = 'client' ORDER BY ts, remote_port
-- @next ebrec report connections --peer {target} --failed true --sort time
-- @fires attacks, intrusion
-- @silent lookalikes, web, network, packages, cron, desktop
-- A process that does enough by itself is told by itself; others are put together below their parent.
WITH owned AS (
    SELECT
        *,
        CASE
            WHEN
                sum(CASE WHEN is_open THEN 0 ELSE 1 END) OVER (
                    PARTITION BY host, direction, upid, program, target
                ) >= $ports
                THEN upid
            ELSE coalesce(parent_upid, upid)
        END AS who
    FROM port_tries
),
ports AS (
    SELECT
        host, direction, program, who, target, port,
        min(ts) AS ts,
        bool_or(is_open) AS is_open,
        max(scanner) AS scanner,
        min(upid) AS upid
    FROM owned
    GROUP BY host, direction, program, who, target, port
),
counted AS (
    SELECT
        *,
        sum(CASE WHEN is_open THEN 0 ELSE 1 END) OVER (
            PARTITION BY host, direction, program, who, target
            ORDER BY CAST(ts AS BIGINT) RANGE BETWEEN $window PRECEDING AND CURRENT ROW
        ) AS recent
    FROM ports
),
scans AS (
    SELECT
        min(ts) FILTER (WHERE recent >= $ports) AS ts,
        host, direction, program, target,
        CASE WHEN min(scanner) = max(scanner) THEN min(scanner) END AS scanner,
        CASE WHEN min(upid) = max(upid) THEN min(upid) ELSE who END AS upid,
        count(*) AS ports,
        count(*) FILTER (WHERE NOT is_open) AS closed,
        count(DISTINCT upid) AS processes,
        max(CAST(ts AS BIGINT)) - min(CAST(ts AS BIGINT)) AS duration_ns
    FROM counted
    GROUP BY host, direction, program, who, target
    HAVING max(recent) >= $ports
),
-- Between two addresses of this machine a scan goes out and comes in.
marked AS (
    SELECT
        *,
        coalesce($direction, direction) = direction
            AND (
                direction = 'out'
                OR max(CASE WHEN direction = 'out' THEN 1 ELSE 0 END) OVER (PARTITION BY host, scanner, target) = 0
            ) AS is_told
    FROM scans
)
SELECT
    f.ts,
    f.host,
    f.upid,
    p.pid,
    concat(
        CASE f.direction WHEN 'in' THEN f.scanner ELSE coalesce(p.comm, base_name(f.program), '?') END,
        CASE WHEN f.processes > 1 THEN concat(' (', f.processes, ' processes of ', base_name(f.program), ')') END,
        ' tried ', f.ports, ' ports of ', f.target, ' in ', human_duration(f.duration_ns), ', ', f.closed, ' were not open'
    ) AS sentence,
    f.direction,
    f.scanner,
    f.target,
    f.ports,
    f.closed,
    f.processes
FROM marked f
LEFT JOIN processes p ON f.host = p.host AND f.upid = p.upid
WHERE f.is_told
ORDER BY f.ts, f.host, f.direction, f.target, f.scanner, f.program
