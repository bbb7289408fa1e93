-- # History of a shell cleared
-- Who removed, emptied or replaced the file in which a shell keeps what was typed? One row per process.
-- @severity medium
-- @technique T1070.003
-- @rationale What was typed is the best record of what somebody did. A link from it to `/dev/null` keeps it empty for
--     good.
-- @false-positive A user who throws it away, and the removal of a home.
-- @needs syscalls
-- @window 0s
-- @column ts             When the first of them was touched.
-- @column host           Machine.
-- @column upid           Process for good.
-- @column pid            Process id.
-- @column sentence       What was found.
-- @column exe            Program file of the process at the first of them.
-- @column file [key]     The first of the files, in the order of letters.
-- @column files [total]  How many files.
-- @column operations     What was done to them.
-- @caveat A shell that writes or replaces its file is left out, since it does so at its end; so `history -c` and `>
--     ~/.bash_history` are not told, nor is `HISTFILE` that is unset.
-- @evidence SELECT ts, last_ts, comm, exe, operation, path, path2, calls, failures FROM file_accesses WHERE host =
--     {host} AND upid = {upid} AND (path = {file} OR path2 = {file}) ORDER BY ts, operation, path, path2
-- @fires attacks, persistence, intrusion
-- @silent lookalikes, web, compiler, database, packages, cron, desktop
WITH
touched AS (
    SELECT host, upid, ts, pid, comm, exe, calls, failures, operation, path AS file
    FROM file_accesses
    WHERE operation IN ('write', 'unlink', 'truncate', 'rename')
    UNION ALL
    SELECT host, upid, ts, pid, comm, exe, calls, failures, operation, path2 AS file
    FROM file_accesses
    WHERE operation IN ('rename', 'link', 'symlink')
),
found AS (
    SELECT
        host,
        upid,
        min(ts) AS ts,
        min(pid) AS pid,
        first_value(comm ORDER BY ts, file) AS comm,
        first_value(exe ORDER BY ts, file) AS exe,
        array_agg(DISTINCT file ORDER BY file) AS names,
        array_agg(DISTINCT operation ORDER BY operation) AS operations
    FROM touched
    WHERE
        failures < calls
        AND regexp_like(
            file,
            '(^|/)(\.(bash|zsh|sh|ash|ksh|mysql|mariadb|psql|sqlite|rediscli)_history|\.(zhistory|histfile)'
                || '|fish/fish_history)$'
        )
        AND NOT (
            -- A shell keeps its history by these.
            operation IN ('write', 'rename')
            AND regexp_like(
                coalesce(exe, ''),
                '^/(usr/(local/)?)?bin/((ba|z|da|k|mk)?sh|ksh93|fish|busybox|mysql|mariadb|sqlite3|redis-cli)$'
                    || '|^/usr/lib/postgresql/[0-9]+/bin/psql$|^/usr/bin/psql$'
            )
        )
    GROUP BY host, upid
)
SELECT
    t.ts,
    t.host,
    t.upid,
    t.pid,
    concat(
        t.comm,
        ' cleared or replaced the history of a shell: ',
        array_to_string(array_slice(t.names, 1, 5), ', '),
        CASE WHEN array_length(t.names) > 5 THEN ', ...' ELSE '' END,
        ' (', array_to_string(t.operations, ', '), ')'
    ) AS sentence,
    t.exe,
    t.names[1] AS file,
    CAST(array_length(t.names) AS BIGINT) AS files,
    array_to_string(t.operations, ', ') AS operations
FROM found t
ORDER BY t.ts, t.host, t.upid
