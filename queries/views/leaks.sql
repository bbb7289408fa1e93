-- # Memory that was not given back
-- One row per allocation that was not freed until the recording or the process ended. What is still in use
-- when a recording ends while the program runs is among them: `verdict` tells it apart (view
-- `allocation_lives`). What a process had before an `exec` is gone with it. Only allocators are looked at,
-- not mappings of memory.
-- @whole allocations
-- @share A report, a flame graph and a remark read it, and it takes a pass over all allocations.
-- @column ts          When it was allocated.
-- @column host        Name of the machine.
-- @column cpu         CPU it was recorded on.
-- @column pid         Process id.
-- @column tid         Thread id.
-- @column upid        Process for good.
-- @column comm        Name of the thread at that moment.
-- @column cgroup_id   Control group of the thread at that moment.
-- @column operation   The function: `malloc`, `realloc`, `new`, ...
-- @column address     Address of the memory.
-- @column size_bytes  Bytes asked for.
-- @column one_in      How many allocations this one stands for: 1 when all are recorded.
-- @column stack_id    Stack of the caller.
-- @column verdict     `leaked`, `alive` at the end of the recording, or `unknown`.
SELECT
    ts, host, cpu, pid, tid, upid, comm, cgroup_id, operation, address, size_bytes, one_in, stack_id,
    verdict
FROM allocation_lives
WHERE verdict <> 'freed' AND size_bytes IS NOT NULL
