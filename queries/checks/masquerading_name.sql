-- # Program under a false name
-- Did a program call itself a thread of the kernel, run as a daemon of the system from a folder that is open to all, or
-- have a name that is not what it looks like? One row per program file and name.
-- @severity high
-- @technique T1036.004, T1036.005, T1036.006
-- @rationale Names are what people look at in `ps`. Threads of the kernel have no program file, daemons of the system
--     lie below `/usr`, and no name of a file ends with a blank.
-- @false-positive A daemon that is built and tested in `/tmp`.
-- @false-positive A program that names its threads after those of the kernel.
-- @needs process_events
-- @window 0s
-- @column ts                 When it first had the name.
-- @column host               Machine.
-- @column upid               Process for good.
-- @column pid                Process id.
-- @column sentence           What was found.
-- @column exe [key]          Program file.
-- @column name [key]         The name.
-- @column processes [total]  How many processes had it.
-- @caveat A name that a program writes over its own arguments, rather than asking the kernel for it, is not recorded.
-- @evidence SELECT ts, pid, comm, event, new_comm, exe, argv FROM process_events WHERE host = {host} AND upid = {upid}
--     AND event IN ('exec', 'rename') ORDER BY ts
-- @fires attacks, persistence, intrusion
-- @silent lookalikes, web, compiler, database, packages, cron, desktop
WITH
named AS (
    SELECT ts, host, upid, pid, exe, comm AS name FROM execs
    UNION ALL
    -- What another program gave it as its first argument, which `ps` shows.
    SELECT ts, host, upid, pid, exe, trim(regexp_replace(argv, '^(''[^'']*''|[^ ]*).*$', '\1'), '''') AS name FROM execs
    UNION ALL
    SELECT r.ts, r.host, r.upid, r.pid, p.exe, r.new_comm AS name
    FROM processes p
    JOIN process_events r ON p.host = r.host AND p.upid = r.upid
    WHERE r.event = 'rename'
),
tricks AS (
    SELECT ts, host, upid, pid, exe, name, 'the name of a thread of the kernel' AS trick
    FROM named
    WHERE
        exe IS NOT NULL
        AND regexp_like(
            name,
            '^\[[^ ]+\]$|^\[?(kworker|ksoftirqd|kthreadd|kswapd|kdevtmpfs|kintegrityd|kblockd|khugepaged|kcompactd'
                || '|kauditd|khungtaskd|kthrotld|jbd2|migration/|rcu_(sched|preempt|tasks)|cpuhp/|irq/|scsi_eh|oom_)'
        )
    UNION ALL
    SELECT ts, host, upid, pid, exe, name, 'the name of a daemon of the system' AS trick
    FROM named
    WHERE
        regexp_like(exe, '^/(tmp|var/tmp|dev/shm|dev/mqueue|run/(shm|lock|user/[0-9]+))/|^/(home/[^/]+|root)/\.')
        AND regexp_like(
            name,
            '^(/.*/)?(init|systemd(-[a-z]+)?|sshd|crond?|anacron|atd|rsyslogd|auditd|dbus-daemon|udevd|agetty|polkitd'
                || '|dhclient|NetworkManager|chronyd|ntpd|cupsd|apache2|httpd|nginx|mysqld|dockerd|containerd|snapd'
                || '|irqbalance)(:.*)?$'
        )
    UNION ALL
    -- Blanks at the end, and characters that take no room or turn the direction of writing.
    SELECT ts, host, upid, pid, exe, name, 'a name that does not look as it is' AS trick
    FROM named
    WHERE regexp_like(base_name(exe), '\s$|[\x{a0}\x{200b}-\x{200f}\x{202a}-\x{202e}\x{2060}\x{2066}-\x{2069}\x{feff}]')
)
SELECT
    min(ts) AS ts,
    host,
    first_value(upid ORDER BY ts, upid) AS upid,
    first_value(pid ORDER BY ts, upid) AS pid,
    concat(exe, ' ran as "', name, '", ', min(trick)) AS sentence,
    exe,
    name,
    count(DISTINCT upid) AS processes
FROM tricks
GROUP BY host, exe, name
ORDER BY ts, host, upid, exe, name
