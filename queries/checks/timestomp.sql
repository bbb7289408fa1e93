-- # Times of system files set
-- Who set the times of a file of the system to ones of its choice? One row per process.
-- @severity low
-- @technique T1070.006
-- @rationale Whoever changed a file gives it the time of its neighbours, so that a search for what is new passes it by.
-- @false-positive Tools of synchronisation and of deployment that are not known here set times as well; so do editors
--     that keep a copy of what they change.
-- @false-positive Builds in a container set all times to one, so that they come out the same each time.
-- @needs process_events, syscalls
-- @window 0s
-- @column ts             When the first of them was set.
-- @column host           Machine.
-- @column upid           Process for good.
-- @column pid            Process id.
-- @column sentence       What was found.
-- @column exe            Program file of the process at the first of them.
-- @column file [key]     The first of the files, in the order of letters.
-- @column files [total]  How many files.
-- @caveat Which time was set is not recorded: a program that sets the time of now looks the same. `touch` counts only
--     with a time or a file to take it from.
-- @caveat `touch`, `cp` and `tar` set times by a descriptor, and other programs may: only of `touch` do the arguments
--     tell.
-- @caveat What packages do while they are installed is left out.
-- @evidence SELECT ts, comm, exe, operation AS what, path AS file FROM file_accesses WHERE host = {host} AND upid =
--     {upid} AND operation = 'utime' UNION ALL SELECT ts, comm, exe, 'exec', argv FROM execs WHERE host = {host} AND
--     upid = {upid} ORDER BY 1, 4, 5
-- @fires attacks, persistence
-- @silent lookalikes, web, compiler, database, packages, cron, desktop
WITH
set_times AS (
    -- The last argument is what is touched; the one behind `-r` only lends its time.
    SELECT
        host, upid, ts, pid, comm, exe,
        rtrim(regexp_replace(argv, '^.* ''?(/)', '\1'), '''') AS file
    FROM execs
    WHERE
        regexp_like(
            concat(base_name(exe), ' ', argv),
            '^(touch [^ ]+|(busybox|toybox|coreutils) .*touch) (.* )?'
                || '(-[acfhm]*[drt]|''?--(date|reference)).* ''?/(etc|(usr/)?(s?bin|lib(64)?))/[^ ]+$'
        )
    UNION ALL
    SELECT host, upid, ts, pid, comm, exe, path AS file
    FROM file_accesses
    WHERE
        operation = 'utime'
        AND failures < calls
        AND regexp_like(path, '^/(etc|(usr/)?s?bin|(usr/)?lib(64)?/(systemd|security|udev|modules))/')
        AND NOT regexp_like(
            coalesce(exe, ''),
            '^/(usr/)?s?bin/(tar|bsdtar|cpio|unzip|7z|rsync|cp|mv|install|depmod|ldconfig|unison|git|busybox'
                || '|user(add|del|mod)|group(add|del|mod|mems)|(ch|g)?passwd|chage|ch(sh|fn)|newusers|vipw|vigr)$'
                || '|^/(usr/)?lib/systemd/[^ ]+$'
        )
),
found AS (
    SELECT
        host,
        upid,
        min(ts) AS ts,
        min(pid) AS pid,
        first_value(comm ORDER BY ts, file) AS comm,
        first_value(exe ORDER BY ts, file) AS exe,
        array_agg(DISTINCT file ORDER BY file) AS names
    FROM set_times
    GROUP BY host, upid
)
SELECT
    t.ts,
    t.host,
    t.upid,
    t.pid,
    concat(
        t.comm,
        ' set the times of ',
        array_to_string(array_slice(t.names, 1, 5), ', '),
        CASE WHEN array_length(t.names) > 5 THEN ', ...' ELSE '' END
    ) AS sentence,
    t.exe,
    t.names[1] AS file,
    CAST(array_length(t.names) AS BIGINT) AS files
FROM found t
-- What runs a manager now was another program when it did this.
LEFT ANTI JOIN package_work k
    ON t.host = k.host AND t.upid = k.upid AND (k.depth > 0 OR t.exe = k.exe)
ORDER BY t.ts, t.host, t.upid
