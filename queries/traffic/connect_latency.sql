-- # Time to connect
-- How long does it take to connect, and where does it fail? One row per name of processes and service they connected
-- to, the slowest first. The time is that of the handshake: a round trip and what the kernel at the other end takes. A
-- maximum of 1 or 3 s beside a small median is a request that was lost and sent again, often at a full queue of the
-- listener (`listeners` tells its drops).
-- @needs connections
-- @param port integer -  Only connections to this port.
-- @param failed bool false  Only where some failed.
-- @column process [key]     Name of the process that connected.
-- @column service [key]     Address and port it connected to.
-- @column attempts [total]  Connections that were asked for.
-- @column failed [total]    Those that were refused, timed out or were abandoned.
-- @column p50_ns [mean]     Half of those that were established took no longer.
-- @column p99_ns [mean]     99 % took no longer.
-- @column max_ns [max]      The longest.
-- @column why               Why they failed, with numbers; `abandoned` when the program gave up. `connecting` are
--     those that still waited at the end of the recording, which are not counted as failed.
-- @caveat How long failures took is in `connections`; an attempt that fails before a packet is sent (no route) is in
--     neither.
-- @plot bar service p99_ns
-- @dataset network, web
WITH attempts AS (
    SELECT
        host, upid, comm, remote_address, remote_port, connect_latency_ns,
        -- An error after the handshake is no failure to connect.
        CASE
            WHEN connect_latency_ns IS NOT NULL THEN NULL
            WHEN error IS NOT NULL THEN error
            WHEN state = 'SYN_SENT' AND duration_ns IS NULL THEN 'connecting'
            WHEN state = 'SYN_SENT' THEN 'abandoned'
        END AS why
    FROM connections
    WHERE role = 'client'
        AND protocol NOT LIKE 'unix%'
        AND (connect_latency_ns IS NOT NULL OR (NOT preexisting AND (state = 'SYN_SENT' OR error IS NOT NULL)))
        AND ($port IS NULL OR remote_port = $port)
), services AS (
    SELECT
        coalesce(p.comm, a.comm) AS process,
        a.remote_address AS address,
        a.remote_port AS port,
        count(*) AS attempts,
        count(*) FILTER (WHERE a.why <> 'connecting') AS failed,
        -- Quantiles are rounded: none is shown above the maximum.
        least(quantile(a.connect_latency_ns, 0.5), max(a.connect_latency_ns)) AS p50_ns,
        least(quantile(a.connect_latency_ns, 0.99), max(a.connect_latency_ns)) AS p99_ns,
        max(a.connect_latency_ns) AS max_ns,
        count(*) FILTER (WHERE a.why = 'ECONNREFUSED') AS refused,
        count(*) FILTER (WHERE a.why = 'ETIMEDOUT') AS timed_out,
        count(*) FILTER (WHERE a.why = 'abandoned') AS abandoned,
        count(*) FILTER (WHERE a.why = 'connecting') AS connecting,
        min(a.why) FILTER (WHERE a.why NOT IN ('ECONNREFUSED', 'ETIMEDOUT', 'abandoned', 'connecting')) AS other
    FROM attempts a
    LEFT JOIN processes p ON p.host = a.host AND p.upid = a.upid
    GROUP BY 1, 2, 3
)
SELECT
    process,
    CASE
        WHEN port IS NULL THEN address
        WHEN strpos(address, ':') > 0 THEN concat('[', address, ']:', port)
        ELSE concat(address, ':', port)
    END AS service,
    attempts,
    failed,
    p50_ns,
    p99_ns,
    max_ns,
    nullif(concat_ws(
        ', ',
        CASE WHEN refused > 0 THEN concat('ECONNREFUSED ', refused) END,
        CASE WHEN timed_out > 0 THEN concat('ETIMEDOUT ', timed_out) END,
        CASE WHEN abandoned > 0 THEN concat('abandoned ', abandoned) END,
        CASE WHEN other IS NOT NULL THEN concat(other, ' or others ', failed - refused - timed_out - abandoned) END,
        CASE WHEN connecting > 0 THEN concat('connecting ', connecting) END
    ), '') AS why
FROM services
WHERE NOT $failed OR failed > 0
ORDER BY max_ns DESC NULLS FIRST, failed DESC, attempts DESC, process, address, port
