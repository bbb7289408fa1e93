-- # Lifetimes of allocations
-- How long do allocations live? One row per range of lives, from a power of two up to the next, shortest first; the last
-- row is what was not given back. What lives for microseconds could be on the stack or be used again
-- (`temporary_allocations`); what lives as long as a request fits an arena that is given back as a whole; what lives
-- as long as the program is its state, or a leak (`leaks`). `--by others` counts a life in allocations that the same
-- thread made meanwhile, which does not depend on how fast the program is while it is recorded.
-- @needs allocations
-- @param by time|others time  What a life is measured in: `time`, or the allocations of its thread meanwhile, in `others`.
-- @column life_min_ns [key]    Shortest life of the range, which ends below twice that; NULL with `--by others`, and of
--     what was not given back.
-- @column others [key]         The same in allocations of its thread; NULL with `--by time`, and of what was not given back.
-- @column calls [total]        Allocations that lived so long.
-- @column percent [mean]       Share of all allocations.
-- @column sum_percent [mean]   Share of those that lived so long or shorter.
-- @column allocated_bytes [total]  Bytes asked for by them.
-- @column function             Function that called the allocator most often for such a life; frames of `operator new`,
--     of C++'s `std` and of Rust's `alloc` are passed over.
-- @caveat What was given back at a moment that is not known is in no row; with `--by others`, neither is what another
--     thread gave back.
-- @caveat A `realloc` ends one life and begins another.
-- @caveat Where only a sample of allocations was recorded, numbers are estimates of the whole.
-- @plot bar life_min_ns calls
-- @dataset memory
WITH sites AS (
    SELECT
        CASE WHEN verdict = 'freed' AND $by = 'time' THEN log2_bucket(CAST(end_ts AS BIGINT) - CAST(ts AS BIGINT)) END AS life_min_ns,
        CASE WHEN verdict = 'freed' AND $by = 'others' THEN log2_bucket(allocations_between) END AS others,
        host, stack_id,
        sum(CAST(one_in AS BIGINT)) AS calls,
        sum(one_in * size_bytes) AS bytes
    FROM allocation_lives
    WHERE
        size_bytes IS NOT NULL
        AND (verdict <> 'freed' OR CASE WHEN $by = 'time' THEN end_ts IS NOT NULL ELSE allocations_between IS NOT NULL END)
    GROUP BY 1, 2, 3, 4
),
named AS (
    SELECT
        t.life_min_ns, t.others,
        coalesce(
            stack_leaf(regexp_replace(s.folded, '(;(operator new|std::|__gnu_cxx::|void std::|<?alloc::|__rust_|__rdl_|<?hashbrown::)[^;]*)+$', '')),
            '?'
        ) AS function,
        sum(t.calls) AS calls,
        sum(t.bytes) AS bytes
    FROM sites t
    LEFT JOIN stacks s ON t.host = s.host AND t.stack_id = s.stack_id
    GROUP BY 1, 2, 3
),
together AS (
    SELECT
        life_min_ns, others,
        CAST(sum(calls) AS BIGINT) AS calls,
        CAST(sum(bytes) AS BIGINT) AS allocated_bytes,
        first_value(function ORDER BY calls DESC, function) AS function
    FROM named
    GROUP BY 1, 2
)
SELECT
    life_min_ns,
    others,
    calls,
    round(100.0 * calls / sum(calls) OVER (), 1) AS percent,
    round(100.0 * sum(calls) OVER (ORDER BY coalesce(life_min_ns, others) ROWS UNBOUNDED PRECEDING) / sum(calls) OVER (), 1) AS sum_percent,
    allocated_bytes,
    function
FROM together
ORDER BY coalesce(life_min_ns, others), life_min_ns, others
