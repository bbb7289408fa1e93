-- # Events of every kind
-- One row per event of any table, with one line of text. What `replay` reads.
-- @column ts           When it happened or began.
-- @column kind         Table or event kind: `syscall`, `io_uring`, `exec`, `sched_slice`, ...
-- @column duration_ns  How long it took; NULL when it has no length or has not ended.
-- @column host         Name of the machine.
-- @column pid          Process id.
-- @column tid          Thread id.
-- @column upid         Process for good.
-- @column comm         Name of the thread at that moment.
-- @column cgroup_id    Control group of the thread at that moment.
-- @column text         What happened, for people.
SELECT
    ts,
    CASE WHEN via = 'io_uring' THEN 'io_uring' ELSE 'syscall' END AS kind,
    duration_ns, host, pid, tid, upid, comm, cgroup_id,
    concat(
        CASE WHEN via = 'io_uring' THEN 'io_uring: ' WHEN via = 'compat' THEN '32-bit: ' ELSE '' END,
        syscall_text(syscall, arg0, arg1, arg2, arg3, arg4, arg5, ret, path, path2, address, truncated)
    ) AS text
FROM syscalls
UNION ALL
SELECT
    ts,
    event AS kind,
    CAST(NULL AS BIGINT) AS duration_ns, host, pid, tid, upid, comm, cgroup_id,
    CASE event
        WHEN 'fork' THEN concat('fork -> ', child_pid)
        WHEN 'thread_start' THEN concat('thread -> ', child_tid)
        WHEN 'exec' THEN concat(
            'exec ', coalesce(exe, path, '?'),
            CASE WHEN argv IS NULL THEN '' ELSE concat(' [', argv, ']') END
        )
        WHEN 'exit' THEN CASE
            WHEN signal IS NOT NULL THEN concat('+++ killed by ', signal, ' +++')
            ELSE concat('+++ exited with ', coalesce(CAST(exit_code AS VARCHAR), '?'), ' +++')
        END
        WHEN 'thread_exit' THEN CASE
            WHEN signal IS NOT NULL THEN concat('+++ thread killed by ', signal, ' +++')
            ELSE '+++ thread exited +++'
        END
        WHEN 'rename' THEN concat('comm -> ', new_comm)
        WHEN 'setuid' THEN concat(
            'uid ', old_uid, ' -> ', uid, ', euid ', old_euid, ' -> ', euid,
            ', capabilities ', coalesce(hex(cap_effective), '?')
        )
        WHEN 'cgroup_attach' THEN concat('cgroup -> ', child_cgroup_id)
        ELSE event
    END AS text
FROM process_events
UNION ALL
SELECT
    ts,
    'sched_slice' AS kind,
    duration_ns, host, pid, tid, upid, comm, cgroup_id,
    concat(
        'ran ', coalesce(human_duration(duration_ns), '?'), ' on CPU ', cpu,
        CASE WHEN wait_ns > 0 THEN concat(' after a wait of ', human_duration(wait_ns)) ELSE '' END,
        CASE WHEN end_state IS NULL THEN '' ELSE concat(', then ', end_state) END
    ) AS text
FROM sched_slices
UNION ALL
SELECT
    ts,
    'offcpu' AS kind,
    duration_ns, host, pid, tid, upid, comm, cgroup_id,
    concat(
        'off CPU: ', coalesce(state, '?'), ' for ', coalesce(human_duration(duration_ns), '?'),
        CASE WHEN wait_ns > 0 THEN concat(', of it ', human_duration(wait_ns), ' ready') ELSE '' END,
        CASE WHEN waker_tid IS NULL THEN '' ELSE concat(', woken by ', waker_comm, '[', waker_tid, ']') END
    ) AS text
FROM offcpu
UNION ALL
SELECT
    ts,
    'migration' AS kind,
    CAST(NULL AS BIGINT) AS duration_ns, host, pid, tid, upid, comm, cgroup_id,
    concat('CPU ', from_cpu, ' -> ', to_cpu) AS text
FROM migrations
UNION ALL
SELECT
    ts,
    CASE WHEN size_bytes IS NULL THEN 'deallocation' ELSE 'allocation' END AS kind,
    CAST(NULL AS BIGINT) AS duration_ns, host, pid, tid, upid, comm, cgroup_id,
    -- A row without a size gives memory back.
    CASE
        WHEN size_bytes IS NULL THEN concat(operation, '(', hex(address), ')')
        ELSE concat(
            operation, '(',
            CASE WHEN old_address IS NULL THEN '' ELSE concat(hex(old_address), ', ') END,
            size_bytes, ') = ', coalesce(hex(address), 'NULL')
        )
    END AS text
