-- # Cost
-- One row: CPU time and memory of the recorder.
-- @needs cost
SELECT
    CAST(sum(cpu_ns) AS BIGINT) AS cpu_ns,
    CAST(sum(duration_ns) AS BIGINT) AS duration_ns,
    max(memory_bytes) AS memory_bytes
FROM cost
WHERE component = 'recorder'
