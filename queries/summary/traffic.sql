-- # Connections that fail, are cut off, or are slow to come about
-- One row per remark.
-- @needs connections
-- @column score     How much it matters.
-- @column sentence  What stands out.
-- @column report    The report that shows more.
-- @column options   Options for it.
WITH sums AS (
    SELECT
        host, upid, remote_address, remote_port,
        min(comm) AS comm,
        min(pid) AS pid,
        count(*) FILTER (WHERE connect_latency_ns IS NOT NULL) AS established,
        count(*) FILTER (WHERE connect_latency_ns IS NULL) AS failed,
        count(*) FILTER (WHERE connect_latency_ns IS NOT NULL AND error IS NOT NULL) AS cut,
        min(coalesce(error, 'abandoned')) FILTER (WHERE connect_latency_ns IS NULL) AS failure,
        min(error) FILTER (WHERE connect_latency_ns IS NOT NULL) AS cut_error,
        max(connect_latency_ns) AS slowest_ns,
        count(*) FILTER (WHERE connect_latency_ns >= 500000000) AS slow
    FROM connections
    WHERE role = 'client'
        AND protocol NOT LIKE 'unix%'
        -- One that still waits has not failed yet; of one that was there before, nobody saw how it came about.
        AND (connect_latency_ns IS NOT NULL OR (NOT preexisting AND (error IS NOT NULL OR (state = 'SYN_SENT' AND duration_ns IS NOT NULL))))
    GROUP BY host, upid, remote_address, remote_port
), services AS (
    SELECT
        coalesce(p.comm, s.comm, '?') AS process,
        CASE WHEN strpos(s.remote_address, ':') > 0 THEN concat('[', s.remote_address, ']') ELSE s.remote_address END AS address,
        s.remote_port AS port,
        min(s.pid) AS pid,
        CAST(sum(s.established) AS BIGINT) AS established,
        CAST(sum(s.failed) AS BIGINT) AS failed,
        CAST(sum(s.cut) AS BIGINT) AS cut,
        min(s.failure) AS failure,
        min(s.cut_error) AS cut_error,
        max(s.slowest_ns) AS slowest_ns,
        CAST(sum(s.slow) AS BIGINT) AS slow
    FROM sums s
    LEFT JOIN processes p ON p.host = s.host AND p.upid = s.upid
    GROUP BY 1, 2, 3
), places AS (
    SELECT
        *,
        concat(address, CASE WHEN port IS NULL THEN '' ELSE concat(':', port) END) AS service,
        concat(
            CASE WHEN regexp_like(process, '^[A-Za-z0-9_./:-]+$') THEN concat('--comm ', process) ELSE concat('--pid ', pid) END,
            CASE WHEN port IS NULL THEN '' ELSE concat(' --port ', port) END
        ) AS options
    FROM services
), remarks AS (
    SELECT
        least(75, 10 + 25.0 * failed / (failed + established) + 15 * log10(failed + 1)) AS score,
        concat(process, ' failed to connect to ', service, ' in ', failed, ' of ', failed + established, ' attempts: ', failure) AS sentence,
        'connect_latency' AS report,
        options
    FROM places
    WHERE failed > 0
    UNION ALL
    SELECT
        least(70, 10 + 25.0 * cut / established + 15 * log10(cut + 1)),
        concat(cut, ' of ', established, ' connections of ', process, ' to ', service, ' were cut off: ', cut_error),
        'connections',
        concat(options, ' --failed true')
    FROM places
    WHERE cut > 0
    UNION ALL
    SELECT
        least(70, 20 + 25.0 * slow / established + 10 * log10(slow + 1)),
        concat(slow, ' of ', established, ' connections of ', process, ' to ', service, ' took half a second or more to come about, up to ', human_duration(slowest_ns)),
        'connect_latency',
        options
    FROM places
    WHERE slow > 0
)
SELECT CAST(score AS DOUBLE) AS score, sentence, report, options
FROM remarks
ORDER BY score DESC, sentence
LIMIT 3
