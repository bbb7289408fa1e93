-- # Leaks
-- What allocates memory and never gives it back? One row per process name and stack that called an allocator and
-- whose memory was not all given back, the one that kept most first. Each allocation has a verdict. It is `leaked`
-- when its process ended with it: nobody can give it back any more. It is `alive` when the recording ended first:
-- it may be a leak or in use. It is `unknown` when events of allocators were lost after it was made, for what gave
-- it back may be among them. What leaked therefore lies between `leaked_bytes`, which is the first alone, and
-- `kept_bytes`, which is all three. What an `exec` swept away is no leak, and no row. What is made once and kept
-- on purpose (buffers, tables, caches) looks like a leak here as it does in other leak checkers: `late_percent`
-- tells it apart. It is near 0 for what was made at the start, and about 50 or more for what grows as long as the
-- program runs. A stack whose other allocations live far shorter (`life_mean_ns`) than these have been held
-- (`age_mean_ns`) forgets some of them.
-- @needs allocations
-- @param by stack|function|process stack  What to put together: `stack`, `function` (that called the allocator) or `process`.
-- @param min_bytes bytes 0  Leaves out rows that kept less.
-- @column comm [key]        Name of the process.
-- @column kept_bytes [mean] Bytes that were not given back: leaked, alive and unknown.
-- @column leaked_bytes [total]  Part of them that leaked for sure.
-- @column leaked [total]    Allocations that leaked for sure.
-- @column alive [mean]      Allocations in use or leaked when the recording ended.
-- @column unknown [mean]    Allocations that may have been given back by what was lost.
-- @column late_percent [mean]  Share of `kept_bytes` that was allocated in the second half of the time in which its
--     process was seen to allocate.
-- @column function [key]    Function that called the allocator; frames of `operator new`, of C++'s `std` and of
--     Rust's `alloc` are passed over.
-- @column age_mean_ns [mean]   How long what was kept was held, to the end of its process or of the recording.
-- @column life_mean_ns [mean]  How long what was given back had been held; NULL when nothing was.
-- @column calls [total]     Allocations of these stacks, given back or not.
-- @column error_bytes [mean]  Standard error of `kept_bytes`; 0 when not only a sample was recorded.
-- @column stack [key]       The stack, outermost function first.
-- @caveat Memory that something still points to when the program ends, such as a global variable, is among the
--     leaks: that is not looked at.
-- @caveat Memory from before the recording, and mappings of memory (`mmap`), are not among them.
-- @caveat Where only a sample of allocations was recorded, numbers are estimates of the whole.
-- @plot flame stack kept_bytes
-- @dataset memory
WITH
spans AS (
    -- When each process was seen to allocate, and when the last of its machine was.
    SELECT
        host, upid,
        first_ts + (last_ts - first_ts) / 2 AS middle_ts,
        max(last_ts) OVER (PARTITION BY host) AS host_last_ts
    FROM (
        SELECT
            host, coalesce(upid, CAST(pid AS BIGINT)) AS upid,
            CAST(min(ts) AS BIGINT) AS first_ts, CAST(max(ts) AS BIGINT) AS last_ts
        FROM allocations
        GROUP BY host, coalesce(upid, CAST(pid AS BIGINT))
    ) each_process
),
sites AS (
    -- All rows of this pass are looked at once, and few are left.
    SELECT
        l.host, l.upid, l.stack_id,
        sum(CAST(l.one_in AS BIGINT)) AS calls,
        sum(CAST(l.one_in AS BIGINT)) FILTER (WHERE l.verdict = 'leaked') AS leaked,
        sum(CAST(l.one_in AS BIGINT)) FILTER (WHERE l.verdict = 'alive') AS alive,
        sum(CAST(l.one_in AS BIGINT)) FILTER (WHERE l.verdict = 'unknown') AS unknown,
        sum(l.one_in * l.size_bytes) FILTER (WHERE l.verdict = 'leaked') AS leaked_bytes,
        sum(l.one_in * l.size_bytes) FILTER (WHERE l.verdict <> 'freed') AS kept_bytes,
        sum(l.one_in * l.size_bytes) FILTER (WHERE l.verdict <> 'freed' AND CAST(l.ts AS BIGINT) > s.middle_ts) AS late_bytes,
        sum(l.one_in * CAST(coalesce(CAST(l.end_ts AS BIGINT), s.host_last_ts) - CAST(l.ts AS BIGINT) AS DOUBLE))
            FILTER (WHERE l.verdict <> 'freed') AS ages_ns,
        sum(CAST(l.one_in AS DOUBLE) * (l.one_in - 1) * l.size_bytes * l.size_bytes)
            FILTER (WHERE l.verdict <> 'freed') AS variance,
        sum(l.one_in * CAST(CAST(l.end_ts AS BIGINT) - CAST(l.ts AS BIGINT) AS DOUBLE))
            FILTER (WHERE l.verdict = 'freed') AS lives_ns,
        sum(CAST(l.one_in AS BIGINT)) FILTER (WHERE l.verdict = 'freed' AND l.end_ts IS NOT NULL) AS lives
    -- The smaller side first: it is what a join keeps in memory.
    FROM spans s
    JOIN allocation_lives l ON l.upid = s.upid AND l.host = s.host
    WHERE l.size_bytes IS NOT NULL
    GROUP BY l.host, l.upid, l.stack_id
),
named AS (
    SELECT
        t.*,
        coalesce(p.comm, '?') AS comm,
        CASE
            WHEN $by = 'process' THEN NULL
            ELSE coalesce(
                stack_leaf(regexp_replace(s.folded, '(;(operator new|std::|__gnu_cxx::|void std::|<?alloc::|__rust_|__rdl_|<?hashbrown::)[^;]*)+$', '')),
                '?'
            )
        END AS function,
        CASE WHEN $by IN ('process', 'function') THEN NULL ELSE coalesce(s.folded, '?') END AS stack
    FROM sites t
    LEFT JOIN stacks s ON t.host = s.host AND t.stack_id = s.stack_id
    LEFT JOIN processes p ON t.host = p.host AND t.upid = p.upid
),
together AS (
    SELECT
        comm, function, stack,
        CAST(coalesce(sum(leaked_bytes), 0) AS BIGINT) AS leaked_bytes,
        CAST(coalesce(sum(kept_bytes), 0) AS BIGINT) AS kept_bytes,
        CAST(coalesce(sum(leaked), 0) AS BIGINT) AS leaked,
        CAST(coalesce(sum(alive), 0) AS BIGINT) AS alive,
        CAST(coalesce(sum(unknown), 0) AS BIGINT) AS unknown,
        CAST(coalesce(sum(late_bytes), 0) AS DOUBLE) AS late_bytes,
        sum(ages_ns) AS ages_ns,
        CAST(sum(calls) AS BIGINT) AS calls,
        sum(lives_ns) AS lives_ns,
        sum(lives) AS lives,
        sqrt(coalesce(sum(variance), 0)) AS error_bytes
    FROM named
    GROUP BY comm, function, stack
)
SELECT
    comm,
    kept_bytes,
    leaked_bytes,
    leaked,
    alive,
    unknown,
    CASE WHEN kept_bytes > 0 THEN round(100 * late_bytes / kept_bytes, 1) END AS late_percent,
    function,
    CAST(ages_ns / (leaked + alive + unknown) AS BIGINT) AS age_mean_ns,
    CAST(lives_ns / lives AS BIGINT) AS life_mean_ns,
    calls,
    CAST(error_bytes AS BIGINT) AS error_bytes,
    stack
FROM together
WHERE leaked + alive + unknown > 0 AND kept_bytes >= $min_bytes
ORDER BY kept_bytes DESC, leaked_bytes DESC, comm, function, stack
