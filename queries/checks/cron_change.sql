-- # Scheduled jobs changed
-- Who changed what cron, anacron or at will run? One row per process that did. Look at what the file has now, and at
-- who started the process.
-- @severity medium
-- @technique T1053.003, T1053.002
-- @rationale A job of cron runs again after a reboot, as any user that its writer chooses: it is the cheapest way to
--     stay. The folders are also looked for behind the usual mount points of a machine's disk in a container, and
--     behind `/proc/PID/root`.
-- @false-positive An administrator who edits a table with `crontab -e` or an editor: the process has a terminal's shell
--     above it, and the file says what was meant.
-- @false-positive Ansible, Puppet, Chef and cloud-init place files of cron: their agent stands above the process.
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
--     '/etc/cron%'` has it.
-- @evidence SELECT ts, last_ts, comm, exe, operation, path, path2, calls, failures FROM file_accesses WHERE host =
--     {host} AND upid = {upid} AND (path = {file} OR path2 = {file}) ORDER BY ts, operation, path, path2
-- @fires attacks, persistence, intrusion
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
            '^(/proc/[^/]+/root|/host(fs)?|/rootfs|/mnt)?/etc/'
                || '(cron\.(d|hourly|daily|weekly|monthly|yearly)/.|(cron|anacron)tab$|crontabs/.)'
                || '|^(/proc/[^/]+/root|/host(fs)?|/rootfs|/mnt)?/var/spool/(cron|at|anacron)/.'
        )
        AND NOT regexp_like(coalesce(exe, ''), '^/(usr/)?s?bin/(cron|crond|anacron|atd)$')
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
            WHEN 1 THEN 'a file of scheduled jobs: '
            ELSE concat(array_length(c.names), ' files of scheduled jobs: ')
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
