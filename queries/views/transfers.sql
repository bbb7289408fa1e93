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
-- @column path         The file: absolute, or as it was opened where it is not known where that begins; `(socket)`;
--     NULL where the opening was not seen: pipes, and what was open before the recording.
SELECT
    ts, host, cpu, pid, tid, upid, comm, cgroup_id, syscall, duration_ns, operation, fd, size_bytes, path
FROM transfers_computed
