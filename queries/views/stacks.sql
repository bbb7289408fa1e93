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
SELECT
    stack_id,
    host,
    last_value(pid) AS pid,
    CAST(cardinality(last_value(frames)) AS BIGINT) AS depth,
    last_value(frames) AS frames,
    last_value(folded) AS folded,
    last_value(truncated) AS truncated
FROM stacks_segments
GROUP BY host, stack_id
