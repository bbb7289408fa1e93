-- # Memory pressure
-- Was memory short, on the machine or in a control group? One row per stretch of time for the machine, then for
-- each control group that was recorded. Pressure is the share of time in which some thread, or every one (`full`),
-- could not go on for want of memory: it waited for memory to be freed, or for a page to come back from swap or
-- disk. Much less memory available with no pressure is a cache that does its work. `memory_some_percent` above
-- some 10, or any `memory_full_percent` that stays, is time lost; `io_some_percent` beside it that rises together
-- with `major_faults_per_second` and swap means thrashing. A group can be short while the machine is not:
-- `available_bytes` is then what its own limit leaves.
-- @needs system
-- @param every duration 10s  Length of the stretches.
-- @param groups bool true  Also control groups; else the machine alone.
-- @column ts [key]         Beginning of the stretch.
-- @column cgroup [key]     Control group; NULL for the machine.
-- @column memory_some_percent [mean]  Time in which some thread waited for memory.
-- @column memory_full_percent [mean]  Time in which none got on for want of memory.
-- @column available_bytes [min]  Least memory that programs could still have; of a group, below its limit, and NULL
--     without one.
-- @column oom_kills [total]  Processes that the kernel ended for want of memory.
-- @column major_faults_per_second [mean]  Page faults that waited for a disk; NULL for groups.
-- @column swap_used_bytes [max]  Most swap in use.
-- @column swap_bytes_per_second [mean]  Read back from swap and written to it; NULL for groups.
-- @column io_some_percent [mean]  Time in which some thread waited for a disk.
-- @column cpu_some_percent [mean]  Time in which some thread waited for a CPU.
-- @column limit_hits [total]  Times a group came up to its limit (`memory.max`) or was slowed down by `memory.high`;
--     NULL for the machine.
-- @caveat Gauges are of the whole machine and of groups, also where only some processes were recorded.
-- @caveat They are read once a second: what was short for less is in the pressure, which the kernel adds up, but
--     not in
--     `available_bytes`. Pressure is NULL where the kernel does not tell it.
-- @caveat The first reading has nothing before it: it gives no pressure and no rates.
-- @plot line ts memory_some_percent cgroup
-- @dataset vitals, web, database
WITH gauges AS (
    SELECT
        host,
        time_bucket(ts, $every) AS ts,
        CASE WHEN component = 'cgroup' THEN instance END AS cgroup,
        -- The same metric in the words of the machine: groups have the resource in its name.
        CASE
            WHEN component = 'pressure' THEN concat(instance, '_', metric)
            WHEN component = 'swap' THEN concat('swap_', metric)
            ELSE metric
        END AS metric,
        value, change, interval_ns, ts AS read_ts
    FROM system
    WHERE component IN ('memory', 'swap')
        OR component = 'pressure' AND metric IN ('some_ns', 'full_ns')
        OR component = 'cgroup' AND $groups AND metric IN (
            'memory_bytes', 'memory_limit_bytes', 'swap_bytes', 'memory_high', 'memory_max', 'oom_kills',
            'cpu_some_ns', 'memory_some_ns', 'memory_full_ns', 'io_some_ns'
        )
),
readings AS (
    -- What is the difference of two metrics is so at one moment.
    SELECT
        host, cgroup, ts, read_ts,
        max(interval_ns) AS interval_ns,
        max(change) FILTER (WHERE metric = 'memory_some_ns') AS memory_some_ns,
        max(change) FILTER (WHERE metric = 'memory_full_ns') AS memory_full_ns,
        max(change) FILTER (WHERE metric = 'io_some_ns') AS io_some_ns,
        max(change) FILTER (WHERE metric = 'cpu_some_ns') AS cpu_some_ns,
        max(change) FILTER (WHERE metric = 'major_page_faults') AS major_faults,
        sum(change) FILTER (WHERE metric IN ('swap_read_bytes', 'swap_written_bytes')) AS swap_moved_bytes,
        max(change) FILTER (WHERE metric = 'oom_kills') AS oom_kills,
        sum(change) FILTER (WHERE metric IN ('memory_high', 'memory_max')) AS limit_hits,
        CASE
            WHEN cgroup IS NULL THEN max(value) FILTER (WHERE metric = 'available_bytes')
            ELSE max(value) FILTER (WHERE metric = 'memory_limit_bytes') - max(value) FILTER (WHERE metric = 'memory_bytes')
        END AS available_bytes,
        CASE
            WHEN cgroup IS NULL THEN max(value) FILTER (WHERE metric = 'swap_total_bytes') - max(value) FILTER (WHERE metric = 'swap_free_bytes')
            ELSE max(value) FILTER (WHERE metric = 'swap_bytes')
        END AS swap_used_bytes
    FROM gauges
    GROUP BY host, cgroup, ts, read_ts
),
stretches AS (
    SELECT
        host, cgroup, ts,
        CAST(sum(interval_ns) AS DOUBLE) AS length_ns,
        sum(memory_some_ns) AS memory_some_ns,
        sum(memory_full_ns) AS memory_full_ns,
        sum(io_some_ns) AS io_some_ns,
        sum(cpu_some_ns) AS cpu_some_ns,
        sum(major_faults) AS major_faults,
        sum(swap_moved_bytes) AS swap_moved_bytes,
        sum(oom_kills) AS oom_kills,
        sum(limit_hits) AS limit_hits,
        min(available_bytes) AS available_bytes,
        max(swap_used_bytes) AS swap_used_bytes
    FROM readings
    GROUP BY host, cgroup, ts
)
SELECT
    ts,
    cgroup,
    round(100 * memory_some_ns / length_ns, 1) AS memory_some_percent,
    round(100 * memory_full_ns / length_ns, 1) AS memory_full_percent,
    CAST(available_bytes AS BIGINT) AS available_bytes,
    CAST(oom_kills AS BIGINT) AS oom_kills,
    round(1e9 * major_faults / length_ns, 1) AS major_faults_per_second,
    CAST(swap_used_bytes AS BIGINT) AS swap_used_bytes,
    CAST(1e9 * swap_moved_bytes / length_ns AS BIGINT) AS swap_bytes_per_second,
    round(100 * io_some_ns / length_ns, 1) AS io_some_percent,
    round(100 * cpu_some_ns / length_ns, 1) AS cpu_some_percent,
    CAST(limit_hits AS BIGINT) AS limit_hits
FROM stretches
ORDER BY cgroup NULLS FIRST, ts, host
