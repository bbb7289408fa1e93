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
-- @fires execution
-- @silent web, compiler, database
WITH RECURSIVE
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
),
-- Programs that stand behind a finding: the program itself, who started it, who started that one, and so on.
lineage AS (
    SELECT host, upid, upid AS above, concat(exe, ' ') AS program, 0 AS depth FROM changes
    UNION ALL
    SELECT l.host, l.upid, p.parent_upid, concat(p.exe, ' ', p.argv, ' '), l.depth + 1
    FROM lineage l
    JOIN processes p ON l.host = p.host AND l.above = p.upid
    WHERE l.depth < 12
),
packaged AS (
    SELECT DISTINCT host, upid
    FROM lineage
    WHERE regexp_like(
        program,
        '^/(usr/)?s?bin/(dpkg|rpm|dnf5|microdnf|zypper|pacman|apk|opkg|xbps-install) '
            || '|^/usr/lib(exec)?/packagekitd '
            || '|^/usr/(bin|libexec)/(platform-)?python3[.0-9]* [^ ]+ (-[EISsuB]+ )?/usr/bin/(dnf|dnf-3|yum) '
    )
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
LEFT ANTI JOIN packaged k ON c.host = k.host AND c.upid = k.upid
ORDER BY c.ts, c.host, c.upid
