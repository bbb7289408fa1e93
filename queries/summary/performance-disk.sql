-- # Slow and failing disks
-- One row per remark.
-- @needs block_io
WITH disks AS (
    SELECT
        host, coalesce(disk, device) AS disk, operation,
        count(*) AS requests, count(error) AS errors, min(error) AS error,
        least(quantile(duration_ns, 0.99), max(duration_ns)) AS p99_ns,
        quantile(duration_ns, 0.5) AS p50_ns,
        max(duration_ns) AS max_ns
    FROM block_io
    GROUP BY host, coalesce(disk, device), operation
),
remarks AS (
    SELECT
        90.0 AS score,
        concat(disk, ': ', errors, ' of ', requests, ' requests to ', operation, ' failed (', error, ').') AS sentence,
        'disk_requests' AS report, host, disk, operation
    FROM disks
    WHERE errors > 0
    UNION ALL
    -- Disks that turn take about 10 ms; what is far above that was held up.
    SELECT
        least(70.0, 30.0 + 10 * log2(p99_ns / 2e7)),
        concat(disk, ': one in a hundred of ', requests, ' requests to ', operation, ' took ', human_duration(p99_ns), ' or more, half of them ', human_duration(p50_ns), ' or less; the slowest ', human_duration(max_ns), '.'),
        'disk_latency', host, disk, operation
    FROM disks
    WHERE requests >= 100 AND p99_ns >= 20000000
)
SELECT score, sentence, report, '' AS options
FROM remarks
ORDER BY score DESC, sentence, host
LIMIT 3
