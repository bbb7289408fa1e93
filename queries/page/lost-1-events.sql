-- # Lost
-- One row per stretch: events that were lost in it; where that is, all other lanes are too low.
-- @needs loss
-- @lane lost
-- @unit events
-- @shape stack
SELECT
    (CAST(ts AS BIGINT) - $first) / $width AS slot,
    host,
    CAST(NULL AS BIGINT) AS upid,
    'lost' AS label,
    CAST(sum(lost) AS BIGINT) AS value,
    CAST(max(lost) AS BIGINT) AS peak
FROM loss
WHERE lost > 0
GROUP BY 1, host
ORDER BY 1, host
