-- # Peak of the heap
-- When did each process hold most memory of its allocators, how much was it, and who had allocated it? One row per
-- process and stack whose memory was held at that moment, processes with the highest peak first. The peak is taken
-- just after the allocation that led to it; what was held are the allocations from before that moment that were
-- given back later or never, whatever became of them: a leak from long before the peak is in it. The stacks that
-- held most are listed, `[others]` is the rest. `[not told apart]` is what had been allocated before the part of
-- the recording that is looked at, and what was given back at a moment that is not known: it may be less. Compare
-- `peak_bytes` with `rss_peak_bytes` of the report `memory_usage`: what the latter is more is overhead of the
-- allocator, files, stacks and mappings; what it is less was never touched.
-- @needs allocations
-- @param by stack|function stack  What to put together: `stack` or `function` (that called the allocator).
-- @param top integer 10  Most stacks or functions that are listed of a process; the rest is `[others]`.
-- @param min_bytes bytes 0  Leaves out processes whose peak was lower.
-- @column comm [key]         Name of the process.
-- @column pid                Its process id.
-- @column peak_bytes [mean]  Most bytes it held at once, as asked for.
-- @column held_bytes [mean]  Bytes of them from this stack or function.
-- @column held_percent [mean]  Share of the peak.
-- @column allocations [mean] How many allocations that was; NULL when not told apart.
-- @column function [key]     Function that called the allocator; frames of `operator new`, of C++'s `std` and of
--     Rust's `alloc` are passed over.
-- @column peak_ts            When it held most; the first moment, if there were several.
-- @column stack [key]        The stack, outermost function first.
-- @caveat Bytes are as asked for: what the allocator adds, and mappings of memory (`mmap`), are not among them.
-- @caveat Memory from before the recording is not among it, and a child of `fork` begins with nothing.
-- @caveat Where only a sample of allocations was recorded, numbers are estimates of the whole.
-- @caveat With a range of time, it is the peak in this range.
-- @plot flame stack held_bytes
-- @dataset memory
WITH
peaks AS (
    SELECT
        host, upid,
        max(held_bytes) AS peak_bytes,
        first_value(ts ORDER BY held_bytes DESC, ts) AS peak_ts
    FROM allocation_lives
    WHERE held_bytes IS NOT NULL
    GROUP BY host, upid
    HAVING max(held_bytes) >= $min_bytes
),
held AS (
    -- Which moment is the highest is known after all of it was read: the second and last time that lives are read.
    -- The smaller side first: it is what a join keeps in memory.
    SELECT
        p.host, p.upid, p.peak_bytes, p.peak_ts, l.stack_id,
        sum(CAST(l.one_in AS BIGINT)) AS allocations,
        sum(l.one_in * l.size_bytes) AS held_bytes
    FROM peaks p
    JOIN allocation_lives l ON l.upid = p.upid AND l.host = p.host
    WHERE l.size_bytes IS NOT NULL
        AND l.ts <= p.peak_ts AND (l.end_ts > p.peak_ts OR l.end_ts IS NULL AND l.ended_by <> 'reused')
    GROUP BY p.host, p.upid, p.peak_bytes, p.peak_ts, l.stack_id
),
named AS (
    SELECT
        h.host, h.upid, h.peak_bytes, h.peak_ts, h.allocations, h.held_bytes,
        coalesce(
            stack_leaf(regexp_replace(s.folded, '(;(operator new|std::|__gnu_cxx::|void std::|<?alloc::|__rust_|__rdl_|<?hashbrown::)[^;]*)+$', '')),
            '?'
        ) AS function,
        CASE WHEN $by <> 'function' THEN coalesce(s.folded, '?') END AS stack
    FROM held h
    LEFT JOIN stacks s ON h.host = s.host AND h.stack_id = s.stack_id
),
ranked AS (
    SELECT
        host, upid, peak_bytes, peak_ts, function, stack,
        sum(allocations) AS allocations,
        sum(held_bytes) AS held_bytes,
        row_number() OVER (PARTITION BY host, upid ORDER BY sum(held_bytes) DESC, function, stack) AS place,
        sum(sum(held_bytes)) OVER (PARTITION BY host, upid) AS told_bytes
    FROM named
    GROUP BY host, upid, peak_bytes, peak_ts, function, stack
),
parts AS (
    -- What is not told apart makes a row of its own beside the first.
    SELECT
        r.host, r.upid, r.peak_bytes, r.peak_ts,
        CASE WHEN e.rest = 1 THEN $top + 2 WHEN r.place > $top THEN $top + 1 ELSE r.place END AS place,
        CASE WHEN e.rest = 1 THEN '[not told apart]' WHEN r.place > $top THEN '[others]' ELSE r.function END AS function,
        CASE WHEN $by = 'function' THEN NULL WHEN e.rest = 1 THEN '[not told apart]' WHEN r.place > $top THEN '[others]' ELSE r.stack END AS stack,
        CASE WHEN e.rest = 0 THEN r.allocations END AS allocations,
        CASE WHEN e.rest = 0 THEN r.held_bytes ELSE r.peak_bytes - r.told_bytes END AS held_bytes
    FROM ranked r
    CROSS JOIN (VALUES (0), (1)) AS e (rest)
    WHERE e.rest = 0 OR r.place = 1 AND r.peak_bytes > r.told_bytes
),
rows AS (
    SELECT
        host, upid, peak_bytes, peak_ts, place, function, stack,
        CAST(sum(allocations) AS BIGINT) AS allocations,
        CAST(sum(held_bytes) AS BIGINT) AS held_bytes
    FROM parts
    GROUP BY host, upid, peak_bytes, peak_ts, place, function, stack
)
SELECT
    coalesce(p.comm, '?') AS comm,
    p.pid,
    r.peak_bytes,
    r.held_bytes,
    CASE WHEN r.peak_bytes > 0 THEN round(100.0 * r.held_bytes / r.peak_bytes, 1) END AS held_percent,
    r.allocations,
    r.function,
    r.peak_ts,
    r.stack
FROM rows r
LEFT JOIN processes p ON r.host = p.host AND r.upid = p.upid
-- `+ 0`: the optimizer takes host and upid, by which peaks were put together, for unique, and drops what follows.
ORDER BY r.peak_bytes DESC, r.host, r.upid, r.place + 0
