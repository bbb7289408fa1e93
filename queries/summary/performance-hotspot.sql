-- # The hottest function
-- One row per remark.
-- @needs cpu_samples, stacks
WITH samples AS (
    SELECT host, stack_id, sum(period_ns) AS ns FROM cpu_samples GROUP BY host, stack_id
),
leaves AS (
    SELECT host, stack_id, frames[1]['function'] AS function, frames[1]['module'] AS module FROM stacks
),
functions AS (
    SELECT l.function, l.module, CAST(sum(s.ns) AS BIGINT) AS ns, CAST(sum(sum(s.ns)) OVER () AS DOUBLE) AS all_ns
    FROM samples s
    LEFT JOIN leaves l ON l.host = s.host AND l.stack_id = s.stack_id
    GROUP BY l.function, l.module
)
SELECT
    -- Half a second of samples is some fifty of them.
    least(60.0, 100.0 * ns / all_ns) * least(1.0, all_ns / 1e9) AS score,
    concat(
        CAST(round(100.0 * ns / all_ns) AS BIGINT), ' % of the sampled CPU time (', human_duration(ns), ' of ', human_duration(CAST(all_ns AS BIGINT)), ') was in the function ',
        function, ' of ', regexp_replace(module, '^.*/', ''),
        '.'
    ) AS sentence,
    'cpu_hotspots' AS report,
    '' AS options
FROM functions
WHERE function IS NOT NULL AND all_ns >= 5e8 AND ns >= 0.1 * all_ns
ORDER BY ns DESC, function, module
LIMIT 1
