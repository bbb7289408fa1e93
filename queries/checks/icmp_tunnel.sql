-- # Data in pings
-- Do pings between two addresses carry data? One row per pair of addresses. A ping has the same few bytes each time; a
-- tunnel sends large packets of many sizes.
-- @severity medium
-- @technique T1095, T1572
-- @rationale Pings are let through where connections are not, and few look at what is in them.
-- @false-positive A test of which sizes of packets get through (`ping -s` with one size after the other): it sends few of
--     each.
-- @needs packets
-- @param packets integer 20  Large pings and answers from which on it is a finding.
-- @param sizes integer 5  Different sizes that they must have.
-- @param large bytes 128B  A payload that is no larger counts as that of a ping.
-- @param min_bytes bytes 8KiB  Bytes that they must carry together.
-- @window all
-- @column ts             When the number of packets was reached.
-- @column host           Machine.
-- @column upid           Process for good that sent them; NULL where none is known.
-- @column pid            Process id.
-- @column sentence       What was found.
-- @column one_address [key]    Address at one end.
-- @column other_address [key]  Address at the other.
-- @column packets        Large packets.
-- @column sizes          Different sizes of them.
-- @column bytes          Bytes that they carried.
-- @caveat A tunnel with packets as small as those of `ping` is not found.
-- @evidence SELECT ts, comm, pid, direction, interface, source_address, destination_address, icmp_type, payload_bytes
--     FROM packets WHERE host = {host} AND protocol IN ('icmp', 'icmpv6') AND source_address IN ({one_address}, {other_address})
--     AND destination_address IN ({one_address}, {other_address}) ORDER BY ts LIMIT 100
-- @next ebrec replay --kind packet
-- @fires attacks, behaviour
-- @silent lookalikes, network, packages, cron, desktop
WITH pings AS (
    SELECT
        host, direction, ts, upid, payload_bytes,
        least(source_address, destination_address) AS one_address,
        greatest(source_address, destination_address) AS other_address,
        -- Between two addresses of this machine each packet is sent and received.
        row_number() OVER (
            PARTITION BY host, least(source_address, destination_address), greatest(source_address, destination_address), direction
            ORDER BY ts, source_address
        ) AS number
    FROM packets
    WHERE
        -- Requests and answers.
        ((protocol = 'icmp' AND icmp_type IN (0, 8)) OR (protocol = 'icmpv6' AND icmp_type IN (128, 129)))
        AND payload_bytes > $large
),
found AS (
    SELECT
        min(ts) FILTER (WHERE number = $packets) AS ts,
        host, one_address, other_address,
        first_value(upid ORDER BY ts) FILTER (WHERE upid IS NOT NULL AND direction = 'sent') AS upid,
        max(number) AS packets,
        count(DISTINCT payload_bytes) AS sizes,
        CAST(greatest(
            coalesce(sum(payload_bytes) FILTER (WHERE direction = 'sent'), 0),
            coalesce(sum(payload_bytes) FILTER (WHERE direction = 'received'), 0)
        ) AS BIGINT) AS bytes
    FROM pings
    GROUP BY host, one_address, other_address
    HAVING max(number) >= $packets AND count(DISTINCT payload_bytes) >= $sizes
)
SELECT
    f.ts,
    f.host,
    f.upid,
    p.pid,
    concat(
        CASE WHEN p.comm IS NOT NULL THEN concat(p.comm, ': ') END, f.one_address, ' and ', f.other_address, ' exchanged ', f.packets,
        ' large pings of ', f.sizes, ' sizes, ', human_bytes(f.bytes), ' in all'
    ) AS sentence,
    f.one_address,
    f.other_address,
    f.packets,
    f.sizes,
    f.bytes
FROM found f
LEFT JOIN processes p ON f.host = p.host AND f.upid = p.upid
WHERE f.bytes >= $min_bytes
ORDER BY f.ts, f.host, f.one_address, f.other_address
