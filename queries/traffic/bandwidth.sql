-- # Bandwidth over time
-- How much goes over the wire, when, and whose is it? One row per stretch of time and name of processes, or interface,
-- or protocol. Bytes and packets are those that the interface counts, with headers and what was sent again. With the
-- default `--bucket 1s` the bytes are bytes per second.
-- @needs flows
-- @param bucket duration 1s  Length of the stretches of time; less than a second is taken for one.
-- @param by process|interface|protocol|all process  What they are told for: `process` (a name), `interface`, `protocol`, or `all` together.
-- @param interface text -  Only packets at this interface.
-- @column ts [key]                Beginning of the stretch.
-- @column name [key]              Process, interface, protocol, or `all`; NULL where none is known.
-- @column sent_bytes [total]      Bytes that interfaces sent.
-- @column received_bytes [total]  Bytes that interfaces received.
-- @column packets [total]         Packets, both ways.
-- @caveat A packet over `lo` is sent and received; one over an interface on top of another counts at both.
-- @caveat Flows are added up over a second, so that bytes can be told up to one second too early; seconds without
--     packets have no row, and the first and the last stretch may be cut short.
-- @caveat A process that only receives by UDP is not known as the receiver until it sends.
-- @plot line ts sent_bytes received_bytes name
-- @dataset network, web
WITH sums AS (
    SELECT
        time_bucket(ts, greatest($bucket, 1000000000)) AS ts,
        CASE WHEN $by = 'process' THEN host END AS host,
        CASE WHEN $by = 'process' THEN upid END AS upid,
        CASE
            WHEN $by = 'process' THEN comm
            WHEN $by = 'interface' THEN interface
            WHEN $by = 'protocol' THEN coalesce(protocol, ethertype)
            WHEN $by = 'all' THEN 'all'
        END AS name,
        sum(sent_bytes) AS sent_bytes,
        sum(received_bytes) AS received_bytes,
        sum(sent_packets + received_packets) AS packets
    FROM flows
    WHERE ($interface IS NULL OR interface = $interface)
        AND $by IN ('process', 'interface', 'protocol', 'all')
    GROUP BY 1, 2, 3, 4
)
SELECT
    s.ts,
    coalesce(p.comm, s.name) AS name,
    CAST(sum(s.sent_bytes) AS BIGINT) AS sent_bytes,
    CAST(sum(s.received_bytes) AS BIGINT) AS received_bytes,
    CAST(sum(s.packets) AS BIGINT) AS packets
FROM sums s
LEFT JOIN processes p ON p.host = s.host AND p.upid = s.upid
GROUP BY 1, 2
ORDER BY s.ts, sum(s.sent_bytes) + sum(s.received_bytes) DESC, name
