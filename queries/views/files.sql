-- # File operations
-- One row per system call or io_uring operation that was given a path: open, stat, unlink, rename, chmod, ...
-- A relative path is made absolute by following the working directory and the open directories of each process through
-- its calls, forks and executions; so is one through `/proc/self/cwd`, `/proc/self/root` or a directory of
-- `/proc/self/fd`. Otherwise it is as the program wrote it: that is so where a directory was not seen to be opened, such as
-- by a process that had it open when the recording began. The text of a symbolic link is never changed.
-- @whole syscalls, process_events
-- @column ts           When the call began.
-- @column duration_ns  Time in the call.
-- @column host         Name of the machine.
-- @column pid          Process id.
-- @column tid          Thread id.
-- @column upid         Process for good.
-- @column comm         Name of the thread at that moment.
-- @column cgroup_id    Control group of the thread at that moment.
-- @column operation    What was done: `open`, `create`, `stat`, `unlink`, ...; else the name of the call.
-- @column path         The file.
-- @column path2        The second path of an operation that has two: the new name, the link.
-- @column flags        Flags of the call, such as those of `open`; NULL where it has none or they are in a structure.
-- @column syscall      Name of the call.
-- @column ret          What it returned.
-- @column error        Name of the error; NULL on success.
WITH calls AS (
    SELECT *, syscall_arg(syscall, 'flags', arg0, arg1, arg2, arg3, arg4, arg5) AS flags FROM files_computed
)
SELECT
    c.ts,
    c.duration_ns,
    c.host,
    c.pid,
    c.tid,
    c.upid,
    c.comm,
    c.cgroup_id,
    CASE
        WHEN c.syscall = 'creat' THEN 'create'
        -- 64 is O_CREAT.
        WHEN c.syscall IN ('open', 'openat') AND c.flags & 64 <> 0 THEN 'create'
        WHEN c.syscall IN ('open', 'openat', 'openat2') THEN 'open'
        WHEN c.syscall IN ('stat', 'lstat', 'newfstatat', 'statx', 'stat64', 'lstat64', 'fstatat64') THEN 'stat'
        WHEN c.syscall IN ('access', 'faccessat', 'faccessat2') THEN 'access'
        WHEN c.syscall IN ('execve', 'execveat') THEN 'exec'
        -- 512 is AT_REMOVEDIR.
        WHEN c.syscall = 'rmdir' OR (c.syscall = 'unlinkat' AND c.flags & 512 <> 0) THEN 'rmdir'
        WHEN c.syscall IN ('unlink', 'unlinkat') THEN 'unlink'
        WHEN c.syscall IN ('rename', 'renameat', 'renameat2') THEN 'rename'
        WHEN c.syscall IN ('link', 'linkat') THEN 'link'
        WHEN c.syscall IN ('symlink', 'symlinkat') THEN 'symlink'
        WHEN c.syscall IN ('readlink', 'readlinkat') THEN 'readlink'
        WHEN c.syscall IN ('mkdir', 'mkdirat') THEN 'mkdir'
        WHEN c.syscall IN ('mknod', 'mknodat') THEN 'mknod'
        WHEN c.syscall IN ('chmod', 'fchmodat', 'fchmodat2') THEN 'chmod'
        WHEN c.syscall IN ('chown', 'lchown', 'chown32', 'lchown32', 'fchownat') THEN 'chown'
        WHEN c.syscall IN ('truncate', 'truncate64') THEN 'truncate'
        WHEN c.syscall IN ('utime', 'utimes', 'futimesat', 'utimensat', 'utimensat_time64') THEN 'utime'
        WHEN c.syscall IN ('umount', 'umount2') THEN 'umount'
        ELSE c.syscall
    END AS operation,
    c.path,
    c.path2,
    c.flags,
    c.syscall,
    c.ret,
    c.error
FROM calls c
