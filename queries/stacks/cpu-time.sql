-- # CPU time
-- One row per tick at which a thread was found running, with its stack.
-- Of the source `cpu`.
-- @table cpu_samples
-- @column weight  CPU time that the tick stands for, in nanoseconds.
-- @column mode    Whether it was in `user` or `kernel` mode.
SELECT ts, host, cpu, pid, tid, upid, comm, cgroup_id, mode, stack_id, coalesce(period_ns, 0) AS weight
FROM cpu_samples
