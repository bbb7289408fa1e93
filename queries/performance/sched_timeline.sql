-- # Scheduler timeline
-- What did the threads of a process do, slice by slice? One row per slice of a thread on a CPU, in the order of time, with what
-- it had waited for since its slice before. Choose a process with `--pid` or `--comm` and a range with `--from` and
-- `--to`: of a whole machine these are millions of rows. `waited_ns` is how long it was off the CPU in all before the
-- slice, and `ready_ns` the part of that in which it only lacked a CPU.
-- @needs sched_slices, offcpu
-- @param tid integer -        Only this thread.
-- @param limit integer 10000  How many, from the beginning.
-- @column at_ns [key]        When the slice began, from the first event of the recording on: `--from +5s` begins there.
-- @column who [key]          Name and number of the thread.
-- @column cpu                CPU that it ran on.
-- @column waited_ns          Time off the CPU before; NULL for its first slice.
-- @column reason             What it waited for.
-- @column ready_ns           Time it was ready to run and waited for the CPU.
-- @column duration_ns        Time on the CPU; NULL when it was still there at the end.
-- @column left               Why it left the CPU: `preempted`, or the state it was left in.
-- @caveat What came before an interval that was lost or not recorded shows as a slice without a wait.
-- @plot timeline at_ns duration_ns
-- @dataset locks, web, database, threads
WITH slices AS (
    SELECT host, upid, tid, comm, cpu, ts, wait_ns, duration_ns, end_state
    FROM sched_slices
    WHERE $tid IS NULL OR tid = $tid
    ORDER BY ts, tid, cpu
    LIMIT $limit
),
-- A wait is over at the nanosecond at which the next slice begins.
before AS (
    SELECT host, upid, tid, CAST(ts AS BIGINT) + duration_ns AS end_ns, duration_ns, reason
    FROM waits
    WHERE duration_ns IS NOT NULL AND ($tid IS NULL OR tid = $tid) AND ts <= (SELECT max(ts) FROM slices)
)
SELECT
    CAST(s.ts AS BIGINT) - CAST(f.first_ts AS BIGINT) AS at_ns,
    concat(s.comm, '[', s.tid, ']') AS who,
    s.cpu,
    w.duration_ns AS waited_ns,
    w.reason,
    s.wait_ns AS ready_ns,
    s.duration_ns,
    s.end_state AS left
FROM slices s
CROSS JOIN (SELECT min(first_ts) AS first_ts FROM segments) f
LEFT JOIN before w ON w.host = s.host AND w.upid = s.upid AND w.tid = s.tid AND w.end_ns = CAST(s.ts AS BIGINT)
ORDER BY s.ts, s.tid, s.cpu
