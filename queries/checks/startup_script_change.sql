-- # Programs that start by themselves changed
-- Who changed what runs at boot, at the login to a desktop, or when a device or network comes up? One row per process
-- that did.
-- @severity medium
-- @technique T1037.004, T1547.013, T1546.017
-- @rationale Scripts of init, entries of autostart and rules of udev run without anybody asking, mostly as root, and
--     few people look there.
-- @false-positive A desktop program that is told to start with the session writes its own entry in
--     `~/.config/autostart`.
-- @false-positive An administrator, or an installer that is no package, such as those of VPNs and of drivers.
-- @needs syscalls
-- @window 0s
-- @column ts             When the first of them was changed.
-- @column host           Machine.
-- @column upid           Process for good.
-- @column pid            Process id.
-- @column sentence       What was found.
-- @column exe            Program file of the process at the first of them.
-- @column file [key]     The first of the files, in the order of letters.
-- @column files [total]  How many files.
-- @caveat A file opened with `openat2` counts as changed: whether to write lies in a structure that is not recorded.
-- @caveat What a package manager and the scripts of packages do is left out; `ebrec report file_changes --path
--     '/etc/init.d/%'` has it.
-- @evidence SELECT ts, last_ts, comm, exe, operation, path, path2, calls, failures FROM file_accesses WHERE host =
--     {host} AND upid = {upid} AND (path = {file} OR path2 = {file}) ORDER BY ts, operation, path, path2
-- @fires attacks, persistence
-- @silent lookalikes, web, compiler, database, packages, cron, desktop
WITH
changes AS (
    SELECT
        host,
        upid,
        min(ts) AS ts,
        min(pid) AS pid,
        first_value(comm ORDER BY ts, file) AS comm,
        first_value(exe ORDER BY ts, file) AS exe,
        array_agg(DISTINCT file ORDER BY file) AS names
    FROM (
        SELECT *, CASE WHEN operation IN ('rename', 'link', 'symlink') THEN path2 ELSE path END AS file
        FROM file_accesses
    )
    WHERE
        operation IN ('write', 'open', 'rename', 'link', 'symlink')
        AND failures < calls
        AND regexp_like(
            file,
            '^(/proc/[^/]+/root|/host(fs)?|/rootfs|/mnt)?/etc/'
                || '((rc\.d/)?(rc\.local$|rc[0-9S]\.d/.|init\.d/.)|init/.+\.conf$|local\.d/.|update-motd\.d/.'
                || '|xdg/autostart/.|X11/Xsession\.d/.|NetworkManager/dispatcher\.d/.|network/if-(pre-)?(up|down)\.d/.'
                || '|apt/apt\.conf\.d/.|modules-load\.d/.|rc\.modules$)'
                || '|^(/proc/[^/]+/root|/host(fs)?|/rootfs|/mnt)?/(etc|run|(usr/(local/)?)?lib)/udev/rules\.d/.'
                || '|(^|/)(\.config/autostart/.|\.(xinitrc|xsession|xsessionrc|xprofile)$)'
        )
        AND NOT regexp_like(
            coalesce(exe, ''), '^/(usr/)?(lib/systemd/[^ ]+|bin/systemctl|lib/snapd/snapd|sbin/insserv)$'
        )
    GROUP BY host, upid
)
SELECT
    c.ts,
    c.host,
    c.upid,
    c.pid,
    concat(
        c.comm,
        ' changed ',
        CASE array_length(c.names)
            WHEN 1 THEN 'a file that runs by itself: '
            ELSE concat(array_length(c.names), ' files that run by themselves: ')
        END,
        array_to_string(array_slice(c.names, 1, 5), ', '),
        CASE WHEN array_length(c.names) > 5 THEN ', ...' ELSE '' END
    ) AS sentence,
    c.exe,
    c.names[1] AS file,
    CAST(array_length(c.names) AS BIGINT) AS files
FROM changes c
-- What runs a manager now was another program when it did this.
LEFT ANTI JOIN package_work k
    ON c.host = k.host AND c.upid = k.upid AND (k.depth > 0 OR c.exe = k.exe)
ORDER BY c.ts, c.host, c.upid
