-- # Calls that a network service never needs
-- Does a process that serves connections ask the kernel for what is not its business: to trace others, to load code
-- into the kernel, to change the machine? One row per process. Only calls count that it made after it began to listen or
-- to serve: what a service manager prepares in a process before it becomes the service comes before.
-- @severity medium
-- @technique T1068, T1055.008, T1547.006
-- @rationale Who takes over a service goes on from there, and exploits of the kernel begin with calls that services do not
--     make.
-- @false-positive Managers of containers and of networks (`dockerd`, `cilium-agent`) load programs into the kernel and
--     listen: suppress by `exe`.
-- @false-positive A debugger or profiler that serves its pages itself.
-- @needs syscalls, connections
-- @window all
-- @column ts        When the first of the calls was made.
-- @column host      Machine.
-- @column upid      Process for good.
-- @column pid       Process id.
-- @column sentence  What was found.
-- @column syscalls  The calls, with how often they were made.
-- @column calls     How many there were in all.
-- @column succeeded How many of them succeeded.
-- @column exe       The program, as the kernel names it.
-- @caveat A process that the service starts, and that serves no connection itself, is not looked at here.
-- @evidence SELECT ts, comm, syscall, arg0, arg1, arg2, arg3, path, ret, error FROM syscalls
--     WHERE host = {host} AND upid = {upid} AND strpos({syscalls}, concat(syscall, ' ')) > 0
-- @next ebrec explain --pid {pid} --at {ts}
-- @fires attacks, behaviour
-- @silent lookalikes, web, packages, cron, desktop
WITH services AS (
    SELECT host, upid, min(ts) AS since
    FROM connections
    WHERE role IN ('listener', 'server') AND protocol NOT LIKE 'unix%'
    GROUP BY host, upid
),
calls AS (
    SELECT s.host, c.upid, c.syscall, min(c.ts) AS ts, count(*) AS calls, count(*) - count(c.error) AS succeeded
    FROM services s
    JOIN syscalls c ON s.host = c.host AND s.upid = c.upid
    WHERE
        c.syscall IN (
            'ptrace', 'process_vm_readv', 'process_vm_writev', 'process_madvise', 'kcmp', 'kexec_load', 'kexec_file_load',
            'init_module', 'finit_module', 'delete_module', 'bpf', 'userfaultfd', 'perf_event_open', 'add_key',
            'request_key', 'keyctl', 'iopl', 'ioperm', 'modify_ldt', 'swapon', 'swapoff', 'reboot', 'acct', 'quotactl',
            'mount', 'umount2', 'pivot_root', 'fsopen', 'move_mount', 'setns', 'open_by_handle_at', 'settimeofday',
            'clock_settime', 'sethostname', 'setdomainname', 'syslog', 'lookup_dcookie', 'nfsservctl'
        )
        AND c.ts >= s.since
    GROUP BY s.host, c.upid, c.syscall
),
found AS (
    SELECT
        min(c.ts) AS ts,
        c.host,
        c.upid,
        string_agg(concat(c.syscall, ' (', c.calls, ')'), ', ' ORDER BY c.syscall) AS syscalls,
        CAST(sum(c.calls) AS BIGINT) AS calls,
        CAST(sum(c.succeeded) AS BIGINT) AS succeeded
    FROM calls c
    LEFT JOIN processes p ON c.host = p.host AND c.upid = p.upid
    WHERE
        -- The service manager listens on behalf of others, and all of this is its business.
        coalesce(p.exe, '') NOT IN ('/usr/lib/systemd/systemd', '/lib/systemd/systemd')
        -- A session gets a keyring of its own.
        AND NOT (
            c.syscall IN ('keyctl', 'add_key', 'request_key')
            AND regexp_like(coalesce(p.exe, ''), '^/usr/(s?bin|lib/openssh|libexec/openssh)/(sshd|sshd-session|sshd-auth|login|gssproxy|rpc[.][a-z]+)$')
        )
    GROUP BY c.host, c.upid
)
SELECT
    f.ts,
    f.host,
    f.upid,
    p.pid,
    concat(coalesce(p.comm, '?'), ' serves connections and called ', f.syscalls, '; ', f.succeeded, ' of ', f.calls, ' succeeded') AS sentence,
    f.syscalls,
    f.calls,
    f.succeeded,
    p.exe
FROM found f
LEFT JOIN processes p ON f.host = p.host AND f.upid = p.upid
ORDER BY f.ts, f.host, f.upid
