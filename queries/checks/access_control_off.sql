-- # Rules of the kernel taken out of force
-- Who switched SELinux or AppArmor off, or the tracing that tools of security use? One row per process.
-- @severity high
-- @technique T1562.001
-- @rationale These rules hold even against root, so an intruder with root must get rid of them first.
-- @false-positive An administrator who looks for a fault by `setenforce 0`: it should be back soon, and not in
--     production.
-- @needs process_events, syscalls
-- @window 0s
-- @column ts              When the first of it was done.
-- @column host            Machine.
-- @column upid            Process for good.
-- @column pid             Process id.
-- @column sentence        What was found.
-- @column exe             Program file of the process at the first of them.
-- @column acts [key]      What it did, at most three.
-- @column number [total]  How many different things.
-- @caveat What packages do while they are installed is left out.
-- @evidence SELECT ts, comm, exe, argv AS what FROM execs WHERE host = {host} AND upid = {upid} UNION ALL SELECT ts,
--     comm, exe, concat(operation, ' ', path) FROM file_accesses WHERE host = {host} AND upid = {upid} AND (path LIKE
--     '/sys/%' OR path LIKE '/proc/sys/%') ORDER BY 1, 4
-- @fires attacks, persistence
-- @silent lookalikes, web, compiler, database, packages, cron, desktop
WITH
acts AS (
    SELECT ts, host, upid, pid, comm, exe, concat('ran ', left(argv, 200)) AS act
    FROM execs
    WHERE
        regexp_like(
            concat(base_name(exe), ' ', argv, ' '),
            '^setenforce [^ ]+ (0|[Pp]ermissive) |^apparmor_parser [^ ]+ (.* )?(-R|--remove) '
                || '|^systemctl [^ ]+ (.* )?(stop|disable|mask) (.* )?(apparmor|selinux-[a-z]+)(\.service)? '
                || '|^(da|ba)?sh [^ ]+ [^ ]*/aa-teardown '
                || '|^python3[.0-9]* [^ ]+ (-[EISsuB]+ )?[^ ]*/aa-(disable|complain) '
        )
    UNION ALL
    SELECT ts, host, upid, pid, comm, exe, concat('wrote ', path) AS act
    FROM file_accesses
    WHERE
        operation = 'write'
        AND failures < calls
        AND regexp_like(
            path,
            '^/sys/fs/selinux/(enforce|disable)$|^/sys/kernel/security/apparmor/\.remove$'
                || '|^/proc/sys/kernel/ftrace_enabled$|^/sys/kernel/(debug/)?(kprobes/enabled|tracing/tracing_on)$'
        )
        AND NOT regexp_like(
            coalesce(exe, ''), '^/(usr/)?(lib/systemd/systemd|s?bin/(init|apparmor_parser|load_policy))$'
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
