-- # CPU hot spots
-- In which functions is the CPU time spent? One row per function (or per what `--by` says), the most time of its own
-- first. `self` is time in the function itself, `total` with what it called. A function that calls itself counts
-- once per stack, so that no total is above 100 %. Look from the top of `self` for code to speed up, and with
-- `--sort total` for the part of the program that causes it. Kernel functions are those of the module `[kernel]`.
-- @needs cpu_samples, stacks
-- @param by function|line|module|mode function  What a row is: `function`, `line` (of the source), `module` (program or library) or `mode`
--     (`user` or `kernel`).
-- @param sort self|total self    What comes first: most `self` or most `total`.
-- @param mode text %       Only samples taken in `user` or in `kernel` mode.
-- @column self_percent [mean]   Share of the sampled CPU time in it.
-- @column total_percent [mean]  The same with what it called.
-- @column self_ns [total]       CPU time in it.
-- @column total_ns [total]      The same with what it called.
-- @column name [key]            The function, line, module or mode; NULL for functions without a name, together by module.
-- @column module [key]          File of the program or library that it is in; NULL by module and mode.
-- @caveat Times are made of samples: what has few of them may have more or less by chance.
-- @caveat The totals of outer functions are too small where stacks are `truncated`.
-- @plot bar name self_ns
-- @dataset web, compiler, memory
WITH samples AS (
    SELECT host, stack_id, mode, sum(period_ns) AS ns, sum(sum(period_ns)) OVER () AS all_ns
    FROM cpu_samples
    WHERE mode LIKE $mode
    GROUP BY host, stack_id, mode
),
frames AS (
    -- The first frame is the innermost.
    SELECT
        host, stack_id,
        unnest(frames) AS frame,
        unnest(range(1, CAST(cardinality(frames) AS BIGINT) + 1)) AS place
    FROM stacks
),
named AS (
    SELECT
        host, stack_id, place,
        CASE
            WHEN $by = 'line' THEN coalesce(regexp_replace(frame['file'], '^.*/', '') || ':' || CAST(frame['line'] AS VARCHAR), frame['function'])
            WHEN $by = 'module' THEN regexp_replace(frame['module'], '^.*/', '')
            WHEN $by = 'mode' THEN CASE WHEN frame['module'] = '[kernel]' THEN 'kernel' ELSE 'user' END
            ELSE frame['function']
        END AS name,
        CASE WHEN $by IN ('function', 'line') THEN regexp_replace(frame['module'], '^.*/', '') END AS module
    FROM frames
    WHERE $by IN ('function', 'line', 'module', 'mode')
),
-- A name that is several times in a stack counts once.
once AS (
    SELECT host, stack_id, name, module, min(place) = 1 AS is_self
    FROM named
    GROUP BY host, stack_id, name, module
),
sums AS (
    SELECT
        o.name, o.module,
        CAST(sum(CASE WHEN o.is_self THEN s.ns ELSE 0 END) AS BIGINT) AS self_ns,
        CAST(sum(s.ns) AS BIGINT) AS total_ns,
        max(s.all_ns) AS all_ns
    FROM samples s
    JOIN once o ON o.host = s.host AND o.stack_id = s.stack_id
    GROUP BY o.name, o.module
)
SELECT
    round(100.0 * self_ns / nullif(all_ns, 0), 1) AS self_percent,
    round(100.0 * total_ns / nullif(all_ns, 0), 1) AS total_percent,
    self_ns,
    total_ns,
    name,
    module
FROM sums
ORDER BY CASE WHEN $sort = 'total' THEN total_ns ELSE self_ns END DESC, total_ns DESC, self_ns DESC, name, module
