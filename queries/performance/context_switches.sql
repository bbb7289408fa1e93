-- # Context switches
-- Who switches most, and when: is there a storm? One row per stretch of time (`--every`) and name of a thread that
-- switched at least `--min-switches` times in it, in the order of time, the most first. Thousands of waits a second with
-- little time on the CPU in between are threads that hand each other small pieces of work, or fight for a lock. Often `preempted`
-- is a crowd at the CPUs: `runqueue_latency` says what it costs.
-- @needs sched_slices
-- @param every duration 1s            Length of the stretches.
-- @param min_switches integer 1       Leaves out who switched less in a stretch.
-- @column ts [key]                    Beginning of the stretch.
-- @column comm [key]                  Name of the thread.
-- @column waits [total]               Times it left a CPU to wait, or for good: voluntary switches.
-- @column preempted [total]           Times it had to leave a CPU for another thread: involuntary switches.
-- @column mean_ns [mean]              Mean time on the CPU in between.
-- @column threads [total]             Threads of this name that ran.
-- @caveat A slice belongs to the stretch it began in.
-- @plot line ts waits preempted
-- @dataset locks, web, database, compiler, threads, memory
SELECT
    time_bucket(ts, $every) AS ts,
    comm,
    count(*) FILTER (WHERE end_state <> 'preempted') AS waits,
    count(*) FILTER (WHERE end_state = 'preempted') AS preempted,
    CAST(avg(duration_ns) AS BIGINT) AS mean_ns,
    count(DISTINCT tid) AS threads
FROM sched_slices
GROUP BY time_bucket(ts, $every), comm
HAVING count(end_state) >= $min_switches
ORDER BY ts, count(*) DESC, comm
