-- # How processes ended
-- Which programs crash, are killed or fail, and how often? One row per program and way of ending, those that a signal
-- ended first. `SIGSEGV`, `SIGABRT`, `SIGBUS`, `SIGILL` and `SIGFPE` are crashes; `SIGKILL` is an order, or the kernel
-- for want of memory. Of a shell, exit code 127 is a program that was not found, 126 one that could not be run, and
-- 128 + n a signal n that ended its last child.
-- @needs processes
-- @param all bool false  With exit code 0.
-- @column comm [key]         Name of the process.
-- @column ended [key]        Signal that ended it, or its exit code; `?` where neither is known.
-- @column processes [total]  Processes that ended so.
-- @column percent [mean]     Share of the processes of this name that ended.
-- @column mean_ns [mean]     Mean time from start to end.
-- @column last_pid           Process id of the last of them.
-- @column last_argv          Its arguments.
-- @caveat Processes whose end was not recorded are not here.
-- @plot bar comm processes
-- @dataset script, vitals, compiler, web
WITH ends AS (
    SELECT
        comm,
        signal IS NOT NULL AS is_signal,
        coalesce(signal, CAST(exit_code AS VARCHAR), '?') AS ended,
        duration_ns,
        end_ts,
        upid,
        pid,
        argv
    FROM processes
    WHERE end_ts IS NOT NULL
),
sums AS (
    SELECT
        comm,
        is_signal,
        ended,
        count(*) AS processes,
        CAST(avg(duration_ns) AS BIGINT) AS mean_ns,
        last_value(pid ORDER BY end_ts, upid) AS last_pid,
        last_value(argv ORDER BY end_ts, upid) AS last_argv
    FROM ends
    GROUP BY comm, is_signal, ended
),
shares AS (
    SELECT *, round(100.0 * processes / sum(processes) OVER (PARTITION BY comm), 1) AS percent
    FROM sums
)
SELECT comm, ended, processes, percent, mean_ns, last_pid, last_argv
FROM shares
WHERE $all OR ended <> '0'
ORDER BY is_signal DESC, ended <> '0' DESC, processes DESC, comm, ended
