-- # TCP packets that no system sends
-- Are there packets with flags that make no sense together? One row per pair of addresses. A segment has ACK unless it
-- asks for a connection (SYN) or breaks one off (RST); SYN does not go with FIN or RST.
-- @severity medium
-- @technique T1046, T1595.001
-- @rationale Systems answer nonsense in ways of their own: a scan with it (NULL, FIN, Xmas) tells which system it is and
--     passes simple filters.
-- @false-positive A broken network card or a tunnel that damages packets: `malformed` and retransmissions go with it.
-- @needs packets
-- @param packets integer 5  Packets from which on it is a finding.
-- @window all
-- @column ts            When the number was reached.
-- @column host          Machine.
-- @column upid          Process for good that sent them; NULL where none is known.
-- @column pid           Process id.
-- @column sentence      What was found.
-- @column source_address [key]       Address that they are from.
-- @column destination_address [key]  Address that they are for.
-- @column packets       How many.
-- @column ports         Different ports that they are for.
-- @column flags         Which flags they have; `none` for none.
-- @evidence SELECT ts, comm, pid, direction, interface, source_port, destination_port, tcp_flags, seq, ack FROM packets
--     WHERE host = {host} AND source_address = {source_address} AND destination_address = {destination_address}
--     AND protocol = 'tcp' ORDER BY ts LIMIT 100
-- @next ebrec replay --kind packet
-- @fires attacks, behaviour
-- @silent lookalikes, network, packages, cron, desktop
WITH odd AS (
    SELECT
        host, direction, source_address, destination_address, destination_port, ts, upid,
        coalesce(tcp_flags, 'none') AS flags,
        -- Between two addresses of this machine each packet is sent and received.
        row_number() OVER (
            PARTITION BY host, source_address, destination_address, direction ORDER BY ts, source_port, destination_port
        ) AS number
    FROM packets
    WHERE
        -- Without it there is no header of TCP, or it was not read.
        seq IS NOT NULL
        AND (
            (coalesce(tcp_flags, '') NOT LIKE '%ACK%' AND coalesce(tcp_flags, '') NOT LIKE '%SYN%' AND coalesce(tcp_flags, '') NOT LIKE '%RST%')
            OR tcp_flags LIKE '%FIN|SYN%'
            OR tcp_flags LIKE '%SYN|RST%'
        )
)
SELECT
    min(o.ts) FILTER (WHERE o.number = $packets) AS ts,
    o.host,
    min(o.upid) FILTER (WHERE o.direction = 'sent') AS upid,
    min(p.pid) FILTER (WHERE o.direction = 'sent') AS pid,
    concat(
        coalesce(min(p.comm) FILTER (WHERE o.direction = 'sent'), o.source_address), ' sent ', max(o.number), ' TCP packets to ',
        count(DISTINCT o.destination_port), CASE WHEN count(DISTINCT o.destination_port) = 1 THEN ' port of ' ELSE ' ports of ' END,
        o.destination_address, ' with flags that no system sets: ', string_agg(DISTINCT o.flags, ', ' ORDER BY o.flags)
    ) AS sentence,
    o.source_address,
    o.destination_address,
    max(o.number) AS packets,
    count(DISTINCT o.destination_port) AS ports,
    string_agg(DISTINCT o.flags, ', ' ORDER BY o.flags) AS flags
FROM odd o
LEFT JOIN processes p ON o.host = p.host AND o.upid = p.upid
GROUP BY o.host, o.source_address, o.destination_address
HAVING max(o.number) >= $packets
ORDER BY ts, o.host, o.source_address, o.destination_address
