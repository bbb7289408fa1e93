-- # Top talkers
-- Who talks to whom, and how much? One row per name of processes, or per what `--by` says, the most bytes first. Bytes
-- are those that programs gave to and took from their sockets: no headers, nothing that was sent again. Begin with
-- `--by process`, then look at one of them with `--by pair --comm NAME`; `connections` shows single ones.
-- @needs connections
-- @param by process|pid|peer|pair process  What a row is: `process` (all of a name), `pid` (each by itself), `peer` (an address at the
--     other end), `pair` (a name, an address and a port).
-- @param protocol text ip  `ip` for all but unix sockets, `all`, or how the protocol begins: `tcp`, `udp`, `unix`.
-- @param min_bytes bytes 0B  Leaves out who sent and received less than this together.
-- @column process [key]           Name of the process, by pid with its number; NULL by peer.
-- @column peer [key]              Address of the other end, of unix sockets the path; NULL by process and by pid. By
--     pair with the port of the service: the one that was connected to, or the lower of both where there is no
--     telling.
-- @column sent_bytes [total]      Bytes that programs sent.
-- @column received_bytes [total]  Bytes that programs received.
-- @column share_percent [mean]    Share of all bytes both ways.
-- @column sockets [total]         Connections; of protocols without them, sockets.
-- @caveat A connection of which both ends were recorded counts at each of them.
-- @caveat A UDP socket that was not connected has no address at its other end here; `ebrec query` finds it in `flows`.
-- @caveat A connection of MPTCP counts as itself and again as each of its paths.
-- @plot bar process sent_bytes received_bytes
-- @dataset network, web
WITH sums AS (
    SELECT
        host, upid, remote_address,
        CASE WHEN $by = 'pair' THEN CASE role
            WHEN 'client' THEN remote_port
            WHEN 'server' THEN local_port
            ELSE least(local_port, remote_port)
        END END AS port,
        min(pid) AS pid,
        min(comm) AS comm,
        sum(sent_bytes) AS sent_bytes,
        sum(received_bytes) AS received_bytes,
        count(*) AS sockets
    FROM connections
    WHERE (role IS DISTINCT FROM 'listener')
        AND ($protocol = 'all' OR ($protocol = 'ip' AND protocol NOT LIKE 'unix%') OR starts_with(protocol, $protocol))
    GROUP BY 1, 2, 3, 4
), named AS (
    -- A process is called by its own name, not by those of its threads.
    SELECT
        CASE
            WHEN $by = 'pid' THEN concat(coalesce(p.comm, s.comm, '?'), '[', s.pid, ']')
            WHEN $by <> 'peer' THEN coalesce(p.comm, s.comm)
        END AS process,
        CASE
            WHEN $by = 'peer' OR ($by = 'pair' AND s.port IS NULL) THEN s.remote_address
            WHEN $by = 'pair' AND strpos(s.remote_address, ':') > 0 THEN concat('[', s.remote_address, ']:', s.port)
            WHEN $by = 'pair' THEN concat(coalesce(s.remote_address, '*'), ':', s.port)
        END AS peer,
        -- Process ids are used again.
        CASE WHEN $by = 'pid' THEN s.host END AS host,
        CASE WHEN $by = 'pid' THEN s.upid END AS upid,
        s.sent_bytes, s.received_bytes, s.sockets
    FROM sums s
    LEFT JOIN processes p ON p.host = s.host AND p.upid = s.upid
    WHERE $by IN ('process', 'pid', 'peer', 'pair')
), talkers AS (
    SELECT
        process, peer, host, upid,
        CAST(sum(sent_bytes) AS BIGINT) AS sent_bytes,
        CAST(sum(received_bytes) AS BIGINT) AS received_bytes,
        CAST(sum(coalesce(sent_bytes, 0) + coalesce(received_bytes, 0)) AS BIGINT) AS both_bytes,
        CAST(sum(sockets) AS BIGINT) AS sockets
    FROM named
    GROUP BY process, peer, host, upid
), shares AS (
    SELECT *, round(100.0 * both_bytes / nullif(sum(both_bytes) OVER (), 0), 1) AS share_percent
    FROM talkers
)
SELECT s.process, s.peer, s.sent_bytes, s.received_bytes, s.share_percent, s.sockets
FROM shares s
WHERE s.both_bytes >= $min_bytes
ORDER BY s.both_bytes DESC, s.sockets DESC, s.process, s.peer, s.host, s.upid
