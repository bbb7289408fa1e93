-- # Samples
-- One row per tick at which a thread was found running, with its stack.
-- Of the source `cpu`. Ticks come at even distances of CPU time, so that samples are a measure of it.
-- @table cpu_samples
-- @column weight  1.
-- @column mode    Whether it was in `user` or `kernel` mode.
SELECT ts, host, cpu, pid, tid, upid, comm, cgroup_id, mode, stack_id, 1 AS weight
FROM cpu_samples
