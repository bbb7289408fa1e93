-- # Opened files
-- Which files are opened, by whom, how often, and which cannot be? One row per path and name of a thread, the most
-- often opened first. Opens of the same file over and over are work that a program could save; failures are searches
-- (`ENOENT`) or missing rights (`EACCES`).
-- @needs syscalls
-- @param path text %  Only paths that are LIKE this, such as `/etc/%`.
-- @param failed bool false  Only files of which an open failed.
-- @param written bool false  Only files that were opened to be written.
-- @column comm [key]        Name of the thread.
-- @column opens [total]     Calls that were to open it, failed ones included.
-- @column failed [total]    How many of them failed.
-- @column error             Of the failed ones, the error; of several, the last in the order of letters.
-- @column access            How it was to be used: `r` read, `w` write, `c` create, `t` truncate, `a` append; NULL
--     where only `openat2` was called, which has that in memory.
-- @column total_ns [total]  Time in the calls.
-- @column path [key]        The file: absolute where it is known where it begins, else as the program wrote it.
-- @caveat Paths are as they were asked for: what they are below a symbolic link, in a container or after `chroot` is
--     not told, and two programs may give a file two names.
-- @caveat A path stays relative where its directory was not seen to be opened, such as by a process that was there before
--     the recording: two files may be one row.
-- @plot bar path opens
-- @dataset script, compiler, database, web
WITH
placed AS (
    SELECT
        comm,
        path,
        duration_ns,
        error,
        -- O_CREAT|O_WRONLY|O_TRUNC
        CASE WHEN syscall = 'creat' THEN 577 ELSE flags END AS flags
    FROM files
    WHERE syscall IN ('open', 'openat', 'openat2', 'creat')
),
sums AS (
    SELECT
        comm,
        path,
        count(*) AS opens,
        count(error) AS failed,
        max(error) AS error,
        CAST(sum(duration_ns) AS BIGINT) AS total_ns,
        -- 1 is O_RDONLY, 2 O_WRONLY, 4 O_RDWR.
        bit_or(1 << (flags & 3)) AS modes,
        bit_or(flags) AS flags
    FROM placed
    WHERE path LIKE $path
    GROUP BY comm, path
)
SELECT
    comm,
    opens,
    failed,
    error,
    nullif(concat(
        CASE WHEN modes & 5 <> 0 THEN 'r' END,
        CASE WHEN modes & 6 <> 0 THEN 'w' END,
        -- O_CREAT, O_TRUNC, O_APPEND.
        CASE WHEN flags & 64 <> 0 THEN 'c' END,
        CASE WHEN flags & 512 <> 0 THEN 't' END,
        CASE WHEN flags & 1024 <> 0 THEN 'a' END
    ), '') AS access,
    total_ns,
    path
FROM sums
WHERE (NOT $failed OR failed > 0) AND (NOT $written OR modes & 6 <> 0)
ORDER BY opens DESC, path, comm
