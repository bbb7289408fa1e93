-- # Threads of the whole trace
-- One row per thread. `threads_segments` has one row per thread and segment; here the rows of a
-- thread are merged.
-- @column start_ts  When it was first seen, or started.
-- @column end_ts    When it ended; NULL when it was alive at the end.
-- @column host      Name of the machine.
-- @column pid       Process id.
-- @column tid       Thread id.
-- @column upid      Its process.
-- @column comm      Its name, as last known.
SELECT
    min(start_ts) AS start_ts,
    max(end_ts) AS end_ts,
    host,
    min(pid) AS pid,
    tid,
    upid,
    last_known(comm) AS comm
-- The order of rows is that of the segments.
FROM threads_segments
GROUP BY host, upid, tid
