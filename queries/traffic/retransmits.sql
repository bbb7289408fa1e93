-- # Retransmissions, resets and drops
-- Where does the network go wrong? One row per name of processes and peer whose connections had segments sent again,
-- were reset, or had packets dropped; by connection with `--by connection`. Retransmissions in the handshake are
-- requests to connect, or answers to one, that nothing came back to; drops at a listener are a full queue: it accepts
-- too slowly.
-- @needs connections, connection_events
-- @param by peer|connection peer  What a row is: `peer` (a name of processes, an address and a port) or `connection`.
-- @column process [key]        Name of the process.
-- @column peer [key]           Address of the other end, with the port of the service: the one that was connected to,
--     or the lower of both where there is no telling; by connection both ends. `*` is nobody in particular, as of a
--     listener.
-- @column retransmits [total]  Segments that were sent again.
-- @column resets [total]       Resets, sent and received.
-- @column drops [total]        Packets that the kernel dropped: no room, or not valid.
-- @column affected [total]     Connections with any of that.
-- @column of [total]           All connections of that process and peer.
-- @column why                  Retransmissions in the handshake, resets by who sent them, and the kernel's reason for
--     drops; of several reasons the first and the last by name.
-- @caveat Of connections that began in the range of time all counts, of others what happened in it.
-- @caveat Reasons of drops are known from Linux 5.17 on, of received UDP packets from 6.11 on.
-- @caveat A retransmission is not always a loss: an answer that is late looks the same.
-- @plot bar peer retransmits resets drops
-- @dataset network
WITH troubles AS (
    -- Few connections have any. Kernels and recordings that were cut off know some things only from events, others
    -- only from the row of the connection: the larger number holds.
    SELECT
        host, connection_id,
        last_known(upid) AS upid,
        last_known(comm) AS comm,
        last_known(remote_address) AS remote_address,
        last_known(local_port) AS local_port,
        last_known(remote_port) AS remote_port,
        sum(events) FILTER (WHERE event = 'retransmit') AS retransmits,
        sum(events) FILTER (WHERE event = 'reset_sent') AS resets_sent,
        sum(events) FILTER (WHERE event = 'reset_received') AS resets_received,
        sum(events) FILTER (WHERE event = 'drop') AS drops,
        sum(events) FILTER (WHERE event = 'retransmit' AND state IN ('SYN_SENT', 'SYN_RECV', 'NEW_SYN_RECV')) AS handshakes,
        min(reason) FILTER (WHERE event = 'drop') AS reason_first,
        max(reason) FILTER (WHERE event = 'drop') AS reason_last
    FROM connection_events
    WHERE event IN ('retransmit', 'reset_sent', 'reset_received', 'drop')
    GROUP BY host, connection_id
), sockets AS (
    SELECT
        coalesce(p.comm, c.comm, t.comm) AS process,
        coalesce(c.remote_address, t.remote_address, '*') AS remote_address,
        CASE
            WHEN $by = 'connection' OR c.role = 'client' THEN coalesce(c.remote_port, t.remote_port)
            WHEN c.role IN ('server', 'listener') THEN c.local_port
            ELSE least(coalesce(c.local_port, t.local_port), coalesce(c.remote_port, t.remote_port))
        END AS port,
        CASE WHEN $by = 'connection' THEN coalesce(c.local_port, t.local_port) END AS local_port,
        CASE WHEN $by = 'connection' THEN coalesce(c.connection_id, t.connection_id) END AS connection_id,
        greatest(coalesce(c.retransmits, 0), coalesce(t.retransmits, 0)) AS retransmits,
        coalesce(t.handshakes, 0) AS handshakes,
        greatest(coalesce(c.resets_sent, 0), coalesce(t.resets_sent, 0)) AS resets_sent,
        greatest(coalesce(c.resets_received, 0), coalesce(t.resets_received, 0)) AS resets_received,
        greatest(coalesce(c.drops, 0), coalesce(t.drops, 0)) AS drops,
        t.reason_first, t.reason_last
    FROM troubles t
    FULL JOIN connections c ON c.host = t.host AND c.connection_id = t.connection_id
    LEFT JOIN processes p ON p.host = coalesce(c.host, t.host) AND p.upid = coalesce(c.upid, t.upid)
    WHERE c.protocol IS NULL OR c.protocol NOT LIKE 'unix%'
), sums AS (
    SELECT
        process, remote_address, port, local_port, connection_id,
        CAST(sum(retransmits) AS BIGINT) AS retransmits,
        CAST(sum(handshakes) AS BIGINT) AS handshakes,
        CAST(sum(resets_sent) AS BIGINT) AS resets_sent,
        CAST(sum(resets_received) AS BIGINT) AS resets_received,
        CAST(sum(drops) AS BIGINT) AS drops,
        count(*) FILTER (WHERE retransmits + resets_sent + resets_received + drops > 0) AS affected,
        count(*) AS of,
        min(reason_first) AS reason_first,
        max(reason_last) AS reason_last
    FROM sockets
    WHERE $by = 'peer' OR ($by = 'connection' AND retransmits + resets_sent + resets_received + drops > 0)
    GROUP BY process, remote_address, port, local_port, connection_id
)
SELECT
    process,
    concat(
        CASE WHEN local_port IS NULL THEN '' ELSE concat(':', local_port, ' - ') END,
        CASE WHEN strpos(remote_address, ':') > 0 THEN concat('[', remote_address, ']') ELSE remote_address END,
        CASE WHEN port IS NULL THEN '' ELSE concat(':', port) END
    ) AS peer,
    retransmits,
    resets_sent + resets_received AS resets,
    drops,
    affected,
    of,
    nullif(concat_ws(
        ', ',
        CASE WHEN handshakes > 0 THEN concat('handshake ', handshakes) END,
        CASE WHEN resets_sent > 0 THEN concat('reset sent ', resets_sent) END,
        CASE WHEN resets_received > 0 THEN concat('reset received ', resets_received) END,
        CASE WHEN reason_first < reason_last THEN concat(reason_first, ', ', reason_last) ELSE reason_first END
    ), '') AS why
FROM sums
WHERE affected > 0
ORDER BY retransmits + resets_sent + resets_received + drops DESC, affected DESC, process, remote_address, port, local_port, connection_id
