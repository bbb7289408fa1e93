-- # Changed files
-- Which files were made, removed, renamed, linked, cut, or given other rights, and by whom? One row per name of a
-- thread, operation and path, the most frequent first. `--path '/etc/%'` tells of a folder, `--operation unlink` of
-- what was removed. What was written to files, `file_io` tells.
-- @needs syscalls
-- @param path text %  Only files one of whose paths is LIKE this, such as `/etc/%`.
-- @param operation text %  Only operations that are LIKE this, such as `unlink` or `ch%`.
-- @column comm [key]       Name of the thread.
-- @column operation [key]  `create`, `mkdir`, `mknod`, `unlink`, `rmdir`, `rename`, `link`, `symlink`, `truncate`,
--     `chmod`, `chown`, `utime`, or the name of a call that sets or removes an attribute.
-- @column times [total]    How often, failed ones included.
-- @column failed [total]   How many of them failed.
-- @column error            Of the failed ones, the error; of several, the last in the order of letters.
-- @column path [key]       The file: absolute where it is known where it begins, else as the program wrote it.
-- @column path2 [key]      The new name, or the link; NULL of operations with one path.
-- @caveat `create` is an open that makes the file if there is none; it may have been there.
-- @caveat What is done to a descriptor (`fchmod`, `fchown`, `ftruncate`) has no path and is not here.
-- @plot bar path times
-- @dataset compiler, database, web
SELECT
    comm,
    operation,
    count(*) AS times,
    count(error) AS failed,
    max(error) AS error,
    path,
    path2
FROM files
WHERE
    syscall IN (
        'open', 'openat', 'creat', 'mkdir', 'mkdirat', 'mknod', 'mknodat', 'unlink', 'unlinkat', 'rmdir', 'rename',
        'renameat', 'renameat2', 'link', 'linkat', 'symlink', 'symlinkat', 'truncate', 'truncate64', 'chmod',
        'fchmodat', 'fchmodat2', 'chown', 'lchown', 'chown32', 'lchown32', 'fchownat', 'utime', 'utimes', 'futimesat',
        'utimensat', 'utimensat_time64', 'setxattr', 'lsetxattr', 'setxattrat', 'removexattr', 'lremovexattr',
        'removexattrat', 'file_setattr'
    )
    -- 64 is O_CREAT: most opens do not make a file.
    AND (syscall NOT IN ('open', 'openat') OR flags & 64 <> 0)
    AND ($operation = '%' OR operation LIKE $operation)
    AND ($path = '%' OR path LIKE $path OR path2 LIKE $path)
GROUP BY comm, operation, path, path2
ORDER BY times DESC, comm, operation, path, path2
