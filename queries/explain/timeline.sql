-- # What a process did, in the order of time
-- One row per event that is told on its own, and per stretch of time and kind of the events that are told together: a
-- program makes the same call thousands of times. With `$every` of 0, every event is told on its own.
-- @param every duration 0s  Length of the stretches; 0 tells every event on its own.
-- @column ts           When it happened, or when the first of them did.
-- @column tid          Thread; NULL when several did.
-- @column what         What happened.
-- @column events       How many events it was.
-- @column duration_ns  How long they took together; NULL where they have no length.
WITH mine AS (
    SELECT
        ts, kind, tid, text, duration_ns,
        CASE
            WHEN $every = 0 OR kind NOT IN (
                'syscall', 'io_uring', 'sched_slice', 'offcpu', 'migration', 'allocation', 'deallocation', 'cpu_sample',
                'page_fault', 'memory_usage', 'flow', 'packet', 'block_io', 'task_usage', 'dns', 'thread_start', 'thread_exit', 'mapping'
            ) THEN NULL
            WHEN kind IN ('syscall', 'io_uring') THEN concat(split_part(text, '(', 1), CASE WHEN strpos(text, ' = -1 ') > 0 THEN concat(' ', split_part(split_part(text, ' = -1 ', 2), ' ', 1)) ELSE '' END)
            WHEN kind IN ('sched_slice', 'cpu_sample') THEN kind
            WHEN kind = 'offcpu' THEN concat('off CPU: ', split_part(split_part(text, ': ', 2), ' for ', 1))
            ELSE kind
        END AS together
    FROM events
)
SELECT ts, tid, text AS what, CAST(1 AS BIGINT) AS events, duration_ns
FROM mine
WHERE together IS NULL
UNION ALL
SELECT
    min(ts) AS ts,
    CASE WHEN min(tid) = max(tid) THEN min(tid) END AS tid,
    CASE WHEN count(*) = 1 THEN min(text) ELSE together END AS what,
    count(*) AS events,
    CAST(sum(duration_ns) AS BIGINT) AS duration_ns
FROM mine
WHERE together IS NOT NULL
GROUP BY time_bucket(ts, CASE WHEN $every > 0 THEN $every ELSE 1 END), together
ORDER BY ts, tid, what
