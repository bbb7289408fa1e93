-- # Stacks of the whole trace
-- One row per distinct stack. `stacks_segments` has one row per stack and segment it was seen in.
-- Joins with `stack_id` of `cpu_samples`, `allocations`, `page_faults` and `offcpu`.
-- @column stack_id   The stack, by what its frames are: the same in every segment.
-- @column host       Name of the machine.
-- @column pid        Process, where frames lie in memory of no file, which differs in each.
-- @column depth      Number of frames.
-- @column frames     Frames, innermost first: function, module, build_id, offset, file, line, inlined.
-- @column folded     Functions from the outermost to the innermost, joined by `;`.
-- @column truncated  Whether the outermost frames are missing.
WITH placed AS (
    -- Their order is that of the segments.
    SELECT *, row_number() OVER () AS place FROM stacks_segments
),
-- Lists of frames are not grouped by: only the places of rows are.
latest AS (
    SELECT max(place) AS place FROM placed GROUP BY host, stack_id
)
SELECT
    stack_id,
    host,
    pid,
    CAST(cardinality(frames) AS BIGINT) AS depth,
    frames,
    folded,
    truncated
FROM latest
JOIN placed USING (place)
