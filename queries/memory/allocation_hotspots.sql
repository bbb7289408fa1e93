-- # Where memory is allocated
-- Who calls the allocators most, and who asks them for most? One row per process name and stack that called an
-- allocator, whatever became of the memory. Many calls cost time, also where little memory is asked for: look at
-- `calls_percent`, and in the report `temporary_allocations` at how many of them were for a moment. Many bytes are
-- not memory in use, which the report `heap_peak` tells, since what was given back counts as well.
-- @needs allocations
-- @param by stack|function|operation|process stack  What to put together: `stack`, `function` (that called the allocator), `operation` (`malloc`,
--     `new`, ...) or `process`.
-- @param order bytes|calls bytes  What comes first: most `bytes` or most `calls`.
-- @param min_size bytes 0  Only calls for so much or more.
-- @column comm [key]       Name of the process.
-- @column calls [total]    Calls that gave memory.
-- @column calls_percent [mean]  Share of all such calls.
-- @column allocated_bytes [total]    Bytes asked for; of a `realloc`, the whole new size.
-- @column bytes_percent [mean]  Share of all bytes asked for.
-- @column function [key]   Function that called the allocator; frames of `operator new`, of C++'s `std` and of Rust's
--     `alloc` are passed over. With `--by operation`, the function of the allocator.
-- @column calls_error [mean]  Standard error of `calls`; 0 when not only a sample was recorded.
-- @column error_bytes [mean]  Standard error of `allocated_bytes`.
-- @column stack [key]      The stack, outermost function first.
-- @caveat Calls that failed, and mappings of memory (`mmap`, `brk`) are not among them.
-- @caveat Where only a sample of allocations was recorded, numbers are estimates of the whole.
-- @plot flame stack allocated_bytes
-- @dataset memory
WITH
sites AS (
    SELECT
        host, upid, stack_id,
        CASE WHEN $by = 'operation' THEN operation END AS operation,
        sum(CAST(one_in AS BIGINT)) AS calls,
        sum(one_in * size_bytes) AS bytes
    FROM allocations
    -- A row without a size gives memory back, and one without an address is a call that failed.
    WHERE address IS NOT NULL AND size_bytes >= $min_size AND operation NOT IN ('mmap', 'munmap', 'mremap', 'brk')
    GROUP BY host, upid, stack_id, CASE WHEN $by = 'operation' THEN operation END
),
draws AS (
    -- A sample is of addresses: what happened at one address counts as one draw. Nothing is here without a sample.
    SELECT
        host, upid, stack_id, address,
        CASE WHEN $by = 'operation' THEN operation END AS operation,
        CAST(max(one_in) AS DOUBLE) AS one_in, count(*) AS calls, sum(size_bytes) AS bytes
    FROM allocations
    WHERE one_in > 1 AND address IS NOT NULL
        AND size_bytes >= $min_size AND operation NOT IN ('mmap', 'munmap', 'mremap', 'brk')
    GROUP BY host, upid, stack_id, address, CASE WHEN $by = 'operation' THEN operation END
),
sums AS (
    SELECT
        host, upid, stack_id, operation, calls, bytes,
        0.0 AS calls_variance, 0.0 AS bytes_variance
    FROM sites
    UNION ALL
    SELECT
        host, upid, stack_id, operation, 0, 0,
        sum(one_in * (one_in - 1) * calls * calls),
        sum(one_in * (one_in - 1) * bytes * bytes)
    FROM draws
    GROUP BY host, upid, stack_id, operation
),
named AS (
    SELECT
        coalesce(p.comm, '?') AS comm,
        CASE
            WHEN $by = 'process' THEN NULL
            WHEN $by = 'operation' THEN t.operation
            ELSE coalesce(
                stack_leaf(regexp_replace(s.folded, '(;(operator new|std::|__gnu_cxx::|void std::|<?alloc::|__rust_|__rdl_|<?hashbrown::)[^;]*)+$', '')),
                '?'
            )
        END AS function,
        CASE WHEN $by IN ('process', 'function', 'operation') THEN NULL ELSE coalesce(s.folded, '?') END AS stack,
        t.calls, t.bytes, t.calls_variance, t.bytes_variance
    FROM sums t
    LEFT JOIN stacks s ON t.host = s.host AND t.stack_id = s.stack_id
    LEFT JOIN processes p ON t.host = p.host AND t.upid = p.upid
),
together AS (
    SELECT
        comm, function, stack,
        CAST(coalesce(sum(calls), 0) AS BIGINT) AS calls,
        CAST(coalesce(sum(bytes), 0) AS BIGINT) AS bytes,
        sqrt(coalesce(sum(calls_variance), 0)) AS calls_error,
        sqrt(coalesce(sum(bytes_variance), 0)) AS bytes_error
    FROM named
    GROUP BY comm, function, stack
)
SELECT
    comm,
    calls,
    CASE WHEN sum(calls) OVER () > 0 THEN round(100.0 * calls / sum(calls) OVER (), 1) END AS calls_percent,
    bytes AS allocated_bytes,
    CASE WHEN sum(bytes) OVER () > 0 THEN round(100.0 * bytes / sum(bytes) OVER (), 1) END AS bytes_percent,
    function,
    CAST(round(calls_error) AS BIGINT) AS calls_error,
    CAST(round(bytes_error) AS BIGINT) AS error_bytes,
    stack
FROM together
ORDER BY CASE WHEN $order = 'calls' THEN calls ELSE bytes END DESC, calls DESC, bytes DESC, comm, function, stack
