-- # How long connecting takes
-- One row per stretch, process and range of lengths: connections that were established. A range reaches from `low` to twice that.
-- @needs connections
-- @heat traffic
SELECT
    (CAST(ts AS BIGINT) - $first) / $width AS slot,
    host, upid,
    log2_bucket(connect_latency_ns) AS low,
    count(*) AS events
FROM connections
WHERE connect_latency_ns IS NOT NULL
GROUP BY 1, host, upid, log2_bucket(connect_latency_ns)
ORDER BY 1, host, upid, log2_bucket(connect_latency_ns)
