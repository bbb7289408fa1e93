-- # Sizes of packets
-- How large are packets? One row per range of sizes, the smallest first; each reaches to twice where it begins. Many
-- small ones cost more than few large ones for the same bytes; `empty` are those that carry nothing, mostly
-- acknowledgements. Sizes above that of the interface (MTU) are packets that the hardware cuts, or that were joined.
-- @needs packets
-- @param protocol text -  Only packets of this protocol, such as `udp`.
-- @param direction sent|received -  Only those that were `sent`, or `received`.
-- @param interface text -  Only packets at this interface.
-- @param payload bool false  Sizes of what is behind the headers, instead of whole packets.
-- @column from_bytes [key]      Least size in the range, with the Ethernet header; 0 is no payload.
-- @column packets [total]       Packets.
-- @column share_percent [mean]  Share of all packets.
-- @column empty [total]         Packets without payload.
-- @column total_bytes [total]   Their bytes.
-- @column bytes_percent [mean]  Share of all bytes.
-- @caveat A packet over `lo` is sent and received; one over an interface on top of another counts at both.
-- @plot bar from_bytes packets
-- @dataset network
WITH sized AS (
    SELECT payload_bytes, CASE WHEN $payload THEN payload_bytes ELSE length_bytes END AS size_bytes
    FROM packets
    WHERE ($protocol IS NULL OR protocol = $protocol)
        AND ($direction IS NULL OR direction = $direction)
        AND ($interface IS NULL OR interface = $interface)
        AND (NOT $payload OR payload_bytes IS NOT NULL)
), sums AS (
    SELECT
        log2_bucket(size_bytes) AS from_bytes,
        count(*) AS packets,
        count(*) FILTER (WHERE payload_bytes = 0) AS empty,
        CAST(sum(size_bytes) AS BIGINT) AS total_bytes
    FROM sized
    GROUP BY log2_bucket(size_bytes)
)
SELECT
    from_bytes,
    packets,
    round(100.0 * packets / nullif(sum(packets) OVER (), 0), 1) AS share_percent,
    empty,
    total_bytes,
    round(100.0 * total_bytes / nullif(sum(total_bytes) OVER (), 0), 1) AS bytes_percent
FROM sums
ORDER BY from_bytes
