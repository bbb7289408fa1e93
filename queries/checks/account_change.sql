-- # Accounts changed behind the back of their tools
-- Did a program other than those that keep the accounts change users, passwords or groups? One row per process that
-- did.
-- @severity high
-- @technique T1136.001, T1098
-- @rationale `passwd`, `useradd` and their like lock these files and check what they write. Who writes them otherwise
--     adds a user with the number of root, or gives one a password.
-- @false-positive An administrator who edits the files with an editor instead of `vipw`.
-- @false-positive A tool that builds an image in a folder and has changed its root to it.
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
-- @caveat Opened with `openat2`, a file is not seen to be changed: whether to write lies in a structure that is not
--     recorded.
-- @caveat What the tools of accounts do themselves is not told: `ebrec query "SELECT * FROM execs WHERE exe LIKE
--     '%/useradd'"`.
-- @evidence SELECT ts, last_ts, comm, exe, operation, path, path2, calls, failures FROM file_accesses WHERE host =
--     {host} AND upid = {upid} AND (path = {file} OR path2 = {file}) ORDER BY ts, operation, path, path2
-- @fires attacks, persistence
-- @silent lookalikes, web, compiler, database, packages, cron, desktop
WITH changes AS (
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
        operation IN ('write', 'rename', 'link', 'symlink')
        AND failures < calls
        AND regexp_like(
            file,
            '^(/proc/[^/]+/root|/host(fs)?|/rootfs|/mnt)?/etc/'
                || '(passwd|shadow|group|gshadow|subuid|subgid|security/opasswd)$'
        )
        AND NOT regexp_like(
            coalesce(exe, ''),
            '^/(usr/)?s?bin/(passwd|chpasswd|chgpasswd|chage|chfn|chsh|gpasswd|newusers|user(add|del|mod)'
                || '|group(add|del|mod|mems)|vipw|vigr|pwck|grpck|(pw|grp)(un)?conv|unix_(chkpwd|update)|update-passwd'
                || '|login|sshd|su|sudo)$'
                || '|^/(usr/)?(bin/systemd-sysusers|lib/systemd/systemd-homed|lib/openssh/sshd-session)$'
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
            WHEN 1 THEN 'a file of accounts: '
            ELSE concat(array_length(c.names), ' files of accounts: ')
        END,
        array_to_string(array_slice(c.names, 1, 5), ', '),
        CASE WHEN array_length(c.names) > 5 THEN ', ...' ELSE '' END
    ) AS sentence,
    c.exe,
    c.names[1] AS file,
    CAST(array_length(c.names) AS BIGINT) AS files
FROM changes c
ORDER BY c.ts, c.host, c.upid
