-- # Containers and control groups
-- What runs in which container, and what does it use? One row per container, and per control group of what is in none;
-- the most CPU time first. What was not recorded is NULL: CPU time needs the source `sched` or `cpu`, memory `faults`,
-- bytes `network` and `disk`.
-- @needs processes
-- @column container [key]         Name of the container, else how its id begins, else the path of the control group.
-- @column processes [total]       Processes that were in it, those that began before the recording included.
-- @column cpu_ns [total]          CPU time of their threads.
-- @column rss_bytes [max]         Most resident memory that they had in a second, all together.
-- @column sent_bytes [total]      Sent by them on sockets of all kinds.
-- @column received_bytes [total]  Received by them.
-- @column disk_bytes [total]      Read from and written to disks by them.
-- @caveat A process counts for the place where it was last, also for what it did before it was moved there.
-- @caveat Memory that processes share is counted in each of them.
-- @caveat What is written to files goes to the disk later, by threads of the kernel, and is not in `disk_bytes` then.
-- @plot bar container cpu_ns
-- @dataset network, web, database, compiler
WITH places AS (
    SELECT
        host,
        upid,
        coalesce(container_name, left(container_id, 12), cgroup, '?') AS container
    FROM processes
),
sliced AS (
    SELECT host, upid, sum(duration_ns) AS cpu_ns FROM sched_slices GROUP BY host, upid
),
used AS (
    SELECT host, upid, sum(cpu_ns) AS cpu_ns FROM task_usage GROUP BY host, upid
),
sent AS (
    SELECT host, upid, sum(sent_bytes) AS sent_bytes, sum(received_bytes) AS received_bytes
    FROM connections
    GROUP BY host, upid
),
moved AS (
    SELECT host, upid, sum(bytes) AS disk_bytes FROM block_io GROUP BY host, upid
),
resident AS (
    SELECT host, upid, time_bucket(ts, 1000000000) AS second, max(rss_bytes) AS rss_bytes
    FROM memory_usage
    GROUP BY host, upid, time_bucket(ts, 1000000000)
),
seconds AS (
    SELECT p.host, p.container, sum(r.rss_bytes) AS rss_bytes
    FROM resident r
    JOIN places p ON r.host = p.host AND r.upid = p.upid
    GROUP BY p.host, p.container, r.second
),
memory AS (
    SELECT host, container, max(rss_bytes) AS rss_bytes FROM seconds GROUP BY host, container
),
sums AS (
    SELECT
        p.host,
        p.container,
        count(*) AS processes,
        -- The scheduler's slices are exact; where they were not recorded there may be its sums of a second.
        CAST(coalesce(sum(c.cpu_ns), sum(u.cpu_ns)) AS BIGINT) AS cpu_ns,
        CAST(sum(s.sent_bytes) AS BIGINT) AS sent_bytes,
        CAST(sum(s.received_bytes) AS BIGINT) AS received_bytes,
        CAST(sum(d.disk_bytes) AS BIGINT) AS disk_bytes
    FROM places p
    LEFT JOIN sliced c ON p.host = c.host AND p.upid = c.upid
    LEFT JOIN used u ON p.host = u.host AND p.upid = u.upid
    LEFT JOIN sent s ON p.host = s.host AND p.upid = s.upid
    LEFT JOIN moved d ON p.host = d.host AND p.upid = d.upid
    GROUP BY p.host, p.container
)
SELECT
    s.container,
    s.processes,
    s.cpu_ns,
    CAST(m.rss_bytes AS BIGINT) AS rss_bytes,
    s.sent_bytes,
    s.received_bytes,
    s.disk_bytes
FROM sums s
LEFT JOIN memory m ON s.host = m.host AND s.container = m.container
ORDER BY s.cpu_ns DESC NULLS LAST, s.processes DESC, s.container, s.host
