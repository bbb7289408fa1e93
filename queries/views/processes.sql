-- # Processes of the whole trace
-- One row per process. `processes_segments` has one row per process and segment; here the rows of
-- a process are merged: its earliest start, its end, and what was last known of the rest.
-- @column start_ts      When it started; it may be before the recording.
-- @column end_ts        When its last thread ended; NULL when it was alive at the end.
-- @column duration_ns   Time from start to end; NULL when it was alive at the end.
-- @column host          Name of the machine.
-- @column pid           Process id.
-- @column upid          Process for good: process ids are used again, this is not.
-- @column parent_pid    Process id of the process that started it.
-- @column parent_upid   Process that started it.
-- @column comm          Name of its first thread.
-- @column exe           Absolute path of the program file.
-- @column argv          Arguments, quoted so that they can be pasted into a shell.
-- @column cwd           Working directory when the program started.
-- @column uid           Real user id.
-- @column gid           Real group id.
-- @column cgroup_id     Control group by its id.
-- @column cgroup        Path of the control group.
-- @column container_id  Container, as the control group's path names it.
-- @column exit_code     Exit code, when it exited by itself.
-- @column signal        Signal that ended it, such as `SIGKILL`.
-- @column container_name  Name of its container.
-- @column pod           Name of its Kubernetes pod.
-- @column unit          Its systemd unit, such as `nginx.service`, as the control group's path names it.
-- @column netns         Network namespace when it or its program started, by inode number, as `lsns` shows it.
SELECT
    min(start_ts) AS start_ts,
    max(end_ts) AS end_ts,
    CAST(max(end_ts) AS BIGINT) - CAST(min(start_ts) AS BIGINT) AS duration_ns,
    host,
    min(pid) AS pid,
    upid,
    last_known(parent_pid) AS parent_pid,
    last_known(parent_upid) AS parent_upid,
    last_known(comm) AS comm,
    last_known(exe) AS exe,
    last_known(argv) AS argv,
    last_known(cwd) AS cwd,
    last_known(uid) AS uid,
    last_known(gid) AS gid,
    last_known(cgroup_id) AS cgroup_id,
    last_known(cgroup) AS cgroup,
    last_known(container_id) AS container_id,
    last_known(exit_code) AS exit_code,
    last_known(signal) AS signal,
    last_known(container_name) AS container_name,
    last_known(pod) AS pod,
    last_known(unit) AS unit,
    last_known(netns) AS netns
-- The order of rows is that of the segments.
FROM processes_segments
GROUP BY host, upid
