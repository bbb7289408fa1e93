-- # Memory of allocators
-- One row per remark. What a process kept is told with how much of it was allocated late, for memory that is made
-- once and kept matters little; temporary allocations by the time they may cost, at about 50 ns each; the peak as
-- background.
-- @needs allocations
WITH
spans AS (
    SELECT
        host, coalesce(upid, CAST(pid AS BIGINT)) AS upid,
        CAST(min(ts) AS BIGINT) AS first_ts, CAST(max(ts) AS BIGINT) AS last_ts
    FROM allocations
    GROUP BY host, coalesce(upid, CAST(pid AS BIGINT))
),
sites AS (
    -- The smaller side first: it is what a join keeps in memory.
    SELECT
        l.host, l.upid, l.stack_id, s.last_ts - s.first_ts AS span_ns,
        max(l.pid) AS pid,
        sum(l.one_in * l.size_bytes) FILTER (WHERE l.verdict <> 'freed') AS kept_bytes,
        sum(l.one_in * l.size_bytes) FILTER (WHERE l.verdict = 'leaked') AS leaked_bytes,
        sum(CAST(l.one_in AS BIGINT)) FILTER (WHERE l.verdict <> 'freed') AS kept,
        sum(l.one_in * l.size_bytes) FILTER (
            WHERE l.verdict <> 'freed' AND CAST(l.ts AS BIGINT) > s.first_ts + (s.last_ts - s.first_ts) / 2
        ) AS late_bytes,
        sum(CAST(l.one_in AS BIGINT)) AS calls,
        sum(CAST(l.one_in AS BIGINT)) FILTER (
            WHERE l.end_tid = l.tid AND CAST(l.end_ts AS BIGINT) - CAST(l.ts AS BIGINT) <= 1000000
        ) AS temporary,
        max(l.held_bytes) AS peak_bytes
    FROM spans s
    JOIN allocation_lives l ON l.upid = s.upid AND l.host = s.host
    WHERE l.size_bytes IS NOT NULL
    GROUP BY l.host, l.upid, l.stack_id, s.last_ts - s.first_ts
),
whole AS (
    SELECT
        host, upid, max(span_ns) AS span_ns, max(pid) AS pid,
        CAST(coalesce(sum(kept_bytes), 0) AS BIGINT) AS kept_bytes,
        CAST(coalesce(sum(leaked_bytes), 0) AS BIGINT) AS leaked_bytes,
        CAST(coalesce(sum(kept), 0) AS BIGINT) AS kept,
        CAST(coalesce(sum(late_bytes), 0) AS BIGINT) AS late_bytes,
        CAST(sum(calls) AS BIGINT) AS calls,
        CAST(coalesce(sum(temporary), 0) AS BIGINT) AS temporary,
        max(peak_bytes) AS peak_bytes,
        first_value(stack_id ORDER BY coalesce(kept_bytes, 0) DESC, stack_id) AS kept_stack_id,
        first_value(stack_id ORDER BY coalesce(temporary, 0) DESC, stack_id) AS temporary_stack_id
    FROM sites
    GROUP BY host, upid
),
remarks AS (
    SELECT
        e.kind, w.*,
        CASE WHEN e.kind = 'kept' THEN w.kept_stack_id ELSE w.temporary_stack_id END AS stack_id,
        CASE
            -- Up to 60 for 1 GiB, of which a quarter if it was made early and does not grow.
            WHEN e.kind = 'kept' AND w.kept_bytes > 0 THEN
                least(60.0, 4.0 * log(2, 1 + w.kept_bytes / 32768.0))
                * CASE WHEN w.late_bytes * 5 >= w.kept_bytes AND w.kept >= 100 THEN 1.4 ELSE 0.25 END
            -- 6 points for each percent of a CPU.
            WHEN e.kind = 'temporary' AND w.temporary >= 1000 AND w.span_ns > 0 THEN
                least(60.0, 6.0 * 100 * 50 * w.temporary / w.span_ns)
            WHEN e.kind = 'peak' AND w.peak_bytes > 1048576 THEN least(15.0, log(2, w.peak_bytes / 1048576.0))
        END AS score
    FROM whole w
    CROSS JOIN (VALUES ('kept'), ('temporary'), ('peak')) AS e (kind)
),
best AS (
    -- The worst process of each kind.
    SELECT * FROM (
        SELECT *, row_number() OVER (PARTITION BY kind ORDER BY score DESC, host, upid) AS place
        FROM remarks
        WHERE score >= 1
    ) ranked
    WHERE place = 1
),
named AS (
    SELECT
        b.*, coalesce(p.comm, '?') AS comm,
        coalesce(
            stack_leaf(regexp_replace(s.folded, '(;(operator new|std::|__gnu_cxx::|void std::|<?alloc::|__rust_|__rdl_|<?hashbrown::)[^;]*)+$', '')),
            '?'
        ) AS function
    FROM best b
    LEFT JOIN stacks s ON b.host = s.host AND b.stack_id = s.stack_id
    LEFT JOIN processes p ON b.host = p.host AND b.upid = p.upid
)
SELECT
    b.score,
    CASE b.kind
        WHEN 'kept' THEN concat(
            b.comm, ' (pid ', b.pid, ') ',
            CASE
                WHEN b.leaked_bytes = b.kept_bytes THEN 'ended with '
                WHEN b.leaked_bytes > 0 THEN concat('leaked between ', human_bytes(b.leaked_bytes), ' and ')
                ELSE 'may have leaked up to '
            END,
            human_bytes(b.kept_bytes), ' in ', b.kept, ' allocations not given back, ',
            100 * b.late_bytes / nullif(b.kept_bytes, 0), ' % of it allocated in the second half of its time; most by ',
            b.function
        )
        WHEN 'temporary' THEN concat(
            b.comm, ' (pid ', b.pid, ') gave back ', b.temporary, ' of ', b.calls,
            ' allocations within 1 ms, ', CAST(1e9 * b.temporary / nullif(b.span_ns, 0) AS BIGINT), ' a second; most by ',
            b.function
        )
        ELSE concat(b.comm, ' (pid ', b.pid, ') held up to ', human_bytes(b.peak_bytes), ' of heap at once')
    END AS sentence,
    CASE b.kind WHEN 'kept' THEN 'leaks' WHEN 'temporary' THEN 'temporary_allocations' ELSE 'heap_peak' END AS report,
    concat('--pid ', b.pid) AS options
FROM named b
ORDER BY b.score DESC, sentence
