-- # Capabilities gained by a user's process
-- Which process that was root neither before nor afterwards got capabilities with which one can become root, by
-- running a program? One row per process and program. The file of such a program carries the capabilities.
-- @severity medium
-- @technique T1548, T1068
-- @rationale A capability on the file of an interpreter or a copier is a door that is left open: `cap_setuid` on
--     Python is as good as root.
-- @false-positive Programs of vendors whose files carry capabilities: `getcap` shows them. Those of the usual
--     distributions are left out.
-- @needs process_events, syscalls
-- @window 1m
-- @column ts            When it got them.
-- @column host          Machine.
-- @column upid          Process for good.
-- @column pid           Process id.
-- @column sentence      What was found.
-- @column program       The program.
-- @column uid           Its user.
-- @column capabilities  Those that matter most.
-- @caveat A file that carries all capabilities is not told from a namespace of a user, which gives all of them as
--     well.
-- @evidence SELECT * FROM process_events WHERE host = {host} AND upid = {upid} AND event IN ('setuid', 'exec')
-- @next getcap {program}
-- @fires attacks, execution
-- @silent lookalikes, web, compiler, database, packages, cron, desktop
WITH gains AS (
    SELECT ts, host, upid, pid, comm, uid, cap_effective
    FROM process_events
    WHERE
        event = 'setuid'
        AND uid <> 0
        AND euid <> 0
        AND old_uid <> 0
        AND old_euid <> 0
        -- CHOWN, DAC_OVERRIDE, DAC_READ_SEARCH, FOWNER, SETGID, SETUID, SYS_MODULE, SYS_RAWIO, SYS_PTRACE, SYS_ADMIN,
        -- SETFCAP, BPF.
        AND cap_effective & 551906115791 <> 0
        -- All of them are those of a namespace of its own. The first 41 bits are those of Linux 5.9 and later.
        AND cap_effective & 2199023255551 <> 2199023255551
),
-- What a process has taken from itself in a namespace, outside an exec, is no gain.
calls AS (
    SELECT ts, host, upid, duration_ns
    FROM syscalls
    WHERE syscall IN ('execve', 'execveat') AND ret = 0
),
found AS (
    SELECT
        g.ts, g.host, g.upid, g.pid, g.uid, g.cap_effective,
        first_value(e.exe ORDER BY e.ts) AS program,
        first_value(e.comm ORDER BY e.ts) AS comm
    FROM gains g
    JOIN calls c
        ON g.host = c.host AND g.upid = c.upid AND c.ts <= g.ts
            AND CAST(g.ts AS BIGINT) <= CAST(c.ts AS BIGINT) + c.duration_ns
    JOIN execs e
        ON g.host = e.host AND g.upid = e.upid AND e.ts >= c.ts
            AND CAST(e.ts AS BIGINT) <= CAST(c.ts AS BIGINT) + c.duration_ns
    WHERE NOT regexp_like(
        coalesce(e.exe, ''),
        '^/(usr|bin|sbin|lib(32|64)?|opt|snap)/(.*/)?'
            || '(sudo|su|newuidmap|newgidmap|suexec|snap-confine|systemd-detect-virt|bwrap|qemu-bridge-helper|dumpcap'
            || '|gst-ptp-helper|gnome-keyring-daemon|kwin_wayland|fusermount3?|mount|umount)$'
    )
    GROUP BY g.ts, g.host, g.upid, g.pid, g.uid, g.cap_effective
),
named AS (
    SELECT
        *,
        ltrim(concat(
            CASE WHEN cap_effective & 2097152 <> 0 THEN ' SYS_ADMIN' END,
            CASE WHEN cap_effective & 65536 <> 0 THEN ' SYS_MODULE' END,
            CASE WHEN cap_effective & 524288 <> 0 THEN ' SYS_PTRACE' END,
            CASE WHEN cap_effective & 131072 <> 0 THEN ' SYS_RAWIO' END,
            CASE WHEN cap_effective & 549755813888 <> 0 THEN ' BPF' END,
            CASE WHEN cap_effective & 2 <> 0 THEN ' DAC_OVERRIDE' END,
            CASE WHEN cap_effective & 4 <> 0 THEN ' DAC_READ_SEARCH' END,
            CASE WHEN cap_effective & 128 <> 0 THEN ' SETUID' END,
            CASE WHEN cap_effective & 64 <> 0 THEN ' SETGID' END,
            CASE WHEN cap_effective & 2147483648 <> 0 THEN ' SETFCAP' END,
            CASE WHEN cap_effective & 1 <> 0 THEN ' CHOWN' END,
            CASE WHEN cap_effective & 8 <> 0 THEN ' FOWNER' END
        )) AS capabilities
    FROM found
)
SELECT
    min(ts) AS ts,
    host,
    upid,
    min(pid) AS pid,
    concat(
        min(comm), ' of user ', min(uid), ' got the capabilities ', min(capabilities), ' by running ',
        coalesce(program, 'a program')
    ) AS sentence,
    program,
    min(uid) AS uid,
    min(capabilities) AS capabilities
FROM named
GROUP BY host, upid, program
ORDER BY ts, host, upid, program
