-- # Address claimed by two (ARP)
-- Do two hardware addresses say that they have the same address, or does one say so again and again without being asked?
-- One row per network namespace and address. Two count when they speak at the same time: an address that moved from one
-- machine to another does not.
-- @severity medium
-- @technique T1557.002
-- @rationale Who claims the address of a gateway gets what is meant for it, and can read and change it.
-- @false-positive Two machines with the same address by mistake: that is to be put right as well.
-- @false-positive Bonded interfaces that balance by ARP use several hardware addresses for one address.
-- @needs packets
-- @param replies integer 20  Replies within the window that nobody asked for, from which on it is a finding.
-- @param window duration 60s  Length of the window.
-- @window all
-- @column ts             When the second claimed it, or the number of replies was reached.
-- @column host           Machine.
-- @column upid           Process for good that sent the replies; NULL where none is known.
-- @column pid            Process id.
-- @column sentence       What was found.
-- @column netns [key]    Network namespace.
-- @column address [key]  The address.
-- @column macs           Hardware addresses that claimed it, the last to do so first.
-- @column replies        Most replies of one of them within the window.
-- @column requests       Requests for the address.
-- @evidence SELECT ts, comm, pid, interface, direction, arp_operation, source_address, destination_address, arp_sender_mac,
--     arp_target_mac FROM packets WHERE host = {host} AND ethertype = 'arp' AND source_address = {address} ORDER BY ts
-- @next ebrec replay --kind packet
-- @fires attacks, behaviour
-- @silent lookalikes, network, packages, cron, desktop
WITH arp AS (
    SELECT
        ts, CAST(ts AS BIGINT) AS ns, host, netns, direction, upid, arp_operation, arp_sender_mac, source_address,
        destination_address
    FROM packets
    -- Who asks whether an address is free does not claim it yet.
    WHERE ethertype = 'arp' AND malformed IS NULL AND source_address <> '0.0.0.0'
),
counted AS (
    SELECT
        *,
        -- Between two interfaces of this machine each packet is sent and received.
        sum(CASE WHEN arp_operation = 'reply' THEN 1 ELSE 0 END) OVER (
            PARTITION BY host, netns, source_address, arp_sender_mac, direction
            ORDER BY ns RANGE BETWEEN $window PRECEDING AND CURRENT ROW
        ) AS recent
    FROM arp
),
claims AS (
    SELECT
        host, netns, source_address AS address, arp_sender_mac AS mac,
        min(ns) AS first_ns,
        max(ns) AS last_ns,
        max(recent) AS replies,
        min(ns) FILTER (WHERE recent >= $replies) AS storm_ns,
        first_value(upid ORDER BY ns DESC) FILTER (WHERE upid IS NOT NULL AND arp_operation = 'reply') AS upid
    FROM counted
    GROUP BY host, netns, source_address, arp_sender_mac
),
overlaps AS (
    SELECT
        *,
        first_ns < max(last_ns) OVER (
            PARTITION BY host, netns, address ORDER BY first_ns, mac ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
        ) AS is_second
    FROM claims
),
requests AS (
    SELECT
        host, netns, destination_address AS address,
        count(*) FILTER (WHERE arp_operation = 'request' AND source_address <> destination_address) AS requests
    FROM arp
    GROUP BY host, netns, destination_address
),
found AS (
    SELECT
        coalesce(min(o.first_ns) FILTER (WHERE o.is_second), min(o.storm_ns)) AS ns,
        o.host, o.netns, o.address,
        first_value(o.upid ORDER BY o.first_ns DESC, o.mac) FILTER (WHERE o.upid IS NOT NULL) AS upid,
        string_agg(o.mac, ', ' ORDER BY o.last_ns DESC, o.mac) AS macs,
        count(*) AS claimants,
        bool_or(coalesce(o.is_second, false)) AS is_disputed,
        max(o.replies) AS replies,
        max(coalesce(r.requests, 0)) AS requests
    FROM overlaps o
    LEFT JOIN requests r ON o.host = r.host AND (o.netns IS NOT DISTINCT FROM r.netns) AND o.address = r.address
    GROUP BY o.host, o.netns, o.address
    HAVING bool_or(coalesce(o.is_second, false)) OR (max(o.replies) >= $replies AND max(o.replies) > 2 * max(coalesce(r.requests, 0)))
)
SELECT
    to_timestamp_nanos(f.ns) AS ts,
    f.host,
    f.upid,
    p.pid,
    CASE
        WHEN f.is_disputed THEN concat(CASE WHEN p.comm IS NOT NULL THEN concat(p.comm, ': ') END, f.address, ' is claimed by ', f.claimants, ' hardware addresses at the same time: ', f.macs)
        ELSE concat(
            CASE WHEN p.comm IS NOT NULL THEN concat(p.comm, ': ') END, f.macs, ' said ', CAST(f.replies AS BIGINT), ' times within ', human_duration($window), ' that it has ', f.address,
            ', and was asked ', f.requests, ' times'
        )
    END AS sentence,
    f.netns,
    f.address,
    f.macs,
    CAST(f.replies AS BIGINT) AS replies,
    f.requests
FROM found f
LEFT JOIN processes p ON f.host = p.host AND f.upid = p.upid
ORDER BY ts, f.host, f.netns, f.address
