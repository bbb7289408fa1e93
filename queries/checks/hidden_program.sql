-- # Program in a hidden place
-- Was a program or script run whose file or folder is hidden below a folder that is open to all, has a name that
-- cannot be seen, or lies in so many folders that its path is not known to the top (`.../`)? Was a folder with such a
-- name made? One row per file or folder.
-- @severity medium
-- @technique T1564.001
-- @rationale Names with a dot in front are left out by `ls`, and `...` or a blank at the end is taken for nothing.
--     Programs have no reason to lie there.
-- @false-positive AppImages run from `/tmp/.mount_NAME`, where they mount themselves.
-- @false-positive Containers of Apptainer run `/.singularity.d/runscript`, and some tests of programs run what they
--     build in `/tmp/.tmpNAME`.
-- @needs process_events, syscalls
-- @window 0s
-- @column ts             When it was first run or made.
-- @column host           Machine.
-- @column upid           Process for good.
-- @column pid            Process id.
-- @column sentence       What was found.
-- @column place [key]    The program, script or folder.
-- @column times [total]  How often it was run or made.
-- @caveat Of programs and scripts in a hidden folder of a home, which many programs have, nothing is told.
-- @evidence SELECT ts, pid, comm, exe, path, argv, cwd FROM execs WHERE host = {host} AND (exe = {place} OR
--     strpos(argv, {place}) > 0 OR upid = {upid}) ORDER BY ts, upid
-- @fires attacks, persistence, intrusion
-- @silent lookalikes, web, compiler, database, packages, cron, desktop
WITH
places AS (
    SELECT ts, host, upid, pid, comm, exe AS place, 'was run from a hidden place' AS verb FROM execs
    UNION ALL
    -- A script that names its interpreter.
    SELECT
        ts, host, upid, pid, comm,
        clean_path(CASE WHEN path LIKE '/%' THEN path ELSE concat(cwd, '/', path) END) AS place,
        'was run from a hidden place' AS verb
    FROM execs
    UNION ALL
    -- A script that is named to an interpreter.
    SELECT
        ts, host, upid, pid, comm,
        clean_path(CASE WHEN script LIKE '/%' THEN script ELSE concat(cwd, '/', script) END) AS place,
        'ran a script in a hidden place' AS verb
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
    UNION ALL
    SELECT ts, host, upid, pid, comm, path AS place, 'made a folder with a hidden name' AS verb
    FROM file_accesses
    WHERE
        operation = 'mkdir'
        AND failures < calls
        AND regexp_like(path, '/(\.{3,}|[^/]*[ \x{a0}\x{200b}])$|^/dev/\.')
)
SELECT
    min(ts) AS ts,
    host,
    first_value(upid ORDER BY ts, upid) AS upid,
    first_value(pid ORDER BY ts, upid) AS pid,
    concat(
        first_value(comm ORDER BY ts, upid), ' ', first_value(verb ORDER BY ts, upid, verb), ': ', place
    ) AS sentence,
    place,
    count(DISTINCT CAST(ts AS BIGINT)) AS times
FROM places
WHERE
    regexp_like(
        place,
        '^/(tmp|var/tmp|dev|run/(shm|lock|user/[0-9]+))/(.*/)?\.[^/]|^/\.[^/]'
            || '|/(\.{3,}|[^/]*[ \x{a0}\x{200b}])(/|$)|^\.{3}/'
    )
GROUP BY host, place
ORDER BY ts, host, upid, place
