-- # Burst
-- Did a process that does its work at a steady rate suddenly do far more? One row per process and kind: system calls, or
-- connections. The logarithms of the numbers of each second are held against their median; a burst lies many deviations
-- above it (robust z-score), and is rare. The first seconds, in which a program gets ready, and the last do not count.
-- docs/anomalies.md has the formula and says how often chance looks like this.
-- @severity low
-- @technique T1119, T1499
-- @rationale A service that suddenly does ten times as much was asked for something unusual.
-- @false-positive Work that is due once, such as a backup or the collection of garbage.
-- @needs syscalls
-- @param seconds integer 30  Seconds with events from which on there is a usual rate.
-- @param score number 6  Deviations above the median.
-- @param usual number 10  Events in a second: a process with a lower median has no steady rate.
-- @param noise number 0.25  Least deviation, of the logarithm: with the score, a burst is at least 4.5 times the median.
-- @param share number 0.05  A larger share of such seconds is a habit.
-- @param warmup duration 5s  Left out after the first event of a process.
-- @window all
-- @column ts         The second of the burst; of several, the one that stands out most.
-- @column host       Machine.
-- @column upid       Process for good.
-- @column pid        Process id.
-- @column sentence   What was found.
-- @column what [key] `system calls` or `connections`.
-- @column events     How many there were in that second.
-- @column usual [mean]  Median of the seconds.
-- @column z_score [mean]  Deviations above the median.
-- @column seconds    Seconds that were looked at.
-- @caveat Seconds without any event are not counted in: a process that is idle for more than half of its time is not
--     looked at.
-- @evidence SELECT syscall, error, count(*) AS calls FROM syscalls WHERE host = {host} AND upid = {upid}
--     AND ts >= {ts} AND CAST(ts AS BIGINT) < CAST({ts} AS BIGINT) + 1000000000 GROUP BY syscall, error ORDER BY calls DESC, syscall, error
-- @next ebrec report syscalls --pid {pid} --from {ts}
-- @fires attacks, behaviour
-- @silent lookalikes, web, compiler, database, packages, cron, desktop
WITH seconds AS (
    SELECT host, upid, 'system calls' AS what, CAST(ts AS BIGINT) / 1000000000 AS second, count(*) AS events
    FROM syscalls
    GROUP BY host, upid, CAST(ts AS BIGINT) / 1000000000
    UNION ALL
    SELECT host, upid, 'connections' AS what, CAST(ts AS BIGINT) / 1000000000 AS second, count(*) AS events
    FROM connections
    WHERE role IN ('client', 'server')
    GROUP BY host, upid, CAST(ts AS BIGINT) / 1000000000
),
lives AS (
    SELECT
        *,
        min(second) OVER (PARTITION BY host, upid, what) AS first,
        max(second) OVER (PARTITION BY host, upid, what) AS last
    FROM seconds
),
steady AS (
    SELECT
        host, upid, what, second, events, last - first AS span,
        ln(1.0 + events) AS level,
        count(*) OVER (PARTITION BY host, upid, what) AS seconds,
        median(ln(1.0 + events)) OVER (PARTITION BY host, upid, what) AS center
    FROM lives
    WHERE second >= first + $warmup / 1000000000 AND second < last
),
scored AS (
    SELECT
        *,
        -- What is counted scatters by its square root; of the logarithm, by one divided by that.
        (level - center) / greatest(
            $noise,
            exp(-center / 2),
            1.4826 * median(abs(level - center)) OVER (PARTITION BY host, upid, what)
        ) AS z_score
    FROM steady
    WHERE seconds >= $seconds
),
bursts AS (
    SELECT
        host, upid, what,
        first_value(second ORDER BY z_score DESC, second) AS second,
        first_value(events ORDER BY z_score DESC, second) AS events,
        max(z_score) AS z_score,
        exp(min(center)) - 1 AS usual,
        min(seconds) AS seconds
    FROM scored
    GROUP BY host, upid, what
    HAVING
        exp(min(center)) - 1 >= $usual
        AND max(z_score) >= $score
        AND count(*) FILTER (WHERE z_score >= $score) <= $share * min(seconds)
        AND 2 * min(seconds) >= min(span)
)
SELECT
    to_timestamp_nanos(r.second * 1000000000) AS ts,
    r.host,
    r.upid,
    p.pid,
    concat(
        coalesce(p.comm, '?'), ' had ', r.events, ' ', r.what, ' in one second, usual are ', CAST(round(r.usual) AS BIGINT),
        ' (', CAST(round(r.z_score, 1) AS VARCHAR), ' deviations)'
    ) AS sentence,
    r.what,
    r.events,
    round(r.usual, 1) AS usual,
    round(r.z_score, 1) AS z_score,
    r.seconds
FROM bursts r
LEFT JOIN processes p ON r.host = p.host AND r.upid = p.upid
ORDER BY ts, r.host, r.upid, r.what
