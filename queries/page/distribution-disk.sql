-- # How long each operation of a disk takes
-- One row per disk, operation and range of lengths: requests. A range reaches from `low` to twice that.
-- @needs block_io
-- @distribution performance
SELECT
    concat(coalesce(disk, device, '?'), ' ', operation) AS name,
    log2_bucket(duration_ns) AS low,
    count(*) AS events,
    CAST(sum(duration_ns) AS BIGINT) AS total_ns
FROM block_io
WHERE duration_ns IS NOT NULL
GROUP BY 1, log2_bucket(duration_ns)
ORDER BY 1, low
