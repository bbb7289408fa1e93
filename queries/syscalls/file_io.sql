-- # Reads and writes by file
-- Which files are read, written and forced to the disk, by whom, how much and how slowly? One row per name of a
-- process, file and operation, the most time first. A file is named by following its descriptor back to the `open` that
-- made it, also through `dup` and `fork`. Many calls with few bytes each are what a buffer would save; time beside few
-- bytes is waiting for a disk, or for the other end of a pipe.
-- @needs syscalls, process_events
-- @param path text %  Only files that are LIKE this, such as `/var/%`; what has no name is left out then.
-- @column comm [key]        Name of the process.
-- @column operation [key]   `read`, `write`, or `sync` for `fsync`, `fdatasync` and `sync_file_range`.
-- @column calls [total]     Calls that succeeded.
-- @column io_bytes [total]  Bytes that they read or wrote; NULL of `sync`.
-- @column io_ns [total]     Time in them.
-- @column max_ns [max]      The longest.
-- @column path [key]        The file, as it was opened; `(socket)`; NULL where that was not seen: pipes, and what was
--     open before the recording.
-- @caveat What a program does with a file that it maps (`mmap`) is no call and not here, nor is `splice`.
-- @caveat A name is followed through at most three steps of `dup` and `fork`; a descriptor that came over a socket or
--     that `exec` closed keeps the name of the one before it.
-- @caveat When calls were lost, or are recorded in part only, a descriptor may have the name of an earlier file.
-- @plot bar path io_ns
-- @dataset compiler, database, web
WITH
-- What a descriptor is from the time `t` on: the number of the opening, or 0 where it is not known. A new one is there
-- when the call returns; on a CPU no two return at once, so that time and CPU are a number for it.
named AS (
    SELECT
        host,
        upid,
        CASE WHEN syscall = 'close' THEN arg0 & 4294967295 ELSE ret END AS fd,
        CASE WHEN syscall = 'close' THEN CAST(ts AS BIGINT) ELSE CAST(ts AS BIGINT) + duration_ns END AS t,
        CASE
            WHEN syscall IN ('socket', 'accept', 'accept4') THEN 1
            WHEN path IS NULL OR syscall = 'close' THEN 0
            ELSE (CAST(ts AS BIGINT) + duration_ns) % 9000000000000000 * 1000 + cpu % 1000
        END AS what,
        CAST(NULL AS BIGINT) AS to_upid,
        CAST(NULL AS BIGINT) AS to_fd
    FROM syscalls
    -- What io_uring opens into its own table of files has a place there, and no descriptor.
    WHERE ret >= 0 AND (via <> 'io_uring' OR arg4 IS NULL) AND syscall IN (
        'open', 'openat', 'openat2', 'creat', 'open_by_handle_at', 'close', 'socket', 'accept', 'accept4',
        'memfd_create', 'memfd_secret', 'eventfd', 'eventfd2', 'epoll_create', 'epoll_create1', 'timerfd_create',
        'inotify_init', 'inotify_init1', 'fanotify_init', 'signalfd', 'signalfd4', 'pidfd_open', 'pidfd_getfd',
        'perf_event_open', 'userfaultfd', 'io_uring_setup'
    )
),
-- A descriptor that becomes what another is at the time `t`.
copied AS (
    SELECT
        host,
        upid,
        arg0 & 4294967295 AS fd,
        CAST(ts AS BIGINT) + duration_ns AS t,
        CAST(NULL AS BIGINT) AS what,
        upid AS to_upid,
        ret AS to_fd
    FROM syscalls
    WHERE ret >= 0 AND (
        syscall IN ('dup', 'dup2', 'dup3')
        -- F_DUPFD, F_DUPFD_CLOEXEC
        OR (syscall IN ('fcntl', 'fcntl64') AND arg1 & 4294967295 IN (0, 1030))
    )
),
used AS (
    SELECT host, upid, arg0 & 4294967295 AS fd
    FROM syscalls
    WHERE syscall IN (
        'read', 'pread64', 'readv', 'preadv', 'preadv2', 'write', 'pwrite64', 'writev', 'pwritev', 'pwritev2',
        'fsync', 'fdatasync', 'sync_file_range', 'sendfile', 'copy_file_range', 'dup', 'dup2', 'dup3', 'fcntl'
    )
    GROUP BY host, upid, arg0 & 4294967295
),
forks AS (
    SELECT host, upid, child_upid, min(CAST(ts AS BIGINT)) AS t
    FROM process_events
    WHERE event = 'fork' AND child_upid IS NOT NULL
    GROUP BY host, upid, child_upid
),
-- Of the descriptors that a child uses, those of its parent at that time; and of that one, those of its own.
inherited AS (
    SELECT DISTINCT
        u.host,
        CASE WHEN step = 1 THEN f.upid ELSE g.upid END AS upid,
        u.fd,
        CASE WHEN step = 1 THEN f.t ELSE g.t END AS t,
        CAST(NULL AS BIGINT) AS what,
        CASE WHEN step = 1 THEN f.child_upid ELSE f.upid END AS to_upid,
        u.fd AS to_fd
    FROM used u
    JOIN forks f ON u.host = f.host AND u.upid = f.child_upid
    LEFT JOIN forks g ON f.host = g.host AND f.upid = g.child_upid
    CROSS JOIN (VALUES (1), (2)) AS steps (step)
    WHERE step = 1 OR g.upid IS NOT NULL
),
step0 AS (
    SELECT * FROM named
    UNION ALL
    SELECT * FROM copied
    UNION ALL
    SELECT * FROM inherited
),
-- Three times: a copy is what was last before it. `t` and `what` make one number, the greatest of which so far is the
-- last: a running maximum needs no memory, and numbers sort better than texts. Of 0 and an opening at the same time it
-- is the opening, which a later step found.
last0 AS (
    SELECT
        *,
        max(CAST(t AS DECIMAL(19, 0)) * 10000000000000000000 + what)
            OVER (PARTITION BY host, upid, fd ORDER BY t) AS last
    FROM step0
),
step1 AS (
    SELECT
        host,
        CASE WHEN copy THEN to_upid ELSE upid END AS upid,
        CASE WHEN copy THEN to_fd ELSE fd END AS fd,
        t,
        CASE WHEN copy THEN coalesce(CAST(last % 10000000000000000000 AS BIGINT), 0) ELSE what END AS what,
        CASE WHEN NOT copy THEN to_upid END AS to_upid,
        CASE WHEN NOT copy THEN to_fd END AS to_fd
    FROM (
        SELECT *, unnest(CASE WHEN to_fd IS NULL THEN make_array(false) ELSE make_array(false, true) END) AS copy
        FROM last0
    )
),
last1 AS (
    SELECT
        *,
        max(CAST(t AS DECIMAL(19, 0)) * 10000000000000000000 + what)
            OVER (PARTITION BY host, upid, fd ORDER BY t) AS last
    FROM step1
),
step2 AS (
    SELECT
        host,
        CASE WHEN copy THEN to_upid ELSE upid END AS upid,
        CASE WHEN copy THEN to_fd ELSE fd END AS fd,
        t,
        CASE WHEN copy THEN coalesce(CAST(last % 10000000000000000000 AS BIGINT), 0) ELSE what END AS what,
        CASE WHEN NOT copy THEN to_upid END AS to_upid,
        CASE WHEN NOT copy THEN to_fd END AS to_fd
    FROM (
        SELECT *, unnest(CASE WHEN to_fd IS NULL THEN make_array(false) ELSE make_array(false, true) END) AS copy
        FROM last1
    )
),
last2 AS (
    SELECT
        *,
        max(CAST(t AS DECIMAL(19, 0)) * 10000000000000000000 + what)
            OVER (PARTITION BY host, upid, fd ORDER BY t) AS last
    FROM step2
),
step3 AS (
    SELECT
        host,
        CASE WHEN copy THEN to_upid ELSE upid END AS upid,
        CASE WHEN copy THEN to_fd ELSE fd END AS fd,
        t,
        CASE WHEN copy THEN coalesce(CAST(last % 10000000000000000000 AS BIGINT), 0) ELSE what END AS what,
        CASE WHEN NOT copy THEN to_upid END AS to_upid,
        CASE WHEN NOT copy THEN to_fd END AS to_fd
    FROM (
        SELECT *, unnest(CASE WHEN to_fd IS NULL THEN make_array(false) ELSE make_array(false, true) END) AS copy
        FROM last2
    )
),
transfers AS (
    SELECT
        host,
        upid,
        arg0 & 4294967295 AS fd,
        CASE
            WHEN syscall IN ('read', 'pread64', 'readv', 'preadv', 'preadv2', 'copy_file_range') THEN 'read'
            WHEN syscall IN ('fsync', 'fdatasync', 'sync_file_range') THEN 'sync'
            ELSE 'write'
        END AS kind,
        CAST(ts AS BIGINT) AS t,
        ret AS bytes,
        duration_ns
    FROM syscalls
    WHERE ret >= 0 AND syscall IN (
        'read', 'pread64', 'readv', 'preadv', 'preadv2', 'write', 'pwrite64', 'writev', 'pwritev', 'pwritev2', 'fsync',
        'fdatasync', 'sync_file_range', 'copy_file_range', 'sendfile', 'sendfile64'
    )
    UNION ALL
    -- The other side of the calls that have two; its time is in the first.
    SELECT
        host,
        upid,
        CASE WHEN syscall = 'copy_file_range' THEN arg2 ELSE arg1 END & 4294967295 AS fd,
        CASE WHEN syscall = 'copy_file_range' THEN 'write' ELSE 'read' END AS kind,
        CAST(ts AS BIGINT) AS t,
        ret AS bytes,
        CAST(NULL AS BIGINT) AS duration_ns
    FROM syscalls
    WHERE ret >= 0 AND syscall IN ('copy_file_range', 'sendfile', 'sendfile64')
),
ordered AS (
    SELECT
        host,
        upid,
        fd,
        t,
        what,
        CAST(NULL AS VARCHAR) AS kind,
        CAST(NULL AS BIGINT) AS bytes,
        CAST(NULL AS BIGINT) AS duration_ns
    FROM step3
    WHERE what IS NOT NULL
    UNION ALL
    SELECT host, upid, fd, t, CAST(NULL AS BIGINT) AS what, kind, bytes, duration_ns FROM transfers
),
done AS (
    SELECT
        host,
        upid,
        max(CAST(t AS DECIMAL(19, 0)) * 10000000000000000000 + what)
            OVER (PARTITION BY host, upid, fd ORDER BY t) AS last,
        kind,
        bytes,
        duration_ns
    FROM ordered
),
descriptors AS (
    SELECT
        host,
        upid,
        coalesce(CAST(last % 10000000000000000000 AS BIGINT), 0) AS what,
        kind AS operation,
        count(*) AS calls,
        CASE WHEN kind <> 'sync' THEN sum(bytes) END AS io_bytes,
        sum(duration_ns) AS io_ns,
        max(duration_ns) AS max_ns
    FROM done
    WHERE kind IS NOT NULL
    GROUP BY host, upid, coalesce(CAST(last % 10000000000000000000 AS BIGINT), 0), kind
),
-- After a change of directory the directory in `processes` does not tell where a path begins.
moved AS (
    SELECT DISTINCT host, upid FROM syscalls WHERE syscall IN ('chdir', 'fchdir', 'chroot', 'pivot_root')
),
homes AS (
    SELECT p.host, p.upid, CASE WHEN p.cwd = '/' THEN '/' ELSE concat(p.cwd, '/') END AS home
    FROM processes p
    LEFT ANTI JOIN moved m ON p.host = m.host AND p.upid = m.upid
    WHERE p.cwd LIKE '/%'
),
openings AS (
    SELECT
        s.host,
        (CAST(ts AS BIGINT) + duration_ns) % 9000000000000000 * 1000 + cpu % 1000 AS what,
        CASE
            -- The lower half of the register is -100, AT_FDCWD: relative to the working directory.
            WHEN home IS NOT NULL AND path NOT LIKE '/%'
                AND (syscall IN ('open', 'creat') OR (syscall = 'openat' AND arg0 & 4294967295 = 4294967196))
                THEN concat(home, regexp_replace(path, '^(\./+)+', ''))
            ELSE path
        END AS path
    FROM syscalls s
    LEFT JOIN homes h ON s.host = h.host AND s.upid = h.upid
    WHERE ret >= 0 AND path IS NOT NULL AND syscall IN ('open', 'openat', 'openat2', 'creat', 'open_by_handle_at')
),
files AS (
    SELECT
        p.comm,
        CASE WHEN d.what = 1 THEN '(socket)' ELSE nullif(o.path, '') END AS path,
        d.operation,
        d.calls,
        d.io_bytes,
        d.io_ns,
        d.max_ns
    FROM processes p
    RIGHT JOIN descriptors d ON p.host = d.host AND p.upid = d.upid
    LEFT JOIN openings o ON d.host = o.host AND d.what = o.what
)
SELECT
    comm,
    operation,
    CAST(sum(calls) AS BIGINT) AS calls,
    CAST(sum(io_bytes) AS BIGINT) AS io_bytes,
    CAST(sum(io_ns) AS BIGINT) AS io_ns,
    max(max_ns) AS max_ns,
    path
FROM files
WHERE $path = '%' OR path LIKE $path
GROUP BY comm, operation, path
ORDER BY io_ns DESC NULLS LAST, comm, path, operation
