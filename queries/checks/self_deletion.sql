-- # Program that removes itself
-- Which program or script removed its own file, by itself or by a program that it started? One row per process and
-- file.
-- @severity medium
-- @technique T1070.004
-- @rationale What has removed itself cannot be looked at afterwards. Droppers do so once what they brought is running.
-- @false-positive Installers that unpack themselves clean up so, and programs that uninstall themselves.
-- @needs process_events, syscalls
-- @window all
-- @column ts          When it was removed.
-- @column host        Machine.
-- @column upid        Process for good.
-- @column pid         Process id.
-- @column sentence    What was found.
-- @column file [key]  The file.
-- @column runner      Name of the program that it was.
-- @caveat A script that changed its directory and then removes itself by a relative path is not seen.
-- @caveat What a program that ran before the recording removes is not seen to be its own file.
-- @evidence SELECT ts, pid, comm, operation, path, ret, error FROM files WHERE host = {host} AND path = {file} AND
--     operation IN ('unlink', 'exec', 'create') ORDER BY ts, pid
-- @fires attacks, persistence
-- @silent lookalikes, web, compiler, database, packages, cron, desktop
WITH
-- Programs, scripts that name their interpreter, and scripts that are named to one.
runs AS (
    SELECT host, upid, ts, pid, comm, exe AS file FROM execs
    UNION ALL
    SELECT
        host, upid, ts, pid, comm,
        clean_path(CASE WHEN path LIKE '/%' THEN path ELSE concat(cwd, '/', path) END) AS file
    FROM execs
    UNION ALL
    SELECT
        host, upid, ts, pid, comm,
        clean_path(CASE WHEN script LIKE '/%' THEN script ELSE concat(cwd, '/', script) END) AS file
    FROM (
        SELECT
            *,
            regexp_replace(
                argv, '(?s)^(?:''[^'']*''|[^ ]+)(?: -[a-zA-Z]+)* (?:''([^'']*)''|([^ ]+)).*$', '\1\2'
            ) AS script
        FROM execs
        WHERE
            -- Not what is given as text, by `-c`, `-e` or `-m`.
            regexp_like(
                concat(base_name(exe), ' ', argv),
                '^(([a-z]*sh|busybox) (''[^'']*''|[^ ]+)( -[abd-zA-Z]+)*'
                    || '|(python|perl|ruby|php|node)[0-9.]* (''[^'']*''|[^ ]+)( -[abdf-ln-zA-Z]+)*) [^ -]'
            )
    )
),
removed AS (
    SELECT f.host, f.upid, f.ts, f.pid, f.comm, f.path, p.parent_upid
    FROM file_accesses f
    LEFT JOIN processes p ON f.host = p.host AND f.upid = p.upid
    WHERE
        f.operation = 'unlink'
        AND f.failures < f.calls
)
SELECT
    min(d.ts) AS ts,
    d.host,
    r.upid,
    min(r.pid) AS pid,
    concat(
        min(r.comm), ' removed its own file, ', d.path,
        CASE WHEN bool_or(d.upid = r.upid) THEN '' ELSE concat(', by ', min(d.comm)) END
    ) AS sentence,
    d.path AS file,
    min(r.comm) AS runner
FROM removed d
JOIN runs r ON d.host = r.host AND d.path = r.file
WHERE
    r.ts <= d.ts
    AND (r.upid = d.upid OR r.upid = d.parent_upid)
GROUP BY d.host, r.upid, d.path
ORDER BY ts, d.host, r.upid, file
