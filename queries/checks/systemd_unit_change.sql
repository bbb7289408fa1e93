-- # Units of systemd changed
-- Who made or changed a unit of systemd, a generator of units, or a link that enables one? One row per process that
-- did.
-- @severity medium
-- @technique T1543.002, T1053.006
-- @rationale A service or timer runs at each boot, as root if nothing else is said. Links that systemd makes to a unit
--     in a folder for temporary files are told too: no package has its units there.
-- @false-positive An administrator who writes a unit or enables one by hand, or a tool that deploys: who started the
--     process says so.
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
--     '%systemd%'` has it.
-- @caveat `systemctl enable` of a unit that lies where units belong is not told: the unit was, when it was written.
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
            '^(/proc/[^/]+/root|/host(fs)?|/rootfs|/mnt)?/(etc|run|(usr/(local/)?)?lib)/systemd/'
                || '(system|user)(-generators)?/.'
                || '|(^|/)\.(config|local/share)/systemd/user/.'
        )
        AND NOT (
            regexp_like(
                coalesce(exe, ''),
                '^/(usr/)?(lib/systemd/[^ ]+|bin/(systemctl|systemd-[a-z]+)|lib/snapd/snapd|libexec/netplan/[a-z]+)$'
            )
            -- Of a link, `path` is what it points to.
            AND NOT regexp_like(path, '^/(tmp|var/tmp|dev/shm|run/user)/')
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
            WHEN 1 THEN 'a file of systemd units: '
            ELSE concat(array_length(c.names), ' files of systemd units: ')
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
