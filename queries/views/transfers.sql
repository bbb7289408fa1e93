-- # Reads, writes and syncs, with the file
-- One row per call that read, wrote or forced data to the disk through a descriptor, and succeeded; of `sendfile` and
-- `copy_file_range`, which have two descriptors, one row for each. A file is named by following its descriptor back to
-- the `open` that made it, also through `dup` and `fork`.
-- @whole syscalls, process_events
-- @column ts           When the call began.
-- @column host         Name of the machine.
-- @column cpu          CPU it was recorded on.
-- @column pid          Process id.
-- @column tid          Thread id.
-- @column upid         Process for good.
-- @column comm         Name of the thread at that moment.
-- @column cgroup_id    Control group of the thread at that moment.
-- @column syscall      Name of the call.
-- @column duration_ns  Time in the call; NULL in the second row of a call that has two.
-- @column operation    `read`, `write`, or `sync` for `fsync`, `fdatasync` and `sync_file_range`.
-- @column fd           The descriptor.
-- @column size_bytes   Bytes that were read or written; NULL of `sync`.
-- @column path         The file: absolute, or as it was opened where the working directory is not known; `(socket)`;
--     NULL where the opening was not seen: pipes, and what was open before the recording.
WITH
-- After a change of directory the directory in `processes` does not tell where a path begins.
moved AS (
    SELECT DISTINCT host, upid FROM syscalls WHERE syscall IN ('chdir', 'fchdir', 'chroot', 'pivot_root')
),
homes AS (
    SELECT p.host, p.upid, CASE WHEN p.cwd = '/' THEN '/' ELSE concat(p.cwd, '/') END AS home
    FROM processes p
    LEFT ANTI JOIN moved m ON p.host = m.host AND p.upid = m.upid
    WHERE p.cwd LIKE '/%'
)
SELECT
    t.ts, t.host, t.cpu, t.pid, t.tid, t.upid, t.comm, t.cgroup_id, t.syscall, t.duration_ns, t.operation, t.fd, t.size_bytes,
    CASE WHEN h.home IS NOT NULL THEN concat(h.home, regexp_replace(t.path, '^(\./+)+', '')) ELSE t.path END AS path
FROM homes h
RIGHT JOIN transfers_computed t ON h.host = t.host AND h.upid = t.relative_to_upid
