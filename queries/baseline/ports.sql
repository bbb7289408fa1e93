-- # Where programs listen, for baselines
-- One row per program, protocol, address and port; of unix sockets, the path.
-- @needs connections
WITH listening AS (
    SELECT
        host,
        upid,
        pid,
        ts,
        local_address,
        concat(
            protocol,
            ' ',
            CASE
                WHEN protocol LIKE 'unix%' THEN path_pattern(local_address)
                WHEN strpos(local_address, ':') > 0 THEN concat('[', local_address, ']')
                ELSE local_address
            END,
            CASE
                WHEN protocol LIKE 'unix%' THEN ''
                WHEN local_port IS NULL OR local_port >= 32768 THEN ':*'
                ELSE concat(':', local_port)
            END
        ) AS item
    FROM connections
    WHERE local_address IS NOT NULL AND local_address <> '' AND (
        role = 'listener'
        -- As `ss -l` does, this takes a UDP socket without a fixed other end for one that listens.
        OR (protocol = 'udp' AND remote_address IS NULL AND receives > 0)
        -- Unix sockets have no row of their own for the end that listens.
        OR (role = 'server' AND protocol LIKE 'unix%')
    )
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
        min(c.local_address) AS local_address
    FROM programs l
    JOIN listening c ON l.host = c.host AND l.upid = c.upid
    WHERE (l.start_ts IS NULL OR c.ts >= l.start_ts) AND (l.end_ts IS NULL OR c.ts < l.end_ts)
    GROUP BY l.host, l.upid, l.program, c.item
)
SELECT
    'ports' AS section,
    program,
    item,
    sum(times) AS times,
    count(*) AS processes,
    min(ts) AS ts,
    first_value(host ORDER BY ts, host, upid) AS host,
    first_value(upid ORDER BY ts, host, upid) AS upid,
    first_value(pid ORDER BY ts, host, upid) AS pid,
    first_value(local_address ORDER BY ts, host, upid) AS example
FROM by_process
GROUP BY program, item
ORDER BY program, item
