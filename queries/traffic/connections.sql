-- # Connections
-- Which connections were there, what went over them, how long did they last, and how did they end? One row per socket,
-- without those that listen. `--failed true` shows those that never came about or were cut off, `--sort time` the
-- order in which they began. A `reset_sent` or `reset_received` is an end without a goodbye, which some programs mean.
-- @needs connections
-- @param protocol text ip  `ip` for all but unix sockets, `all`, or how the protocol begins: `tcp`, `udp`, `unix`.
-- @param role client|server|peer -  Only `client`, `server`, or `peer`, where there is no telling.
-- @param port integer -  Only those with this port at one of the ends.
-- @param peer text -  Only those whose other end has this address.
-- @param min_bytes bytes 0B  Leaves out those over which less went both ways.
-- @param min_duration duration 0s  Leaves out those that lasted less; one that is open has lasted long enough.
-- @param failed bool false  Only those that never came about or were cut off.
-- @param sort bytes|duration|time bytes  What comes first: most `bytes`, longest `duration`, or earliest `time`.
-- @column process [key]           Name of the process that used it last.
-- @column remote [key]            Address and port of the other end, of unix sockets the path: `to` it from a client,
--     `from` it at a server, `with` it where there is no telling.
-- @column sent_bytes [total]      Bytes that programs sent.
-- @column received_bytes [total]  Bytes that programs received.
-- @column duration_ns             Time from the request to connect, or the first use, to the end; NULL while it is
--     open.
-- @column ended                   Why it failed or was cut off; `abandoned` when the program gave up before it was
--     there; `reset_sent`, `reset_received`, `closed`; at the end of the recording `connecting` or `open`.
-- @caveat Of what was open before the recording, bytes and durations count from when it was found.
-- @caveat The end of unix sockets, and without control groups of version 2 of UDP sockets, is known to a second.
-- @plot bar remote sent_bytes received_bytes
-- @dataset network, web
WITH chosen AS (
    SELECT
        *,
        coalesce(sent_bytes, 0) + coalesce(received_bytes, 0) AS both_bytes,
        CASE
            WHEN error IS NOT NULL THEN error
            WHEN state = 'SYN_SENT' AND duration_ns IS NULL THEN 'connecting'
            WHEN state = 'SYN_SENT' THEN 'abandoned'
            WHEN duration_ns IS NULL THEN 'open'
            WHEN resets_sent > 0 THEN 'reset_sent'
            WHEN resets_received > 0 THEN 'reset_received'
            ELSE 'closed'
        END AS ended
    FROM connections
    WHERE (role IS DISTINCT FROM 'listener')
        AND ($protocol = 'all' OR ($protocol = 'ip' AND protocol NOT LIKE 'unix%') OR starts_with(protocol, $protocol))
        AND ($role IS NULL OR role = $role)
        AND ($port IS NULL OR local_port = $port OR remote_port = $port)
        AND ($peer IS NULL OR remote_address = $peer)
        AND (duration_ns IS NULL OR duration_ns >= $min_duration)
)
SELECT
    coalesce(p.comm, c.comm) AS process,
    CASE WHEN c.remote_address IS NOT NULL THEN concat(
        CASE c.role WHEN 'client' THEN 'to ' WHEN 'server' THEN 'from ' ELSE 'with ' END,
        CASE
            WHEN c.remote_port IS NOT NULL AND strpos(c.remote_address, ':') > 0 THEN concat('[', c.remote_address, ']')
            ELSE c.remote_address
        END,
        ':' || c.remote_port
    ) END AS remote,
    c.sent_bytes,
    c.received_bytes,
    c.duration_ns,
    c.ended
FROM chosen c
LEFT JOIN processes p ON p.host = c.host AND p.upid = c.upid
WHERE c.both_bytes >= $min_bytes
    AND (NOT $failed OR c.error IS NOT NULL OR c.ended = 'abandoned')
ORDER BY
    CASE
        WHEN $sort = 'bytes' THEN c.both_bytes
        WHEN $sort = 'duration' THEN coalesce(c.duration_ns, 9223372036854775807)
    END DESC NULLS LAST,
    c.ts, c.host, c.connection_id
