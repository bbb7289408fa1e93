-- # Changes of user and capabilities
-- Which processes changed their user, group or capabilities, or ran a set-user-id program? One row per name of a
-- thread and change, those that became root first. `became root` of anything but `sudo`, `su`, `sshd`, `cron` and
-- their like is to be looked at; `gave up root` is what a careful server does after its start.
-- @needs process_events
-- @column change [key]         What changed: `became root`, `ran a set-user-id program`, `gave up root`, `user`, or
--     `group or capabilities`.
-- @column comm [key]           Name of the thread; of a set-user-id program, the program's.
-- @column from_uid [key]       Effective user before; of a set-user-id program, the real user.
-- @column to_uid [key]         Effective user afterwards.
-- @column times [total]        How often.
-- @column last_pid             Process of the last.
-- @column capabilities         Of the last, effective capabilities: `all`, `none`, or those that matter most, and `...`
--     when there are others; NULL of a set-user-id program.
-- @column program              Of the last set-user-id program, the file.
-- @caveat A change is noticed at the thread's next event: several at once are one, and the first state of a thread is
--     no change.
-- @caveat A set-user-id program is told twice where its new user is noticed as well.
-- @caveat In a user namespace the users are those of the machine, and `all` capabilities are those in the namespace.
-- @plot bar comm times
-- @dataset web, dns
WITH changes AS (
    SELECT
        CASE
            WHEN event = 'exec' THEN 'ran a set-user-id program'
            WHEN euid = 0 AND old_euid <> 0 THEN 'became root'
            WHEN euid <> 0 AND old_euid = 0 THEN 'gave up root'
            WHEN euid <> old_euid OR uid <> old_uid THEN 'user'
            ELSE 'group or capabilities'
        END AS change,
        comm,
        CASE WHEN event = 'exec' THEN uid ELSE old_euid END AS from_uid,
        euid AS to_uid,
        ts,
        upid,
        pid,
        exe,
        CASE
            WHEN event = 'exec' THEN NULL
            WHEN cap_effective = 0 THEN 'none'
            -- The first 41 bits are those of Linux 5.9 and later.
            WHEN cap_effective & 2199023255551 = 2199023255551 THEN 'all'
            ELSE ltrim(concat(
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
                CASE WHEN cap_effective & 8 <> 0 THEN ' FOWNER' END,
                CASE WHEN cap_effective & 32 <> 0 THEN ' KILL' END,
                CASE WHEN cap_effective & 4096 <> 0 THEN ' NET_ADMIN' END,
                CASE WHEN cap_effective & 8192 <> 0 THEN ' NET_RAW' END,
                CASE WHEN cap_effective & 1024 <> 0 THEN ' NET_BIND_SERVICE' END,
                CASE WHEN cap_effective & 1647117126416 <> 0 THEN ' ...' END
            ))
        END AS capabilities
    FROM process_events
    WHERE event = 'setuid' OR (event = 'exec' AND uid <> euid)
)
SELECT
    change,
    comm,
    from_uid,
    to_uid,
    count(*) AS times,
    last_value(pid ORDER BY ts, upid) AS last_pid,
    last_value(capabilities ORDER BY ts, upid) AS capabilities,
    last_value(exe ORDER BY ts, upid) AS program
FROM changes
GROUP BY change, comm, from_uid, to_uid
ORDER BY
    CASE change
        WHEN 'became root' THEN 0
        WHEN 'ran a set-user-id program' THEN 1
        WHEN 'gave up root' THEN 2
        WHEN 'user' THEN 3
        ELSE 4
    END,
    times DESC,
    comm,
    from_uid,
    to_uid
