-- # Bottlenecks
-- What holds programs back? One row per name of processes (or per what `--by` says) and kind of time, who lost most time
-- first, and of each the largest kind first: that row is the verdict. The time of a thread is all that was recorded of it,
-- from its first moment on or off a CPU to its last, and the kinds add up to exactly 100 % of it; of a process it is the
-- sum over its threads. `user`, `kernel`: on a CPU (`on CPU` where no samples tell which). `run queue`: ready, but every
-- CPU it could have was taken. `lock`, `disk`, `page fault`, `network`, `pipe`, `child`, `poll`, `sleep`, `stopped`: off
-- the CPU for that. The last five are how programs wait for work, so they do not count for the order of programs;
-- neither does `unknown`, time that no event covers or whose reason is not known. `look_at` is the largest part of the
-- row: the call and its file descriptor or futex, the function of the program, who ended the wait.
-- @needs sched_slices, offcpu
-- @param by process|pid|thread process  What is told apart: `process` (all of a name), `pid` (each process) or `thread`.
-- @param min_percent number 0  Leaves out kinds with a smaller share.
-- @column who [key]              Name of the process, by pid with its number; by thread the thread's, with its number.
-- @column kind [key]             What it did or waited for.
-- @column share_percent [mean]   Share of its time.
-- @column time_ns [total]        Time, added up over threads.
-- @column times [total]          Intervals; of `user` and `kernel`, samples; NULL of `unknown`.
-- @column look_at                Where most of that time went.
-- @caveat A thread that never ran while it was recorded is not among them, and neither is what came before its first event.
-- @caveat A wait that went on when the recording ended counts up to that end.
-- @caveat Time on a CPU is measured; how it splits into `user` and `kernel` is an estimate from samples, rough where they
--     are few.
-- @caveat Threads of a pool that wait for work on a condition variable are under `lock`: the kernel sees no difference.
-- @caveat Waits that are not in a system call that was recorded, and have no stack, are `unknown` or, in `disk sleep`,
--     `page fault`.
-- @plot bar kind time_ns
-- @dataset locks, web, database, compiler, threads, memory
WITH
ends AS (
    SELECT host, max(CAST(last_ts AS BIGINT)) AS end_ns FROM segments GROUP BY host
),
slices AS (
    SELECT
        host, upid, tid,
        min(CAST(ts AS BIGINT)) AS first_ns,
        max(CAST(ts AS BIGINT) + coalesce(duration_ns, 0)) AS last_ns,
        max(CASE WHEN duration_ns IS NULL THEN CAST(ts AS BIGINT) END) AS open_ns,
        sum(duration_ns) AS ns,
        count(*) AS times
    FROM sched_slices
    GROUP BY host, upid, tid
),
samples AS (
    SELECT host, upid, tid, mode, stack_id, sum(period_ns) AS ns, count(*) AS times
    FROM cpu_samples
    GROUP BY host, upid, tid, mode, stack_id
),
-- The large tables are read once, here; what follows has few rows.
intervals AS (
    SELECT
        host, upid, tid, reason, syscall, stack_id,
        -- An interrupt wakes in the name of whatever thread it came upon.
        CASE WHEN reason IN ('lock', 'network', 'pipe', 'child', 'poll') THEN waker_tid END AS waker_tid,
        CASE WHEN syscall IN (
            'futex', 'read', 'write', 'readv', 'writev', 'pread64', 'pwrite64', 'preadv', 'pwritev', 'recvfrom', 'recvmsg', 'recvmmsg', 'sendto',
            'sendmsg', 'sendmmsg', 'accept', 'accept4', 'connect', 'epoll_wait', 'epoll_pwait', 'epoll_pwait2', 'io_uring_enter', 'fsync', 'fdatasync',
            'flock', 'fcntl', 'ftruncate', 'fallocate', 'sync_file_range', 'getdents64'
        ) THEN syscall_arg0 END AS argument,
        min(CASE WHEN reason IN ('lock', 'network', 'pipe', 'child', 'poll') THEN waker_comm END) AS waker_comm,
        min(CAST(ts AS BIGINT)) AS first_ns,
        max(CAST(ts AS BIGINT) + coalesce(duration_ns, 0)) AS last_ns,
        max(CASE WHEN duration_ns IS NULL THEN CAST(ts AS BIGINT) END) AS open_ns,
        sum(coalesce(duration_ns, 0) - coalesce(wait_ns, 0)) AS blocked_ns,
        sum(coalesce(wait_ns, 0)) AS ready_ns,
        count(*) FILTER (WHERE wait_ns > 0) AS ready_times,
        count(*) AS times
    FROM waits
    GROUP BY 1, 2, 3, 4, 5, 6, 7, 8
),
parts AS (
    SELECT
        s.host, s.upid, s.tid, each_kind.kind,
        CASE WHEN each_kind.kind = 'on CPU' THEN coalesce(s.ns, 0) + CASE WHEN s.open_ns IS NULL THEN 0 ELSE greatest(e.end_ns - s.open_ns, 0) END ELSE 0 END AS ns,
        CAST(0 AS BIGINT) AS sample_ns,
        CASE WHEN each_kind.kind = 'on CPU' THEN s.times END AS times,
        s.first_ns,
        greatest(s.last_ns, CASE WHEN s.open_ns IS NULL THEN 0 ELSE e.end_ns END) AS last_ns,
        CAST(NULL AS VARCHAR) AS syscall, CAST(NULL AS BIGINT) AS argument, CAST(NULL AS BIGINT) AS stack_id,
        CAST(NULL AS INT) AS waker_tid, CAST(NULL AS VARCHAR) AS waker_comm
    FROM slices s
    LEFT JOIN ends e ON e.host = s.host
    CROSS JOIN (VALUES ('on CPU'), ('unknown')) AS each_kind (kind)
    UNION ALL
    SELECT
        host, upid, tid, mode AS kind, 0 AS ns, ns AS sample_ns, times, NULL AS first_ns, NULL AS last_ns,
        NULL AS syscall, NULL AS argument, stack_id, NULL AS waker_tid, NULL AS waker_comm
    FROM samples
    UNION ALL
    SELECT
        w.host, w.upid, w.tid,
        CASE
            WHEN each_part.part = 'ready' OR w.reason = 'cpu' THEN 'run queue'
            WHEN w.reason = 'fault' THEN 'page fault'
            ELSE w.reason
        END AS kind,
        CASE
            WHEN each_part.part = 'ready' THEN w.ready_ns
            ELSE w.blocked_ns + CASE WHEN w.open_ns IS NULL THEN 0 ELSE greatest(e.end_ns - w.open_ns, 0) END
        END AS ns,
        0 AS sample_ns,
        -- One that was preempted was ready all the time: it counts once.
        CASE WHEN each_part.part = 'ready' THEN w.ready_times WHEN w.reason <> 'cpu' THEN w.times END AS times,
        w.first_ns,
        greatest(w.last_ns, CASE WHEN w.open_ns IS NULL THEN 0 ELSE e.end_ns END) AS last_ns,
        CASE WHEN each_part.part = 'blocked' THEN w.syscall END AS syscall,
        CASE WHEN each_part.part = 'blocked' THEN w.argument END AS argument,
        CASE WHEN each_part.part = 'blocked' THEN w.stack_id END AS stack_id,
        CASE WHEN each_part.part = 'blocked' THEN w.waker_tid END AS waker_tid,
        CASE WHEN each_part.part = 'blocked' THEN w.waker_comm END AS waker_comm
    FROM intervals w
    LEFT JOIN ends e ON e.host = w.host
    CROSS JOIN (VALUES ('blocked'), ('ready')) AS each_part (part)
),
-- Of each thread and kind the time, and the largest part of it.
kinds AS (
    SELECT
        host, upid, tid, kind,
        sum(ns) AS ns, sum(sample_ns) AS sample_ns, sum(times) AS times,
        min(first_ns) AS first_ns, max(last_ns) AS last_ns,
        first_value(named_struct('ns', ns + sample_ns, 'host', host, 'syscall', syscall, 'argument', argument, 'stack_id', stack_id, 'waker_tid', waker_tid, 'waker_comm', waker_comm)
            ORDER BY ns + sample_ns DESC, stack_id, waker_tid, argument, syscall) AS most
    FROM parts
    GROUP BY host, upid, tid, kind
),
-- What its kinds leave of the time of a thread is unknown.
timed AS (
    SELECT
        host, upid, tid, kind, sample_ns, times, most,
        CASE WHEN kind = 'unknown' THEN ns + greatest(span_ns - known_ns, 0) ELSE ns END AS ns
    FROM (
        SELECT
            *,
            max(last_ns) OVER thread - min(first_ns) OVER thread AS span_ns,
            sum(ns) OVER thread AS known_ns
        FROM kinds
        WINDOW thread AS (PARTITION BY host, upid, tid)
    ) spans
),
named AS (
    SELECT
        CASE
            WHEN $by = 'thread' THEN concat(coalesce(t.comm, p.comm, '?'), '[', k.tid, ']')
            WHEN $by = 'pid' THEN concat(coalesce(p.comm, '?'), '[', p.pid, ']')
            ELSE coalesce(p.comm, '?')
        END AS who,
        CASE WHEN $by IN ('thread', 'pid') THEN k.host END AS who_host,
        CASE WHEN $by IN ('thread', 'pid') THEN k.upid END AS who_upid,
        CASE WHEN $by = 'thread' THEN k.tid END AS who_tid,
        k.kind, k.ns, k.sample_ns, k.times, k.most
    FROM timed k
    LEFT JOIN threads t ON t.host = k.host AND t.upid = k.upid AND t.tid = k.tid
    LEFT JOIN processes p ON p.host = k.host AND p.upid = k.upid
    WHERE $by IN ('process', 'pid', 'thread')
),
together AS (
    SELECT
        who, who_host, who_upid, who_tid, kind,
        sum(ns) AS ns, sum(sample_ns) AS sample_ns, sum(times) AS times,
        first_value(most ORDER BY most['ns'] DESC, most['stack_id'], most['waker_tid'], most['argument'], most['host']) AS most
    FROM named
    GROUP BY who, who_host, who_upid, who_tid, kind
),
sums AS (
    SELECT
        *,
        sum(ns) OVER same AS wall_ns,
        sum(CASE WHEN kind = 'on CPU' THEN ns ELSE 0 END) OVER same AS on_ns,
        sum(sample_ns) OVER same AS all_sample_ns,
        sum(CASE WHEN kind = 'user' THEN sample_ns ELSE 0 END) OVER same AS user_sample_ns,
        sum(CASE WHEN kind IN ('on CPU', 'run queue', 'lock', 'disk', 'page fault', 'network') THEN ns ELSE 0 END) OVER same AS lost_ns
    FROM together
    WINDOW same AS (PARTITION BY who, who_host, who_upid, who_tid)
),
split AS (
    SELECT
        who, who_host, who_upid, who_tid, kind, wall_ns, lost_ns, times, most,
        CASE
            WHEN kind = 'user' THEN CAST(round(on_ns * (CAST(user_sample_ns AS DOUBLE) / all_sample_ns)) AS BIGINT)
            WHEN kind = 'kernel' THEN on_ns - CAST(round(on_ns * (CAST(user_sample_ns AS DOUBLE) / all_sample_ns)) AS BIGINT)
            ELSE ns
        END AS ns
    FROM sums
    WHERE kind <> 'on CPU' OR all_sample_ns = 0
)
SELECT
    s.who,
    s.kind,
    round(100.0 * s.ns / s.wall_ns, 2) AS share_percent,
    CAST(s.ns AS BIGINT) AS time_ns,
    CAST(s.times AS BIGINT) AS times,
    nullif(concat_ws(
        ', ',
        CASE
            WHEN s.most['syscall'] = 'futex' THEN concat('futex ', hex(s.most['argument']))
            WHEN s.most['argument'] IS NOT NULL THEN concat(s.most['syscall'], ' of fd ', s.most['argument'])
            ELSE s.most['syscall']
        END,
        -- The innermost function of the program itself: without those of the kernel, and of libc for the wait.
        'in ' || stack_leaf(CASE
            WHEN s.kind IN ('user', 'kernel') THEN c.folded
            ELSE regexp_replace(
                regexp_replace(c.folded, ';(entry_|asm_|el0|do_syscall_64|handle_exception|ret_from_|\[kernel\]\+).*$', ''),
                '(;(_*(GI_|libc_|pthread|futex|lll_|new_sem_|sem_)[^;]*|_*(clock_)?nanosleep|epoll_p?wait2?|p?poll|p?select|(libc|libpthread|ld-)[^;+]*\+[^;]*))+$', ''
            )
        END),
        'woken by ' || s.most['waker_comm'] || '[' || CAST(s.most['waker_tid'] AS VARCHAR) || ']'
    ), '') AS look_at
FROM split s
LEFT JOIN stacks c ON c.host = s.most['host'] AND c.stack_id = s.most['stack_id']
WHERE s.ns > 0 AND 100.0 * s.ns / s.wall_ns >= $min_percent
ORDER BY s.lost_ns DESC, s.wall_ns DESC, s.who, s.who_host, s.who_upid, s.who_tid, s.ns DESC, s.kind
