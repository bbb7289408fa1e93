-- # Tool of security killed
-- Who ended or stopped a tool that watches the machine, by a signal? One row per process.
-- @severity high
-- @technique T1562.001
-- @rationale Before the noisy part of an intrusion, what would tell of it is stopped. Such a tool is ended by the
--     manager of services, or by who started it, and by nobody else.
-- @false-positive An administrator who restarts or updates a tool by hand: it comes back within seconds.
-- @false-positive A script of tests that ends the recorder which another process started.
-- @needs signals
-- @window 0s
-- @column ts              When the first signal was sent.
-- @column host            Machine.
-- @column upid            Process for good.
-- @column pid             Process id.
-- @column sentence        What was found.
-- @column exe             Program file of the process at the first of them.
-- @column acts [key]      What it did, at most three.
-- @column number [total]  How many different things.
-- @caveat What the manager of services and the runtimes of containers send is left out, and what packages send while
--     they are installed. Who asked the manager for it, `security_tool_tampering` tells.
-- @evidence SELECT ts, comm, event, signal, code, target_comm, target_pid, result FROM signals WHERE host = {host} AND
--     upid = {upid} AND event = 'sent' ORDER BY ts, target_pid
-- @fires attacks, persistence
-- @silent lookalikes, web, compiler, database, packages, cron, desktop
WITH
acts AS (
    SELECT
        s.ts, s.host, s.upid, s.pid, s.comm, p.exe,
        concat('sent ', s.signal, ' to ', s.target_comm) AS act
    FROM signals s
    LEFT JOIN processes t ON s.host = t.host AND s.target_upid = t.upid
    LEFT JOIN processes p ON s.host = p.host AND s.upid = p.upid
    WHERE
        s.event = 'sent'
        AND s.signal IN ('SIGKILL', 'SIGTERM', 'SIGSTOP', 'SIGINT', 'SIGQUIT', 'SIGABRT', 'SIGSEGV')
        AND regexp_like(
            concat(' ', base_name(t.exe), ' ', s.target_comm, ' '),
            ' (auditd|audispd|falco|sysdig|tracee|tetragon|kunai|ebrec|osqueryd?|(wazuh|ossec)-[a-z]+|clamd'
                || '|fail2ban-server|rsyslogd|syslog-ng|systemd-journald?|crowdsec|suricata|snort|samhain|auditbeat'
                || '|elastic-(agent|endpoint?)|falcon-sensor|wdavdaemon|mdatp|cbagentd|cbdaemon|ds_agent|s1-agent'
                || '|sophos[a-z-]*) '
        )
        -- A signal of the kernel is told of its target.
        AND s.upid <> s.target_upid
        AND (t.parent_upid IS DISTINCT FROM s.upid)
        AND NOT regexp_like(
            coalesce(p.exe, ''),
            '^/(usr/)?(lib/systemd/systemd(-shutdown|-executor)?'
                || '|s?bin/(init|killall5|runc|crun|dockerd|containerd-shim[^ ]*))$'
        )
),
found AS (
    SELECT
        host,
        upid,
        min(ts) AS ts,
        min(pid) AS pid,
        first_value(comm ORDER BY ts, act) AS comm,
        first_value(exe ORDER BY ts, act) AS exe,
        array_agg(DISTINCT act ORDER BY act) AS acts
    FROM acts
    GROUP BY host, upid
)
SELECT
    t.ts,
    t.host,
    t.upid,
    t.pid,
    concat(
        t.comm, ' ', array_to_string(array_slice(t.acts, 1, 3), ', '),
        CASE WHEN array_length(t.acts) > 3 THEN concat(' and ', array_length(t.acts) - 3, ' more') ELSE '' END
    ) AS sentence,
    t.exe,
    array_to_string(array_slice(t.acts, 1, 3), ', ') AS acts,
    CAST(array_length(t.acts) AS BIGINT) AS number
FROM found t
-- What runs a manager now was another program when it did this.
LEFT ANTI JOIN package_work k
    ON t.host = k.host AND t.upid = k.upid AND (k.depth > 0 OR t.exe = k.exe)
ORDER BY t.ts, t.host, t.upid