FROM allocations
UNION ALL
SELECT
    ts,
    'cpu_sample' AS kind,
    CAST(NULL AS BIGINT) AS duration_ns, host, pid, tid, upid, comm, cgroup_id,
    concat('running in ', mode, ' mode on CPU ', cpu) AS text
FROM cpu_samples
UNION ALL
SELECT
    ts,
    'page_fault' AS kind,
    CAST(NULL AS BIGINT) AS duration_ns, host, pid, tid, upid, comm, cgroup_id,
    concat(fault, ' page fault at ', coalesce(hex(address), '?')) AS text
FROM page_faults
UNION ALL
SELECT
    ts,
    'memory_usage' AS kind,
    CAST(NULL AS BIGINT) AS duration_ns, host, pid, tid, upid, comm, cgroup_id,
    concat(
        'memory: ', coalesce(human_bytes(rss_bytes), '?'), ' resident, peak ',
        coalesce(human_bytes(rss_peak_bytes), '?')
    ) AS text
FROM memory_usage
UNION ALL
SELECT
    ts,
    'oom_kill' AS kind,
    CAST(NULL AS BIGINT) AS duration_ns, host, pid, tid, upid, comm, cgroup_id,
    concat(
        'killed for want of memory, with ', coalesce(human_bytes(rss_bytes), '?'), ' resident',
        CASE WHEN by_pid IS NULL THEN '' ELSE concat('; process ', by_pid, ' had asked for more') END
    ) AS text
FROM oom_kills
UNION ALL
SELECT
    ts,
    'mapping' AS kind,
    CAST(NULL AS BIGINT) AS duration_ns, host, pid, tid, upid, comm, cgroup_id,
    concat(
        'code at ', coalesce(hex(start_address), '?'), '-', coalesce(hex(end_address), '?'),
        CASE WHEN file IS NULL THEN '' ELSE concat(' of ', file) END
    ) AS text
FROM mappings
UNION ALL
SELECT
    ts,
    'connection' AS kind,
    duration_ns, host, pid, tid, upid, comm, cgroup_id,
    concat(
        coalesce(protocol, 'socket'), ' ', coalesce(role, '?'), ' ',
        coalesce(local_address, '*'), CASE WHEN local_port IS NULL THEN '' ELSE concat(':', local_port) END,
        ' - ',
        coalesce(remote_address, '*'), CASE WHEN remote_port IS NULL THEN '' ELSE concat(':', remote_port) END,
        ': sent ', coalesce(human_bytes(sent_bytes), '?'), ', received ', coalesce(human_bytes(received_bytes), '?'),
        CASE WHEN error IS NULL THEN '' ELSE concat(', ', error) END
    ) AS text
FROM connections
UNION ALL
SELECT
    ts,
    'connection_event' AS kind,
    CAST(NULL AS BIGINT) AS duration_ns, host, pid, tid, upid, comm, cgroup_id,
    concat(
        coalesce(protocol, 'socket'), ' ',
        coalesce(local_address, '*'), CASE WHEN local_port IS NULL THEN '' ELSE concat(':', local_port) END,
        ' - ',
        coalesce(remote_address, '*'), CASE WHEN remote_port IS NULL THEN '' ELSE concat(':', remote_port) END,
        ': ', coalesce(event, '?'),
        CASE WHEN old_state IS NULL THEN '' ELSE concat(' ', old_state, ' to') END,
        CASE WHEN state IS NULL THEN '' ELSE concat(' ', state) END,
        CASE WHEN reason IS NULL THEN '' ELSE concat(', ', reason) END,
        CASE WHEN error IS NULL THEN '' ELSE concat(', ', error) END
    ) AS text
FROM connection_events

UNION ALL
SELECT
    ts,
    'flow' AS kind,
    duration_ns, host, pid, tid, upid, comm, cgroup_id,
    concat(
        coalesce(protocol, ethertype, 'packets of flows that found no room'), ' ',
        coalesce(local_address, ''), CASE WHEN local_port IS NULL THEN '' ELSE concat(' port ', local_port) END,
        CASE WHEN remote_address IS NULL THEN '' ELSE concat(' <-> ', remote_address) END,
        CASE WHEN remote_port IS NULL THEN '' ELSE concat(' port ', remote_port) END,
        ': sent ', sent_packets, ' (', human_bytes(sent_bytes), '), received ', received_packets,
        ' (', human_bytes(received_bytes), ')',
        CASE WHEN interface IS NULL THEN '' ELSE concat(' at ', interface) END
    ) AS text
