-- # More and more traffic
-- Does a process send lastingly more than it did at first? One row per process. The logarithms of the bytes of each second
-- are smoothed (EWMA) and held against the median of the first part: above the limits that chance keeps within, from
-- some moment on to the end. docs/anomalies.md has the formula and says how often chance looks like this.
-- @severity low
-- @technique T1041, T1030
-- @rationale Who takes data out slowly stays below every limit for one second, but not for all of them together.
-- @false-positive A service whose users come in the morning: compare with the same time of another day.
-- @needs flows
-- @param baseline duration 30s  The first part, from which what is usual is learnt.
-- @param weight number 0.2  Weight of the latest second in the smoothed value.
-- @param limit number 6  Deviations of the smoothed value from which on it is out of its limits.
-- @param factor number 3  How many times the usual rate it must be, too.
-- @param sustained integer 15  Seconds for which it must be so.
-- @param share number 0.8  Share of the seconds from the first of them to the end in which it must be so.
-- @window all
-- @column ts         When it had been so for long enough.
-- @column host       Machine.
-- @column upid       Process for good.
-- @column pid        Process id.
-- @column sentence   What was found.
-- @column usual_bytes [mean]   Median of the bytes sent in a second of the first part.
-- @column later_bytes [mean]   Largest smoothed value, as bytes in a second.
-- @column seconds    Seconds out of the limits.
-- @caveat There is no season in it: what changes with the hour or the day needs a baseline of its own
--     (`ebrec check --baseline`).
-- @evidence SELECT time_bucket(ts, 1000000000) AS second, sum(sent_bytes) AS sent_bytes, count(DISTINCT remote_address) AS peers
--     FROM flows WHERE host = {host} AND upid = {upid} GROUP BY time_bucket(ts, 1000000000) ORDER BY second
-- @next ebrec report bandwidth --pid {pid}
-- @fires attacks, behaviour
-- @silent lookalikes, web, network, packages, cron, desktop
WITH seconds AS (
    SELECT
        host, upid, CAST(ts AS BIGINT) / 1000000000 AS second,
        ln(1 + CAST(sum(sent_bytes) AS DOUBLE)) AS level
    FROM flows
    WHERE upid IS NOT NULL
    GROUP BY host, upid, CAST(ts AS BIGINT) / 1000000000
),
lives AS (
    SELECT
        *,
        min(second) OVER (PARTITION BY host, upid) + $baseline / 1000000000 AS learnt,
        max(second) OVER (PARTITION BY host, upid) AS last
    FROM seconds
),
usual AS (
    SELECT
        *,
        count(*) FILTER (WHERE second < learnt) OVER (PARTITION BY host, upid) AS known,
        median(CASE WHEN second < learnt THEN level END) OVER (PARTITION BY host, upid) AS center
    FROM lives
),
deviations AS (
    SELECT
        *,
        median(CASE WHEN second < learnt THEN abs(level - center) END) OVER (PARTITION BY host, upid) AS deviation
    FROM usual
    -- A process that sends in few of the first seconds has no usual rate.
    WHERE 5 * known >= 4 * ($baseline / 1000000000)
),
-- What a second adds to the smoothed values from then on; 30 seconds later nothing is left of it.
added AS (
    SELECT
        host, upid, learnt, last, center, deviation,
        second + later AS second,
        level * $weight * power(1 - $weight, later) AS part
    FROM (SELECT *, unnest(range(0, 30)) AS later FROM deviations)
),
smoothed AS (
    SELECT
        host, upid, second, min(last) AS last, min(center) AS center, sum(part) AS value,
        greatest(
            ln($factor),
            -- The floor is the scatter of some tens of packets.
            $limit * greatest(0.1, 1.4826 * min(deviation)) * sqrt($weight / (2 - $weight))
        ) AS most
    FROM added
    WHERE second >= learnt AND second <= last
    GROUP BY host, upid, second
),
out AS (
    SELECT *, row_number() OVER (PARTITION BY host, upid ORDER BY second) AS number
    FROM smoothed
    WHERE value - center >= most
),
found AS (
    SELECT
        min(second) FILTER (WHERE number = $sustained) AS second,
        host, upid,
        count(*) AS seconds,
        exp(min(center)) - 1 AS usual_bytes,
        exp(max(value)) - 1 AS later_bytes
    FROM out
    GROUP BY host, upid
    HAVING count(*) >= $sustained AND count(*) >= $share * (min(last) - min(second) + 1)
)
SELECT
    to_timestamp_nanos(f.second * 1000000000) AS ts,
    f.host,
    f.upid,
    p.pid,
    concat(
        coalesce(p.comm, '?'), ' sends up to ', human_bytes(CAST(round(f.later_bytes) AS BIGINT)), ' in a second, at first it was ',
        human_bytes(CAST(round(f.usual_bytes) AS BIGINT)), '; it was so for ', f.seconds, ' seconds'
    ) AS sentence,
    CAST(round(f.usual_bytes) AS BIGINT) AS usual_bytes,
    CAST(round(f.later_bytes) AS BIGINT) AS later_bytes,
    f.seconds
FROM found f
LEFT JOIN processes p ON f.host = p.host AND f.upid = p.upid
ORDER BY ts, f.host, f.upid
