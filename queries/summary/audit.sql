-- # Processes
-- One row per remark: programs that crashed, were killed or failed again and again; how many processes there were as
-- background.
-- @needs processes
WITH ends AS (
    SELECT
        comm,
        CASE
            WHEN signal IN ('SIGSEGV', 'SIGABRT', 'SIGBUS', 'SIGILL', 'SIGFPE', 'SIGSYS', 'SIGTRAP') THEN 'crash'
            WHEN signal = 'SIGKILL' THEN 'kill'
            WHEN signal IS NULL AND exit_code <> 0 THEN 'failure'
            ELSE 'other'
        END AS kind,
        coalesce(signal, concat('exit code ', CAST(exit_code AS VARCHAR))) AS ended,
        pid,
        end_ts
    FROM processes
    WHERE end_ts IS NOT NULL
),
sums AS (
    SELECT comm, kind, ended, count(*) AS processes, max(pid) AS pid
    FROM ends
    GROUP BY comm, kind, ended
),
totals AS (
    SELECT comm, sum(processes) AS processes FROM sums GROUP BY comm
),
whole AS (
    SELECT
        count(*) AS processes,
        count(DISTINCT exe) AS programs,
        count(*) FILTER (WHERE signal IS NOT NULL) AS killed,
        count(*) FILTER (WHERE exit_code <> 0) AS failed
    FROM processes
),
remarks AS (
    SELECT
        CASE kind WHEN 'crash' THEN 84.0 WHEN 'kill' THEN 60.0 ELSE 25.0 END
            + least(10.0, 5.0 * log10(s.processes)) AS score,
        CASE
            WHEN kind = 'crash' AND s.processes = 1
                THEN concat(s.comm, ' (process ', CAST(s.pid AS VARCHAR), ') crashed: ', ended, '.')
            WHEN kind = 'crash'
                THEN concat(CAST(s.processes AS VARCHAR), ' processes of ', s.comm, ' crashed: ', ended, '.')
            WHEN kind = 'kill' AND s.processes = 1
                THEN concat(s.comm, ' (process ', CAST(s.pid AS VARCHAR), ') was ended by SIGKILL.')
            WHEN kind = 'kill'
                THEN concat(CAST(s.processes AS VARCHAR), ' processes of ', s.comm, ' were ended by SIGKILL.')
            ELSE concat(
                CAST(s.processes AS VARCHAR), ' of ', CAST(CAST(t.processes AS BIGINT) AS VARCHAR), ' processes of ',
                s.comm, ' ended with ', ended, '.'
            )
        END AS sentence,
        'exits' AS report,
        CASE
            WHEN regexp_like(s.comm, '^[A-Za-z0-9_./:-]+$') THEN concat('--comm ', s.comm)
            ELSE concat('--pid ', CAST(s.pid AS VARCHAR))
        END AS options
    FROM sums s
    JOIN totals t ON s.comm = t.comm
    -- One that fails is for whoever started it; many of the same are for whoever looks here.
    WHERE kind IN ('crash', 'kill') OR (kind = 'failure' AND s.processes >= 3 AND s.processes * 4 > t.processes)
    UNION ALL
    SELECT
        8.0 AS score,
        concat(
            CAST(processes AS VARCHAR), CASE WHEN processes = 1 THEN ' process of ' ELSE ' processes of ' END,
            CAST(programs AS VARCHAR), CASE WHEN programs = 1 THEN ' program; ' ELSE ' programs; ' END,
            CAST(killed AS VARCHAR), ' were ended by a signal and ', CAST(failed AS VARCHAR), ' with an exit code other than 0.'
        ) AS sentence,
        'process_tree' AS report,
        '' AS options
    FROM whole
    WHERE processes > 0
)
SELECT score, sentence, report, options
FROM remarks
ORDER BY score DESC, sentence
LIMIT 3
