-- # Temporary allocations
-- Which allocations are made only to be given back at once? One row per process name and stack that made some, the
-- one that made most first. An allocation is temporary when the thread that made it gave it back within
-- `--max-life`, by `free`, `delete` or the like, or by a `realloc` that changed its size; what another thread gave
-- back was handed over and is none. Such memory can often be kept and used again, or be on the stack. Where most
-- of `temporary` is `resized`, a buffer grows step by step: ask for its final size at once. A stack with many
-- calls and a `percent` near 100 is worth a change, one with few calls is not.
-- @needs allocations
-- @param by stack|function|process stack  What to put together: `stack`, `function` (that called the allocator) or `process`.
-- @param max_life duration 1ms  How long a temporary allocation lives at most.
-- @column comm [key]        Name of the process.
-- @column temporary [total] Temporary allocations.
-- @column percent [mean]   Share of the allocations of this row.
-- @column resized [total]   Temporary allocations that a `realloc` ended.
-- @column size_mean_bytes [mean]  Mean size of the temporary ones.
-- @column function [key]    Function that called the allocator; frames of `operator new`, of C++'s `std` and of
--     Rust's `alloc` are passed over.
-- @column stack [key]       The stack, outermost function first.
-- @caveat Other tools call an allocation temporary when no other is made before it is given back. Here its life
--     counts,
--     as it is recorded: what `--max-life` means depends on how fast the program is while it is recorded.
-- @caveat Where only a sample of allocations was recorded, numbers are estimates of the whole.
-- @plot flame stack temporary
-- @dataset memory
WITH
sites AS (
    SELECT
        host, upid, stack_id,
        sum(CAST(one_in AS BIGINT)) AS calls,
        sum(CAST(one_in AS BIGINT)) FILTER (WHERE is_temporary) AS temporary,
        sum(CAST(one_in AS BIGINT)) FILTER (WHERE is_temporary AND ended_by IN ('realloc', 'reallocarray')) AS resized,
        sum(one_in * size_bytes) FILTER (WHERE is_temporary) AS temporary_bytes
    FROM (
        SELECT
            host, upid, stack_id, one_in, size_bytes, ended_by,
            -- Who ended it is known only where a call did, and not an `exec` or the end of the process.
            end_tid = tid AND CAST(end_ts AS BIGINT) - CAST(ts AS BIGINT) <= $max_life AS is_temporary
        FROM allocation_lives
        WHERE size_bytes IS NOT NULL
    ) lives
    GROUP BY host, upid, stack_id
),
named AS (
    SELECT
        coalesce(p.comm, '?') AS comm,
        CASE
            WHEN $by = 'process' THEN NULL
            ELSE coalesce(
                stack_leaf(regexp_replace(s.folded, '(;(operator new|std::|__gnu_cxx::|void std::|<?alloc::|__rust_|__rdl_|<?hashbrown::)[^;]*)+$', '')),
                '?'
            )
        END AS function,
        CASE WHEN $by IN ('process', 'function') THEN NULL ELSE coalesce(s.folded, '?') END AS stack,
        t.calls, t.temporary, t.resized, t.temporary_bytes
    FROM sites t
    LEFT JOIN stacks s ON t.host = s.host AND t.stack_id = s.stack_id
    LEFT JOIN processes p ON t.host = p.host AND t.upid = p.upid
),
together AS (
    SELECT
        comm, function, stack,
        CAST(sum(calls) AS BIGINT) AS calls,
        CAST(coalesce(sum(temporary), 0) AS BIGINT) AS temporary,
        CAST(coalesce(sum(resized), 0) AS BIGINT) AS resized,
        CAST(coalesce(sum(temporary_bytes), 0) AS BIGINT) AS temporary_bytes
    FROM named
    GROUP BY comm, function, stack
)
SELECT
    comm,
    temporary,
    round(100.0 * temporary / calls, 1) AS percent,
    resized,
    temporary_bytes / nullif(temporary, 0) AS size_mean_bytes,
    function,
    stack
FROM together
WHERE temporary > 0
ORDER BY temporary DESC, temporary_bytes DESC, comm, function, stack
