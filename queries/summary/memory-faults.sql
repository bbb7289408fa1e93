-- # Major page faults
-- One row per remark. A process that waits again and again for pages from a disk: one and a half points for each
-- such fault in a second of its time, for one takes about a millisecond or less.
-- @needs page_faults
WITH faults AS (
    SELECT
        host, upid,
        last_value(comm ORDER BY ts) AS comm,
        last_value(pid ORDER BY ts) AS pid,
        count(*) FILTER (WHERE fault = 'major') AS major,
        CAST(max(ts) AS BIGINT) - CAST(min(ts) AS BIGINT) AS span_ns
    FROM page_faults
    GROUP BY host, upid
)
SELECT
    -- A program that just starts has some: it counts as a second.
    least(70.0, 1.5e9 * major / greatest(span_ns, 1000000000)) AS score,
    concat(
        comm, ' (pid ', pid, ') waited ', major, ' times for a page from a disk (major faults) in ', human_duration(span_ns)
    ) AS sentence,
    'page_faults' AS report,
    concat('--fault major --pid ', pid) AS options
FROM faults
WHERE major >= 10
ORDER BY score DESC, sentence
LIMIT 2
