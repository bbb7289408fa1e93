-- # Files of programs, for baselines
-- One row per program, pattern of paths and what was done there: `reads`, `writes`, `executes`, or `looks` for what was
-- only looked at, or looked for and not there.
-- @needs syscalls
WITH accesses AS (
    SELECT
        a.host,
        a.upid,
        a.pid,
        a.ts,
        a.calls,
        unnest(make_array(false, true)) AS is_second,
        a.operation,
        a.path,
        a.path2,
        a.failures >= a.calls AND a.error = 'ENOENT' AS is_missing
    FROM file_accesses a
),
sorted AS (
    SELECT
        host,
        upid,
        pid,
        ts,
        calls,
        CASE WHEN is_second THEN path2 ELSE path END AS path,
        CASE
            -- What a symbolic link points to is a text.
            WHEN operation = 'symlink' AND NOT is_second THEN NULL
            WHEN is_missing OR operation IN (
                'stat', 'access', 'readlink', 'chdir', 'statfs', 'statfs64', 'getxattr', 'lgetxattr', 'getxattrat',
                'listxattr', 'llistxattr', 'listxattrat', 'name_to_handle_at', 'file_getattr'
            ) THEN 'looks'
            WHEN operation = 'exec' THEN 'executes'
            WHEN operation IN ('read', 'open', 'inotify_add_watch', 'fanotify_mark', 'open_tree', 'uselib') THEN 'reads'
            -- A hard link needs to see the file, and makes the other.
            WHEN operation = 'link' AND NOT is_second THEN 'reads'
            ELSE 'writes'
        END AS section
    FROM accesses
),
by_process AS (
    SELECT
        l.host,
        l.upid,
        l.program,
        s.section,
        path_pattern(s.path) AS item,
        sum(s.calls) AS times,
        min(s.ts) AS ts,
        min(s.pid) AS pid,
        min(s.path) AS path
    FROM programs l
    JOIN sorted s ON l.host = s.host AND l.upid = s.upid
    WHERE s.section IS NOT NULL AND s.path <> ''
        AND (l.start_ts IS NULL OR s.ts >= l.start_ts) AND (l.end_ts IS NULL OR s.ts < l.end_ts)
    GROUP BY l.host, l.upid, l.program, s.section, path_pattern(s.path)
)
SELECT
    section,
    program,
    item,
    sum(times) AS times,
    count(*) AS processes,
    min(ts) AS ts,
    first_value(host ORDER BY ts, host, upid) AS host,
    first_value(upid ORDER BY ts, host, upid) AS upid,
    first_value(pid ORDER BY ts, host, upid) AS pid,
    first_value(path ORDER BY ts, host, upid) AS example
FROM by_process
GROUP BY section, program, item
