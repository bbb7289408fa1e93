-- # CPU time
-- Which processes use the CPUs, and how much of the machine is that? One row per name of processes (or per what `--by`
-- says), the most CPU time first. From readings of what the scheduler counts for each thread, once a second and at its
-- end, so that it also answers for recordings with the preset `light`, where single slices are not there.
-- `machine_percent` is the share of what all CPUs together could have given; 100 % of one CPU of four is 25 %. Where a
-- process was often `preempted` and `wait_ns` is large, the CPUs are crowded; many `waits` beside little CPU time are a
-- process that keeps waiting for something.
-- @needs task_usage
-- @param by process|pid|thread process  What a row is: `process` (all of a name), `pid` (each process) or `thread`.
-- @column who [key]                 Name, by pid and thread with its number.
-- @column cpu_ns [total]            Time on CPUs.
-- @column machine_percent [mean]    Share of the time of all CPUs, from the first reading to the last; NULL when there was one.
-- @column system_ns [total]         Part of it in the kernel, as its ticks found it: rough where it is short.
-- @column wait_ns [total]           Time ready to run and without a CPU.
-- @column waits [total]             Times it left a CPU to wait for something: voluntary switches.
-- @column preempted [total]         Times it had to leave a CPU for another thread: involuntary switches.
-- @caveat What a thread used before the first reading after it came into the scope counts from its start or from the
--     recording's, whichever was later.
-- @plot bar who cpu_ns
-- @dataset locks, web, compiler
WITH spans AS (
    -- A reading tells of what came before it: time began with the recording.
    SELECT host, max(CAST(ts AS BIGINT)) AS last_ns FROM task_usage GROUP BY host
),
machines AS (
    SELECT
        h.host,
        CAST(max(h.cpus) AS DOUBLE) * (max(s.last_ns) - min(CAST(h.ts AS BIGINT))) AS all_ns
    FROM hosts h
    JOIN spans s ON s.host = h.host
    GROUP BY h.host
),
tasks AS (
    SELECT
        host, upid, tid,
        min(comm) AS comm,
        sum(cpu_ns) AS cpu_ns,
        sum(system_ns) AS system_ns,
        sum(wait_ns) AS wait_ns,
        sum(voluntary_switches) AS voluntary,
        sum(involuntary_switches) AS involuntary
    FROM task_usage
    GROUP BY host, upid, tid
),
named AS (
    SELECT
        CASE
            WHEN $by = 'thread' THEN concat(coalesce(t.comm, k.comm), '[', k.tid, ']')
            WHEN $by = 'pid' THEN concat(coalesce(p.comm, k.comm), '[', p.pid, ']')
            ELSE coalesce(p.comm, k.comm)
        END AS who,
        CASE WHEN $by IN ('thread', 'pid') THEN k.host END AS who_host,
        CASE WHEN $by IN ('thread', 'pid') THEN k.upid END AS who_upid,
        CASE WHEN $by = 'thread' THEN k.tid END AS who_tid,
        k.cpu_ns, k.system_ns, k.wait_ns, k.voluntary, k.involuntary,
        k.cpu_ns / nullif(m.all_ns, 0) AS share
    FROM tasks k
    LEFT JOIN processes p ON p.host = k.host AND p.upid = k.upid
    LEFT JOIN threads t ON t.host = k.host AND t.upid = k.upid AND t.tid = k.tid
    LEFT JOIN machines m ON m.host = k.host
    WHERE $by IN ('process', 'pid', 'thread')
)
SELECT
    who,
    CAST(sum(cpu_ns) AS BIGINT) AS cpu_ns,
    round(100 * sum(share), 2) AS machine_percent,
    CAST(sum(system_ns) AS BIGINT) AS system_ns,
    CAST(sum(wait_ns) AS BIGINT) AS wait_ns,
    CAST(sum(voluntary) AS BIGINT) AS waits,
    CAST(sum(involuntary) AS BIGINT) AS preempted
FROM named
GROUP BY who, who_host, who_upid, who_tid
ORDER BY cpu_ns DESC, waits DESC, who, who_host, who_upid, who_tid
