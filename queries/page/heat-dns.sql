-- # How long answers of names take
-- One row per stretch, process and range of lengths: answers. A range reaches from `low` to twice that.
-- @needs dns
-- @heat traffic
SELECT
    (CAST(ts AS BIGINT) - $first) / $width AS slot,
    host, upid,
    log2_bucket(latency_ns) AS low,
    count(*) AS events
FROM dns
WHERE latency_ns IS NOT NULL
GROUP BY 1, host, upid, log2_bucket(latency_ns)
ORDER BY 1, host, upid, log2_bucket(latency_ns)
