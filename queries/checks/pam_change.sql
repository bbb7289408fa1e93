-- # Rules of authentication changed
-- Who changed the rules or the modules that decide about logins? One row per process that did.
-- @severity high
-- @technique T1556.003
-- @rationale A line in `/etc/pam.d` or another `pam_unix.so` lets a password of the intruder's choice in, and can keep
--     those of others.
-- @false-positive An administrator who sets up LDAP, a second factor or limits; `pam-auth-update` that was called by
--     hand.
-- @needs syscalls
-- @window 0s
-- @column ts             When the first of them was changed.
-- @column host           Machine.
-- @column upid           Process for good.
-- @column pid            Process id.
-- @column sentence       What was found.
-- @column exe            Program file of the process at the first of them.
-- @column file [key]     The first of the files, in the order of letters.
-- @column files [total]  How many files.
-- @caveat A file opened with `openat2` counts as changed: whether to write lies in a structure that is not recorded.
-- @caveat What a package manager and the scripts of packages do is left out; `ebrec report file_changes --path
--     '%/pam%'` has it.
-- @evidence SELECT ts, last_ts, comm, exe, operation, path, path2, calls, failures FROM file_accesses WHERE host =
--     {host} AND upid = {upid} AND (path = {file} OR path2 = {file}) ORDER BY ts, operation, path, path2
-- @fires attacks, persistence
-- @silent lookalikes, web, compiler, database, packages, cron, desktop
WITH
changes AS (
    SELECT
        host,
        upid,
        min(ts) AS ts,
        min(pid) AS pid,
        first_value(comm ORDER BY ts, file) AS comm,
        first_value(exe ORDER BY ts, file) AS exe,
        array_agg(DISTINCT file ORDER BY file) AS names
    FROM (
        SELECT *, CASE WHEN operation IN ('rename', 'link', 'symlink') THEN path2 ELSE path END AS file
        FROM file_accesses
    )
    WHERE
        operation IN ('write', 'open', 'rename', 'link', 'symlink')
        AND failures < calls
        AND regexp_like(
            file,
            '^(/proc/[^/]+/root|/host(fs)?|/rootfs|/mnt)?/'
                || '(etc/pam\.(d/.|conf$)|etc/security/pam_env\.conf$|(usr/)?lib(64)?/([^/]+/)?security/pam_[^/]+$)'
        )
        AND NOT regexp_like(coalesce(exe, ''), '^/usr/bin/(authselect|authconfig)$')
    GROUP BY host, upid
)
SELECT
    c.ts,
    c.host,
    c.upid,
    c.pid,
    concat(
        c.comm,
        ' changed ',
        CASE array_length(c.names)
            WHEN 1 THEN 'a file that decides about logins: '
            ELSE concat(array_length(c.names), ' files that decide about logins: ')
        END,
        array_to_string(array_slice(c.names, 1, 5), ', '),
        CASE WHEN array_length(c.names) > 5 THEN ', ...' ELSE '' END
    ) AS sentence,
    c.exe,
    c.names[1] AS file,
    CAST(array_length(c.names) AS BIGINT) AS files
FROM changes c
-- What runs a manager now was another program when it did this.
LEFT ANTI JOIN package_work k
    ON c.host = k.host AND c.upid = k.upid AND (k.depth > 0 OR c.exe = k.exe)
ORDER BY c.ts, c.host, c.upid
