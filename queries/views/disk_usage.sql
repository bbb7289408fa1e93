-- # What each disk did
-- One row per second and disk or partition, as the kernel counts: of the whole machine, whatever the
-- recording was limited to. Needs the source `system`.
-- @column ts                          When it was read: the end of the second.
-- @column host                        Name of the machine.
-- @column disk                        The disk or partition, such as `vda`.
-- @column interval_ns                 Time since the reading before.
-- @column reads_per_second            Reads completed.
-- @column read_bytes_per_second       Read.
-- @column writes_per_second           Writes completed.
-- @column written_bytes_per_second    Written.
-- @column flushes_per_second          Flushes completed.
-- @column discarded_bytes_per_second  Discarded.
-- @column read_latency_ns             Mean time of a read, from its making to its end; NULL when there was none.
-- @column write_latency_ns            Mean time of a write; NULL when there was none.
-- @column busy_percent                Share of the time with at least one request.
-- @column queue_depth                 Mean number of requests at a time.
WITH sums AS (
    SELECT
        ts, host, instance AS disk,
        max(interval_ns) AS interval_ns,
        sum(CASE WHEN metric = 'reads' THEN change ELSE 0 END) AS reads,
        sum(CASE WHEN metric = 'read_bytes' THEN change ELSE 0 END) AS read_bytes,
        sum(CASE WHEN metric = 'read_ns' THEN change ELSE 0 END) AS read_ns,
        sum(CASE WHEN metric = 'writes' THEN change ELSE 0 END) AS writes,
        sum(CASE WHEN metric = 'written_bytes' THEN change ELSE 0 END) AS written_bytes,
        sum(CASE WHEN metric = 'write_ns' THEN change ELSE 0 END) AS write_ns,
        sum(CASE WHEN metric = 'flushes' THEN change ELSE 0 END) AS flushes,
        sum(CASE WHEN metric = 'discarded_bytes' THEN change ELSE 0 END) AS discarded_bytes,
        sum(CASE WHEN metric = 'busy_ns' THEN change ELSE 0 END) AS busy_ns,
        sum(CASE WHEN metric = 'weighted_ns' THEN change ELSE 0 END) AS weighted_ns
    FROM system
    WHERE component = 'disk' AND change IS NOT NULL
    GROUP BY ts, host, instance
)
SELECT
    ts, host, disk, interval_ns,
    reads * 1e9 / interval_ns AS reads_per_second,
    read_bytes * 1e9 / interval_ns AS read_bytes_per_second,
    writes * 1e9 / interval_ns AS writes_per_second,
    written_bytes * 1e9 / interval_ns AS written_bytes_per_second,
    flushes * 1e9 / interval_ns AS flushes_per_second,
    discarded_bytes * 1e9 / interval_ns AS discarded_bytes_per_second,
    CASE WHEN reads > 0 THEN read_ns / reads END AS read_latency_ns,
    CASE WHEN writes > 0 THEN write_ns / writes END AS write_latency_ns,
    100 * busy_ns / interval_ns AS busy_percent,
    weighted_ns / interval_ns AS queue_depth
FROM sums
WHERE interval_ns > 0
