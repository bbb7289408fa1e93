-- # What each CPU did
-- One row per second and CPU. Percents of the time that the kernel accounted for; they add up to 100.
-- Needs the source `system`.
-- @column ts               When it was read: the end of the second.
-- @column host             Name of the machine.
-- @column cpu              The CPU, such as `cpu0`.
-- @column interval_ns      Time since the reading before.
-- @column user_percent     In programs, those of low priority and virtual machines included.
-- @column system_percent   In the kernel, without interrupts.
-- @column irq_percent      In interrupts and soft interrupts.
-- @column iowait_percent   With nothing to do but to wait for a disk.
-- @column idle_percent     With nothing to do.
-- @column steal_percent    Given to others by the hypervisor.
WITH times AS (
    SELECT
        ts, host, instance AS cpu,
        max(interval_ns) AS interval_ns,
        sum(CASE WHEN metric IN ('user_ns', 'nice_ns') THEN change ELSE 0 END) AS user_ns,
        sum(CASE WHEN metric = 'system_ns' THEN change ELSE 0 END) AS system_ns,
        sum(CASE WHEN metric IN ('irq_ns', 'softirq_ns') THEN change ELSE 0 END) AS irq_ns,
        sum(CASE WHEN metric = 'iowait_ns' THEN change ELSE 0 END) AS iowait_ns,
        sum(CASE WHEN metric = 'idle_ns' THEN change ELSE 0 END) AS idle_ns,
        sum(CASE WHEN metric = 'steal_ns' THEN change ELSE 0 END) AS steal_ns
    FROM system
    WHERE component = 'cpu' AND change IS NOT NULL
    GROUP BY ts, host, instance
),
sums AS (
    SELECT *, user_ns + system_ns + irq_ns + iowait_ns + idle_ns + steal_ns AS all_ns FROM times
)
SELECT
    ts, host, cpu, interval_ns,
    100 * user_ns / all_ns AS user_percent,
    100 * system_ns / all_ns AS system_percent,
    100 * irq_ns / all_ns AS irq_percent,
    100 * iowait_ns / all_ns AS iowait_percent,
    100 * idle_ns / all_ns AS idle_percent,
    100 * steal_ns / all_ns AS steal_percent
FROM sums
WHERE all_ns > 0
