-- # Processes looked through
-- Which program that is not one for it looked through the processes of the machine? One row per process, or per parent
-- of several that did.
-- @severity low
-- @technique T1057
-- @rationale Who came in new looks for security tools, other miners and programs with secrets. A program that is not
--     `ps` does so in `/proc`.
-- @false-positive Agents for monitoring, desktops and managers of services do the same for their work; which program it
--     is tells.
-- @needs syscalls
-- @param processes integer 20  From how many processes within a minute on it is told.
-- @window 1m
-- @column ts               When the last of the first such minute was opened.
-- @column host             Machine.
-- @column upid             Process for good.
-- @column pid              Process id.
-- @column sentence         What was found.
-- @column exe [key]        Its program file; where several of its children did it, that of their parent.
-- @column targets [total]  Processes that were looked at.
-- @column refused [total]  Those that could not be.
-- @caveat The number of a process is compared with that of the reader: in a container of its own numbers, a process
--     that reads itself counts.
-- @evidence SELECT f.ts, f.comm, f.exe, f.operation, f.path, f.calls, f.failures FROM file_accesses f JOIN processes p
--     ON f.host = p.host AND f.upid = p.upid WHERE f.host = {host} AND (f.upid = {upid} OR p.parent_upid = {upid}) AND
--     f.path LIKE '/proc/%' ORDER BY f.ts, f.path
-- @fires attacks, persistence
-- @silent lookalikes, web, compiler, database, packages, cron, desktop
WITH
reads AS (
    SELECT
        f.host,
        coalesce(p.parent_upid, f.upid) AS family,
        f.upid,
        time_bucket(f.ts, 60000000000) AS minute,
        split_part(f.path, '/', 3) AS target,
        max(f.ts) AS ts,
        min(f.failures) > 0 AS is_refused
    FROM file_accesses f
    LEFT JOIN processes p ON f.host = p.host AND f.upid = p.upid
    WHERE
        f.operation IN ('read', 'open')
        AND regexp_like(f.path, '^/proc/[0-9]+/(task/[0-9]+/)?(cmdline|status|stat|comm|maps|cgroup)$')
        AND split_part(f.path, '/', 3) <> CAST(f.pid AS VARCHAR)
        AND NOT regexp_like(
            concat(f.exe, ' ', p.argv, ' '),
            '^/(usr/)?s?bin/(ps|[abh]?top|pgrep|pkill|pidof|pidwait|killall5?|pstree|lsof|fuser|ss|netstat'
                || '|w([.]procps)?|who|uptime|iotop|pidstat|nethogs|systemctl|loginctl|dockerd|containerd|runc|crun'
                || '|conmon|podman|lxcfs|perf|strace|gdb|bpftrace|ebrec|sysdig|falco|auditd|polkitd|NetworkManager'
                || '|irqbalance|earlyoom|user(del|mod)|X(org|vfb|wayland|nest|ephyr)?'
                || '|(prometheus-)?(node|process)[-_]exporter|collectd|telegraf|zabbix_agent(d|2)) '
                || '|^/(usr/)?lib(exec)?/(systemd|polkit-1|xorg)/'
                || '|^/usr/bin/(perl|python3)[.0-9]* [^ ]+ (-[EISsuBTw]+ )?/usr/s?bin/(needrestart|glances|iotop) '
        )
    GROUP BY
        f.host, coalesce(p.parent_upid, f.upid), f.upid, time_bucket(f.ts, 60000000000), split_part(f.path, '/', 3)
),
-- A shell that runs `cat` for each process does what one that reads them all does by itself: those that read few each
-- are taken together and told as their parent.
blamed AS (
    SELECT
        host, minute, target, ts, is_refused,
        CASE WHEN count(*) OVER (PARTITION BY host, upid, minute) >= $processes THEN upid ELSE family END AS upid
    FROM reads
),
minutes AS (
    SELECT
        host,
        upid,
        max(ts) AS ts,
        count(DISTINCT target) AS targets,
        count(DISTINCT CASE WHEN is_refused THEN target END) AS refused
    FROM blamed
    GROUP BY host, upid, minute
    HAVING count(DISTINCT target) >= $processes
),
found AS (
    SELECT
        host,
        upid,
        min(ts) AS ts,
        first_value(targets ORDER BY ts, targets) AS targets,
        first_value(refused ORDER BY ts, targets) AS refused
    FROM minutes
    GROUP BY host, upid
)
SELECT
    m.ts,
    m.host,
    m.upid,
    p.pid,
    concat(
        coalesce(p.comm, 'a process'),
        ' looked at ',
        m.targets,
        ' other processes within a minute',
        CASE WHEN m.refused > 0 THEN concat(', of which ', m.refused, ' were refused') ELSE '' END
    ) AS sentence,
    p.exe,
    m.targets,
    m.refused
FROM found m
LEFT JOIN processes p ON m.host = p.host AND m.upid = p.upid
ORDER BY m.ts, m.host, m.upid
