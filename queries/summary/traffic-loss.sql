-- # Retransmissions, and queues that had no room
-- One row per remark.
-- @needs connections
-- @column score     How much it matters.
-- @column sentence  What stands out.
-- @column report    The report that shows more.
-- @column options   Options for it.
WITH sums AS (
    SELECT
        host, upid,
        role = 'listener' AS listens,
        CASE WHEN role = 'listener' OR remote_address IS NULL THEN local_port END AS port,
        min(comm) AS comm,
        min(pid) AS pid,
        min(protocol) AS protocol,
        count(*) AS sockets,
        count(*) FILTER (WHERE retransmits > 0) AS affected,
        sum(retransmits) AS retransmits,
        sum(drops) AS drops
    FROM connections
    WHERE protocol NOT LIKE 'unix%'
    GROUP BY 1, 2, 3, 4
), services AS (
    SELECT
        coalesce(p.comm, s.comm, '?') AS process,
        s.listens, s.port,
        min(s.pid) AS pid,
        min(s.protocol) AS protocol,
        CAST(sum(s.sockets) AS BIGINT) AS sockets,
        CAST(sum(s.affected) AS BIGINT) AS affected,
        CAST(sum(s.retransmits) AS BIGINT) AS retransmits,
        CAST(sum(s.drops) AS BIGINT) AS drops
    FROM sums s
    LEFT JOIN processes p ON p.host = s.host AND p.upid = s.upid
    GROUP BY 1, 2, 3
), places AS (
    SELECT *, CASE WHEN regexp_like(process, '^[A-Za-z0-9_./:-]+$') THEN concat('--comm ', process) ELSE concat('--pid ', pid) END AS options
    FROM services
), remarks AS (
    -- Someone waits a second or more for each of these.
    SELECT
        least(85, 45 + 10 * log10(drops + 1)) AS score,
        concat('The queue of ', process, ', which listens at ', protocol, ' port ', port, ', had no room ', drops, CASE drops WHEN 1 THEN ' time' ELSE ' times' END) AS sentence,
        'listeners' AS report,
        options
    FROM places
    WHERE listens AND drops > 0
    UNION ALL
    SELECT
        least(70, 20 + 10 * log10(drops + 1)),
        concat(process, ' lost ', drops, CASE drops WHEN 1 THEN ' packet' ELSE ' packets' END, ' that arrived at ', protocol, ' port ', port),
        'retransmits',
        options
    FROM places
    WHERE NOT listens AND port IS NOT NULL AND drops > 0
    UNION ALL
    SELECT
        least(70, 5 + 25.0 * affected / sockets + 12 * log10(retransmits + 1)),
        concat(process, ' had to send ', retransmits, CASE retransmits WHEN 1 THEN ' segment' ELSE ' segments' END, ' again, on ', affected, ' of ', sockets, CASE sockets WHEN 1 THEN ' connection' ELSE ' connections' END),
        'retransmits',
        options
    FROM (
        SELECT process, options, sum(sockets) AS sockets, sum(affected) AS affected, sum(retransmits) AS retransmits
        FROM places
        WHERE NOT listens
        GROUP BY process, options
    )
    WHERE retransmits > 0
)
SELECT CAST(score AS DOUBLE) AS score, sentence, report, options
FROM remarks
ORDER BY score DESC, sentence
LIMIT 3
