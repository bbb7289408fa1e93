-- # Scan of a network
-- Does somebody try the same port on one address after the other? One row per program, or address, that scans, and port.
-- Only addresses count where it was not open: that refused, said nothing or cannot be reached. A connection shows them,
-- and where packets were recorded a request (SYN) without an answer that the port is open.
-- @severity medium
-- @technique T1046, T1018, T1595.001
-- @rationale A worm, and whoever has just got in, looks for the next machine. Programs know whom they want to talk to.
-- @false-positive A monitor of many machines, of which many are down.
-- @false-positive File sharing and other networks of peers, most of which are gone: the addresses are all over the world.
-- @needs connections
-- @param direction out|in -  Only scans by programs of this machine (`out`), or of it by others (`in`).
-- @param addresses integer 20  Addresses where it was not open, within the window, from which on it is a finding.
-- @param window duration 60s  Length of the window.
-- @window 2m
-- @column ts              When the number was reached.
-- @column host            Machine.
-- @column upid            Process for good; of several, their parent; NULL of a scan from outside.
-- @column pid             Process id.
-- @column sentence        What was found.
-- @column direction [key] `out` or `in`.
-- @column scanner [key]   Address that the scan came from; NULL where it is not known.
-- @column port [key]      Port that was tried.
-- @column addresses       Addresses that were tried.
-- @column closed          Those of them where it was not open.
-- @column processes       Processes that did it.
-- @caveat A scan from outside is seen where `packets` were recorded.
-- @caveat An attempt that fails before a packet is sent, for want of a route, is no connection and does not count.
-- @caveat Scans by `ping` and by ARP are not looked at.
-- @evidence SELECT ts, comm, pid, local_address, remote_address, remote_port, state, error FROM connections
--     WHERE host = {host} AND remote_port = {port} AND role = 'client' ORDER BY ts, remote_address
-- @next ebrec report connections --port {port} --failed true --sort time
-- @fires attacks, behaviour
-- @silent lookalikes, web, network, packages, cron, desktop
-- A process that does enough by itself is told by itself; others are put together below their parent.
WITH owned AS (
    SELECT
        *,
        CASE
            WHEN
                sum(CASE WHEN is_open THEN 0 ELSE 1 END) OVER (
                    PARTITION BY host, direction, upid, program, port
                ) >= $addresses
                THEN upid
            ELSE coalesce(parent_upid, upid)
        END AS who
    FROM port_tries
),
addresses AS (
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
            PARTITION BY host, direction, program, who, port
            ORDER BY CAST(ts AS BIGINT) RANGE BETWEEN $window PRECEDING AND CURRENT ROW
        ) AS recent
    FROM addresses
),
scans AS (
    SELECT
        min(ts) FILTER (WHERE recent >= $addresses) AS ts,
        host, direction, program, port,
        CASE WHEN min(scanner) = max(scanner) THEN min(scanner) END AS scanner,
        CASE WHEN min(upid) = max(upid) THEN min(upid) ELSE who END AS upid,
        count(*) AS addresses,
        count(*) FILTER (WHERE NOT is_open) AS closed,
        count(DISTINCT upid) AS processes,
        max(CAST(ts AS BIGINT)) - min(CAST(ts AS BIGINT)) AS duration_ns
    FROM counted
    GROUP BY host, direction, program, who, port
    HAVING max(recent) >= $addresses
),
-- Between two addresses of this machine a scan goes out and comes in.
marked AS (
    SELECT
        *,
        coalesce($direction, direction) = direction
            AND (
                direction = 'out'
                OR max(CASE WHEN direction = 'out' THEN 1 ELSE 0 END) OVER (PARTITION BY host, scanner, port) = 0
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
        ' tried port ', f.port, ' of ', f.addresses, ' addresses in ', human_duration(f.duration_ns), ', it was not open at ', f.closed
    ) AS sentence,
    f.direction,
    f.scanner,
    f.port,
    f.addresses,
    f.closed,
    f.processes
FROM marked f
LEFT JOIN processes p ON f.host = p.host AND f.upid = p.upid
WHERE f.is_told
ORDER BY f.ts, f.host, f.direction, f.port, f.scanner, f.program
