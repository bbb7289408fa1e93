-- # Memory that was not given back
-- One row per allocation that was not freed until the recording or the process ended.
-- What happened last to an address decides: memory is leaked if that was an allocation. A `realloc`
-- that moves memory is two rows: one without a size gives back the old, one with a size gets the new. What a process had before an `exec` is gone with it. A
-- recording that ends while a program runs also shows what that program still needs. Only allocators
-- are looked at, not mappings of memory. All allocations of the trace are sorted by address: some
-- seconds for ten million of them.
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
WITH
calls AS (
    SELECT ts, host, cpu, pid, tid, upid, comm, cgroup_id, operation, address, size_bytes, one_in, stack_id, 1 AS gives
    FROM allocations
    WHERE address IS NOT NULL AND size_bytes IS NOT NULL
        AND operation NOT IN ('mmap', 'munmap', 'mremap', 'brk')
    UNION ALL
    SELECT ts, host, cpu, pid, tid, upid, comm, cgroup_id, operation, address, size_bytes, one_in, stack_id, 0 AS gives
    FROM allocations
    WHERE address IS NOT NULL AND size_bytes IS NULL
),
last_calls AS (
    SELECT
        *,
        row_number() OVER (
            PARTITION BY host, coalesce(upid, CAST(pid AS BIGINT)), address
            ORDER BY ts DESC, gives DESC
        ) AS from_last
    FROM calls
),
execs AS (
    SELECT host, upid, max(ts) AS ts FROM process_events WHERE event = 'exec' GROUP BY host, upid
)
SELECT
    c.ts, c.host, c.cpu, c.pid, c.tid, c.upid, c.comm, c.cgroup_id, c.operation, c.address,
    c.size_bytes, c.one_in, c.stack_id
FROM last_calls c
LEFT JOIN execs e ON c.host = e.host AND c.upid = e.upid
WHERE c.from_last = 1 AND c.gives = 1 AND (e.ts IS NULL OR e.ts < c.ts)
