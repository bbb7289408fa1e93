-- # How long each system call takes
-- One row per system call and range of lengths: calls. A range reaches from `low` to twice that.
-- @needs syscalls
-- @distribution syscalls
SELECT syscall AS name, log2_bucket(duration_ns) AS low, count(*) AS events, CAST(sum(duration_ns) AS BIGINT) AS total_ns
FROM syscalls
WHERE duration_ns IS NOT NULL
GROUP BY syscall, log2_bucket(duration_ns)
ORDER BY syscall, low
