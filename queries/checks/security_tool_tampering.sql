-- # Tool of security switched off
-- Who had a tool that watches the machine stopped or disabled, or the rules of the audit removed? One row per process.
-- @severity high
-- @technique T1562.001, T1562.012
-- @rationale Before the noisy part of an intrusion, what would tell of it is switched off. In the ordinary life of a
--     machine it is restarted, not stopped.
-- @false-positive An administrator who takes a tool out of service.
-- @needs process_events
-- @window 0s
-- @column ts              When the first of it was run.
-- @column host            Machine.
-- @column upid            Process for good.
-- @column pid             Process id.
-- @column sentence        What was found.
-- @column exe             Program file of the process at the first of them.
-- @column acts [key]      What it did, at most three.
-- @column number [total]  How many different things.
-- @caveat What packages do while they are installed is left out.
-- @caveat Who kills a tool instead, `security_tool_killed` tells.
-- @evidence SELECT ts, pid, comm, exe, argv, parent_pid, parent_comm, parent_argv FROM execs WHERE host = {host} AND
--     upid = {upid} ORDER BY ts
-- @fires attacks, persistence
-- @silent lookalikes, web, compiler, database, packages, cron, desktop
WITH
acts AS (
    SELECT ts, host, upid, pid, comm, exe, concat('ran ', left(argv, 200)) AS act
    FROM execs
    WHERE
        regexp_like(
            concat(base_name(exe), ' ', argv, ' '),
            '^systemctl [^ ]+ (.* )?(stop|disable|mask|kill) (.* )?'
                || '(auditd|audispd|falco|sysdig|tracee|tetragon|kunai|ebrec|osqueryd?|(wazuh|ossec)-[a-z]+|clamd'
                || '|fail2ban-server|rsyslogd|syslog-ng|systemd-journald?|crowdsec|suricata|snort|samhain|auditbeat'
                || '|elastic-(agent|endpoint?)|falcon-sensor|wdavdaemon|mdatp|cbagentd|cbdaemon|ds_agent|s1-agent'
                || '|sophos[a-z-]*'
                || '|rsyslog|fail2ban|clamav-[a-z]+|falco-[a-z-]+)(\.service|\.socket)? '
                || '|^auditctl [^ ]+ (.* )?(-D|-e 0) '
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
