-- # Temporary allocations
-- Which allocations are made only to be given back at once? One row per process name and stack that made some, the
-- one that made most first. An allocation is temporary when the thread that made it gave it back, by `free`, `delete`
-- or the like or by a `realloc` that changed its size, and had made no other in between, as heaptrack counts;
-- `--max-between 1` is how memray counts. Unlike a length of time, that does not depend on how fast the
-- program is while it is recorded; `--max-life` asks for both. What
-- another thread gave back was handed over and is none. Such memory can often be kept and used again, or be on the
-- stack. Where most of `temporary` is `resized`, a buffer grows step by step: ask for its final size at once. A stack
-- with many calls and a `percent` near 100 is worth a change, one with few calls is not. How long
-- allocations live at all: report `allocation_lifetimes`.
-- @needs allocations
-- @param by stack|function|process stack  What to put together: `stack`, `function` (that called the allocator) or `process`.
-- @param max_between integer 0  How many other allocations its thread makes at most before it gives it back.
-- @param max_life duration -    How long a temporary allocation lives at most.
-- @column comm [key]        Name of the process.
-- @column temporary [mean]  Temporary allocations.
-- @column percent [mean]   Share of the allocations of this row.
-- @column resized [mean]    Temporary allocations that a `realloc` ended.
-- @column size_mean_bytes [mean]  Mean size of the temporary ones.
-- @column function [key]    Function that called the allocator; frames of `operator new`, of C++'s `std` and of
--     Rust's `alloc` are passed over.
-- @column stack [key]       The stack, outermost function first.
-- @caveat Where only a sample of allocations was recorded, numbers are estimates of the whole, and what was left out is not seen
--     between two calls: choose by `--max-life` and a large `--max-between` then.
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
            allocations_between <= $max_between
            AND CAST(end_ts AS BIGINT) - CAST(ts AS BIGINT) <= coalesce($max_life, 9223372036854775807) AS is_temporary
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
