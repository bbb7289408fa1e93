-- # Program that the kernel starts was changed
-- Who set what the kernel itself runs as root: for a core dump, for a module, for an empty control group, for a
-- device, for a format of programs? One row per process and setting. The tools that put the settings of the system in
-- place at its start are silent, outside containers.
-- @severity critical
-- @technique T1611, T1068
-- @rationale The kernel runs it as root, outside all containers: it is the way out of one, and from a bug in the
--     kernel to root.
-- @false-positive `sysctl -w` of an administrator, services that collect core dumps (apport), and images that register
--     emulators of other processors with `binfmt_misc`.
-- @needs syscalls, processes
-- @window 0s
-- @column ts            When it was first opened to write.
-- @column host          Machine.
-- @column upid          Process for good.
-- @column pid           Process id.
-- @column sentence      What was found.
-- @column exe           Program file of the process, as last known.
-- @column file          The setting.
-- @column container_id  The container; NULL outside of one.
-- @caveat What was written is not recorded: look at the setting.
-- @evidence SELECT * FROM files WHERE host = {host} AND upid = {upid} AND path = {file}
-- @next cat {file}
-- @fires attacks, execution
-- @silent lookalikes, web, compiler, database, packages, cron, desktop
SELECT
    f.ts,
    f.host,
    f.upid,
    f.pid,
    concat(
        f.comm,
        CASE
            WHEN p.container_id IS NULL THEN ''
            ELSE concat(' in container ', coalesce(p.container_name, left(p.container_id, 12)))
        END,
        ' changed what the kernel runs ',
        CASE
            WHEN f.path LIKE '%core_pattern' THEN 'when a program crashes'
            WHEN f.path LIKE '%release_agent' THEN 'when a control group is empty'
            WHEN f.path LIKE '%/modprobe' THEN 'to load a module'
            WHEN f.path LIKE '%binfmt_misc%' THEN 'for a format of programs'
            WHEN f.path LIKE '%poweroff_cmd' THEN 'to switch off'
            ELSE 'when a device appears'
        END,
        ': ', f.path
    ) AS sentence,
    f.exe,
    f.path AS file,
    p.container_id
FROM file_accesses f
LEFT JOIN processes p ON f.host = p.host AND f.upid = p.upid
WHERE
    f.operation IN ('write', 'open')
    AND f.calls > f.failures
    AND regexp_like(
        f.path,
        '/sys/kernel/(core_pattern|modprobe|hotplug|poweroff_cmd|uevent_helper)$'
            || '|/sys/fs/binfmt_misc/register$|/release_agent$'
    )
    AND NOT (
        p.container_id IS NULL
        AND regexp_like(
            coalesce(f.exe, ''),
            '^/(usr/)?(lib/systemd/systemd(-sysctl|-binfmt|-coredump|-executor)?|s?bin/update-binfmts)$'
        )
    )
ORDER BY f.ts, f.host, f.upid, f.path
