-- # CPU
-- One row per stretch: time that the CPUs of the machine were busy, read once a second.
-- @needs system
-- @lane cpu
-- @unit ns
-- @rate CPUs
-- @shape stack
SELECT
    (CAST(ts AS BIGINT) - $first) / $width AS slot,
    host,
    CAST(NULL AS BIGINT) AS upid,
    'the machine' AS label,
    CAST(sum(change) AS BIGINT) AS value,
    CAST(max(change) AS BIGINT) AS peak
FROM system
WHERE component = 'cpu' AND change IS NOT NULL
    AND metric IN ('user_ns', 'nice_ns', 'system_ns', 'irq_ns', 'softirq_ns', 'steal_ns')
GROUP BY 1, host
ORDER BY 1, host
