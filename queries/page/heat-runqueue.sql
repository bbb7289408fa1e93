-- # How long threads wait for a CPU
-- One row per stretch, process and range of lengths: waits of threads that were ready to run. A range reaches from `low` to twice that.
-- @needs sched_slices
-- @heat performance
SELECT
    (CAST(ts AS BIGINT) - $first) / $width AS slot,
    host, upid,
    log2_bucket(wait_ns) AS low,
    count(*) AS events
FROM sched_slices
WHERE wait_ns > 0
GROUP BY 1, host, upid, log2_bucket(wait_ns)
ORDER BY 1, host, upid, log2_bucket(wait_ns)
