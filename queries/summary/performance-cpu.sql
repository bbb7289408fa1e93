-- # Who uses the CPUs
-- One row per remark.
-- @needs task_usage
WITH machines AS (
    SELECT
        h.host,
        CAST(max(h.cpus) AS DOUBLE) AS cpus,
        CAST(max(s.last_ns) - min(CAST(h.ts AS BIGINT)) AS DOUBLE) AS span_ns
    FROM hosts h
    JOIN (SELECT host, max(CAST(ts AS BIGINT)) AS last_ns FROM task_usage GROUP BY host) s ON s.host = h.host
    GROUP BY h.host
),
used AS (
    SELECT host, upid, min(pid) AS pid, min(comm) AS comm, CAST(sum(cpu_ns) AS BIGINT) AS ns FROM task_usage GROUP BY host, upid
)
SELECT
    least(50.0, 50.0 * u.ns / (m.cpus * m.span_ns) + 10.0) AS score,
    concat(
        coalesce(p.comm, u.comm, '?'), ' (', u.pid, ') used ', human_duration(u.ns), ' of CPU time: ',
        round(u.ns / m.span_ns, 1), ' of ', CAST(m.cpus AS BIGINT), ' CPUs on average',
        '.'
    ) AS sentence,
    'cpu_time' AS report,
    '' AS options
FROM used u
JOIN machines m ON m.host = u.host
LEFT JOIN processes p ON p.host = u.host AND p.upid = u.upid
WHERE u.ns >= 0.2 * m.span_ns
ORDER BY u.ns DESC, u.host, u.upid
LIMIT 1
