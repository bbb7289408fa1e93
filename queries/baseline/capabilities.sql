-- # Capabilities of programs, for baselines
-- One row per program and capability that it had after a change; `all` for all of them, `all but ...` for nearly all.
-- What a process has from its start is no change and not known.
-- @needs process_events
WITH names AS (
    SELECT * FROM (VALUES
        (0, 'chown'), (1, 'dac_override'), (2, 'dac_read_search'), (3, 'fowner'), (4, 'fsetid'), (5, 'kill'),
        (6, 'setgid'), (7, 'setuid'), (8, 'setpcap'), (9, 'linux_immutable'), (10, 'net_bind_service'),
        (11, 'net_broadcast'), (12, 'net_admin'), (13, 'net_raw'), (14, 'ipc_lock'), (15, 'ipc_owner'),
        (16, 'sys_module'), (17, 'sys_rawio'), (18, 'sys_chroot'), (19, 'sys_ptrace'), (20, 'sys_pacct'),
        (21, 'sys_admin'), (22, 'sys_boot'), (23, 'sys_nice'), (24, 'sys_resource'), (25, 'sys_time'),
        (26, 'sys_tty_config'), (27, 'mknod'), (28, 'lease'), (29, 'audit_write'), (30, 'audit_control'),
        (31, 'setfcap'), (32, 'mac_override'), (33, 'mac_admin'), (34, 'syslog'), (35, 'wake_alarm'),
        (36, 'block_suspend'), (37, 'audit_read'), (38, 'perfmon'), (39, 'bpf'), (40, 'checkpoint_restore')
    ) AS t (bit, name)
),
changes AS (
    SELECT l.host, l.upid, l.program, e.cap_effective AS caps, count(*) AS times, min(e.ts) AS ts, min(e.pid) AS pid
    FROM programs l
    JOIN process_events e ON l.host = e.host AND l.upid = e.upid
    WHERE e.event = 'setuid' AND e.cap_effective <> 0
        AND (l.start_ts IS NULL OR e.ts >= l.start_ts) AND (l.end_ts IS NULL OR e.ts < l.end_ts)
    GROUP BY l.host, l.upid, l.program, e.cap_effective
),
-- Most have few or nearly all: a text for those.
masks AS (
    SELECT DISTINCT caps FROM changes
),
-- The first 41 bits are those of Linux 5.9 and later.
missing AS (
    SELECT m.caps, count(*) AS count, string_agg(n.name, ' ' ORDER BY n.name) AS names
    FROM names n
    CROSS JOIN masks m
    WHERE (m.caps >> n.bit) & 1 = 0
    GROUP BY m.caps
),
had AS (
    SELECT
        c.host,
        c.upid,
        c.program,
        CASE WHEN m.count IS NULL THEN 'all' ELSE concat('all but ', m.names) END AS item,
        c.times,
        c.ts,
        c.pid
    FROM changes c
    LEFT JOIN missing m ON c.caps = m.caps
    WHERE coalesce(m.count, 0) <= 8
    UNION ALL
    SELECT c.host, c.upid, c.program, n.name AS item, c.times, c.ts, c.pid
    FROM names n
    CROSS JOIN changes c
    JOIN missing m ON c.caps = m.caps
    WHERE m.count > 8 AND (c.caps >> n.bit) & 1 = 1
),
by_process AS (
    SELECT host, upid, program, item, sum(times) AS times, min(ts) AS ts, min(pid) AS pid
    FROM had
    GROUP BY host, upid, program, item
)
SELECT
    'capabilities' AS section,
    program,
    item,
    sum(times) AS times,
    count(*) AS processes,
    min(ts) AS ts,
    first_value(host ORDER BY ts, host, upid) AS host,
    first_value(upid ORDER BY ts, host, upid) AS upid,
    first_value(pid ORDER BY ts, host, upid) AS pid,
    item AS example
FROM by_process
GROUP BY program, item
ORDER BY program, item
