-- # Beacon
-- Does a program call the same address again and again, at one pace? One row per program, address and port. The pace is
-- the median of the times between one call and the next; it is one pace when half of them differ from it by no more than
-- `jitter` says (median absolute deviation), and most by no more than twice that. Calls that follow each other at once are
-- one. docs/anomalies.md says how often chance looks like this.
-- @severity medium
-- @technique T1071, T1029
-- @rationale What an intruder leaves behind asks for orders from time to time, with some chance in between so as not to
--     be seen.
-- @false-positive Monitors, agents of the machine's management and checks of other machines' health have a pace, too: a few
--     peers that are known; suppress by `exe` and `remote_address`.
-- @false-positive A job that calls a service every minute.
-- @needs connections
-- @param calls integer 15  Calls from which on it is a finding.
-- @param jitter number 0.2  Median deviation, as a share of the pace, up to which it is one pace.
-- @param share number 0.75  Share of the times that must lie within twice that deviation.
-- @param min_pace duration 1s  A faster pace is that of a program that works.
-- @param burst duration 250ms  Calls that follow within this time are one.
-- @window all
-- @column ts                   When the number of calls was reached.
-- @column host                 Machine.
-- @column upid                 Process for good; of several, their parent.
-- @column pid                  Process id.
-- @column sentence             What was found.
-- @column exe [key]            The program, as the kernel names it.
-- @column remote_address [key] Address that it calls.
-- @column remote_port [key]    Port.
-- @column calls                Calls.
-- @column pace_ns [mean]       Median of the times between them.
-- @column jitter_percent [mean]  Median deviation, of the pace.
-- @column sent_bytes           Bytes that it sent in all.
-- @column received_bytes       Bytes that it received.
-- @caveat A program that keeps one connection open and sends over it at a pace is not found.
-- @caveat Names (UDP port 53) and time (UDP port 123) are asked for at a pace by design and are left out, as is what a
--     machine asks of itself.
-- @evidence SELECT ts, comm, pid, duration_ns, sent_bytes, received_bytes FROM connections WHERE host = {host}
--     AND remote_address = {remote_address} AND remote_port = {remote_port} AND role IN ('client', 'peer') ORDER BY ts
-- @next ebrec report connections --peer {remote_address} --port {remote_port} --sort time
-- @fires attacks, intrusion
-- @silent lookalikes, web, network, packages, cron, desktop
WITH bursts AS (
    -- What a process calls within `burst` is one row: a busy program would fill the memory otherwise.
    SELECT
        host, upid, comm, remote_address, remote_port,
        min(CAST(ts AS BIGINT)) AS ns,
        max(CAST(ts AS BIGINT)) AS last_ns,
        count(*) AS connections,
        sum(sent_bytes) AS sent_bytes,
        sum(received_bytes) AS received_bytes
    FROM connections
    WHERE
        role IN ('client', 'peer')
        AND protocol IN ('tcp', 'udp')
        AND remote_address NOT LIKE '127.%'
        AND remote_address <> '::1'
        AND (local_address IS DISTINCT FROM remote_address)
        AND NOT (protocol = 'udp' AND remote_port IN (53, 123))
    GROUP BY host, upid, comm, remote_address, remote_port, CAST(ts AS BIGINT) / greatest($burst, 1)
),
starts AS (
    SELECT b.*, coalesce(p.exe, b.comm) AS exe, p.parent_upid
    FROM bursts b
    LEFT JOIN processes p ON b.host = p.host AND b.upid = p.upid
),
-- A process that does enough by itself is told by itself; others are put together below their parent.
owned AS (
    SELECT
        *,
        CASE
            WHEN sum(connections) OVER (PARTITION BY host, upid, remote_address, remote_port) >= $calls THEN upid
            ELSE coalesce(parent_upid, upid)
        END AS who
    FROM starts
),
gaps AS (
    SELECT
        *,
        -- The last call before may be another process's than the one that began last.
        ns - max(last_ns) OVER (
            PARTITION BY host, exe, who, remote_address, remote_port ORDER BY ns, upid
            ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
        ) AS gap_ns,
        min(upid) OVER (PARTITION BY host, exe, who, remote_address, remote_port) AS first_upid,
        max(upid) OVER (PARTITION BY host, exe, who, remote_address, remote_port) AS last_upid,
        sum(sent_bytes) OVER (PARTITION BY host, exe, who, remote_address, remote_port) AS all_sent_bytes,
        sum(received_bytes) OVER (PARTITION BY host, exe, who, remote_address, remote_port) AS all_received_bytes
    FROM owned
),
-- The first call, and those that do not follow at once.
calls AS (
    SELECT
        *,
        ns - lag(ns) OVER (PARTITION BY host, exe, who, remote_address, remote_port ORDER BY ns, upid) AS time_ns,
        row_number() OVER (PARTITION BY host, exe, who, remote_address, remote_port ORDER BY ns, upid) AS number
    FROM gaps
    WHERE gap_ns IS NULL OR gap_ns >= $burst
),
paces AS (
    SELECT
        *,
        median(CAST(time_ns AS DOUBLE)) OVER (PARTITION BY host, exe, who, remote_address, remote_port) AS pace_ns
    FROM calls
),
regular AS (
    SELECT
        host, exe, remote_address, remote_port,
        CASE WHEN min(first_upid) = max(last_upid) THEN min(first_upid) ELSE who END AS upid,
        min(ns) FILTER (WHERE number = $calls) AS ns,
        count(*) AS calls,
        max(ns) - min(ns) AS duration_ns,
        max(pace_ns) AS pace_ns,
        median(abs(time_ns - pace_ns)) / max(pace_ns) AS jitter,
        avg(CASE WHEN abs(time_ns - pace_ns) <= 2 * $jitter * pace_ns THEN 1.0 WHEN time_ns IS NOT NULL THEN 0.0 END) AS share,
        CAST(max(all_sent_bytes) AS BIGINT) AS sent_bytes,
        CAST(max(all_received_bytes) AS BIGINT) AS received_bytes
    FROM paces
    GROUP BY host, exe, who, remote_address, remote_port
    HAVING count(*) >= $calls AND max(pace_ns) >= $min_pace
)
SELECT
    to_timestamp_nanos(r.ns) AS ts,
    r.host,
    r.upid,
    p.pid,
    concat(
        coalesce(p.comm, base_name(r.exe), '?'), ' called ', r.remote_address, ' port ', r.remote_port, ' ', r.calls, ' times in ',
        human_duration(r.duration_ns), ', every ', human_duration(CAST(r.pace_ns AS BIGINT)), ' to ',
        CAST(round(100 * r.jitter, 1) AS VARCHAR), ' %'
    ) AS sentence,
    r.exe,
    r.remote_address,
    r.remote_port,
    r.calls,
    CAST(r.pace_ns AS BIGINT) AS pace_ns,
    round(100 * r.jitter, 1) AS jitter_percent,
    r.sent_bytes,
    r.received_bytes
FROM regular r
LEFT JOIN processes p ON r.host = p.host AND r.upid = p.upid
WHERE r.jitter <= $jitter AND r.share >= $share
ORDER BY ts, r.host, r.exe, r.remote_address, r.remote_port, r.upid
