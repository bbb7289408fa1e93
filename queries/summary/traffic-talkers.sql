-- # Who moves the most bytes
-- One row per remark. Background: most is not too much.
-- @needs connections
-- @column score     How much it matters.
-- @column sentence  What stands out.
-- @column report    The report that shows more.
-- @column options   Options for it.
WITH sums AS (
    SELECT
        host, upid,
        min(comm) AS comm,
        min(pid) AS pid,
        sum(sent_bytes) AS sent_bytes,
        sum(received_bytes) AS received_bytes,
        count(*) AS sockets
    FROM connections
    WHERE (role IS DISTINCT FROM 'listener') AND protocol NOT LIKE 'unix%'
    GROUP BY host, upid
), talkers AS (
    SELECT
        coalesce(p.comm, s.comm, '?') AS process,
        min(s.pid) AS pid,
        CAST(sum(s.sent_bytes) AS BIGINT) AS sent_bytes,
        CAST(sum(s.received_bytes) AS BIGINT) AS received_bytes,
        CAST(sum(s.sockets) AS BIGINT) AS sockets
    FROM sums s
    LEFT JOIN processes p ON p.host = s.host AND p.upid = s.upid
    GROUP BY 1
)
SELECT
    CAST(15 AS DOUBLE) AS score,
    concat(
        process, ' moved the most bytes over the network: it sent ', human_bytes(sent_bytes), ' and received ', human_bytes(received_bytes),
        ' over ', sockets, CASE sockets WHEN 1 THEN ' socket' ELSE ' sockets' END
    ) AS sentence,
    'top_talkers' AS report,
    concat('--by pair ', CASE WHEN regexp_like(process, '^[A-Za-z0-9_./:-]+$') THEN concat('--comm ', process) ELSE concat('--pid ', pid) END) AS options
FROM talkers
WHERE sent_bytes + received_bytes > 0
ORDER BY sent_bytes + received_bytes DESC, process
LIMIT 1
