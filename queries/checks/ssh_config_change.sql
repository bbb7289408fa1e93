-- # Settings of the SSH server changed
-- Who changed how `sshd` lets users in, or what runs at each login? One row per process that did.
-- @severity medium
-- @technique T1098.004, T1021.004
-- @rationale A line in `sshd_config` lets root in with a password, or takes keys from another file; `sshrc` and
--     `~/.ssh/rc` run at each login.
-- @false-positive An administrator, Ansible or cloud-init that sets the server up: who started the process says so.
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
--     '/etc/ssh/%'` has it.
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
            '^(/proc/[^/]+/root|/host(fs)?|/rootfs|/mnt)?/etc/ssh/(sshd_config$|sshd_config\.d/.|sshrc$)'
                || '|(^|/)\.ssh/rc$'
        )
        AND NOT regexp_like(coalesce(exe, ''), '^/usr/bin/google_guest_agent$')
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
            WHEN 1 THEN 'a file of the SSH server: '
            ELSE concat(array_length(c.names), ' files of the SSH server: ')
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
