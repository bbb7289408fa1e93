-- # Search for set-user-id programs
-- Who searched the file system for programs that run as their owner? One row per search.
-- @severity medium
-- @technique T1083, T1548.001
-- @rationale A forgotten set-user-id program is the easiest way to become root, and a search for them is in each list
--     of things to try.
-- @false-positive Audits of the machine, such as lynis, `checksecurity` and those of CIS, search the same at night:
--     what started it says so.
-- @needs process_events
-- @window 0s
-- @column ts          When it was run.
-- @column host        Machine.
-- @column upid        Process for good.
-- @column pid         Process id.
-- @column sentence    What was found.
-- @column exe         Program file.
-- @column argv [key]  Its arguments.
-- @caveat A program that looks at the files by itself shows no such argument.
-- @evidence SELECT ts, pid, comm, exe, argv, cwd, uid, parent_pid, parent_comm, parent_argv FROM execs WHERE host =
--     {host} AND upid = {upid} ORDER BY ts
-- @fires attacks, persistence
-- @silent lookalikes, web, compiler, database, packages, cron, desktop
SELECT
    min(ts) AS ts,
    host,
    upid,
    min(pid) AS pid,
    concat(min(comm), ' searched for set-user-id programs: ', left(argv, 200)) AS sentence,
    min(exe) AS exe,
    argv
FROM execs
WHERE
    -- 4000 is set-user-id and 2000 set-group-id; `find` takes `-4000`, `/6000`, `u=s` and `-u+s`.
    regexp_like(concat(argv, ' '), ' -perm ''?[-/+]?(0?[2467][0-7]{3}|[ugoa]*[=+][a-z]*s[a-z,=+]*)''? ')
    -- These name the search to another program, which is told itself.
    AND NOT regexp_like(
        exe,
        '/((b?a|da|z|[lm]?k|fi)?sh|sudo|su|doas|runuser|ssh|timeout|strace|ltrace|script|xargs|watch|parallel'
            || '|[efp]?grep)$'
    )
GROUP BY host, upid, argv
ORDER BY ts, host, upid, argv
