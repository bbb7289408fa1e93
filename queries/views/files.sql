-- # File operations
-- One row per system call or io_uring operation that was given a path: open, stat, unlink, rename, chmod, ...
-- A relative path is made absolute when it is relative to the working directory and that is known:
-- the process was seen to start, or was there when recording began, and never changed it or changed it once to an
-- absolute path. Otherwise
-- it is as the program wrote it. The end of a symbolic link's text is never changed.
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
WITH
-- After a change of directory the directory in `processes` does not tell where a path begins; a change to an
-- absolute path does, if it is the only one.
moved AS (
    SELECT
        host,
        upid,
        min(ts) AS moved_ts,
        CASE
            WHEN count(*) = 1 AND min(syscall) = 'chdir' AND min(path) = '/' THEN '/'
            WHEN count(*) = 1 AND min(syscall) = 'chdir' AND min(path) LIKE '/%' THEN concat(min(path), '/')
        END AS moved_home
    FROM syscalls
    WHERE syscall IN ('chdir', 'fchdir', 'chroot', 'pivot_root') AND ret = 0
    GROUP BY host, upid
),
homes AS (
    SELECT
        p.host,
        p.upid,
        CASE WHEN p.cwd = '/' THEN '/' WHEN p.cwd LIKE '/%' THEN concat(p.cwd, '/') END AS home,
        m.moved_ts,
        m.moved_home
    FROM moved m
    RIGHT JOIN processes p ON p.host = m.host AND p.upid = m.upid
),
calls AS (
    SELECT
        s.*,
        coalesce(
            syscall_arg(syscall, 'dirfd', arg0, arg1, arg2, arg3, arg4, arg5),
            syscall_arg(syscall, 'olddirfd', arg0, arg1, arg2, arg3, arg4, arg5),
            syscall_arg(syscall, 'from_dirfd', arg0, arg1, arg2, arg3, arg4, arg5),
            -100
        ) AS dirfd,
        coalesce(
            syscall_arg(syscall, 'newdirfd', arg0, arg1, arg2, arg3, arg4, arg5),
            syscall_arg(syscall, 'to_dirfd', arg0, arg1, arg2, arg3, arg4, arg5),
            -100
        ) AS dirfd2,
        syscall_arg(syscall, 'flags', arg0, arg1, arg2, arg3, arg4, arg5) AS flags
    FROM syscalls s
    WHERE path IS NOT NULL
),
placed AS (
    SELECT
        c.*,
        CASE
            WHEN h.moved_ts IS NULL THEN h.home
            WHEN c.ts >= h.moved_ts THEN h.moved_home
        END AS home
    FROM homes h
    RIGHT JOIN calls c ON c.host = h.host AND c.upid = h.upid
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
    -- -100 is AT_FDCWD: relative to the working directory.
    CASE
        WHEN c.dirfd = -100 AND c.home IS NOT NULL AND c.path <> '' AND c.path NOT LIKE '/%'
            AND c.syscall NOT IN ('symlink', 'symlinkat', 'mount') THEN concat(c.home, c.path)
        ELSE c.path
    END AS path,
    CASE
        WHEN c.dirfd2 = -100 AND c.home IS NOT NULL AND c.path2 <> '' AND c.path2 NOT LIKE '/%'
            THEN concat(c.home, c.path2)
        ELSE c.path2
    END AS path2,
    c.flags,
    c.syscall,
    c.ret,
    c.error
FROM placed c
