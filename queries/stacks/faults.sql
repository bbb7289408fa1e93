-- # Page faults
-- One row per page fault, with the stack that touched the page.
-- Of the source `faults`.
-- @table page_faults
-- @column weight  1.
-- @column fault   `minor`, or `major` when the page had to be read in.
-- @column mode    Whether it was touched in `user` or `kernel` mode.
SELECT ts, host, cpu, pid, tid, upid, comm, cgroup_id, fault, mode, stack_id, 1 AS weight
FROM page_faults
