-- # Memory of processes
-- How much memory does each process have, and does it grow? One row per process, the highest peak first. Resident
-- memory is read once a second and when a process ends. `growth_bytes_per_second` is the slope of a line through
-- these readings: it is sure only over a while, and where `readings` are few it says little. Growth of
-- `anonymous_bytes` is heap and stacks, which the report `leaks` looks into; `file_bytes` are pages of programs
-- and files, which the kernel takes back when it needs them (what is resident beyond the two is shared memory).
-- Swapped memory is not resident. Where `oom_killed` is true, the kernel ended the process for want of memory.
-- @needs memory_usage
-- @column comm [key]        Name of the process.
-- @column pid               Its process id.
-- @column rss_peak_bytes [max]  Most resident memory it ever had, also before the recording.
-- @column first_bytes       Resident memory at the first reading.
-- @column last_bytes        Resident memory at the last reading.
-- @column growth_bytes_per_second [mean]  How fast resident memory grew; NULL with fewer than three readings.
-- @column anonymous_bytes   Heap and stacks at the last reading.
-- @column file_bytes        Pages of files at the last reading.
-- @column swap_bytes        In swap at the last reading.
-- @column readings [total]  How often it was read.
-- @column oom_killed        Whether the kernel ended it for want of memory.
-- @caveat Pages that processes share count in each of them: a sum over processes is more than they have together.
-- @caveat What a process had for less than a second is in its peak alone.
-- @plot bar comm rss_peak_bytes
-- @dataset memory, compiler, database
WITH
usage AS (
    SELECT
        host, upid,
        max(rss_peak_bytes) AS rss_peak_bytes,
        first_value(rss_bytes ORDER BY ts) AS first_bytes,
        last_value(rss_bytes ORDER BY ts) AS last_bytes,
        -- Moments near 0, for squares of nanoseconds since 1970 have no digits left for a second.
        regr_slope(
            CAST(rss_bytes AS DOUBLE),
            CAST(CAST(ts AS BIGINT) - (SELECT CAST(min(ts) AS BIGINT) FROM memory_usage) AS DOUBLE) / 1000000000
        ) AS slope,
        last_value(anonymous_bytes ORDER BY ts) AS anonymous_bytes,
        last_value(file_bytes ORDER BY ts) AS file_bytes,
        last_value(swap_bytes ORDER BY ts) AS swap_bytes,
        last_value(comm ORDER BY ts) AS comm,
        last_value(pid ORDER BY ts) AS pid,
        count(*) AS readings
    FROM memory_usage
    GROUP BY host, upid
),
killed AS (
    SELECT host, upid FROM oom_kills GROUP BY host, upid
)
SELECT
    coalesce(p.comm, u.comm) AS comm,
    u.pid,
    u.rss_peak_bytes,
    u.first_bytes,
    u.last_bytes,
    CASE WHEN u.readings >= 3 THEN CAST(round(u.slope) AS BIGINT) END AS growth_bytes_per_second,
    u.anonymous_bytes,
    u.file_bytes,
    u.swap_bytes,
    u.readings,
    k.upid IS NOT NULL AS oom_killed
FROM usage u
LEFT JOIN processes p ON u.host = p.host AND u.upid = p.upid
LEFT JOIN killed k ON u.host = k.host AND u.upid = k.upid
ORDER BY u.rss_peak_bytes DESC, u.last_bytes DESC, u.host, u.upid
