-- # Machine looked over
-- Did one program start many of the tools that tell about a machine within a short time? One row per such program.
-- @severity medium
-- @technique T1082, T1033, T1016, T1049, T1057, T1087.001
-- @rationale The first minute of somebody who came in new: who am I, where am I, what runs here, who else is here.
-- @false-positive Scripts that gather facts, such as those of Ansible, of `sosreport` and of inventories, run the same:
--     who started them says so.
-- @false-positive A shell that prints facts about the machine at each login.
-- @needs process_events
-- @param tools integer 6  From how many different tools on it is told.
-- @param within duration 1m  In which time.
-- @window 1m
-- @column ts             When the last of the first such stretch was run.
-- @column host           Machine.
-- @column upid           Process for good.
-- @column pid            Process id.
-- @column sentence       What was found.
-- @column exe [key]      Program that started them.
-- @column tools [total]  How many different tools.
-- @column names          Their names.
-- @caveat Tools that were given another name are not known.
-- @caveat What a shell itself tells (`pwd`, `echo $USER`) starts no program.
-- @evidence SELECT e.ts, e.pid, e.comm, e.exe, e.argv, e.parent_pid FROM execs e LEFT JOIN processes p ON e.host =
--     p.host AND e.parent_upid = p.upid WHERE e.host = {host} AND (e.parent_upid = {upid} OR p.parent_upid = {upid})
--     ORDER BY e.ts, e.upid
-- @fires attacks, persistence, intrusion
-- @silent lookalikes, web, compiler, database, packages, cron, desktop
WITH
runs AS (
    SELECT
        e.host,
        CAST(e.ts AS BIGINT) AS ns,
        -- A subshell has run nothing of its own: who started the shell stands for it.
        CASE WHEN p.argv = g.argv AND p.exe = g.exe THEN g.upid ELSE e.parent_upid END AS starter,
        regexp_replace(
            CASE
                WHEN base_name(e.exe) IN ('busybox', 'toybox', 'coreutils')
                    THEN base_name(split_part(regexp_replace(e.argv, '^([^ ]*/)?(busy|toy)box ', ''), ' ', 1))
                ELSE base_name(e.exe)
            END,
            '[.](procps|traditional|openbsd)$', ''
        ) AS tool
    FROM execs e
    LEFT JOIN processes p ON e.host = p.host AND e.parent_upid = p.upid
    LEFT JOIN processes g ON p.host = g.host AND p.parent_upid = g.upid
),
-- Once for each tool and second, so that a loop does not make pairs of all its runs.
seconds AS (
    SELECT host, starter, tool, ns / 1000000000 AS second, min(ns) AS ns
    FROM runs
    WHERE
        regexp_like(
            tool,
            '^(whoami|id|groups|users|who|w|last|lastlog|getent|uname|hostname|hostnamectl|arch|lsb_release|uptime|ip'
                || '|ifconfig|route|arp|ss|netstat|lsof|ps|pstree|lscpu|lspci|lsblk|lsmod|lsusb|dmidecode|dmesg'
                || '|systemd-detect-virt|crontab|nmcli|iwconfig|findmnt|loginctl|timedatectl)$'
        )
    GROUP BY host, starter, tool, ns / 1000000000
),
many AS (
    SELECT host, starter FROM seconds GROUP BY host, starter HAVING count(DISTINCT tool) >= $tools
),
chosen AS (
    SELECT s.* FROM many m JOIN seconds s ON m.host = s.host AND m.starter = s.starter
),
stretches AS (
    SELECT
        a.host,
        a.starter,
        max(a.ns) AS ns,
        count(DISTINCT b.tool) AS tools,
        array_to_string(array_agg(DISTINCT b.tool ORDER BY b.tool), ', ') AS names
    FROM chosen a
    JOIN chosen b
        ON a.host = b.host AND a.starter = b.starter AND b.ns <= a.ns AND b.ns > a.ns - $within
    GROUP BY a.host, a.starter, a.ns
    HAVING count(DISTINCT b.tool) >= $tools
),
found AS (
    SELECT
        host,
        starter,
        min(ns) AS ns,
        first_value(tools ORDER BY tools DESC, ns) AS tools,
        first_value(names ORDER BY tools DESC, ns) AS names
    FROM stretches
    GROUP BY host, starter
)
SELECT
    to_timestamp_nanos(f.ns) AS ts,
    f.host,
    f.starter AS upid,
    p.pid,
    concat(
        coalesce(p.comm, 'a process'), ' started ', f.tools, ' tools that tell about the machine within ',
        human_duration($within), ': ', f.names
    ) AS sentence,
    p.exe,
    f.tools,
    f.names
FROM found f
LEFT JOIN processes p ON f.host = p.host AND f.starter = p.upid
ORDER BY ts, f.host, f.starter
