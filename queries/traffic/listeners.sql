-- # Listeners
-- Who listens where, and how many connections were accepted there? One row per name of processes, protocol and address
-- that they listen at. As `ss -l` does, this takes a UDP socket without a fixed other end for one that listens. Drops
-- are connections or packets for which a queue had no room: the process accepts or reads too slowly.
-- @needs connections
-- @param protocol text ip  `ip` for all but unix sockets, `all`, or how the protocol begins: `tcp`, `udp`, `unix`.
-- @column process [key]     Name of the process that listens.
-- @column address [key]     Address and port, of unix sockets the path; `0.0.0.0` and `::` are all addresses of the
--     machine.
-- @column protocol [key]    Protocol.
-- @column accepted [total]  Connections that came about; NULL of protocols that have none.
-- @column clients [total]   Addresses they came from; NULL of unix sockets, too.
-- @column drops [total]     What found no room.
-- @column served_by         Names of the processes that used the connections last, up to 4.
-- @caveat Where processes of several names listen at the same address, a connection is told for the one that served
--     it, or for one of them when none of them did.
-- @caveat UDP and unix sockets are known from their first use on: one that nobody used has no row.
-- @plot bar address accepted drops
-- @dataset network, web
WITH rows_of_listeners AS (
    -- Unix sockets have no row of their own for the end that listens; the accepted ones have its path. What is NULL has
    -- a value here, so that rows can be joined by it.
    SELECT
        host, coalesce(netns, 0) AS netns, protocol, coalesce(local_address, '*') AS address, coalesce(local_port, -1) AS port,
        opener_pid,
        min(upid) AS upid,
        min(comm) AS comm,
        sum(drops) AS drops
    FROM connections
    WHERE (role = 'listener'
            OR (protocol = 'udp' AND remote_address IS NULL AND receives > 0)
            OR (role = 'server' AND protocol LIKE 'unix%'))
        AND ($protocol = 'all' OR ($protocol = 'ip' AND protocol NOT LIKE 'unix%') OR starts_with(protocol, $protocol))
    GROUP BY 1, 2, 3, 4, 5, 6
), listening AS (
    SELECT l.*, coalesce(p.comm, l.comm, '?') AS process
    FROM rows_of_listeners l
    LEFT JOIN processes p ON p.host = l.host AND p.upid = l.upid
), accepted AS (
    SELECT
        c.host, coalesce(c.netns, 0) AS netns, c.protocol, coalesce(c.local_address, '*') AS address,
        coalesce(c.local_port, -1) AS port, coalesce(c.opener_pid, 0) AS opener_pid, c.pid, c.remote_address,
        coalesce(p.comm, c.comm) AS served_by,
        count(*) AS accepted
    FROM connections c
    LEFT JOIN processes p ON p.host = c.host AND p.upid = c.upid
    WHERE c.role = 'server' AND c.protocol NOT IN ('udp', 'unix_dgram')
    GROUP BY 1, 2, 3, 4, 5, 6, 7, 8, 9
), places AS (
    SELECT DISTINCT host, netns, protocol, address, port, opener_pid, pid FROM accepted
), fits AS (
    -- Which listener a connection came to: as in the kernel, the one with the most exact address; of several at the
    -- same address, that of the process that serves it, or else of the one that is known for the port.
    SELECT
        a.*,
        l.process,
        l.address AS listens_at,
        row_number() OVER (
            PARTITION BY a.host, a.netns, a.protocol, a.address, a.port, a.opener_pid, a.pid
            ORDER BY
                CASE l.address WHEN a.address THEN 1 WHEN '0.0.0.0' THEN 2 ELSE 3 END,
                CASE l.opener_pid WHEN a.pid THEN 1 WHEN a.opener_pid THEN 2 ELSE 3 END,
                l.opener_pid
        ) AS rank
    FROM places a
    JOIN listening l ON l.host = a.host AND l.netns = a.netns AND l.protocol = a.protocol AND l.port = a.port
    WHERE l.address = a.address
        OR (l.port >= 0 AND l.address = '::')
        OR (l.port >= 0 AND l.address = '0.0.0.0' AND strpos(a.address, ':') = 0)
), served AS (
    SELECT
        f.process, f.protocol, f.listens_at, f.port,
        CAST(sum(a.accepted) AS BIGINT) AS accepted,
        count(DISTINCT a.remote_address) AS clients,
        array_agg(DISTINCT a.served_by) AS served_by
    FROM fits f
    JOIN accepted a ON a.host = f.host AND a.netns = f.netns AND a.protocol = f.protocol AND a.address = f.address
        AND a.port = f.port AND a.opener_pid = f.opener_pid AND a.pid = f.pid
    WHERE f.rank = 1
    GROUP BY 1, 2, 3, 4
), names AS (
    SELECT process, protocol, address, port, CAST(sum(drops) AS BIGINT) AS drops
    FROM listening
    GROUP BY process, protocol, address, port
)
SELECT
    n.process,
    CASE
        WHEN n.port < 0 THEN n.address
        WHEN strpos(n.address, ':') > 0 THEN concat('[', n.address, ']:', n.port)
        ELSE concat(n.address, ':', n.port)
    END AS address,
    n.protocol,
    CASE WHEN n.protocol NOT IN ('udp', 'unix_dgram') THEN coalesce(s.accepted, 0) END AS accepted,
    CASE WHEN n.protocol NOT LIKE 'unix%' AND n.protocol <> 'udp' THEN coalesce(s.clients, 0) END AS clients,
    n.drops,
    array_to_string(array_slice(array_sort(s.served_by), 1, 4), ', ') AS served_by
FROM names n
LEFT JOIN served s ON s.protocol = n.protocol AND s.process = n.process AND s.listens_at = n.address AND s.port = n.port
ORDER BY accepted DESC NULLS LAST, drops DESC, process, protocol, address, n.port
