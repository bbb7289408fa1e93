-- # BPF program loaded
-- Who loaded a program into the kernel's BPF machine, other than the parts of a system that are known to? One row per
-- process. Where it was attached is in a structure that is not recorded: which kind it is, `bpftool prog` tells while
-- it is there.
-- @severity medium
-- @technique T1014, T1205.002
-- @rationale A BPF program sees system calls and packets, can change what programs get to see, and hides well.
-- @false-positive Tools of tracing and of networks that are not in the list: `exe` is one, and it was installed.
-- @needs syscalls, processes
-- @window 0s
-- @column ts        When the first of them was loaded.
-- @column host      Machine.
-- @column upid      Process for good.
-- @column pid       Process id.
-- @column sentence  What was found.
-- @column exe       Program file of the process, as last known.
-- @column programs [total]  How many programs it loaded.
-- @column maps [total]      How many maps it made for them.
-- @evidence SELECT * FROM syscalls WHERE host = {host} AND upid = {upid} AND syscall = 'bpf' AND ret >= 0
-- @next ebrec explain --pid {pid} --at {ts}
-- @fires attacks, execution
-- @silent lookalikes, web, compiler, database, packages, cron, desktop
WITH calls AS (
    SELECT
        host, upid,
        min(CASE WHEN arg0 = 5 THEN ts END) AS ts,
        min(pid) AS pid,
        min(comm) AS comm,
        sum(CASE WHEN arg0 = 5 THEN 1 ELSE 0 END) AS programs,
        sum(CASE WHEN arg0 = 0 THEN 1 ELSE 0 END) AS maps
    FROM syscalls
    WHERE syscall = 'bpf' AND ret >= 0
    GROUP BY host, upid
    -- 5 is BPF_PROG_LOAD, 0 BPF_MAP_CREATE.
    HAVING sum(CASE WHEN arg0 = 5 THEN 1 ELSE 0 END) > 0
)
SELECT
    c.ts,
    c.host,
    c.upid,
    c.pid,
    concat(
        c.comm, ' loaded ', c.programs, CASE WHEN c.programs = 1 THEN ' BPF program' ELSE ' BPF programs' END,
        ' into the kernel',
        CASE c.maps WHEN 0 THEN '' WHEN 1 THEN ', with a map' ELSE concat(', with ', c.maps, ' maps') END
    ) AS sentence,
    p.exe,
    CAST(c.programs AS BIGINT) AS programs,
    CAST(c.maps AS BIGINT) AS maps
FROM calls c
LEFT JOIN processes p ON c.host = p.host AND c.upid = p.upid
WHERE NOT regexp_like(
    coalesce(p.exe, ''),
    '^/(usr|bin|sbin|lib|opt|snap)/(.*/)?'
        || '(systemd(-[a-z]+)?|runc|crun|youki|conmon|dockerd|containerd(-[a-z0-9-]+)?|podman|lxc-[a-z]+|lxd|incusd'
        || '|snap-confine|NetworkManager|ip|tc|bpftool|bpftrace|perf|ebrec|cilium(-[a-z]+)?|falco|tracee|tetragon'
        || '|suricata|system-probe|irqbalance|pmdabpf|sysdig|osqueryd|auditbeat|packetbeat)$'
)
ORDER BY c.ts, c.host, c.upid
