-- # Time off the CPU
-- One row per interval of a thread off the CPU, with the stack it was left with.
-- Of the source `offcpu`. Threads that wait for work are most of it: `--where "state <> 'sleeping'"`
-- or a condition on `comm` finds the rest.
-- @table offcpu
-- @column weight  Length of the interval, in nanoseconds.
-- @column state   State it left the CPU in.
-- @column wait_ns Time in it that it could have run.
SELECT ts, host, cpu, pid, tid, upid, comm, cgroup_id, state, wait_ns, stack_id, coalesce(duration_ns, 0) AS weight
FROM offcpu
