-- # Signals
-- Who sends which signals to whom, and what becomes of them? One row per sender, target, signal and what became of it,
-- the most frequent first; a sender and a target are the names of threads. Beside `kill` and `killall` this shows
-- timers, broken pipes, faults and ends of children, which the kernel sends.
-- @needs signals
-- @param signal text %  Only signals whose name is LIKE this, such as `SIGKILL`.
-- @param children bool false  With `SIGCHLD`, which every parent gets when a child of it ends.
-- @column sender [key]       Name of the thread that sent it; NULL for the kernel.
-- @column target [key]       Name of the thread that it was sent to; of a whole process, of one of its threads.
-- @column signal [key]       The signal.
-- @column code [key]         Why it was sent: `SI_USER` (kill), `SI_KERNEL`, `SEGV_MAPERR`, ...
-- @column result [key]       What became of it: `delivered`, `ignored`, `already_pending`, ...
-- @column signals [total]    How many were sent.
-- @column targets [total]    To how many processes.
-- @column last_pid           Process that the last was sent to.
-- @caveat `delivered` says that the kernel passed it on; when and how the program took it, the rows of `signals` with
--     the event `received` say.
-- @plot bar signal signals
-- @dataset vitals
SELECT
    sender_comm AS sender,
    target_comm AS target,
    signal,
    code,
    result,
    count(*) AS signals,
    count(DISTINCT target_upid) AS targets,
    last_value(target_pid ORDER BY ts, target_pid) AS last_pid
FROM signals
WHERE event = 'sent' AND signal LIKE $signal AND ($children OR signal <> 'SIGCHLD')
GROUP BY sender_comm, target_comm, signal, code, result
ORDER BY signals DESC, sender, target, signal, code, result
