-- # Peers of programs, for baselines
-- One row per program, role, protocol, address and port of the other end. Of a server, the port of the other end means
-- nothing, and from 32768 on ports are those that the kernel gives out.
-- @needs connections
WITH connected AS (
    SELECT
        host,
        upid,
        pid,
        ts,
        remote_address,
        concat(
            role,
            ' ',
            protocol,
            ' ',
            CASE
                WHEN protocol LIKE 'unix%' THEN path_pattern(remote_address)
                WHEN strpos(remote_address, ':') > 0 THEN concat('[', remote_address, ']')
                ELSE remote_address
            END,
            CASE
                WHEN protocol LIKE 'unix%' THEN ''
                WHEN role = 'server' OR remote_port IS NULL OR remote_port >= 32768 THEN ':*'
                ELSE concat(':', remote_port)
            END
        ) AS item
    FROM connections
    WHERE role IN ('client', 'server', 'peer') AND remote_address IS NOT NULL AND remote_address <> ''
),
by_process AS (
    SELECT
        l.host,
        l.upid,
        l.program,
        c.item,
        count(*) AS times,
        min(c.ts) AS ts,
        min(c.pid) AS pid,
        min(c.remote_address) AS remote_address
    FROM programs l
    JOIN connected c ON l.host = c.host AND l.upid = c.upid
    WHERE (l.start_ts IS NULL OR c.ts >= l.start_ts) AND (l.end_ts IS NULL OR c.ts < l.end_ts)
    GROUP BY l.host, l.upid, l.program, c.item
)
SELECT
    'peers' AS section,
    program,
    item,
    sum(times) AS times,
    count(*) AS processes,
    min(ts) AS ts,
    first_value(host ORDER BY ts, host, upid) AS host,
    first_value(upid ORDER BY ts, host, upid) AS upid,
    first_value(pid ORDER BY ts, host, upid) AS pid,
    first_value(remote_address ORDER BY ts, host, upid) AS example
FROM by_process
GROUP BY program, item
