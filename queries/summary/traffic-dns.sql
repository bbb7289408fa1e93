-- # Names that are not answered, do not exist, or take long
-- One row per remark.
-- @needs dns
-- @column score     How much it matters.
-- @column sentence  What stands out.
-- @column report    The report that shows more.
-- @column options   Options for it.
WITH sums AS (
    SELECT
        server_address,
        count(*) FILTER (WHERE kind = 'query') AS queries,
        greatest(0, count(*) FILTER (WHERE kind = 'query') - count(latency_ns)) AS silent,
        count(*) FILTER (WHERE rcode = 'NXDOMAIN') AS unknown,
        count(*) FILTER (WHERE rcode NOT IN ('NOERROR', 'NXDOMAIN')) AS broken,
        min(rcode) FILTER (WHERE rcode NOT IN ('NOERROR', 'NXDOMAIN')) AS code,
        count(*) FILTER (WHERE latency_ns >= 500000000) AS slow,
        max(latency_ns) AS slowest_ns
    FROM dns
    -- Multicast names are answered to everybody.
    WHERE server_port <> 5353
    GROUP BY server_address
), remarks AS (
    SELECT
        least(75, 15 + 30.0 * silent / queries + 15 * log10(silent + 1)) AS score,
        concat('The name server ', server_address, ' did not answer ', silent, ' of ', queries, CASE queries WHEN 1 THEN ' query' ELSE ' queries' END) AS sentence,
        '--by server' AS options
    FROM sums
    WHERE silent > 0
    UNION ALL
    SELECT
        least(75, 15 + 30.0 * broken / greatest(queries, broken) + 12 * log10(broken + 1)),
        concat('The name server ', server_address, ' answered ', broken, ' of ', queries, CASE queries WHEN 1 THEN ' query' ELSE ' queries' END, ' with an error, such as ', code),
        '--failed true'
    FROM sums
    WHERE broken > 0
    UNION ALL
    SELECT
        least(50, 5 + 20.0 * unknown / greatest(queries, unknown) + 8 * log10(unknown + 1)),
        concat(unknown, ' of ', queries, CASE queries WHEN 1 THEN ' query' ELSE ' queries' END, ' to the name server ', server_address, ' asked for what does not exist'),
        '--failed true'
    FROM sums
    WHERE unknown > 0
    UNION ALL
    SELECT
        least(70, 20 + 25.0 * slow / greatest(queries, slow) + 10 * log10(slow + 1)),
        concat('The name server ', server_address, ' took half a second or more for ', slow, ' of ', queries, CASE queries WHEN 1 THEN ' answer' ELSE ' answers' END, ', up to ', human_duration(slowest_ns)),
        '--by server'
    FROM sums
    WHERE slow > 0
)
SELECT CAST(score AS DOUBLE) AS score, sentence, 'dns' AS report, options
FROM remarks
ORDER BY score DESC, sentence
LIMIT 3
