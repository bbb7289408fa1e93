-- # Flood of requests to connect
-- Is a port asked for connections by many that never go on? One row per address and port. Who means it answers the
-- answer (ACK); a flood is many requests (SYN) from many addresses, mostly made up, that are not followed by that.
-- @severity high
-- @technique T1499.001, T1498.001
-- @rationale Each request holds a place in the queue of the listener, until honest ones find none.
-- @false-positive A service that is down, and whose many clients try again and again: nothing listens at the port.
-- @needs packets
-- @param requests integer 500  Requests within the window from which on it is a finding.
-- @param sources integer 50  Addresses that they must be from.
-- @param answered number 0.5  Packets with ACK to the port, for each request, from which on they were meant.
-- @param window duration 10s  Length of the windows.
-- @window 20s
-- @column ts              When the first window began in which it was so.
-- @column host            Machine.
-- @column upid            Process for good that sent them; NULL where none is known.
-- @column pid             Process id.
-- @column sentence        What was found.
-- @column target [key]    Address that was flooded.
-- @column port [key]      Its port.
-- @column requests        Most requests within a window.
-- @column sources         Addresses that they were from, about.
-- @column packets         Packets with ACK in that window.
-- @caveat Packets that were not recorded because of a filter are missing here, too: with `--packet-filter`, all ports
--     must be told both ways.
-- @evidence SELECT ts, direction, interface, source_address, source_port, tcp_flags, ttl FROM packets WHERE host = {host}
--     AND destination_address = {target} AND destination_port = {port} ORDER BY ts LIMIT 100
-- @next ebrec report listeners
-- @fires attacks, behaviour
-- @silent lookalikes, network, packages, cron, desktop
WITH requests AS (
    SELECT
        host, destination_address AS target, destination_port AS port, direction, time_bucket(ts, $window) AS since,
        min(ts) AS ts,
        count(*) AS requests,
        CAST(approx_distinct(source_address) AS BIGINT) AS sources
    FROM packets
    WHERE tcp_flags IN ('SYN', 'SYN|ECE|CWR')
    GROUP BY host, destination_address, destination_port, direction, time_bucket(ts, $window)
    HAVING count(*) >= $requests AND approx_distinct(source_address) >= $sources
),
-- What came to those ports, by whom, and how much of it went on.
senders AS (
    SELECT
        r.host, r.target, r.port, r.direction, r.since, r.ts, r.requests, r.sources, p.upid,
        count(*) FILTER (WHERE p.tcp_flags LIKE '%ACK%') AS packets,
        count(*) FILTER (WHERE p.tcp_flags NOT LIKE '%ACK%') AS others
    FROM requests r
    JOIN packets p
        ON r.host = p.host AND r.target = p.destination_address AND r.port = p.destination_port
        AND r.direction = p.direction AND r.since = time_bucket(p.ts, $window)
    GROUP BY r.host, r.target, r.port, r.direction, r.since, r.ts, r.requests, r.sources, p.upid
),
floods AS (
    SELECT
        host, target, port, direction, since, ts, requests, sources,
        sum(packets) AS packets,
        -- What comes in is of the process that listens.
        first_value(upid ORDER BY others DESC, upid) FILTER (WHERE direction = 'sent' AND upid IS NOT NULL) AS upid
    FROM senders
    GROUP BY host, target, port, direction, since, ts, requests, sources
    HAVING sum(packets) < $answered * requests
),
found AS (
    SELECT
        min(ts) AS ts,
        host, target, port,
        first_value(upid ORDER BY requests DESC, since) FILTER (WHERE upid IS NOT NULL) AS upid,
        max(requests) AS requests,
        max(sources) AS sources,
        first_value(CAST(packets AS BIGINT) ORDER BY requests DESC, since, direction) AS packets
    FROM floods
    GROUP BY host, target, port
)
SELECT
    f.ts,
    f.host,
    f.upid,
    p.pid,
    concat(
        coalesce(p.comm, 'Somebody'), ' asked ', f.target, ' port ', f.port, ' for ', f.requests, ' connections within ',
        human_duration($window), ', from about ', f.sources, ' addresses, and went on with ', f.packets, ' packets'
    ) AS sentence,
    f.target,
    f.port,
    f.requests,
    f.sources,
    f.packets
FROM found f
LEFT JOIN processes p ON f.host = p.host AND f.upid = p.upid
ORDER BY f.ts, f.host, f.target, f.port
