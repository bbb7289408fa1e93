-- # Kinds of sockets that programs ask for, for baselines
-- One row per program, family and type.
-- @needs syscalls
WITH asked AS (
    SELECT
        host,
        upid,
        pid,
        ts,
        concat(
            CASE arg0 & 4294967295
                WHEN 1 THEN 'unix'
                WHEN 2 THEN 'inet'
                WHEN 10 THEN 'inet6'
                WHEN 15 THEN 'key'
                WHEN 16 THEN 'netlink'
                WHEN 17 THEN 'packet'
                WHEN 29 THEN 'can'
                WHEN 31 THEN 'bluetooth'
                WHEN 38 THEN 'alg'
                WHEN 40 THEN 'vsock'
                WHEN 44 THEN 'xdp'
                ELSE concat('family-', arg0 & 4294967295)
            END,
            ' ',
            -- Without SOCK_CLOEXEC and SOCK_NONBLOCK.
            CASE arg1 & 15
                WHEN 1 THEN 'stream'
                WHEN 2 THEN 'dgram'
                WHEN 3 THEN 'raw'
                WHEN 5 THEN 'seqpacket'
                ELSE concat('type-', arg1 & 15)
            END
        ) AS item
    FROM syscalls
    WHERE syscall IN ('socket', 'socketpair') AND arg0 IS NOT NULL AND arg1 IS NOT NULL
),
by_process AS (
    SELECT l.host, l.upid, l.program, s.item, count(*) AS times, min(s.ts) AS ts, min(s.pid) AS pid
    FROM programs l
    JOIN asked s ON l.host = s.host AND l.upid = s.upid
    WHERE (l.start_ts IS NULL OR s.ts >= l.start_ts) AND (l.end_ts IS NULL OR s.ts < l.end_ts)
    GROUP BY l.host, l.upid, l.program, s.item
)
SELECT
    'sockets' AS section,
    program,
    item,
    sum(times) AS times,
    count(*) AS processes,
    min(ts) AS ts,
    first_value(host ORDER BY ts, host, upid) AS host,
    first_value(upid ORDER BY ts, host, upid) AS upid,
    first_value(pid ORDER BY ts, host, upid) AS pid,
    item AS example
FROM by_process
GROUP BY program, item
ORDER BY program, item
