-- # Who lacks a CPU
-- One row per remark.
-- @needs sched_slices
WITH threads_of AS (
    SELECT host, upid, min(pid) AS pid, sum(coalesce(wait_ns, 0)) AS wait_ns, sum(coalesce(duration_ns, 0)) AS on_ns, max(wait_ns) AS max_ns
    FROM sched_slices
    GROUP BY host, upid
),
sums AS (
    SELECT
        *,
        CAST(sum(wait_ns) OVER () AS DOUBLE) AS all_wait_ns,
        CAST(sum(wait_ns + on_ns) OVER () AS DOUBLE) AS all_ready_ns
    FROM threads_of
)
SELECT
    -- Below a tenth of a second of waiting nobody notices.
    least(75.0, 100.0 * s.all_wait_ns / s.all_ready_ns) * least(1.0, s.all_wait_ns / 1e8) AS score,
    concat(
        'Threads that could run waited ', human_duration(CAST(s.all_wait_ns AS BIGINT)), ' for a CPU, ',
        CAST(round(100.0 * s.all_wait_ns / s.all_ready_ns) AS BIGINT), ' % of the time they could have run; ',
        coalesce(p.comm, '?'), ' (', s.pid, ') most, ', human_duration(CAST(s.wait_ns AS BIGINT)), ', at once up to ', human_duration(s.max_ns),
        '.'
    ) AS sentence,
    'runqueue_latency' AS report,
    '' AS options
FROM sums s
LEFT JOIN processes p ON p.host = s.host AND p.upid = s.upid
WHERE s.all_ready_ns > 0 AND s.all_wait_ns >= 1e7 AND s.all_wait_ns >= 0.1 * s.all_ready_ns
ORDER BY s.wait_ns DESC, s.host, s.upid
LIMIT 1
