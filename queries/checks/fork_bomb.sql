-- # Fork bomb
-- Does a program start copies of itself that start copies? One row per family of processes that all run the same
-- program. A compilation with `make -j` has as many processes, but each of another program than its parent, and a server
-- that starts workers has them all in one generation.
-- @severity high
-- @technique T1499
-- @rationale Processes that double take a machine down within seconds.
-- @false-positive A script that calls itself for every folder of a deep tree: the generations are those of the tree, and
--     it comes to an end by itself.
-- @needs processes
-- @param processes integer 100  Processes within the window from which on it is a finding.
-- @param generations integer 5  How many generations there must be.
-- @param window duration 1s  Length of the window.
-- @window 10s
-- @column ts           When the number was reached.
-- @column host         Machine.
-- @column upid         Process for good, of the first with the arguments that most have.
-- @column pid          Its process id.
-- @column sentence     What was found.
-- @column exe          The program.
-- @column processes    Processes of the family, up to the 24th generation.
-- @column generations  Generations, up to 24.
-- @column most         Most of them that began within the window.
-- @caveat A family is told from the oldest process on that was recorded.
-- @evidence SELECT start_ts, pid, parent_pid, comm, exe, argv, end_ts FROM processes WHERE host = {host} AND exe = {exe}
-- @next ebrec report process_tree --tree {pid}
-- @fires attacks, behaviour
-- @silent lookalikes, web, compiler, database, packages, cron, desktop
WITH RECURSIVE
copies AS (
    SELECT
        c.host, c.upid, c.parent_upid, c.start_ts,
        -- The program, or the interpreter and the script: what follows may count generations.
        (regexp_replace(c.argv, '^([^ ]+ [^ ]+) .*', '${1}') IS DISTINCT FROM regexp_replace(p.argv, '^([^ ]+ [^ ]+) .*', '${1}'))
            AS is_other
    FROM processes c
    JOIN processes p ON c.host = p.host AND c.parent_upid = p.upid
    WHERE c.exe = p.exe
),
families AS (
    SELECT DISTINCT
        c.host, c.parent_upid AS first_upid, c.parent_upid AS top_upid, c.parent_upid AS upid,
        CAST(0 AS BIGINT) AS generation,
        CAST(NULL AS BIGINT) AS ns
    FROM copies c
    LEFT ANTI JOIN copies a ON c.host = a.host AND c.parent_upid = a.upid
    UNION ALL
    SELECT
        f.host, f.first_upid, CASE WHEN c.is_other THEN c.upid ELSE f.top_upid END AS top_upid, c.upid,
        f.generation + 1 AS generation,
        CAST(c.start_ts AS BIGINT) AS ns
    FROM families f
    JOIN copies c ON f.host = c.host AND f.upid = c.parent_upid AND f.generation < 24
),
counted AS (
    SELECT
        *,
        -- The first has no time: it was there before.
        count(ns) OVER (
            PARTITION BY host, first_upid ORDER BY ns RANGE BETWEEN $window PRECEDING AND CURRENT ROW
        ) AS recent,
        count(*) OVER (PARTITION BY host, first_upid, top_upid) AS members
    FROM families
),
found AS (
    SELECT
        host,
        -- A script that starts a bomb with the same shell is no part of it: most have the arguments of the bomb.
        CASE WHEN 2 * max(members) >= count(*) THEN first_value(top_upid ORDER BY members DESC, top_upid) ELSE first_upid END AS upid,
        min(ns) FILTER (WHERE recent >= $processes) AS ns,
        count(ns) AS processes,
        max(generation) AS generations,
        max(recent) AS most
    FROM counted
    GROUP BY host, first_upid
    HAVING max(recent) >= $processes AND max(generation) >= $generations
)
SELECT
    to_timestamp_nanos(f.ns) AS ts,
    f.host,
    f.upid,
    p.pid,
    concat(
        coalesce(p.comm, '?'), ' became ', f.processes, ' processes of the same program in ', f.generations,
        ' generations, ', f.most, ' of them within ', human_duration($window)
    ) AS sentence,
    p.exe,
    f.processes,
    f.generations,
    f.most
FROM found f
LEFT JOIN processes p ON f.host = p.host AND f.upid = p.upid
ORDER BY ts, f.host, f.upid
