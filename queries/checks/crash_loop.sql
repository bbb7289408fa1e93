-- # Program that fails and is started again
-- Does a program fail at once, again and again? One row per program, arguments and parent, of which every run within the
-- recording failed: it ended with an exit code other than 0, or by a signal that is no order to end.
-- @severity low
-- @technique T1499.004
-- @rationale A service that does not come up is an outage; one that crashes at each start may be someone's try to
--     break in that needs luck.
-- @false-positive A script that waits for something with `until ssh ...; do sleep 1; done`: what fails is the question, and
--     nothing is wrong.
-- @needs processes
-- @param times integer 5  Runs within the window from which on it is a finding.
-- @param window duration 60s  Length of the window.
-- @window 2m
-- @column ts        When the number was reached.
-- @column host      Machine.
-- @column upid      Process for good, of the last run.
-- @column pid       Process id of the last run.
-- @column sentence  What was found.
-- @column exe [key] The program.
-- @column argv [key]  Its arguments.
-- @column parent_upid [key]  Process that started it.
-- @column times     Runs in all.
-- @column ended     How they ended: signals and exit codes.
-- @column comm      Name of the last.
-- @caveat A run that had not ended when the recording did is no success.
-- @evidence SELECT start_ts, end_ts, pid, comm, argv, exit_code, signal FROM processes WHERE host = {host}
--     AND exe = {exe} AND parent_upid = {parent_upid}
-- @next ebrec report exits --comm={comm}
-- @fires attacks, behaviour
-- @silent lookalikes, web, compiler, database, packages, cron, desktop
WITH runs AS (
    SELECT
        p.host, p.parent_upid, p.exe, p.argv, p.upid, p.pid, p.comm, p.end_ts AS ts, CAST(p.end_ts AS BIGINT) AS ns,
        coalesce(p.signal, CASE WHEN p.exit_code IS NOT NULL THEN concat('exit code ', p.exit_code) END) AS ended,
        coalesce(
            p.exit_code <> 0 OR p.signal NOT IN ('SIGTERM', 'SIGINT', 'SIGHUP', 'SIGQUIT', 'SIGPIPE', 'SIGALRM'), false
        ) AS is_failure
    FROM processes p
    LEFT JOIN processes q ON p.host = q.host AND p.parent_upid = q.upid
    WHERE
        -- Of these, failing is an answer.
        NOT regexp_like(
            coalesce(p.exe, ''),
            '^/(usr/)?s?bin/(e|f|z)?(grep|test|\[|false|expr|diff|cmp|pgrep|pidof|ping|curl|wget|mountpoint|systemctl|which)$'
                -- It ends so with each connection, and is started for it.
                || '|^/usr/(sbin/sshd|lib/openssh/sshd-[a-z]+)$'
        )
        -- A copy of its parent that ends so found no program to run: `useradd` tells caches that are not installed.
        AND NOT coalesce(p.exit_code IN (126, 127) AND p.exe = q.exe AND p.argv = q.argv, false)
),
counted AS (
    SELECT
        *,
        count(ns) OVER (
            PARTITION BY host, parent_upid, exe, argv ORDER BY ns RANGE BETWEEN $window PRECEDING AND CURRENT ROW
        ) AS recent
    FROM runs
)
SELECT
    min(ts) FILTER (WHERE recent >= $times) AS ts,
    host,
    last_value(upid ORDER BY ns, upid) FILTER (WHERE ns IS NOT NULL) AS upid,
    last_value(pid ORDER BY ns, upid) FILTER (WHERE ns IS NOT NULL) AS pid,
    concat(
        last_value(comm ORDER BY ns, upid) FILTER (WHERE ns IS NOT NULL), ' failed each of ', count(ns), ' times that it was run in ',
        human_duration(max(ns) - min(ns)), ': ', string_agg(DISTINCT ended, ', ' ORDER BY ended)
    ) AS sentence,
    exe,
    argv,
    parent_upid,
    count(ns) AS times,
    string_agg(DISTINCT ended, ', ' ORDER BY ended) AS ended,
    last_value(comm ORDER BY ns, upid) FILTER (WHERE ns IS NOT NULL) AS comm
FROM counted
GROUP BY host, parent_upid, exe, argv
HAVING max(recent) >= $times AND bool_and(is_failure OR ns IS NULL)
ORDER BY ts, host, upid
