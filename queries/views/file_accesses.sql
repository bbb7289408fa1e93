-- # What each process did with which file
-- One row per process, kind of operation and path: system calls and io_uring operations that were given a path, put
-- together. Paths are absolute where it is known where they begin (view `files`), without `.`, `..` and doubled
-- slashes. A symbolic link is not followed: its making is an operation of its own, and `path` is then what it
-- points to.
-- @column ts         When the first of them began.
-- @column last_ts    When the last of them began.
-- @column host       Name of the machine.
-- @column pid        Process id.
-- @column upid       Process for good.
-- @column comm       Name of the thread at the first of them.
-- @column exe        Program file that the process ran at the time.
-- @column operation  What was done: `read` and `write` are files that were opened to read only, or also to write
--     (`open` where the flags are not known, as of `openat2`);
--     else as in `files`: `unlink`, `rename`, `chmod`, `utime`, ...
-- @column path       The file.
-- @column path2      The second path of an operation that has two: the new name, the link.
-- @column calls      How often.
-- @column ok_ts      When the first began of those that did not fail; NULL when all did.
-- @column failures   How many of them failed.
-- @column error      Name of an error, if some failed.
-- @keep Every check on files reads it, and it reads all system calls.
WITH runs AS (
    -- A process that runs another program is told as the program it was at the time.
    SELECT
        host,
        upid,
        min(ts) AS first_ts,
        max(ts) AS last_ts,
        first_value(exe ORDER BY ts) AS first_exe
    FROM process_events
    WHERE event = 'exec'
    GROUP BY host, upid
),
told AS (
    SELECT
        f.ts,
        f.host,
        f.pid,
        f.upid,
        f.comm,
        CASE
            WHEN f.operation = 'create' THEN 'write'
            -- 1 and 2 are O_WRONLY and O_RDWR, 512 is O_TRUNC.
            WHEN f.operation = 'open' AND (f.flags & 3 IN (1, 2) OR f.flags & 512 <> 0) THEN 'write'
            WHEN f.operation = 'open' AND f.flags IS NOT NULL THEN 'read'
            ELSE f.operation
        END AS operation,
        clean_path(f.path) AS path,
        clean_path(f.path2) AS path2,
        f.ret,
        f.error,
        CASE WHEN f.ts < r.first_ts THEN 1 WHEN f.ts < r.last_ts THEN 2 ELSE 3 END AS phase
    FROM runs r
    RIGHT JOIN files f ON f.host = r.host AND f.upid = r.upid
),
sums AS (
    SELECT
        min(ts) AS ts,
        max(ts) AS last_ts,
        host,
        min(pid) AS pid,
        upid,
        first_value(comm ORDER BY ts) AS comm,
        phase,
        operation,
        path,
        path2,
        count(*) AS calls,
        min(CASE WHEN ret < 0 THEN NULL ELSE ts END) AS ok_ts,
        sum(CASE WHEN ret < 0 THEN 1 ELSE 0 END) AS failures,
        max(error) AS error
    FROM told
    GROUP BY host, upid, phase, operation, path, path2
),
programs AS (
    SELECT p.host, p.upid, p.exe, r.first_exe, q.exe AS parent_exe
    FROM processes q
    RIGHT JOIN processes p ON q.host = p.host AND q.upid = p.parent_upid
    LEFT JOIN runs r ON r.host = p.host AND r.upid = p.upid
)
SELECT
    s.ts,
    s.last_ts,
    s.host,
    s.pid,
    s.upid,
    s.comm,
    CASE s.phase WHEN 1 THEN p.parent_exe WHEN 2 THEN p.first_exe ELSE p.exe END AS exe,
    s.operation,
    s.path,
    s.path2,
    s.calls,
    s.ok_ts,
    s.failures,
    s.error
FROM programs p
RIGHT JOIN sums s ON s.host = p.host AND s.upid = p.upid
