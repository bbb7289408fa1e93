-- # Slow disk requests
-- Which requests to disks took longest, and whose were they? One row per request, the slowest first. `queue_ns` is until it
-- was given to the driver, `service_ns` from there to its completion. Neighbouring sectors are a sequential access; a slow
-- request behind a `flush` waited for it. `rahead` is read ahead of need: nobody may have waited for that.
-- @needs block_io
-- @param min duration 0s      Leaves out faster requests.
-- @param operation text %     Only operations that are LIKE this: `read`, `write`, `flush`, ...
-- @param limit integer 1000   How many.
-- @column duration_ns [max]   From its making to its completion.
-- @column queue_ns            Part of it until it was given to the driver; the rest was the driver and the disk.
-- @column size_bytes          Bytes.
-- @column at_ns [key]         When it was made, from the first event of the recording on: `--from +5s` begins there.
-- @column disk [key]          The disk.
-- @column who [key]           Name and number of the thread that made it.
-- @column request [key]       What was to be done, its flags, where on the disk in sectors of 512 bytes, and the error.
-- @caveat Requests that had not completed when the recording ended are not among them.
-- @plot timeline at_ns duration_ns
-- @dataset web, database, vitals
WITH slow AS (
    SELECT min(duration_ns) AS duration_ns
    FROM (
        SELECT duration_ns
        FROM block_io
        WHERE duration_ns >= $min AND ($operation = '%' OR operation LIKE $operation)
        ORDER BY duration_ns DESC
        LIMIT $limit
    )
),
slowest AS (
    -- Of most requests nothing but the time is read, and texts are made of those that are shown.
    SELECT *
    FROM block_io
    WHERE duration_ns >= (SELECT duration_ns FROM slow) AND ($operation = '%' OR operation LIKE $operation)
    ORDER BY duration_ns DESC, ts, tid
    LIMIT $limit
)
SELECT
    b.duration_ns,
    b.queue_ns,
    b.bytes AS size_bytes,
    CAST(b.ts AS BIGINT) - CAST(f.first_ts AS BIGINT) AS at_ns,
    coalesce(b.disk, b.device) AS disk,
    concat(b.comm, '[', b.tid, ']') AS who,
    concat_ws(' ', b.operation, b.flags, 'at ' || CAST(b.sector AS VARCHAR), b.error) AS request
FROM slowest b
CROSS JOIN (SELECT min(first_ts) AS first_ts FROM segments) f
ORDER BY b.duration_ns DESC, b.ts, b.sector, b.tid, b.operation, b.queue_ns, b.bytes
