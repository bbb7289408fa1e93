-- # System calls
-- One row per remark: errors that are seldom part of normal work, calls that mostly fail and are made again and again,
-- time spent on forcing data to the disk; how many calls there were as background.
-- @needs syscalls
WITH calls AS (
    SELECT
        comm,
        syscall,
        error,
        count(*) AS calls,
        CAST(sum(duration_ns) AS BIGINT) AS total_ns,
        CAST(min(ts) AS BIGINT) AS first_ns,
        CAST(max(ts) AS BIGINT) AS last_ns
    FROM syscalls
    WHERE syscall NOT IN ('rt_sigreturn', 'sigreturn')
    GROUP BY comm, syscall, error
),
whole AS (
    SELECT
        CAST(sum(calls) AS BIGINT) AS calls,
        CAST(sum(calls) FILTER (WHERE error IS NOT NULL AND error NOT LIKE 'ERESTART%') AS BIGINT) AS errors,
        max(last_ns) - min(first_ns) AS length_ns
    FROM calls
),
-- Errors that are seldom part of normal work, and how much each matters.
grave AS (
    SELECT
        comm,
        syscall,
        error,
        calls,
        CASE
            WHEN error IN ('EIO', 'ENOSPC', 'EDQUOT', 'EROFS', 'EUCLEAN', 'EMFILE', 'ENFILE') THEN 82.0
            WHEN error = 'ENOMEM' THEN 60.0
            WHEN error IN ('ECONNREFUSED', 'ETIMEDOUT', 'EHOSTUNREACH', 'ENETUNREACH', 'EADDRINUSE', 'EADDRNOTAVAIL')
                THEN 55.0
            ELSE 45.0
        END + least(10.0, 2.0 * log10(calls)) AS score
    FROM calls
    WHERE error IN (
        'EIO', 'ENOSPC', 'EDQUOT', 'EROFS', 'EUCLEAN', 'ENOMEM', 'EMFILE', 'ENFILE', 'ECONNREFUSED', 'ETIMEDOUT',
        'EHOSTUNREACH', 'ENETUNREACH', 'EADDRINUSE', 'EADDRNOTAVAIL', 'EACCES', 'EPERM', 'EFAULT'
    )
        -- A wait that ends by its time limit is no failure.
        AND NOT (error = 'ETIMEDOUT' AND syscall LIKE 'futex%')
),
-- One program's call that mostly fails and is made over and over.
futile AS (
    SELECT
        comm,
        syscall,
        CAST(sum(calls) AS BIGINT) AS calls,
        CAST(sum(calls) FILTER (
            -- Those are how a program asks: whether there is something, whether a file is a terminal or a link.
            WHERE error NOT IN ('EAGAIN', 'EINPROGRESS', 'EINTR', 'ETIMEDOUT', 'ENOTTY') AND error NOT LIKE 'ERESTART%'
                AND NOT (error = 'EINVAL' AND syscall LIKE 'readlink%')
        ) AS BIGINT) AS failed
    FROM calls
    GROUP BY comm, syscall
),
syncs AS (
    SELECT comm, CAST(sum(calls) AS BIGINT) AS calls, CAST(sum(total_ns) AS BIGINT) AS total_ns
    FROM calls
    WHERE syscall IN ('fsync', 'fdatasync', 'sync', 'syncfs', 'sync_file_range', 'msync')
    GROUP BY comm
),
-- A name is only put into options when it cannot mean anything to a shell.
scopes AS (
    SELECT DISTINCT
        comm,
        CASE WHEN regexp_like(comm, '^[A-Za-z0-9_./:-]+$') THEN concat(' --comm ', comm) ELSE '' END AS scope
    FROM calls
),
remarks AS (
    SELECT
        score,
        concat(
            CAST(calls AS VARCHAR), ' calls of ', syscall, ' by ', comm, ' failed with ', error, '.'
        ) AS sentence,
        'syscall_errors' AS report,
        concat('--error ', error, scope) AS options
    FROM grave
    JOIN scopes USING (comm)
    UNION ALL
    SELECT
        30.0 + least(20.0, 5.0 * log10(failed)) AS score,
        concat(
            CAST(failed AS VARCHAR), ' of ', CAST(calls AS VARCHAR), ' calls of ', syscall, ' by ', comm, ' failed.'
        ) AS sentence,
        'syscall_errors' AS report,
        concat('--syscall ', regexp_replace(syscall, '[^a-z0-9_]', '_', 'g'), scope) AS options
    FROM futile
    JOIN scopes USING (comm)
    WHERE failed >= 100 AND failed * 2 > calls
    UNION ALL
    SELECT
        30.0 + 40.0 * least(1.0, CAST(s.total_ns AS DOUBLE) / w.length_ns) AS score,
        concat(
            -- Not all of it need be the disk's: who is ready again may wait for a CPU.
            comm, ' spent ', human_duration(s.total_ns), ' in ', CAST(s.calls AS VARCHAR),
            ' calls of fsync and its kin, which wait for the disk, ', human_duration(s.total_ns / s.calls), ' each.'
        ) AS sentence,
        'file_io' AS report,
        ltrim(scope) AS options
    FROM syncs s
    JOIN scopes USING (comm)
    CROSS JOIN whole w
    WHERE s.total_ns >= 0.05 * w.length_ns
    UNION ALL
    SELECT
        10.0 AS score,
        concat(
            CAST(w.calls AS VARCHAR), ' system calls, ', CAST(coalesce(w.errors, 0) AS VARCHAR), ' failed; most often ',
            m.syscall, ' of ', m.comm, ': ', CAST(m.calls AS VARCHAR), ' in ', human_duration(coalesce(m.total_ns, 0)),
            '.'
        ) AS sentence,
        'syscalls' AS report,
        '' AS options
    FROM whole w
    CROSS JOIN (
        SELECT comm, syscall, CAST(sum(calls) AS BIGINT) AS calls, CAST(sum(total_ns) AS BIGINT) AS total_ns
        FROM calls
        GROUP BY comm, syscall
        ORDER BY calls DESC, comm, syscall
        LIMIT 1
    ) m
)
SELECT score, sentence, report, options
FROM remarks
ORDER BY score DESC, sentence
LIMIT 3
