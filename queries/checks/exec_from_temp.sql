-- # Program run from a temporary folder
-- Was a program or a script run that lies where anybody may write? One row per such file. It counts when it was
-- written, moved there or made executable in the recording, by something else than a compiler, a linker or a package
-- manager; in shared memory (`/dev/shm` and its like) it always counts. A script counts when it was written by
-- something else than an archiver, too: sources are unpacked and configured in `/tmp`. Who brings many files is an
-- installer, and does not count.
-- @severity medium
-- @technique T1059, T1105
-- @rationale Who has no rights to install a program leaves it in a folder that is open to all, and runs it there.
-- @false-positive Installers unpack themselves to `/tmp` and run what they unpacked, as do build systems that bring
--     their tools along; `changed_by` says what wrote the file.
-- @false-positive Toolchains in the home folder of a user are not known as compilers.
-- @needs process_events, syscalls
-- @param max_files integer 20  Who wrote, moved or changed more files than this in such folders is not looked at.
-- @window all
-- @column ts          When it was first run.
-- @column host        Machine.
-- @column upid        Process for good.
-- @column pid         Process id.
-- @column sentence    What was found.
-- @column program     The file.
-- @column changed_by  Name of the thread that last wrote, moved or changed it before; NULL when none was seen.
-- @column runs        How often it was run.
-- @column argv        Its arguments, at first.
-- @caveat What lay in `/tmp` before the recording and was not touched in it is not told.
-- @evidence SELECT * FROM files WHERE host = {host} AND (path = {program} OR path2 = {program})
-- @next ebrec explain --pid {pid} --at {ts}
-- @fires attacks, execution
-- @silent lookalikes, web, compiler, database, packages, cron, desktop
WITH runs AS (
    SELECT
        ts, host, upid, pid, comm, argv,
        CASE WHEN is_program THEN exe ELSE script END AS program,
        is_program
    FROM (
        SELECT
            ts, host, upid, pid, comm, argv, exe,
            clean_path(CASE WHEN path LIKE '/%' THEN path ELSE concat(cwd, '/', path) END) AS script,
            regexp_like(exe, '^/(tmp|var/tmp|dev/shm|dev/mqueue|run/shm|run/lock|run/user/[0-9]+)/') AS is_program
        FROM execs
    )
    WHERE is_program OR regexp_like(script, '^/(tmp|var/tmp|dev/shm|dev/mqueue|run/shm|run/lock|run/user/[0-9]+)/')
),
changes AS (
    SELECT
        host, upid, ts, comm,
        CASE WHEN operation IN ('rename', 'link') THEN path2 ELSE path END AS program,
        -- Who brings many is an installer.
        count(*) OVER (PARTITION BY host, upid) AS files,
        operation = 'chmod'
            OR regexp_like(coalesce(exe, ''), '^/(usr|bin)/(.*/)?(tar|bsdtar|cpio|unzip|7z|7za|git|cp|rsync|patch)$')
            AS is_unpacking
    FROM file_accesses
    WHERE
        operation IN ('write', 'rename', 'link', 'chmod')
        AND calls > failures
        AND regexp_like(
            CASE WHEN operation IN ('rename', 'link') THEN path2 ELSE path END,
            '^/(tmp|var/tmp|dev/shm|dev/mqueue|run/shm|run/lock|run/user/[0-9]+)/'
        )
        -- Binutils and gcc are called x86_64-linux-gnu-ld.bfd and -gcc-12 as files.
        AND NOT regexp_like(
            coalesce(exe, ''),
            '^/(usr|bin|sbin|lib(32|64)?|opt|snap|nix|gnu)/(.*/)?([a-z0-9_]+-)*'
                || '(ld([.](bfd|gold|lld|mold))?|lld|mold|gold|collect2|as|cc1(plus)?|lto1|lto-wrapper|gcc|g[+][+]'
                || '|clang([+][+])?|rustc|link|go|strip|objcopy|install|dpkg|dpkg-deb|apt|apt-get'
                || '|apt-extracttemplates|rpm|rpmbuild|dnf5|zypper|pacman|apk)(-[0-9.]+)?$'
        )
)
SELECT
    min(r.ts) AS ts,
    r.host,
    first_value(r.upid ORDER BY r.ts, r.upid) AS upid,
    first_value(r.pid ORDER BY r.ts, r.upid) AS pid,
    concat(
        first_value(r.comm ORDER BY r.ts, r.upid), ' was run from ', r.program,
        CASE
            WHEN count(c.upid) = 0 THEN ', which is in shared memory'
            ELSE concat(
                ', which ', last_value(c.comm ORDER BY c.ts, c.upid) FILTER (WHERE c.upid IS NOT NULL), ' had changed ',
                human_duration(CAST(min(r.ts) AS BIGINT) - CAST(max(c.ts) AS BIGINT)), ' before'
            )
        END
    ) AS sentence,
    r.program,
    last_value(c.comm ORDER BY c.ts, c.upid) FILTER (WHERE c.upid IS NOT NULL) AS changed_by,
    count(DISTINCT CAST(r.ts AS BIGINT)) AS runs,
    first_value(r.argv ORDER BY r.ts, r.upid) AS argv
FROM runs r
LEFT JOIN changes c
    ON r.host = c.host AND r.program = c.program AND c.ts <= r.ts AND (r.is_program OR NOT c.is_unpacking)
        AND c.files <= $max_files
WHERE c.upid IS NOT NULL OR regexp_like(r.program, '^/(dev/shm|dev/mqueue|run/shm)/')
GROUP BY r.host, r.program
ORDER BY ts, r.host, upid, r.program
