-- # What processes wait for
-- One row per remark.
-- @needs offcpu, syscalls, sched_slices
WITH waited AS (
    SELECT
        host, upid, reason, min(pid) AS pid,
        count(*) AS times, max(duration_ns) AS max_ns,
        CAST(sum(duration_ns - coalesce(wait_ns, 0)) AS BIGINT) AS ns
    FROM waits
    WHERE duration_ns IS NOT NULL
    GROUP BY host, upid, reason
),
ran AS (
    SELECT host, upid, CAST(sum(coalesce(duration_ns, 0) + coalesce(wait_ns, 0)) AS BIGINT) AS ns FROM sched_slices GROUP BY host, upid
),
shares AS (
    -- Time in which a program waits for work is no loss: what it did and what held it up are compared.
    SELECT
        w.*,
        CAST(w.ns AS DOUBLE) / (sum(CASE WHEN w.reason IN ('lock', 'disk', 'fault', 'network', 'pipe') THEN w.ns ELSE 0 END) OVER (PARTITION BY w.host, w.upid) + coalesce(r.ns, 0)) AS share
    FROM waited w
    LEFT JOIN ran r ON r.host = w.host AND r.upid = w.upid
)
SELECT
    CASE s.reason WHEN 'lock' THEN 70 WHEN 'disk' THEN 60 WHEN 'fault' THEN 60 ELSE 40 END * s.share * least(1.0, s.ns / 5e8) AS score,
    concat(
        coalesce(p.comm, '?'), ' (', s.pid, ') waited ', human_duration(s.ns),
        CASE s.reason
            WHEN 'lock' THEN ' for locks'
            WHEN 'disk' THEN ' for the disk'
            WHEN 'fault' THEN ' for pages of memory to be read in'
            ELSE ' for the network'
        END,
        ', ', CAST(round(100 * s.share) AS BIGINT), ' % of the time in which it had something to do: ', s.times,
        CASE s.times WHEN 1 THEN ' wait' ELSE concat(' waits, the longest ', human_duration(s.max_ns)) END,
        '.'
    ) AS sentence,
    CASE s.reason WHEN 'lock' THEN 'lock_contention' ELSE 'bottlenecks' END AS report,
    concat('--pid ', s.pid) AS options
FROM shares s
LEFT JOIN processes p ON p.host = s.host AND p.upid = s.upid
WHERE s.reason IN ('lock', 'disk', 'fault', 'network') AND s.ns >= 10000000 AND s.share >= 0.1
ORDER BY score DESC, s.ns DESC, s.host, s.upid, s.reason
LIMIT 3
