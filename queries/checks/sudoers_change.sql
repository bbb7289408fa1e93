-- # Rules of sudo changed
-- Who changed what sudo, doas or polkit allow? One row per process that did, or that made a link which leads there.
-- Look at the files and at who started the process.
-- @severity high
-- @technique T1548.003
-- @rationale One line lets any user be root without a password, today and after every change of passwords.
-- @false-positive An administrator with `visudo`, and tools that set up machines, such as cloud-init and Ansible: they
--     stand above the process.
-- @needs syscalls
-- @window 0s
-- @column ts        When the first of them was changed.
-- @column host      Machine.
-- @column upid      Process for good.
-- @column pid       Process id.
-- @column sentence  What was found.
-- @column exe       Program file of the process, as last known.
-- @column file      The first of the files, in the order of letters.
-- @column files [total]  How many files.
-- @caveat A file opened with `openat2` counts as changed: whether to write lies in a structure that is not recorded.
-- @caveat What a package manager and the scripts of packages do is left out.
-- @evidence SELECT ts, last_ts, comm, exe, operation, path, path2, calls, failures FROM file_accesses WHERE host =
--     {host} AND upid = {upid} AND (path = {file} OR path2 = {file}) ORDER BY ts, operation, path, path2
-- @next ebrec explain --pid {pid} --at {ts}
-- @fires attacks, execution
-- @silent lookalikes, web, compiler, database, packages, cron, desktop
WITH
changes AS (
    SELECT
        host,
        upid,
        min(ts) AS ts,
        min(pid) AS pid,
        first_value(comm ORDER BY ts, file) AS comm,
        min(exe) AS exe,
        array_agg(DISTINCT file ORDER BY file) AS names
    FROM (
        -- A link that leads there is a way to change it by another name.
        SELECT ts, host, upid, pid, comm, exe, operation, calls, failures, path AS file FROM file_accesses
        UNION ALL
        SELECT ts, host, upid, pid, comm, exe, operation, calls, failures, path2 AS file
        FROM file_accesses
        WHERE path2 IS NOT NULL
    )
    WHERE
        operation IN ('write', 'open', 'rename', 'link', 'symlink', 'chmod', 'chown')
        AND failures < calls
        AND regexp_like(
            file,
            '^(/proc/[^/]+/root|/host(fs)?|/rootfs|/mnt)?'
                || '(/usr/local)?/(etc/(sudoers$|sudoers[.]d/.|doas[.](conf$|d/.)'
                || '|polkit-1/(rules[.]d|localauthority)/.)|usr/share/polkit-1/(rules[.]d|actions)/.)'
        )
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
            WHEN 1 THEN 'what users may do as root: '
            ELSE concat(array_length(c.names), ' files of what users may do as root: ')
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
