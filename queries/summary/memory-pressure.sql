-- # Memory pressure
-- One row per remark. Time lost to memory that is short counts most, on the machine or in a control group; then
-- kills and limits of groups, and memory that is nearly used up.
-- @needs system
WITH
gauges AS (
    SELECT
        host,
        CASE WHEN component = 'cgroup' THEN instance END AS cgroup,
        CASE WHEN component IN ('pressure', 'cgroup') THEN replace(metric, 'memory_some', 'some') ELSE metric END AS metric,
        sum(change) AS change,
        min(value) AS least,
        max(value) AS most,
        CAST(sum(interval_ns) AS DOUBLE) AS length_ns
    FROM system
    WHERE component = 'memory' AND metric IN ('available_bytes', 'total_bytes', 'oom_kills')
        OR component = 'pressure' AND instance = 'memory' AND metric = 'some_ns'
        OR component = 'cgroup' AND metric IN ('memory_some_ns', 'memory_max', 'memory_high', 'oom_kills')
    GROUP BY 1, 2, 3
),
places AS (
    SELECT
        host, cgroup,
        CASE WHEN cgroup IS NULL THEN 'the machine' ELSE concat('control group ', cgroup) END AS place,
        100 * max(change / length_ns) FILTER (WHERE metric = 'some_ns') AS some_percent,
        max(change) FILTER (WHERE metric = 'oom_kills') AS oom_kills,
        sum(change) FILTER (WHERE metric IN ('memory_max', 'memory_high')) AS limit_hits,
        max(least) FILTER (WHERE metric = 'available_bytes') AS available_bytes,
        max(most) FILTER (WHERE metric = 'total_bytes') AS total_bytes
    FROM gauges
    GROUP BY 1, 2, 3
),
remarks AS (
    SELECT
        least(90.0, 10 + 4 * some_percent) AS score,
        concat('Memory was short ', round(some_percent, 1), ' % of the time', CASE WHEN cgroup IS NULL THEN '' ELSE concat(' in ', place) END, ': some thread waited for it') AS sentence
    FROM places
    WHERE some_percent >= 1
    UNION ALL
    SELECT
        CASE WHEN cgroup IS NULL THEN 90.0 ELSE 85.0 END,
        concat(
            'The kernel ended ', CAST(oom_kills AS BIGINT), CASE WHEN oom_kills = 1 THEN ' process' ELSE ' processes' END,
            CASE WHEN cgroup IS NULL THEN '' ELSE concat(' in ', place) END, ' for want of memory'
        )
    FROM places
    WHERE oom_kills > 0
    UNION ALL
    SELECT
        least(60.0, 30 + 10 * log(10, limit_hits)),
        concat('Memory of ', place, ' came up to its limit ', CAST(limit_hits AS BIGINT), ' times')
    FROM places
    WHERE limit_hits > 0
    UNION ALL
    SELECT
        60.0 - 6 * 100 * available_bytes / total_bytes,
        concat(
            'Only ', human_bytes(CAST(available_bytes AS BIGINT)), ' of ', human_bytes(CAST(total_bytes AS BIGINT)),
            ' of memory were available at the least'
        )
    FROM places
    WHERE available_bytes * 10 < total_bytes
)
SELECT score, sentence, 'memory_pressure' AS report, '' AS options
FROM remarks
ORDER BY score DESC, sentence
LIMIT 3
