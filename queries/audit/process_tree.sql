-- # Tree of processes
-- Who started what, with which arguments, as which user, for how long, and how did it end? One row per process, below
-- the one that started it, in the order in which they started. Arguments are those of the last program that it ran; a
-- process that ran none of its own, such as a subshell, has those of the process it is a copy of.
-- @needs processes
-- @param depth integer 64  How many levels are shown, at most 64.
-- @column pid          Process id.
-- @column uid          Its user.
-- @column started_ns   Time from the first event of the recording to its start; negative when it ran before.
-- @column duration_ns  Time from its start to its end; NULL when it was alive at the end.
-- @column ended        Exit code, or the signal that ended it; NULL when it was alive at the end.
-- @column process      Its arguments, else the name, behind two spaces for each level.
-- @caveat A process whose parent was not recorded, or ended before the recording, stands at the left.
-- @caveat Processes more than 64 levels deep are not shown.
-- @plot tree process duration_ns
-- @dataset script, vitals, compiler, web, network, database
WITH RECURSIVE
known AS (
    SELECT
        host,
        upid,
        parent_upid,
        pid,
        uid,
        coalesce(CAST(start_ts AS BIGINT), 0) AS start_ns,
        duration_ns,
        CASE
            WHEN signal IS NOT NULL THEN signal
            WHEN exit_code IS NOT NULL THEN CAST(exit_code AS VARCHAR)
            WHEN end_ts IS NOT NULL THEN '?'
        END AS ended,
        coalesce(argv, comm, exe, '?') AS what
    FROM processes
),
-- Going down, the time of start and then the id always grow: a forged circle of parents comes to an end.
edges AS (
    SELECT c.*, p.upid AS above
    FROM known c
    LEFT JOIN known p
        ON c.host = p.host AND c.parent_upid = p.upid
            AND (p.start_ns < c.start_ns OR (p.start_ns = c.start_ns AND p.upid < c.upid))
),
tree AS (
    SELECT
        *,
        CAST(0 AS BIGINT) AS depth,
        concat(host, ' ', lpad(CAST(start_ns AS VARCHAR), 20, '0'), lpad(CAST(upid AS VARCHAR), 20, '0')) AS place
    FROM edges
    WHERE above IS NULL
    UNION ALL
    SELECT
        e.*,
        t.depth + 1 AS depth,
        concat(t.place, lpad(CAST(e.start_ns AS VARCHAR), 20, '0'), lpad(CAST(e.upid AS VARCHAR), 20, '0')) AS place
    FROM tree t
    JOIN edges e ON e.host = t.host AND e.above = t.upid
    WHERE t.depth + 1 < least($depth, 64)
)
SELECT
    pid,
    uid,
    start_ns - (SELECT min(CAST(first_ts AS BIGINT)) FROM segments) AS started_ns,
    duration_ns,
    ended,
    concat(repeat('  ', depth), what) AS process
FROM tree
ORDER BY place, upid
