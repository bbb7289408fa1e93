-- # Start-up files of shells changed
-- Who changed what every shell runs when it starts? One row per process that did.
-- @severity medium
-- @technique T1546.004
-- @rationale A line in `/etc/profile` or `~/.bashrc` runs at the next login of that user, also of root, and can replace
--     `sudo` and `ssh` by a function that keeps passwords.
-- @false-positive A user who edits their own file, and installers that add themselves to `PATH` (rustup, conda, nvm):
--     who started the process says so.
-- @false-positive A repository of such files that is checked out.
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
--     '/etc/profile%'` has it.
-- @evidence SELECT ts, last_ts, comm, exe, operation, path, path2, calls, failures FROM file_accesses WHERE host =
--     {host} AND upid = {upid} AND (path = {file} OR path2 = {file}) ORDER BY ts, operation, path, path2
-- @fires attacks, persistence
-- @silent lookalikes, web, compiler, database, packages, cron, desktop
WITH RECURSIVE
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
            '^(/proc/[^/]+/root|/host(fs)?|/rootfs|/mnt)?/etc/(profile|profile\.d/.+|bash\.bashrc|bashrc|environment'
                || '|csh\.(cshrc|login)|(zsh/)?z(shrc|shenv|profile|login|logout)|fish/(config\.fish|conf\.d/.+))$'
                -- Of a home, also by a path relative to it.
                || '|^((/root|/home/[^/]+|/var/lib/[^/]+|/var/www)/)?(\.(bashrc|bash_(profile|login|logout|aliases)'
                || '|profile|z(shrc|shenv|profile|login|logout)|cshrc|tcshrc|login|kshrc|pam_environment)'
                || '|\.config/fish/(config\.fish|conf\.d/.+))$'
        )
        AND NOT regexp_like(
            coalesce(exe, ''), '^/(usr/)?(s?bin|libexec/oddjob)/(useradd|usermod|newusers|mkhomedir(_helper)?)$'
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
            || '|^/usr/bin/perl[.0-9]* [^ ]+ (-[Tw]+ )?/usr/sbin/adduser '
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
            WHEN 1 THEN 'a start-up file of shells: '
            ELSE concat(array_length(c.names), ' start-up files of shells: ')
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
