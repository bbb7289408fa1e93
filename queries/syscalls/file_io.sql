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
-- @caveat A descriptor that came over a socket or that `exec` closed keeps the name of the one before it.
-- @caveat When calls were lost, or are recorded in part only, a descriptor may have the name of an earlier file.
-- @plot bar path io_ns
-- @dataset compiler, database, web
WITH sums AS (
    SELECT
        host,
        upid,
        operation,
        path,
        count(*) AS calls,
        sum(size_bytes) AS io_bytes,
        sum(duration_ns) AS io_ns,
        max(duration_ns) AS max_ns
    FROM transfers
    WHERE $path = '%' OR path LIKE $path
    GROUP BY host, upid, operation, path
)
SELECT
    p.comm,
    s.operation,
    CAST(sum(s.calls) AS BIGINT) AS calls,
    CAST(sum(s.io_bytes) AS BIGINT) AS io_bytes,
    CAST(sum(s.io_ns) AS BIGINT) AS io_ns,
    max(s.max_ns) AS max_ns,
    s.path
FROM processes p
RIGHT JOIN sums s ON p.host = s.host AND p.upid = s.upid
GROUP BY p.comm, s.operation, s.path
ORDER BY io_ns DESC NULLS LAST, p.comm, s.path, s.operation
