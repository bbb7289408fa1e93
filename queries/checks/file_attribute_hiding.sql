-- # File locked against changes
-- Who made a file immutable or append-only, or took that away? One row per process.
-- @severity medium
-- @technique T1222.002
-- @rationale With `chattr +i` not even root can remove a file before it is taken off: what an intruder leaves stays,
--     and what the owner had locked is opened.
-- @false-positive An administrator who locks `resolv.conf` or the logs on purpose.
-- @needs process_events, syscalls
-- @window 0s
-- @column ts          When the first of it was done.
-- @column host        Machine.
-- @column upid        Process for good.
-- @column pid         Process id.
-- @column sentence    What was found.
-- @column exe         Program file of the process at the first of them.
-- @column what [key]  Arguments, or the file of the call.
-- @caveat A program of its own that calls `ioctl` with `FS_IOC_SETFLAGS` is not told: what is set lies in memory that
--     is not recorded.
-- @evidence SELECT ts, comm, exe, argv AS what FROM execs WHERE host = {host} AND upid = {upid} UNION ALL SELECT ts,
--     comm, exe, path FROM file_accesses WHERE host = {host} AND upid = {upid} AND operation = 'file_setattr' ORDER BY
--     1, 4
-- @fires attacks, persistence
-- @silent lookalikes, web, compiler, database, packages, cron, desktop
WITH
changes AS (
    SELECT ts, host, upid, pid, comm, exe, argv AS what, concat(' changed attributes: ', left(argv, 200)) AS act
    FROM execs
    WHERE
        regexp_like(
            concat(base_name(exe), ' ', argv, ' '),
            '^(chattr [^ ]+|(busybox|toybox) ([^ ]*/)?((busy|toy)box )?chattr) (.* )?'
                || '''?[-+=][a-zA-Z]*[ia][a-zA-Z]*''? '
        )
    UNION ALL
    SELECT ts, host, upid, pid, comm, exe, path AS what, concat(' changed attributes of ', path) AS act
    FROM file_accesses
    WHERE
        operation = 'file_setattr'
        AND failures < calls
        AND NOT regexp_like(
            coalesce(exe, ''),
            '^/(usr/)?(s?bin/(chattr|xfs_[a-z]+|btrfs|snapper|lxd|incusd)|lib/systemd/[^ ]+)$'
        )
)
SELECT
    min(ts) AS ts,
    host,
    upid,
    min(pid) AS pid,
    first_value(concat(comm, act) ORDER BY ts, what) AS sentence,
    min(exe) AS exe,
    first_value(what ORDER BY ts, what) AS what
FROM changes
GROUP BY host, upid
ORDER BY ts, host, upid
