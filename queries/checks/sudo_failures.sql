-- # Guessing of passwords with su or sudo
-- Does a user fail with `su`, `sudo` or their like again and again? One row per user, parent and program. A run counts
-- when it ended with an exit code other than 0 and had run nothing for the user: what it started would be a child of it.
-- @severity medium
-- @technique T1110.001, T1548.003
-- @rationale Who has an account without rights guesses the password of one that has them; a person gives up after three.
-- @false-positive A script that asks with `sudo -n` whether it may: `argv` says so.
-- @needs processes
-- @param failures integer 5  Runs within the window from which on it is a finding.
-- @param window duration 60s  Length of the window.
-- @window 2m
-- @column ts        When the number was reached.
-- @column host      Machine.
-- @column upid      Process for good, of the last run.
-- @column pid       Process id of the last run.
-- @column sentence  What was found.
-- @column exe [key] The program.
-- @column uid [key] The user.
-- @column parent_upid [key]  Process that ran it.
-- @column failures  Runs that failed, in all.
-- @column argv      Arguments of the last.
-- @caveat A run in which a password was refused and a later one accepted is no failure.
-- @evidence SELECT start_ts, pid, comm, argv, uid, exit_code FROM processes WHERE host = {host} AND exe = {exe}
--     AND parent_upid = {parent_upid}
-- @next ebrec report process_tree --tree {pid}
-- @fires attacks, behaviour
-- @silent lookalikes, web, compiler, database, packages, cron, desktop
WITH failed AS (
    SELECT p.host, p.upid, p.parent_upid, p.uid, p.exe, p.argv, p.pid, p.comm, CAST(p.end_ts AS BIGINT) AS ns, p.end_ts AS ts
    FROM processes p
    LEFT ANTI JOIN processes c
        -- It checks passwords for those who may not read them.
        ON p.host = c.host AND p.upid = c.parent_upid AND coalesce(c.exe, '') NOT LIKE '%/unix_chkpwd'
    WHERE p.exit_code <> 0 AND regexp_like(p.exe, '^/(usr/)?s?bin/(su|sudo|sudo-rs|doas|pkexec|runuser)$')
),
counted AS (
    SELECT
        *,
        count(*) OVER (
            PARTITION BY host, parent_upid, uid, exe ORDER BY ns RANGE BETWEEN $window PRECEDING AND CURRENT ROW
        ) AS recent
    FROM failed
)
SELECT
    min(ts) FILTER (WHERE recent >= $failures) AS ts,
    host,
    last_value(upid ORDER BY ns, upid) AS upid,
    last_value(pid ORDER BY ns, upid) AS pid,
    concat(
        last_value(comm ORDER BY ns, upid), ' failed ', count(*), ' times for user ', uid, ' in ',
        human_duration(max(ns) - min(ns))
    ) AS sentence,
    exe,
    uid,
    parent_upid,
    count(*) AS failures,
    last_value(argv ORDER BY ns, upid) AS argv
FROM counted
GROUP BY host, parent_upid, uid, exe
HAVING max(recent) >= $failures
ORDER BY ts, host, upid
