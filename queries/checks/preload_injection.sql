-- # Library pushed into a program
-- Was a library from a folder that is open to all loaded into a program of the system before anything else? One row
-- per process. The loader opens what `LD_PRELOAD` and `LD_AUDIT` name before it opens the C library: a file that a
-- program below `/usr` opens in between from `/tmp` or its like was pushed in. The environment itself is not recorded,
-- but where it is written out for `env` or `sudo`, or an option of the loader, it is looked at.
-- @severity high
-- @technique T1574.006
-- @rationale The library runs in the place of the program, with its rights, and can hide files, read passwords, or
--     answer for the system.
-- @false-positive Tests of a library that is made to be preloaded, and programs of the system started with
--     `LD_LIBRARY_PATH` pointing to a build in `/tmp`.
-- @needs process_events, syscalls
-- @window 0s
-- @column ts        When the library was opened, or the program with the option was run.
-- @column host      Machine.
-- @column upid      Process for good.
-- @column pid       Process id.
-- @column sentence  What was found.
-- @column exe       The program.
-- @column library   The library; NULL where only the arguments tell of it.
-- @column argv      Arguments of the program.
-- @caveat A library in a home folder or below `/usr` is not told from others; `/etc/ld.so.preload` has a check of its
--     own.
-- @caveat A program that is linked with another C library than glibc is not seen.
-- @evidence SELECT * FROM files WHERE host = {host} AND upid = {upid} AND operation IN ('open', 'exec') ORDER BY ts
-- @next ebrec explain --pid {pid} --at {ts}
-- @fires attacks, execution
-- @silent lookalikes, web, compiler, database, memory, packages, cron, desktop
WITH libc AS (
    SELECT host, upid, min(ok_ts) AS ts, max(last_ts) AS last_ts
    FROM file_accesses
    WHERE operation = 'read' AND regexp_like(path, '/libc[.]so[.]6$')
    GROUP BY host, upid
),
-- The recorder preloads a library of its own where it collects allocations.
collector AS (
    SELECT count(*) AS events FROM segments WHERE kind = 'allocation'
),
-- A file that was looked for in vain, and is loaded by the program itself later, was not pushed in.
early AS (
    SELECT f.host, f.upid, f.ok_ts AS ts, f.path, l.ts AS libc_ts, l.last_ts AS libc_last_ts
    FROM file_accesses f
    JOIN libc l ON f.host = l.host AND f.upid = l.upid
    CROSS JOIN collector c
    WHERE
        f.operation = 'read'
        AND regexp_like(f.path, '^/(tmp|var/tmp|dev/shm|dev/mqueue|run/shm|run/lock|run/user/[0-9]+)/')
        AND NOT (c.events > 0 AND regexp_like(f.path, '^/dev/shm/ebrec-[0-9]+-[0-9a-f]+/libebrec[.]so$'))
),
found AS (
    SELECT
        e.ts AS run_ts, f.ts, e.host, e.upid, e.pid, e.comm, e.exe, e.argv, f.path AS library,
        concat(' loaded ', f.path, ' before its C library') AS what
    FROM early f
    JOIN execs e ON f.host = e.host AND f.upid = e.upid
    WHERE
        regexp_like(e.exe, '^/(usr|bin|sbin|lib(32|64)?|opt|snap|nix|gnu)/')
        AND e.ts <= f.ts
        -- A process that runs two programs opens the C library twice.
        AND f.ts < CASE WHEN f.libc_ts >= e.ts THEN f.libc_ts ELSE f.libc_last_ts END
    UNION ALL
    SELECT
        ts AS run_ts, ts, host, upid, pid, comm, exe, argv, CAST(NULL AS VARCHAR) AS library,
        concat(' was told to preload a library: ', left(argv, 200)) AS what
    FROM execs
    WHERE
        regexp_like(exe, '/(env|sudo|doas|busybox|ld-[a-z0-9.-]+)$')
        AND regexp_like(
            argv,
            '(LD_(PRELOAD|AUDIT)=|--(preload|audit)[ =])["'']?([^ ]*:)?/(tmp|var/tmp|dev/shm|run/user/[0-9]+)/'
        )
)
SELECT
    min(ts) AS ts,
    host,
    upid,
    min(pid) AS pid,
    first_value(concat(comm, what) ORDER BY library IS NULL, ts, library) AS sentence,
    first_value(exe ORDER BY library IS NULL, ts, library) AS exe,
    min(library) AS library,
    first_value(argv ORDER BY library IS NULL, ts, library) AS argv
FROM found
GROUP BY host, upid
ORDER BY ts, host, upid
