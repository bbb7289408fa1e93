-- # What the scheduler gave each process
-- One row per second and process that ran in it. Needs the source `cpu`. A second begins with that of the
-- clock; a reading belongs to the one it was made in, and tells of about a second before.
-- @column ts                    The second.
-- @column host                  Name of the machine.
-- @column pid                   Process id.
-- @column upid                  Process for good.
-- @column comm                  Name of one of its threads.
-- @column threads               Its threads that ran.
-- @column cpu_ns                Time on CPUs.
-- @column user_ns               Part of it in the program, as the kernel found it at its ticks.
-- @column system_ns             Part of it in the kernel, as the kernel found it at its ticks.
-- @column wait_ns               Time its threads were ready to run and waited for a CPU.
-- @column voluntary_switches    Times its threads left a CPU because they waited for something.
-- @column involuntary_switches  Times its threads had to leave a CPU for another.
SELECT
    date_trunc('second', ts) AS ts,
    host,
    pid,
    upid,
    min(comm) AS comm,
    count(DISTINCT tid) AS threads,
    sum(cpu_ns) AS cpu_ns,
    sum(user_ns) AS user_ns,
    sum(system_ns) AS system_ns,
    sum(wait_ns) AS wait_ns,
    sum(voluntary_switches) AS voluntary_switches,
    sum(involuntary_switches) AS involuntary_switches
FROM task_usage
GROUP BY date_trunc('second', ts), host, pid, upid
