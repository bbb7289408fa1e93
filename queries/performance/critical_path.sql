-- # Critical path
-- What did a thread's time really go to, when whoever it waited for was waiting too? One row per chain of threads and kind of
-- time, the longest first; the rows add up to the time of the thread. The time that it was off the CPU until another
-- thread woke it is looked up in what that thread did meanwhile: it ran, it waited for a CPU or a disk, or it waited for
-- a third one, and so on. `sh < gcc < cc1: page fault` is time that `sh` waited for `gcc`, which waited for `cc1`, which
-- read a page from the disk. To make the thread faster, make the first row shorter. Time of which nothing is known of the other
-- thread stays with the wait itself.
-- @needs sched_slices, offcpu
-- @param thread integer -   Its thread id; of a process, that of its first thread is the process id. Without it, the thread
--     that was on a CPU first: of a command that was recorded, its first thread.
-- @param depth integer 6    How many threads a chain can have.
-- @param min_wait duration 0s   Shorter waits are not looked into.
-- @param max_waits integer 10000  Of more waits than this, only the longest are looked into.
-- @column share_percent [mean]  Share of the time of the thread.
-- @column time_ns [total]       Time.
-- @column kind [key]            What the last thread of the chain did or waited for, as in `bottlenecks`.
-- @column chain [key]           The thread, who it waited for, who that one waited for, ...
-- @caveat Whom a thread waited for is taken from who woke it. A thread that is woken by an interrupt waits for time, a disk or a
--     packet, and its chain ends there.
-- @caveat Threads that were not recorded, such as those of other processes when one command was, end a chain too.
-- @plot bar chain time_ns
-- @dataset locks, web, database, compiler, threads, memory
WITH RECURSIVE
intervals AS (
    SELECT
        host, tid, comm, CAST(ts AS BIGINT) AS from_ns, CAST(ts AS BIGINT) + duration_ns AS to_ns,
        'on CPU' AS kind, CAST(NULL AS INT) AS waker_tid
    FROM sched_slices
    WHERE duration_ns > 0
    UNION ALL
    -- A wait is two: until it is woken, and until it has a CPU.
    SELECT
        w.host, w.tid, w.comm,
        CASE WHEN p.part = 'ready' THEN CAST(w.ts AS BIGINT) + w.duration_ns - coalesce(w.wait_ns, 0) ELSE CAST(w.ts AS BIGINT) END,
        CASE WHEN p.part = 'ready' THEN CAST(w.ts AS BIGINT) + w.duration_ns ELSE CAST(w.ts AS BIGINT) + w.duration_ns - coalesce(w.wait_ns, 0) END,
        CASE WHEN p.part = 'ready' THEN 'run queue' WHEN w.reason = 'fault' THEN 'page fault' WHEN w.reason = 'cpu' THEN 'run queue' ELSE w.reason END,
        -- An interrupt wakes in the name of whatever thread it came upon.
        CASE WHEN p.part = 'blocked' AND w.reason IN ('lock', 'network', 'pipe', 'child', 'poll', 'unknown') THEN w.waker_tid END
    FROM (VALUES ('blocked'), ('ready')) AS p (part)
    CROSS JOIN waits w
    WHERE w.duration_ns > 0
    UNION ALL
    -- A new thread waits for its first CPU without having left one.
    SELECT host, tid, comm, from_ns - wait_ns, from_ns, 'run queue', CAST(NULL AS INT)
    FROM (
        SELECT
            host, tid, min(CAST(ts AS BIGINT)) AS from_ns,
            first_value(comm ORDER BY ts) AS comm, first_value(wait_ns ORDER BY ts) AS wait_ns
        FROM sched_slices
        GROUP BY host, upid, tid
    ) firsts
    WHERE wait_ns > 0
),
first_thread AS (
    SELECT host, tid FROM sched_slices WHERE $thread IS NULL OR tid = $thread ORDER BY ts, tid LIMIT 1
),
-- Of a thread that waits very often, only the longest waits are looked into.
longest AS (
    SELECT greatest(coalesce(min(ns), 0), $min_wait) AS min_ns
    FROM (
        SELECT w.duration_ns AS ns
        FROM first_thread f
        JOIN waits w ON w.host = f.host AND w.tid = f.tid
        WHERE w.waker_tid IS NOT NULL AND w.duration_ns IS NOT NULL
        ORDER BY ns DESC
        LIMIT $max_waits
    ) waits_of_it
),
-- Time is cut into pieces, so that only what lies in the same one is compared: every interval of a thread with every
-- wait for it would be far too many.
pieces AS (
    SELECT greatest((max(CAST(ts AS BIGINT)) - min(CAST(ts AS BIGINT))) / 4096, 1) AS width_ns FROM sched_slices
),
cut AS (
    SELECT
        i.host, i.tid, i.comm, i.kind, i.from_ns, i.to_ns, p.width_ns,
        CASE WHEN i.to_ns - i.from_ns >= l.min_ns THEN i.waker_tid END AS waker,
        unnest(range(i.from_ns / p.width_ns, (i.to_ns - 1) / p.width_ns + 1)) AS piece
    FROM pieces p
    CROSS JOIN longest l
    CROSS JOIN intervals i
    WHERE i.to_ns > i.from_ns
),
activities AS (
    SELECT
        host, tid, comm, kind, waker AS waker_tid, piece,
        greatest(from_ns, piece * width_ns) AS from_ns,
        least(to_ns, (piece + 1) * width_ns) AS to_ns
    FROM cut
),
walk AS (
    SELECT
        a.host, a.piece, a.from_ns, a.to_ns, a.kind, a.waker_tid,
        CAST(1 AS BIGINT) AS place,
        CAST(a.comm AS VARCHAR) AS chain,
        CAST(concat('/', a.tid, '/') AS VARCHAR) AS tids,
        CAST(NULL AS VARCHAR) AS outer_chain, CAST(NULL AS VARCHAR) AS outer_kind
    FROM first_thread f
    JOIN activities a ON a.host = f.host AND a.tid = f.tid
    UNION ALL
    SELECT
        a.host, a.piece, greatest(a.from_ns, w.from_ns), least(a.to_ns, w.to_ns), a.kind,
        -- Who waits for one that is in the chain already waits for its own wait.
        CASE WHEN strpos(w.tids, concat('/', a.waker_tid, '/')) > 0 OR a.waker_tid = a.tid THEN NULL ELSE a.waker_tid END,
        w.place + 1,
        CAST(concat(w.chain, ' < ', a.comm) AS VARCHAR),
        CAST(concat(w.tids, a.tid, '/') AS VARCHAR),
        w.chain, CAST(w.kind AS VARCHAR)
    FROM walk w
    JOIN activities a ON a.host = w.host AND a.tid = w.waker_tid AND a.piece = w.piece
    WHERE a.from_ns < w.to_ns AND a.to_ns > w.from_ns AND w.place < $depth
),
-- What a thread did while another waited for it is taken from that wait.
parts AS (
    SELECT
        CASE WHEN s.is_own THEN w.chain ELSE w.outer_chain END AS chain,
        CASE WHEN s.is_own THEN w.kind ELSE w.outer_kind END AS kind,
        sum(CASE WHEN s.is_own THEN w.to_ns - w.from_ns ELSE w.from_ns - w.to_ns END) AS ns
    FROM walk w
    CROSS JOIN (VALUES (true), (false)) AS s (is_own)
    WHERE s.is_own OR w.outer_chain IS NOT NULL
    GROUP BY 1, 2
)
SELECT
    round(100.0 * ns / sum(ns) OVER (), 2) AS share_percent,
    CAST(ns AS BIGINT) AS time_ns,
    kind,
    chain
FROM parts
WHERE ns > 0
ORDER BY ns DESC, chain, kind
