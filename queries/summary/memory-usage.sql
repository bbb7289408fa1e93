-- # Resident memory
-- One row per remark. A process that grew all the time matters more, the more it grew beside what it had; the
-- largest process is background.
-- @needs memory_usage
WITH
usage AS (
    SELECT
        host, upid,
        last_value(comm ORDER BY ts) AS comm,
        last_value(pid ORDER BY ts) AS pid,
        first_value(rss_bytes ORDER BY ts) AS first_bytes,
        last_value(rss_bytes ORDER BY ts) AS last_bytes,
        max(rss_bytes) AS max_bytes,
        max(rss_peak_bytes) AS peak_bytes,
        CAST(max(ts) AS BIGINT) - CAST(min(ts) AS BIGINT) AS watched_ns,
        count(*) AS readings
    FROM memory_usage
    GROUP BY host, upid
),
growing AS (
    -- What grew most and is near its most, with readings enough to say so.
    SELECT *, CAST(last_bytes - first_bytes AS DOUBLE) / greatest(first_bytes, 1048576) AS ratio
    FROM usage
    WHERE readings >= 5 AND last_bytes - first_bytes >= 16777216 AND last_bytes * 10 >= max_bytes * 9
),
remarks AS (
    SELECT
        least(75.0, 20 + 20 * ratio + 2 * log(2, (last_bytes - first_bytes) / 1048576.0)) AS score,
        concat(
            comm, ' (pid ', pid, ') grew from ', human_bytes(first_bytes), ' to ', human_bytes(last_bytes), ' of resident memory in ',
            human_duration(watched_ns)
        ) AS sentence,
        pid, 1 AS place
    FROM growing
    UNION ALL
    SELECT
        8.0,
        concat(comm, ' (pid ', pid, ') had most resident memory of all processes, ', human_bytes(peak_bytes), ' at its peak'),
        pid,
        row_number() OVER (ORDER BY peak_bytes DESC, host, upid)
    FROM usage
)
SELECT score, sentence, 'memory_usage' AS report, concat('--pid ', pid) AS options
FROM remarks
WHERE place = 1
ORDER BY score DESC, sentence
LIMIT 3
