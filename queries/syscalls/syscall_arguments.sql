-- # Arguments of system calls
-- With what values is an argument passed? One row per call and value, the most frequent first. It tells reads of one
-- byte from reads of 64 KiB (`--syscall read --argument count`), which options are set (`--syscall setsockopt
-- --argument optname`), for how long a program is ready to wait (`--syscall poll --argument timeout`), or which of its
-- descriptors is busy (`--syscall % --argument fd`).
-- @needs syscalls
-- @param syscall text openat  Only calls whose name is LIKE this; `%` for all that have the argument.
-- @param argument text flags  Name of the argument in the man page; or `path`, `path2`, `address` for the texts that
--     were decoded, or `ret` for what the call returned.
-- @param powers bool false  Numbers are put together by powers of two: 4096 stands for 4096 to 8191.
-- @column syscall [key]     Name of the call.
-- @column value [key]       The value, decoded as `strace` does; NULL where a text was not decoded.
-- @column number [key]      The value as a number; NULL of a text.
-- @column calls [total]     Calls with it.
-- @column percent [mean]    Share of the shown calls of this name.
-- @column errors [total]    How many of them failed.
-- @column total_ns [total]  Time in them.
-- @caveat What an argument points to is in memory and not recorded, other than paths and socket addresses.
-- @caveat Where the meaning of a number depends on another argument (`fcntl`, `setsockopt`, `prctl`), it stays a
--     number.
-- @plot bar value calls
-- @dataset server, threads, compiler, database, web
WITH calls AS (
    SELECT
        syscall,
        -- Names of paths and addresses are those of the man pages, whatever the call.
        CASE
            WHEN $argument IN (
                'path', 'pathname', 'filename', 'oldpath', 'source', 'new_root', 'from_pathname', 'library'
            ) THEN path
            WHEN $argument = 'target' THEN CASE WHEN syscall = 'mount' THEN path2 ELSE path END
            WHEN $argument IN ('path2', 'newpath', 'linkpath', 'put_old', 'to_pathname') THEN path2
            -- Of calls on memory `addr` is a number, and `address` is NULL.
            WHEN $argument IN ('address', 'addr', 'dest_addr', 'src_addr') THEN address
        END AS text,
        CASE
            WHEN $argument = 'ret' THEN ret
            ELSE syscall_arg(syscall, $argument, arg0, arg1, arg2, arg3, arg4, arg5)
        END AS exact,
        error,
        duration_ns
    FROM syscalls
    WHERE $syscall = '%' OR syscall LIKE $syscall
),
sums AS (
    SELECT
        syscall,
        text,
        CASE
            -- Of a text the number is only where it was in memory.
            WHEN text IS NOT NULL THEN NULL
            WHEN NOT $powers THEN exact
            WHEN exact < 0 THEN -1
            ELSE log2_bucket(exact)
        END AS number,
        count(*) AS calls,
        count(error) AS errors,
        CAST(sum(duration_ns) AS BIGINT) AS total_ns
    FROM calls
    WHERE exact IS NOT NULL OR text IS NOT NULL
    GROUP BY 1, 2, 3
),
-- Which register it is: that of these which it takes. -1 where there is none.
registers AS (
    SELECT
        *,
        CASE WHEN $powers THEN -1 ELSE coalesce(syscall_arg(syscall, $argument, 0, 1, 2, 3, 4, 5), -1) END AS register
    FROM sums
),
-- The text of a call of which nothing but this argument is known: `openat(?, ?, O_RDONLY|O_CLOEXEC) = ?`.
texts AS (
    SELECT
        *,
        regexp_replace(regexp_replace(syscall_text(
            syscall,
            CASE WHEN register = 0 THEN number END,
            CASE WHEN register = 1 THEN number END,
            CASE WHEN register = 2 THEN number END,
            CASE WHEN register = 3 THEN number END,
            CASE WHEN register = 4 THEN number END,
            CASE WHEN register = 5 THEN number END,
            CAST(NULL AS BIGINT),
            NULL,
            NULL,
            NULL,
            false
        ), '^[^(]*\((\?, )*', ''), '(, \?)*\) = \?$', '') AS decoded
    FROM registers
)
SELECT
    syscall,
    CASE
        WHEN text IS NOT NULL THEN text
        WHEN register < 0 OR decoded IN ('', '?') THEN CAST(number AS VARCHAR)
        ELSE decoded
    END AS value,
    number,
    calls,
    round(100.0 * calls / sum(calls) OVER (PARTITION BY syscall), 1) AS percent,
    errors,
    total_ns
FROM texts
ORDER BY calls DESC, syscall, number, value
