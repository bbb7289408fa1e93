-- # Processes ended for want of memory
-- One row per remark.
-- @needs oom_kills
SELECT
    95.0 AS score,
    concat(
        'The kernel ended ', k.comm, ' (pid ', k.pid, ') for want of memory; it had ', human_bytes(k.rss_bytes),
        ' resident', CASE WHEN k.by_pid IS NULL OR k.by_pid = k.pid THEN '' ELSE concat(', and process ', k.by_pid, ' had asked for memory') END
    ) AS sentence,
    'memory_usage' AS report,
    concat('--pid ', k.pid) AS options
FROM oom_kills k
ORDER BY k.rss_bytes DESC, k.ts, k.pid
LIMIT 3
