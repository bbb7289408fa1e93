-- # Leaked bytes
-- One row per allocation whose memory was not given back, with the stack of its caller.
-- Of the source `allocations`; see the view `leaks`.
-- @table allocations
-- @column weight     Bytes asked for, times the calls that the row stands for.
-- @column operation  The function that was called.
-- @column size_bytes Bytes asked for.
SELECT
    ts, host, cpu, pid, tid, upid, comm, cgroup_id, operation, size_bytes, stack_id,
    coalesce(size_bytes, 0) * coalesce(one_in, 1) AS weight
FROM leaks
