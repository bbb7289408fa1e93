-- # Logs of the system tampered with
-- Who removed, replaced, cut or wrote logs of the system, or the records of logins, and is no program that keeps logs?
-- One row per process.
-- @severity high
-- @technique T1070.002
-- @rationale Logs are the memory of the machine: an intruder removes what tells of the login, or the whole file.
-- @false-positive An administrator who makes room on a full disk with `truncate` or `rm`.
-- @false-positive A program that writes these files instead of sending its lines to the logger, and a logger that is
--     not known here, such as that of busybox.
-- @needs syscalls
-- @window 0s
-- @column ts             When the first of them was touched.
-- @column host           Machine.
-- @column upid           Process for good.
-- @column pid            Process id.
-- @column sentence       What was found.
-- @column exe            Program file of the process at the first of them.
-- @column file [key]     The first of the files, in the order of letters.
-- @column files [total]  How many files.
-- @column operations     What was done to them.
-- @caveat What `logrotate` and the scripts of packages start is left out.
-- @evidence SELECT ts, last_ts, comm, exe, operation, path, path2, calls, failures FROM file_accesses WHERE host =
--     {host} AND upid = {upid} AND (path = {file} OR path2 = {file}) ORDER BY ts, operation, path, path2
-- @fires attacks, persistence, intrusion
-- @silent lookalikes, web, compiler, database, packages, cron, desktop
WITH RECURSIVE
touched AS (
    SELECT host, upid, ts, pid, comm, exe, calls, failures, operation, path AS file
    FROM file_accesses
    WHERE operation IN ('write', 'unlink', 'truncate', 'rename', 'rmdir')
    UNION ALL
    SELECT host, upid, ts, pid, comm, exe, calls, failures, operation, path2 AS file
    FROM file_accesses
    WHERE operation IN ('rename', 'link', 'symlink')
),
found AS (
    SELECT
        host,
        upid,
        min(ts) AS ts,
        min(pid) AS pid,
        first_value(comm ORDER BY ts, file) AS comm,
        first_value(exe ORDER BY ts, file) AS exe,
        array_agg(DISTINCT file ORDER BY file) AS names,
        array_agg(DISTINCT operation ORDER BY operation) AS operations
    FROM touched
    WHERE
        failures < calls
        AND regexp_like(
            file,
            '^(/proc/[^/]+/root|/host(fs)?|/rootfs|/mnt)?/var/log/'
                || '((auth|kern|daemon|user|mail|cron|sudo)\.log|secure|syslog|messages|maillog|cron|wtmp|btmp|utmp'
                || '|lastlog|faillog|tallylog|(audit|journal|nginx|apache2|httpd)(/.+)?)'
                || '(\.[0-9]+)?(\.(gz|xz|zst))?$|^(/var)?/run/utmp$|^/var/log$'
        )
        AND NOT regexp_like(
            coalesce(exe, ''),
            '^/(usr/)?s?bin/(rsyslogd|syslog-ng|syslogd|klogd|metalog|logrotate|auditd|augenrules|login|sshd|su|sudo'
                || '|crond?|atd|init|a?getty|utmpdump|faillog|lastlog|faillock|pam_tally2|lightdm|gdm3?|sddm|xdm'
                || '|vsftpd|nginx|apache2|httpd|lighttpd|caddy|screen|vector|fluent-bit|filebeat|promtail)$'
                || '|^/(usr/)?lib(exec)?/(systemd/[^ ]+|openssh/sshd-[a-z]+|(x86_64-linux-gnu/)?utempter/utempter'
                || '|gdm[^ ]*|sddm[^ ]*)$'
        )
    GROUP BY host, upid
),
-- Programs that stand behind a finding: the program itself, who started it, who started that one, and so on.
lineage AS (
    SELECT host, upid, upid AS above, concat(exe, ' ') AS program, 0 AS depth FROM found
    UNION ALL
    SELECT l.host, l.upid, p.parent_upid, concat(p.exe, ' ', p.argv, ' '), l.depth + 1
    FROM lineage l
    JOIN processes p ON l.host = p.host AND l.above = p.upid
    WHERE l.depth < 12
),
rotated AS (
    SELECT DISTINCT host, upid
    FROM lineage
    WHERE regexp_like(
        program,
        '^/(usr/)?s?bin/logrotate '
            || '|^/(usr/)?s?bin/(dpkg|rpm|dnf5|microdnf|zypper|pacman|apk|opkg|xbps-install) '
            || '|^/usr/lib(exec)?/packagekitd '
            || '|^/usr/(bin|libexec)/(platform-)?python3[.0-9]* [^ ]+ (-[EISsuB]+ )?/usr/bin/(dnf|dnf-3|yum) '
    )
)
SELECT
    t.ts,
    t.host,
    t.upid,
    t.pid,
    concat(
        t.comm,
        ' tampered with ',
        array_to_string(array_slice(t.names, 1, 5), ', '),
        CASE WHEN array_length(t.names) > 5 THEN ', ...' ELSE '' END,
        ' (', array_to_string(t.operations, ', '), ')'
    ) AS sentence,
    t.exe,
    t.names[1] AS file,
    CAST(array_length(t.names) AS BIGINT) AS files,
    array_to_string(t.operations, ', ') AS operations
FROM found t
LEFT ANTI JOIN rotated k ON t.host = k.host AND t.upid = k.upid
ORDER BY t.ts, t.host, t.upid
