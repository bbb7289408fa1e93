-- # Became root without sudo and its like
-- Which process of a user became root in another way than by a known set-user-id program of the system? One row per
-- process. Neither its real nor its effective user was root before: servers that put on and off their rights keep the
-- one or the other.
-- @severity high
-- @technique T1548.001, T1068
-- @rationale A bug in the kernel, a capability, or a copy of a shell that keeps its owner's rights: whichever it was,
--     the user now owns the machine.
-- @false-positive Set-user-id programs of vendors, which are not in the list: `program` says which.
-- @needs process_events
-- @window all
-- @column ts        When it became root.
-- @column host      Machine.
-- @column upid      Process for good.
-- @column pid       Process id.
-- @column sentence  What was found.
-- @column from_uid  User it was before.
-- @column program   The program it ran then; NULL when not known.
-- @caveat A change is noticed at the next event of the thread.
-- @caveat The root of a user namespace is another user to the machine, and not found.
-- @evidence SELECT * FROM process_events WHERE host = {host} AND upid = {upid} AND event IN ('setuid', 'exec')
-- @next ebrec explain --pid {pid} --at {ts}
-- @fires attacks, execution
-- @silent lookalikes, web, compiler, database, packages, cron, desktop
WITH changes AS (
    SELECT ts, host, upid, pid, comm, event, old_uid AS from_uid, exe
    FROM process_events
    WHERE event = 'setuid' AND euid = 0 AND old_euid <> 0 AND old_uid <> 0
    UNION ALL
    SELECT ts, host, upid, pid, comm, event, uid AS from_uid, exe
    FROM process_events
    WHERE event = 'exec' AND euid = 0 AND uid <> 0
),
-- The program of that moment: a set-user-id program changes the user within the exec that runs it, before its event.
programs AS (
    SELECT
        c.ts, c.host, c.upid, c.pid, c.comm, c.event, c.from_uid,
        last_value(coalesce(c.exe, e.exe) ORDER BY e.ts) AS exe,
        -- Who was root already when the program was run did not get it from the program.
        coalesce(last_value(e.uid ORDER BY e.ts) = 0, false) AS was_root
    FROM changes c
    LEFT JOIN execs e
        ON c.host = e.host AND c.upid = e.upid AND CAST(e.ts AS BIGINT) <= CAST(c.ts AS BIGINT) + 10000000
    GROUP BY c.ts, c.host, c.upid, c.pid, c.comm, c.event, c.from_uid
),
found AS (
    SELECT c.ts, c.host, c.upid, c.pid, c.comm, c.event, c.from_uid, coalesce(c.exe, p.exe) AS program
    FROM programs c
    LEFT JOIN processes p ON c.host = p.host AND c.upid = p.upid
    WHERE NOT (
        NOT c.was_root
        AND regexp_like(
            coalesce(c.exe, p.exe, ''),
            '^/(usr|bin|sbin|lib(32|64)?|opt|snap)/(.*/)?'
                || '(sudo(-rs)?|su(-rs)?|doas|pkexec|passwd|ch(sh|fn|age)|expiry|newgrp|gpasswd|u?mount([.][a-z0-9]+)?'
                || '|ntfs-3g|fusermount3?|new[ug]idmap|crontab|at|ping6?|arping|traceroute6?|mtr-packet'
                || '|unix_(chkpwd|update)|pam_timestamp_check|userhelper|usernetctl|utempter|lxc-user-nic|staprun'
                || '|dbus-daemon-launch-helper|polkit-agent-helper-1|ssh-keysign|Xorg([.]wrap)?|chrome-sandbox|bwrap'
                || '|snap-confine|firejail|exim4?|sendmail|procmail|pppd|screen-[0-9.]+|vmware-user-suid-wrapper'
                || '|VBox[A-Za-z]+|spice-client-glib-usb-acl-helper)$'
        )
    )
)
SELECT
    min(ts) AS ts,
    host,
    upid,
    min(pid) AS pid,
    concat(
        first_value(comm ORDER BY ts, event), ' of user ', first_value(from_uid ORDER BY ts, event), ' became root',
        CASE
            WHEN bool_or(event = 'exec') THEN concat(
                ' by the set-user-id program ', coalesce(first_value(program ORDER BY event, ts), '?'),
                ', which is none of those that are for it'
            )
            ELSE concat(' while it ran ', coalesce(first_value(program ORDER BY ts, event), 'an unknown program'))
        END
    ) AS sentence,
    first_value(from_uid ORDER BY ts, event) AS from_uid,
    first_value(program ORDER BY event, ts) AS program
FROM found
GROUP BY host, upid
ORDER BY ts, host, upid
