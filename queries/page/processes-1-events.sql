-- # Processes
-- One row per stretch and process: processes that it started and programs that it ran.
-- @needs process_events
-- @lane processes
-- @unit events
-- @shape stack
SELECT
    (CAST(ts AS BIGINT) - $first) / $width AS slot,
    host, upid,
    CAST(NULL AS VARCHAR) AS label,
    count(*) AS value,
    count(*) AS peak
FROM process_events
WHERE event IN ('fork', 'exec')
GROUP BY 1, host, upid
ORDER BY 1, host, upid
