-- # What a process was and did, in numbers
-- One row per fact of a process. Read over the tables of that process alone.
-- @column upid   The process.
-- @column what   What the fact is about.
-- @column value  The fact.
WITH facts AS (
    SELECT upid, 1 AS place, 'program' AS what, concat(coalesce(exe, comm, '?'), CASE WHEN argv IS NULL THEN '' ELSE concat(' [', argv, ']') END) AS value FROM processes
    UNION ALL
    SELECT upid, 2, 'started', concat(CAST(start_ts AS VARCHAR), CASE WHEN parent_pid IS NULL THEN '' ELSE concat(' by process ', parent_pid) END, CASE WHEN cwd IS NULL THEN '' ELSE concat(' in ', cwd) END) FROM processes
    UNION ALL
    SELECT upid, 3, 'user', concat('uid ', uid, ', gid ', gid) FROM processes WHERE uid IS NOT NULL
    UNION ALL
    SELECT upid, 4, 'place', concat(CASE WHEN container_id IS NULL THEN '' ELSE concat('container ', coalesce(container_name, container_id), ', ') END, CASE WHEN unit IS NULL THEN '' ELSE concat(unit, ', ') END, 'control group ', cgroup) FROM processes WHERE cgroup IS NOT NULL
    UNION ALL
    SELECT upid, 5, 'ended', CASE
        WHEN end_ts IS NULL THEN 'no: it was alive at the end'
        WHEN signal IS NOT NULL THEN concat(CAST(end_ts AS VARCHAR), ' by ', signal, ', after ', human_duration(duration_ns))
        ELSE concat(CAST(end_ts AS VARCHAR), ' with exit code ', coalesce(CAST(exit_code AS VARCHAR), '?'), ', after ', human_duration(duration_ns))
    END FROM processes
    UNION ALL
    SELECT upid, 6, 'threads', concat(count(*), ': ', array_to_string(array_agg(DISTINCT comm ORDER BY comm), ', ')) FROM threads GROUP BY upid
    UNION ALL
    SELECT upid, 7, 'children', concat(count(*), ' processes') FROM process_events WHERE event = 'fork' GROUP BY upid
    UNION ALL
    SELECT upid, 8, 'on CPU', concat(human_duration(CAST(sum(duration_ns) AS BIGINT)), ' in ', count(*), ' slices, after ', human_duration(CAST(sum(coalesce(wait_ns, 0)) AS BIGINT)), ' of waiting for a CPU') FROM sched_slices GROUP BY upid
    UNION ALL
    SELECT upid, 9, 'off CPU', concat(human_duration(CAST(sum(coalesce(duration_ns, 0)) AS BIGINT)), ' in ', count(*), ' waits of its threads') FROM offcpu GROUP BY upid
    UNION ALL
    SELECT upid, 10, 'system calls', concat(count(*), ', ', count(error), ' failed, ', human_duration(CAST(sum(coalesce(duration_ns, 0)) AS BIGINT)), ' in them') FROM syscalls GROUP BY upid
    UNION ALL
    SELECT upid, 11, 'connections', concat(count(*), ', sent ', human_bytes(CAST(sum(sent_bytes) AS BIGINT)), ', received ', human_bytes(CAST(sum(received_bytes) AS BIGINT))) FROM connections GROUP BY upid
    UNION ALL
    SELECT upid, 12, 'disk', concat(count(*), ' requests, ', human_bytes(CAST(sum(bytes) AS BIGINT))) FROM block_io GROUP BY upid
    UNION ALL
    SELECT upid, 13, 'allocations', concat(count(*) FILTER (WHERE size_bytes IS NOT NULL), ' of ', human_bytes(CAST(sum(coalesce(size_bytes, 0)) AS BIGINT)), '; not given back ', human_bytes(CAST(sum(CASE WHEN verdict <> 'freed' THEN coalesce(size_bytes, 0) ELSE 0 END) AS BIGINT)), '; most at once ', human_bytes(coalesce(max(held_bytes), 0))) FROM allocation_lives GROUP BY upid
    UNION ALL
    SELECT upid, 14, 'memory', concat('peak ', human_bytes(max(rss_peak_bytes)), ', last ', human_bytes(last_value(rss_bytes ORDER BY ts))) FROM memory_usage GROUP BY upid
)
SELECT upid, what, value FROM facts ORDER BY upid, place
