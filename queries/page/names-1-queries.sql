-- # Names that were asked for
-- One row per stretch and process: queries of the domain name system.
-- @needs dns
-- @lane names
-- @unit queries
-- @shape stack
SELECT
    (CAST(ts AS BIGINT) - $first) / $width AS slot,
    host, upid,
    CAST(NULL AS VARCHAR) AS label,
    count(*) AS value,
    count(*) AS peak
FROM dns
WHERE kind = 'query'
GROUP BY 1, host, upid
ORDER BY 1, host, upid
