-- # Sensitive folders packed up
-- Who packed the settings of the machine, homes or data of servers into an archive in a folder for temporary files, or
-- into a connection? One row per process.
-- @severity medium
-- @technique T1560.001, T1074.001
-- @rationale What is to be carried off is packed first, where anybody may write. Backups go to a place of their own.
-- @false-positive An administrator who moves a home, or a backup that keeps its archive in `/tmp` until it is sent.
-- @needs process_events
-- @window 1s
-- @column ts          When it was run.
-- @column host        Machine.
-- @column upid        Process for good.
-- @column pid         Process id.
-- @column sentence    What was found.
-- @column exe         Program file.
-- @column argv [key]  Its arguments.
-- @column receiver    Program beside it that it may have given the archive to; NULL when there is none.
-- @caveat Only `tar`, `zip`, `7z` and `rar` are known, by their arguments; a program that packs by itself is not.
-- @caveat What follows `tar ... |` is told by the programs that one parent started within a second, not by the pipe.
-- @evidence SELECT ts, pid, comm, exe, argv, cwd, parent_pid, parent_comm, parent_argv FROM execs WHERE host = {host}
--     AND upid = {upid} ORDER BY ts
-- @fires attacks, persistence
-- @silent lookalikes, web, compiler, database, packages, cron, desktop
WITH
packed AS (
    SELECT ts, host, upid, pid, comm, exe, argv, parent_upid
    FROM execs
    WHERE
        -- That makes an archive.
        regexp_like(
            concat(base_name(exe), ' ', argv, ' '),
            '^(bsd)?tar [^ ]+ ([a-zA-Z]*c[a-zA-Z]*|(.* )?(-[a-zA-Z]*c[a-zA-Z]*|--create)) '
                || '|^zip |^(7z[azr]?|rar) [^ ]+ [au] '
                || '|^(busybox|toybox) [^ ]*(busybox |toybox )?tar -?[a-zA-Z]*c'
        )
        -- Of these folders, as a whole.
        AND regexp_like(
            concat(CASE WHEN cwd = '/' THEN '-C / ' ELSE '' END, argv, ' '),
            ' ''?/(etc|root|home(/[^ /'']+)?|var/(www|lib/(mysql|postgresql|ldap)|backups)|srv)/?[*]?''? '
                || '| ''?/etc/g?shadow-?''? | ''?[^ '']*/\.(ssh|aws|gnupg|kube|mozilla|config/gcloud)/?''? '
                || '|-C / (.* )?(\./)?(etc|root|home|var/www)/? '
        )
),
sent AS (
    SELECT host, upid, ts, parent_upid, base_name(exe) AS program
    FROM execs
    WHERE regexp_like(exe, '/(nc([.][a-z]+)?|ncat|netcat|socat|curl|wget|openssl|telnet|ftp|tftp)$')
),
joined AS (
    SELECT p.ts, p.host, p.upid, p.pid, p.comm, p.exe, p.argv, min(s.program) AS into_program
    FROM packed p
    LEFT JOIN sent s
        ON p.host = s.host AND p.parent_upid = s.parent_upid
            AND abs(CAST(s.ts AS BIGINT) - CAST(p.ts AS BIGINT)) < 1000000000
    GROUP BY p.ts, p.host, p.upid, p.pid, p.comm, p.exe, p.argv
)
SELECT
    ts,
    host,
    upid,
    pid,
    concat(
        comm, ' packed up sensitive folders',
        CASE WHEN into_program IS NULL THEN '' ELSE concat(' beside ', into_program) END,
        ': ', left(argv, 200)
    ) AS sentence,
    exe,
    argv,
    into_program AS receiver
FROM joined
WHERE
    into_program IS NOT NULL
    OR regexp_like(argv, ' (-[a-zA-Z]*f|''?--file=)?''?/(tmp|var/tmp|dev/shm|run/user/[0-9]+)/[^ ]')
ORDER BY ts, host, upid, argv
