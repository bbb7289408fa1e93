-- # Where memory is allocated and leaked
-- One row per stack that called an allocator, with what it asked for and what was never given back
-- (view `leaks`). Where only a sample was recorded (`--alloc-sample`), numbers are estimates of the
-- whole, each with its standard error; where all was recorded the errors are 0. A sample is of
-- addresses, so what happened at one address counts as one draw. Calls that failed, and mappings of
-- memory, are not among them.
-- @column host                Name of the machine.
-- @column stack_id            Stack of the caller.
-- @column calls               Calls that gave memory.
-- @column calls_error         Standard error of `calls`.
-- @column bytes               Bytes asked for.
-- @column bytes_error         Standard error of `bytes`.
-- @column leaks               Calls whose memory was not given back.
-- @column leaks_error         Standard error of `leaks`.
-- @column leaked_bytes        Bytes that were not given back.
-- @column leaked_bytes_error  Standard error of `leaked_bytes`.
WITH
draws AS (
    SELECT
        host, stack_id, upid, address,
        CAST(max(one_in) AS DOUBLE) AS one_in, count(*) AS calls, sum(size_bytes) AS bytes
    FROM allocations
    WHERE address IS NOT NULL AND size_bytes IS NOT NULL
        AND operation NOT IN ('mmap', 'munmap', 'mremap', 'brk')
    GROUP BY host, stack_id, upid, address
),
allocated AS (
    SELECT
        host, stack_id,
        CAST(sum(one_in * calls) AS BIGINT) AS calls,
        sqrt(sum(one_in * (one_in - 1) * calls * calls)) AS calls_error,
        CAST(sum(one_in * bytes) AS BIGINT) AS bytes,
        sqrt(sum(one_in * (one_in - 1) * bytes * bytes)) AS bytes_error
    FROM draws
    GROUP BY host, stack_id
),
leaked AS (
    -- What is leaked is leaked once at its address.
    SELECT
        host, stack_id,
        sum(CAST(one_in AS BIGINT)) AS leaks,
        sqrt(sum(CAST(one_in AS DOUBLE) * (one_in - 1))) AS leaks_error,
        sum(one_in * size_bytes) AS leaked_bytes,
        sqrt(sum(CAST(one_in AS DOUBLE) * (one_in - 1) * size_bytes * size_bytes)) AS leaked_bytes_error
    FROM leaks
    GROUP BY host, stack_id
)
SELECT
    a.host, a.stack_id, a.calls, a.calls_error, a.bytes, a.bytes_error,
    coalesce(l.leaks, 0) AS leaks,
    coalesce(l.leaks_error, 0.0) AS leaks_error,
    coalesce(l.leaked_bytes, 0) AS leaked_bytes,
    coalesce(l.leaked_bytes_error, 0.0) AS leaked_bytes_error
FROM allocated a
LEFT JOIN leaked l ON a.host = l.host AND a.stack_id IS NOT DISTINCT FROM l.stack_id
