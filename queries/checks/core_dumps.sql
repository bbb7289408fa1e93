-- # Crashes
-- Which programs crashed? One row per program and signal: what the kernel sends for a wrong access, a wrong instruction
-- or a wrong calculation, and what a program sends itself when it finds itself broken.
-- @severity low
-- @technique T1203, T1499.004
-- @rationale An exploit that does not succeed ends in a crash. Most crashes are plain faults.
-- @false-positive Programs under test, and programs that end with `abort` when a condition does not hold.
-- @needs processes
-- @window 0s
-- @column ts           When the first crashed.
-- @column host         Machine.
-- @column upid         Process for good, of the first.
-- @column pid          Process id of the first.
-- @column sentence     What was found.
-- @column exe [key]    The program.
-- @column signal [key] What ended it.
-- @column crashes      How many processes.
-- @column argv         Arguments of the first.
-- @caveat Whether a core file was written is not recorded.
-- @evidence SELECT start_ts, end_ts, pid, comm, argv, signal FROM processes WHERE host = {host} AND exe = {exe}
--     AND signal = {signal}
-- @next ebrec explain --pid {pid} --at {ts}
-- @fires attacks, behaviour
-- @silent lookalikes, web, compiler, database, packages, cron, desktop
SELECT
    min(end_ts) AS ts,
    host,
    first_value(upid ORDER BY end_ts, upid) AS upid,
    first_value(pid ORDER BY end_ts, upid) AS pid,
    concat(
        first_value(comm ORDER BY end_ts, upid), ' crashed', CASE WHEN count(*) > 1 THEN concat(' ', count(*), ' times') END,
        ' (', signal, ')'
    ) AS sentence,
    exe,
    signal,
    count(*) AS crashes,
    first_value(argv ORDER BY end_ts, upid) AS argv
FROM processes
WHERE signal IN ('SIGSEGV', 'SIGABRT', 'SIGBUS', 'SIGILL', 'SIGFPE', 'SIGTRAP')
GROUP BY host, exe, signal
ORDER BY ts, host, upid
