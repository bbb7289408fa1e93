-- # Download that is run at once
-- Was what came over the network run? One row per process that ran it: a shell or interpreter without a script, beside
-- a program that received something at the same time (`curl ... | sh`, `sh <(curl ...)`); one whose program text is an
-- argument that a program beside it has just received (`sh -c "$(curl ...)"`); and a file run, or given to an
-- interpreter, by whoever, that was written by a program that had received it. A program that receives and writes many
-- files is a package manager or its like, and does not count.
-- @severity high
-- @technique T1105, T1059.004
-- @rationale Nobody has looked at what is run, and the other end can give everybody something else.
-- @false-positive Many projects tell their users to install them so. Look at the address.
-- @false-positive Tools that fetch one program and keep it for later, such as drivers of browsers.
-- @needs process_events, connections, syscalls
-- @param within duration 100ms  How far apart a program that receives and what stands beside it in the pipe may be
--     started; and how long after the first a shell with the text may be run.
-- @param max_files integer 5  A program that wrote more files than this is not looked at.
-- @window all
-- @column ts        When it was run.
-- @column host      Machine.
-- @column upid      Process for good.
-- @column pid       Process id.
-- @column sentence  What was found.
-- @column how       `piped`, `argument`, or `file`.
-- @column from_comm Name of the process that received it.
-- @column from_pid  Its process id.
-- @column remote    Where it came from.
-- @column file      The file; NULL where there was none.
-- @column argv      Arguments of what was run.
-- @caveat A file that was moved, copied or unpacked between is not followed.
-- @caveat A shell that evaluates what it received (`eval`) starts nothing that could be seen.
-- @evidence SELECT * FROM connections WHERE host = {host} AND pid = {from_pid}
-- @next ebrec explain --pid {pid} --at {ts}
-- @fires attacks, execution
-- @silent lookalikes, web, intrusion, packages, cron, desktop
WITH fetched AS (
    SELECT
        p.host, p.upid, p.pid, p.comm, p.parent_upid, p.start_ts, p.end_ts,
        min(c.ts) AS ts,
        sum(c.received_bytes) AS received_bytes,
        min(concat(c.remote_address, ' ', c.remote_port)) AS remote
    FROM processes p
    JOIN connections c ON p.host = c.host AND p.upid = c.upid
    WHERE c.role = 'client' AND c.remote_port <> 53 AND c.received_bytes > 0
    GROUP BY p.host, p.upid, p.pid, p.comm, p.parent_upid, p.start_ts, p.end_ts
),
interpreters AS (
    SELECT
        e.ts, e.host, e.upid, e.pid, e.comm, e.argv, e.parent_upid, p.end_ts,
        -- Of `curl | sudo sh`, sudo stands in the pipe; of `sh <(curl)`, the shell may have started both.
        unnest(make_array(e.parent_upid, q.parent_upid, e.upid)) AS above,
        unnest(make_array(p.start_ts, q.start_ts, e.ts)) AS start_ts,
        regexp_like(coalesce(q.exe, ''), '/(b?a|da|z|[lm]?k|t?c|fi)?sh([0-9.-]+|-static)?$|/busybox$') AS is_of_shell,
        regexp_like(
            e.argv,
            '^(''[^'']*''|"[^"]*"|[^ ]+)( (b?a|hu)?sh)?( -([a-bd-qt-zA-Z]*o [a-z]+|[a-bd-qt-zA-Z]*|-[a-z]+))*'
                || '( -[a-z]*s( .*)?| -| /(dev|proc/self)/fd/[0-9]+( .*)?)?$'
        ) AS reads_input,
        regexp_like(e.argv, '^(''[^'']*''|"[^"]*"|[^ ]+)( --?[A-Za-z]+)* -[a-zA-Z]*[ce] ') AS has_text
    FROM execs e
    LEFT JOIN processes p ON e.host = p.host AND e.upid = p.upid
    LEFT JOIN processes q ON e.host = q.host AND e.parent_upid = q.upid
    WHERE regexp_like(
        e.exe, '/((b?a|da|z|[lm]?k|t?c|fi)?sh([0-9.-]+|-static)?|busybox|(python|perl|ruby|php)[0-9.]*|node)$'
    )
),
written AS (
    SELECT *, count(*) OVER (PARTITION BY host, upid) AS files
    FROM (
        SELECT
            r.host, r.upid, r.pid, r.comm, r.remote, f.path, f.ts
        FROM fetched r
        JOIN file_accesses f ON r.host = f.host AND r.upid = f.upid
        WHERE
            f.operation = 'write'
            AND f.calls > f.failures
            -- Of devices, that folder is one of files.
            AND (f.path NOT LIKE '/dev/%' OR f.path LIKE '/dev/shm/%')
            AND f.last_ts >= r.ts
    )
),
runs AS (
    SELECT
        ts, host, upid, pid, comm, argv,
        unnest(make_array(exe, clean_path(run), clean_path(script))) AS file
    FROM (
        SELECT
            ts, host, upid, pid, comm, argv, exe,
            CASE WHEN path LIKE '/%' THEN path ELSE concat(cwd, '/', path) END AS run,
            -- The first word that is no option is the script of an interpreter.
            CASE
                WHEN regexp_like(
                    exe, '/((b?a|da|z|[lm]?k|t?c|fi)?sh([0-9.-]+|-static)?|busybox|(python|perl|ruby|php)[0-9.]*|node)$'
                ) AND regexp_like(argv, '^[^ ]+( (b?a|hu)?sh)?( -[^ ]+)* [^ -]')
                    THEN concat(
                        CASE
                            WHEN regexp_like(argv, '^[^ ]+( (b?a|hu)?sh)?( -[^ ]+)* ["'']?/') THEN ''
                            ELSE concat(cwd, '/')
                        END,
                        trim(
                            BOTH '''' FROM
                            regexp_replace(argv, '^[^ ]+(?: (?:b?a|hu)?sh)?(?: -[^ ]+)* ([^ -][^ ]*).*$', '$1')
                        )
                    )
            END AS script
        FROM execs
    )
),
found AS (
    SELECT
        s.ts, s.host, s.upid, s.pid, s.comm, s.argv,
        CASE WHEN s.reads_input THEN 'piped' ELSE 'argument' END AS how,
        r.comm AS from_comm, r.pid AS from_pid, r.remote, CAST(NULL AS VARCHAR) AS file,
        r.received_bytes
    FROM fetched r
    JOIN interpreters s ON r.host = s.host AND r.parent_upid = s.above
    WHERE
        r.upid <> s.upid
        AND r.upid <> s.parent_upid
        -- What the shell starts afterwards does not write to it.
        AND (s.above <> s.upid OR r.start_ts <= s.ts)
        AND (
            (
                s.reads_input
                AND abs(CAST(s.start_ts AS BIGINT) - CAST(r.start_ts AS BIGINT)) <= $within
                -- A terminal that was started with a browser has its shells later.
                AND CAST(s.ts AS BIGINT) - CAST(s.start_ts AS BIGINT) <= 60000000000
                AND (r.end_ts IS NULL OR s.ts < r.end_ts)
                -- A script that had ended by then was given nothing: two that a shell runs in turn are no pipe.
                AND (s.end_ts IS NULL OR s.end_ts > r.ts)
            )
            OR (
                s.has_text
                AND s.ts >= r.end_ts
                AND CAST(s.ts AS BIGINT) - CAST(r.end_ts AS BIGINT) <= $within
                AND (s.is_of_shell OR s.above = s.upid)
                -- What was received is what is run, and what else a protocol says: 4 KiB of arguments are recorded.
                AND length(s.argv) BETWEEN 256 AND r.received_bytes
                AND (r.received_bytes <= length(s.argv) + 16384 OR length(s.argv) >= 4000)
            )
        )
    UNION ALL
    SELECT
        e.ts, e.host, e.upid, e.pid, e.comm, e.argv, 'file' AS how,
        w.comm AS from_comm, w.pid AS from_pid, w.remote, w.path AS file,
        CAST(NULL AS BIGINT) AS received_bytes
    FROM written w
    JOIN runs e ON w.host = e.host AND w.path = e.file
    WHERE w.files <= $max_files AND e.ts >= w.ts AND e.upid <> w.upid
)
SELECT
    min(ts) AS ts,
    host,
    upid,
    min(pid) AS pid,
    first_value(
        concat(
            comm,
            CASE how
                WHEN 'piped' THEN concat(
                    ' was given what ', from_comm, ' received from ', remote, ' (',
                    human_bytes(CAST(received_bytes AS BIGINT)), ') to run'
                )
                WHEN 'argument' THEN concat(
                    ' runs a text of ', length(argv), ' characters right after ', from_comm, ' received ',
                    human_bytes(CAST(received_bytes AS BIGINT)), ' from ', remote
                )
                ELSE concat(' runs ', file, ', which ', from_comm, ' received from ', remote)
            END
        )
        ORDER BY how DESC, ts, from_pid, file
    ) AS sentence,
    first_value(how ORDER BY how DESC, ts, from_pid, file) AS how,
    first_value(from_comm ORDER BY how DESC, ts, from_pid, file) AS from_comm,
    first_value(from_pid ORDER BY how DESC, ts, from_pid, file) AS from_pid,
    first_value(remote ORDER BY how DESC, ts, from_pid, file) AS remote,
    first_value(file ORDER BY how DESC, ts, from_pid, file) AS file,
    first_value(argv ORDER BY how DESC, ts, from_pid, file) AS argv
FROM found
GROUP BY host, upid
ORDER BY ts, host, upid
