-- # System calls over time
-- How did the number of calls, failures and their time change? One row per stretch of time. A burst of calls beside
-- more errors is a program that tries again and again; a higher p99 with as many calls is something they wait for. With
-- `--syscall` and `--comm` the same of one call or one program.
-- @needs syscalls
-- @param width duration 1s  Length of a stretch.
-- @param syscall text %  Only calls whose name is LIKE this, such as `fsync` or `open%`.
-- @column ts                Beginning of the stretch.
-- @column calls [total]     Calls that began in it.
-- @column errors [total]    How many of them failed.
-- @column total_ns [total]  Time in them, in all threads, also what of it was after the stretch.
-- @column p99_ns [mean]     99 % of them took no longer.
-- @column max_ns [max]      The longest.
-- @caveat Stretches without a call have no row. The first and the last may be shorter than the others, since recording
--     began and ended within them.
-- @plot line ts calls errors
-- @dataset server, threads, compiler, database, web
SELECT
    time_bucket(ts, $width) AS ts,
    count(*) AS calls,
    count(error) AS errors,
    CAST(sum(duration_ns) AS BIGINT) AS total_ns,
    least(quantile(duration_ns, 0.99), max(duration_ns)) AS p99_ns,
    max(duration_ns) AS max_ns
FROM syscalls
WHERE syscall LIKE $syscall
GROUP BY time_bucket(ts, $width)
ORDER BY ts
