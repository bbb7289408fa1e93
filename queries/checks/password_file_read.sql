-- # Hashes of passwords read
-- Who read the hashes of passwords, or made a link to them, and is no program that checks or keeps passwords? One row
-- per process.
-- @severity high
-- @technique T1003.008
-- @rationale Hashes that were copied can be broken elsewhere, unseen. Nothing but logins, `sudo` and their like needs
--     them.
-- @false-positive A backup of all of `/etc`: tar, rsync, borg and restic read what is there. Name the program in a
--     suppression.
-- @false-positive Perl reads `/etc/shadow` when a script of root asks for a user by `getpwnam`. Scripts that are
--     installed below `/usr` are left out, others are not.
-- @false-positive Scanners that audit the machine, such as lynis and OpenSCAP.
-- @needs syscalls
-- @window 0s
-- @column ts          When the first of them was read.
-- @column host        Machine.
-- @column upid        Process for good.
-- @column pid         Process id.
-- @column sentence    What was found.
-- @column exe         Program file of the process at the first of them.
-- @column file [key]  The first of the files, in the order of letters.
-- @caveat Attempts that failed are not told.
-- @caveat What packages do while they are installed is left out.
-- @evidence SELECT ts, last_ts, comm, exe, operation, path, path2, calls, failures FROM file_accesses WHERE host =
--     {host} AND upid = {upid} AND (path = {file} OR path = '/etc') ORDER BY ts, operation, path, path2
-- @fires attacks, persistence, intrusion
-- @silent lookalikes, web, compiler, database, packages, cron, desktop
WITH RECURSIVE
reads AS (
    SELECT
        f.host,
        f.upid,
        min(f.ts) AS ts,
        min(f.pid) AS pid,
        first_value(f.comm ORDER BY f.ts, f.path) AS comm,
        first_value(f.exe ORDER BY f.ts, f.path) AS exe,
        array_agg(DISTINCT f.path ORDER BY f.path) AS names
    FROM file_accesses f
    WHERE
        -- Of a link, `path` is what it points to.
        f.operation IN ('read', 'open', 'link', 'symlink', 'rename')
        AND f.failures < f.calls
        AND regexp_like(
            f.path,
            '^(/proc/[^/]+/root|/host(fs)?|/rootfs|/mnt)?/etc/(security/opasswd|(g?shadow)-?)$'
                || '|^/var/backups/g?shadow\.bak$'
        )
        AND NOT regexp_like(
            coalesce(f.exe, ''),
            '^/(usr/)?s?bin/(login|sshd|su|sudo|doas|passwd|chpasswd|chgpasswd|chage|chfn|chsh|gpasswd|newgrp|sg|expiry'
                || '|newusers|user(add|del|mod)|group(add|del|mod|mems)|vipw|vigr|pwck|grpck|(pw|grp)(un)?conv'
                || '|unix_(chkpwd|update)|update-passwd|runuser|sulogin|vlock|crond?|anacron|atd?|nscd|sssd|cupsd|smbd'
                || '|vsftpd|proftpd|saslauthd|lightdm|gdm3?|sddm|xdm|xrdp-sesman|systemd-sysusers)$'
                || '|^/usr/lib(exec)?/(systemd/[^ ]+|openssh/sshd-[a-z]+|(polkit-1/)?polkit-agent-helper-1'
                || '|(accountsservice/)?accounts-daemon|sssd/[a-z_]+|dovecot/auth|(x86_64-linux-gnu/sddm/)?sddm-helper'
                || '|(gdm3?/)?gdm-session-worker)$'
        )
    GROUP BY f.host, f.upid
),
-- Programs that stand behind a finding: the program itself, who started it, who started that one, and so on.
lineage AS (
    SELECT host, upid, upid AS above, concat(exe, ' ') AS program, 0 AS depth FROM reads
    UNION ALL
    SELECT l.host, l.upid, p.parent_upid, concat(p.exe, ' ', p.argv, ' '), l.depth + 1
    FROM lineage l
    JOIN processes p ON l.host = p.host AND l.above = p.upid
    WHERE l.depth < 12
),
packaged AS (
    SELECT DISTINCT host, upid
    FROM lineage
    WHERE
        regexp_like(
            program,
            '^/(usr/)?s?bin/(dpkg|rpm|dnf5|microdnf|zypper|pacman|apk|opkg|xbps-install) '
                || '|^/usr/lib(exec)?/packagekitd '
                || '|^/usr/(bin|libexec)/(platform-)?python3[.0-9]* [^ ]+ (-[EISsuB]+ )?/usr/bin/(dnf|dnf-3|yum) '
                || '|^/usr/bin/(da|ba)?sh [^ ]+ /etc/cron\.daily/passwd '
        )
        -- Perl reads the file when a script of root asks for a user: one that is installed may, what it starts may not.
        OR (
            depth = 1
            AND regexp_like(program, '^/usr/bin/perl[.0-9]* [^ ]+ (-[Tw]+ )*/usr/(s?bin|lib|share)/[^ ]+ ')
        )
)
SELECT
    r.ts,
    r.host,
    r.upid,
    r.pid,
    concat(r.comm, ' read hashes of passwords: ', array_to_string(r.names, ', ')) AS sentence,
    r.exe,
    r.names[1] AS file
FROM reads r
LEFT ANTI JOIN packaged k ON r.host = k.host AND r.upid = k.upid
ORDER BY r.ts, r.host, r.upid
