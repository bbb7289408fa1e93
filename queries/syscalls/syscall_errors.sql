-- # Failing system calls
-- Which calls fail, for whom, with which error and on what? One row per name of a thread, system call and error, the
-- most frequent first. Many are part of normal work: `ENOENT` of a search along a path, `EAGAIN` of a socket that is
-- asked without waiting, `EINPROGRESS` of a connection that is being made, `ENOTTY` of a question whether a file is a
-- terminal. `EACCES`, `EPERM`, `EMFILE`, `ENOSPC`, `EIO` and `ECONNREFUSED` seldom are, and `percent` near 100 is a
-- call that never works.
-- @needs syscalls
-- @param syscall text %  Only calls whose name is LIKE this, such as `connect` or `open%`.
-- @param error text %  Only errors whose name is LIKE this, such as `EACCES`.
-- @column comm [key]        Name of the thread.
-- @column syscall [key]     Name of the call.
-- @column error [key]       Name of the error.
-- @column errors [total]    Calls that failed with it.
-- @column percent [mean]    Share of all calls of this name and thread name that failed with it.
-- @column processes [total] Processes in which they did.
-- @column on_what           Of one of them: the path or the address.
-- @caveat Calls that a signal interrupted and that the kernel makes again (`ERESTARTSYS` and its kin) are no failures
--     and not here, nor is `rt_sigreturn`, which returns what the interrupted call did.
-- @caveat `on_what` is the last in the order of letters; a path may be relative to a directory that is not told.
-- @plot bar error errors
-- @dataset script, server, compiler, database, web, memory
WITH sums AS (
    SELECT
        comm,
        syscall,
        error,
        count(*) AS errors,
        count(DISTINCT upid) FILTER (WHERE error IS NOT NULL) AS processes,
        greatest(max(path) FILTER (WHERE error IS NOT NULL), max(address) FILTER (WHERE error IS NOT NULL)) AS on_what
    FROM syscalls
    WHERE $syscall = '%' OR syscall LIKE $syscall
    GROUP BY comm, syscall, error
),
shares AS (
    SELECT *, 100.0 * errors / sum(errors) OVER (PARTITION BY comm, syscall) AS percent
    FROM sums
)
SELECT
    comm,
    syscall,
    error,
    errors,
    round(percent, 1) AS percent,
    processes,
    on_what
FROM shares
-- With `errors` in it, the second condition is asked of each row of the answer, not of each call.
WHERE error LIKE $error
    AND NOT (syscall IN ('rt_sigreturn', 'sigreturn') AND errors > 0)
    AND error NOT IN ('ERESTARTSYS', 'ERESTARTNOINTR', 'ERESTARTNOHAND', 'ERESTART_RESTARTBLOCK')
ORDER BY errors DESC, comm, syscall, error
