-- # Programs that were run
-- One row per exec, with the program it came from.
-- @column ts           When.
-- @column host         Name of the machine.
-- @column pid          Process id.
-- @column upid         Process for good.
-- @column comm         Name of the thread from then on.
-- @column exe          Absolute path of the program file, as the kernel names it.
-- @column path         Path as the caller gave it.
-- @column argv         Arguments, quoted so that they can be pasted into a shell.
-- @column cwd          Working directory.
-- @column uid          Real user id.
-- @column euid         Effective user id.
-- @column netns        Network namespace.
-- @column cgroup_id    Control group.
-- @column container_id Container of the process.
-- @column parent_upid  Process that started it.
-- @column parent_pid   Its process id.
-- @column parent_comm  Name of its first thread, as last known.
-- @column parent_exe   Its program file, as last known.
-- @column parent_argv  Its arguments, as last known.
-- @keep Every check that asks who ran what reads it.
SELECT
    e.ts,
    e.host,
    e.pid,
    e.upid,
    e.comm,
    e.exe,
    e.path,
    e.argv,
    e.cwd,
    e.uid,
    e.euid,
    e.netns,
    e.cgroup_id,
    p.container_id,
    p.parent_upid,
    p.parent_pid,
    q.comm AS parent_comm,
    q.exe AS parent_exe,
    q.argv AS parent_argv
FROM process_events e
LEFT JOIN processes p ON e.host = p.host AND e.upid = p.upid
LEFT JOIN processes q ON p.host = q.host AND p.parent_upid = q.upid
WHERE e.event = 'exec'