FROM flows
UNION ALL
SELECT
    ts,
    'packet' AS kind,
    CAST(NULL AS BIGINT) AS duration_ns, host, pid, tid, upid, comm, cgroup_id,
    concat(
        coalesce(direction, '?'), ' at ', coalesce(interface, '?'), ': ',
        coalesce(protocol, ethertype, 'packet'), ' ',
        coalesce(source_address, source_mac, '?'),
        CASE WHEN source_port IS NULL THEN '' ELSE concat(' port ', source_port) END,
        ' -> ', coalesce(destination_address, destination_mac, '?'),
        CASE WHEN destination_port IS NULL THEN '' ELSE concat(' port ', destination_port) END,
        CASE WHEN tcp_flags IS NULL THEN '' ELSE concat(' ', tcp_flags) END,
        CASE WHEN arp_operation IS NULL THEN '' ELSE concat(' ', arp_operation) END,
        ', ', human_bytes(length_bytes),
        CASE WHEN malformed IS NULL THEN '' ELSE concat(', ', malformed) END
    ) AS text
FROM packets

UNION ALL
SELECT
    ts,
    'dns' AS kind,
    latency_ns AS duration_ns, host, pid, tid, upid, comm, cgroup_id,
    concat(
        coalesce(kind, 'message'), ' ', coalesce(type, '?'), ' ', coalesce(name, '?'),
        CASE WHEN kind = 'response' THEN concat(' = ', coalesce(answers, rcode, '?')) ELSE '' END,
        CASE WHEN kind = 'response' THEN concat(' from ', server_address) ELSE concat(' to ', server_address) END,
        CASE WHEN transport = 'tcp' THEN ' by TCP' ELSE '' END,
        CASE WHEN latency_ns IS NULL THEN '' ELSE concat(' after ', human_duration(latency_ns)) END,
        CASE WHEN malformed IS NULL THEN '' ELSE concat(' (malformed: ', malformed, ')') END
    ) AS text
FROM dns

UNION ALL
SELECT
    ts,
    'task_usage' AS kind,
    CAST(NULL AS BIGINT) AS duration_ns, host, pid, tid, upid, comm, cgroup_id,
    concat(
        'since last told: ran ', coalesce(human_duration(cpu_ns), '?'),
        CASE WHEN wait_ns > 0 THEN concat(', waited for a CPU ', human_duration(wait_ns)) ELSE '' END,
        ', left the CPU ', voluntary_switches, ' times by itself and ', involuntary_switches, ' times for others'
    ) AS text
FROM task_usage
UNION ALL
SELECT
    ts,
    'block_io' AS kind,
    duration_ns, host, pid, tid, upid, comm, cgroup_id,
    concat(
        coalesce(operation, '?'),
        CASE WHEN sector IS NULL THEN '' ELSE concat(' ', coalesce(human_bytes(bytes), '?'), ' at sector ', sector) END,
        ' of ', coalesce(disk, device, '?'),
        CASE WHEN flags IS NULL THEN '' ELSE concat(' [', flags, ']') END,
        CASE WHEN queue_ns IS NULL THEN '' ELSE concat(', queued for ', human_duration(queue_ns)) END,
        CASE WHEN service_ns IS NULL THEN '' ELSE concat(', served in ', human_duration(service_ns)) END,
        CASE WHEN duration_ns IS NULL THEN ', not completed' ELSE '' END,
        CASE WHEN error IS NULL THEN '' ELSE concat(' = ', error) END
    ) AS text
FROM block_io
UNION ALL
SELECT
    ts,
    CASE WHEN event = 'sent' THEN 'signal_sent' ELSE 'signal_received' END AS kind,
    CAST(NULL AS BIGINT) AS duration_ns, host, pid, tid, upid, comm, cgroup_id,
    CASE event
        WHEN 'sent' THEN concat(
            coalesce(signal, '?'), ' -> ', coalesce(target_comm, '?'), '[', coalesce(target_tid, 0), ']',
            CASE WHEN code IS NULL THEN '' ELSE concat(' (', code, ')') END,
            CASE WHEN result = 'delivered' THEN '' ELSE concat(', ', coalesce(result, '?')) END
        )
        ELSE concat(
            '--- ', coalesce(signal, '?'),
            CASE WHEN code IS NULL THEN '' ELSE concat(' (', code, ')') END,
            CASE WHEN sender_pid IS NULL THEN '' ELSE concat(' from ', sender_pid) END,
            ': ', coalesce(action, '?'), ' ---'
        )
    END AS text
FROM signals
