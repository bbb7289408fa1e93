-- # Changes of user
-- One row per remark: who became root, other than by the programs that are for it, and what set-user-id programs ran.
-- @needs process_events
WITH changes AS (
    SELECT
        comm,
        event,
        CASE WHEN event = 'exec' THEN uid ELSE old_euid END AS from_uid,
        count(*) AS times,
        max(pid) AS pid,
        max(exe) AS program
    FROM process_events
    WHERE (event = 'setuid' AND euid = 0 AND old_euid <> 0) OR (event = 'exec' AND euid = 0 AND uid <> 0)
    GROUP BY comm, event, CASE WHEN event = 'exec' THEN uid ELSE old_euid END
)
SELECT
    CASE
        WHEN event = 'exec' THEN 35.0
        WHEN comm IN ('sudo', 'su', 'sshd', 'cron', 'crond', 'login', 'systemd', 'polkitd', 'pkexec', 'doas') THEN 30.0
        ELSE 65.0
    END AS score,
    CASE
        WHEN event = 'exec' THEN concat(
            'User ', CAST(from_uid AS VARCHAR), ' ran ', coalesce(program, comm), ' as root, ',
            CASE WHEN times = 1 THEN 'once.' ELSE concat(CAST(times AS VARCHAR), ' times.') END
        )
        ELSE concat(
            comm, ' (process ', CAST(pid AS VARCHAR), ') of user ', CAST(from_uid AS VARCHAR), ' became root, ',
            CASE WHEN times = 1 THEN 'once.' ELSE concat(CAST(times AS VARCHAR), ' times.') END
        )
    END AS sentence,
    'privileges' AS report,
    concat('--pid ', CAST(pid AS VARCHAR)) AS options
FROM changes
ORDER BY score DESC, times DESC, sentence
LIMIT 3
