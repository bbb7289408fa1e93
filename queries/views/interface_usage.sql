-- # What each network interface did
-- One row per second and interface of the recorder's network namespace, as the kernel counts. Needs the
-- source `system`.
-- @column ts                           When it was read: the end of the second.
-- @column host                         Name of the machine.
-- @column interface                    The interface, such as `eth0`.
-- @column interval_ns                  Time since the reading before.
-- @column received_bytes_per_second    Received.
-- @column received_packets_per_second  Packets received.
-- @column sent_bytes_per_second        Sent.
-- @column sent_packets_per_second      Packets sent.
-- @column errors                       Packets with errors, in both directions, in the interval.
-- @column dropped                      Packets dropped, in both directions, in the interval.
WITH sums AS (
    SELECT
        ts, host, instance AS interface,
        max(interval_ns) AS interval_ns,
        sum(CASE WHEN metric = 'received_bytes' THEN change ELSE 0 END) AS received_bytes,
        sum(CASE WHEN metric = 'received_packets' THEN change ELSE 0 END) AS received_packets,
        sum(CASE WHEN metric = 'sent_bytes' THEN change ELSE 0 END) AS sent_bytes,
        sum(CASE WHEN metric = 'sent_packets' THEN change ELSE 0 END) AS sent_packets,
        sum(CASE WHEN metric IN ('receive_errors', 'send_errors') THEN change ELSE 0 END) AS errors,
        sum(CASE WHEN metric IN ('receive_dropped', 'send_dropped') THEN change ELSE 0 END) AS dropped
    FROM system
    WHERE component = 'interface' AND change IS NOT NULL
    GROUP BY ts, host, instance
)
SELECT
    ts, host, interface, interval_ns,
    received_bytes * 1e9 / interval_ns AS received_bytes_per_second,
    received_packets * 1e9 / interval_ns AS received_packets_per_second,
    sent_bytes * 1e9 / interval_ns AS sent_bytes_per_second,
    sent_packets * 1e9 / interval_ns AS sent_packets_per_second,
    CAST(errors AS BIGINT) AS errors,
    CAST(dropped AS BIGINT) AS dropped
FROM sums
WHERE interval_ns > 0
