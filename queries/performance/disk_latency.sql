-- # Disk latency
-- How long do the disks take? One row per disk, operation and part of the time, the operations that took most time in
-- all first. A request waits in a queue of the kernel until it is given to the driver (`queue`), and then for the disk
-- (`service`); `both` is from its making to its completion. A long queue is too many requests at once, or a scheduler
-- that holds them back; a long service is the disk. A p99 far above the p50 is a disk that stalls; `disk_requests` shows
-- which requests. With `--by latency` the rows are a histogram.
-- @needs block_io
-- @param by disk|process|latency disk  What a row is: `disk`, `process` (name of the thread that made it) or `latency` (powers of two).
-- @column name [key]          Disk, or name of the thread; of a histogram, from which time on `both` was.
-- @column operation [key]     `read`, `write`, `flush`, `discard`, ...
-- @column part [key]          `queue`, `service` or `both`.
-- @column requests [total]    Requests of which this time is known.
-- @column size_bytes [total]  Bytes of all requests.
-- @column p50_ns [mean]       Half of the requests took no longer.
-- @column p99_ns [mean]       99 % of them took no longer.
-- @column max_ns [max]        The longest.
-- @caveat Writes that a file system makes later are in the name of the thread of the kernel that makes them, such as
--     `kworker` or `jbd2`, and out of the scope when the recording is of one command.
-- @caveat A request that had not completed when the recording ended counts and has no time. How many failed, `disk_requests`
--     shows.
-- @plot bar name p99_ns
-- @dataset web, database, vitals
WITH requests AS (
    SELECT
        CASE WHEN $by = 'process' THEN comm WHEN $by = 'disk' THEN coalesce(disk, device) END AS name,
        CASE WHEN $by = 'latency' THEN log2_bucket(duration_ns) END AS bucket_ns,
        operation, bytes, queue_ns, service_ns, duration_ns
    FROM block_io
    WHERE $by IN ('disk', 'process', 'latency')
),
sums AS (
    SELECT
        name, bucket_ns, operation,
        CAST(sum(bytes) AS BIGINT) AS size_bytes,
        sum(duration_ns) AS total_ns,
        count(queue_ns) AS queued, quantile(queue_ns, 0.5) AS queue_p50_ns, quantile(queue_ns, 0.99) AS queue_p99_ns, max(queue_ns) AS queue_max_ns,
        count(service_ns) AS served, quantile(service_ns, 0.5) AS service_p50_ns, quantile(service_ns, 0.99) AS service_p99_ns, max(service_ns) AS service_max_ns,
        count(*) AS made, quantile(duration_ns, 0.5) AS p50_ns, quantile(duration_ns, 0.99) AS p99_ns, max(duration_ns) AS max_ns
    FROM requests
    GROUP BY name, bucket_ns, operation
),
parts AS (
    SELECT
        s.name, s.bucket_ns, s.operation, s.size_bytes, s.total_ns, p.part, p.place,
        CASE p.part WHEN 'queue' THEN queued WHEN 'service' THEN served ELSE made END AS requests,
        CASE p.part WHEN 'queue' THEN queue_p50_ns WHEN 'service' THEN service_p50_ns ELSE p50_ns END AS p50_ns,
        CASE p.part WHEN 'queue' THEN queue_p99_ns WHEN 'service' THEN service_p99_ns ELSE p99_ns END AS p99_ns,
        CASE p.part WHEN 'queue' THEN queue_max_ns WHEN 'service' THEN service_max_ns ELSE max_ns END AS max_ns
    FROM sums s
    CROSS JOIN (VALUES ('queue', 1), ('service', 2), ('both', 3)) AS p (part, place)
    WHERE p.part = 'both' OR $by <> 'latency'
)
SELECT
    coalesce(name, human_duration(bucket_ns)) AS name,
    operation,
    part,
    requests,
    size_bytes,
    -- A quantile is the middle of a range of values; that can be above the largest.
    least(p50_ns, max_ns) AS p50_ns,
    least(p99_ns, max_ns) AS p99_ns,
    max_ns
FROM parts
WHERE part = 'both' OR requests > 0
ORDER BY bucket_ns NULLS LAST, total_ns DESC NULLS LAST, name, operation, place
