-- # Allocated bytes
-- One row per call of an allocator that gave memory, with the stack of its caller.
-- Of the source `allocations`. Memory counts also if it was given back; a `realloc` counts in full.
-- Mappings of memory (`mmap`, `brk`) are not among them: allocators get their memory there.
-- @table allocations
-- @column weight     Bytes asked for, times the calls that the row stands for.
-- @column operation  The function that was called.
-- @column size_bytes Bytes asked for.
SELECT
    ts, host, cpu, pid, tid, upid, comm, cgroup_id, operation, size_bytes, stack_id,
    coalesce(size_bytes, 0) * coalesce(one_in, 1) AS weight
FROM allocations
WHERE address IS NOT NULL
    -- A row without a size gives memory back.
    AND size_bytes IS NOT NULL
    AND operation NOT IN ('mmap', 'munmap', 'mremap', 'brk')
