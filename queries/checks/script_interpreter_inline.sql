-- # Hidden program text in arguments
-- Was an interpreter given a program as an argument that decodes itself, or that ties a shell to a socket? One row per
-- process: `python -c` and its like with a decoder and something that runs the result, with a socket and something
-- that starts programs, a shell told to decode and run, or one that talks to `/dev/tcp`; and a decoder such as `base64
-- -d` whose output a shell beside it reads.
-- @severity high
-- @technique T1059, T1027.010, T1140
-- @rationale Who encodes a command does not want it to be read, and who passes it as an argument leaves no file.
-- @false-positive Tools of administration ship their code so: Mitogen for Ansible starts Python with a packed text.
-- @needs process_events
-- @param within duration 100ms  How far apart a decoder and the shell that reads from it may begin.
-- @window 10s
-- @column ts        When it was run.
-- @column host      Machine.
-- @column upid      Process for good.
-- @column pid       Process id.
-- @column sentence  What was found.
-- @column kind      `decodes`, `socket`, or `pipe`.
-- @column exe       The interpreter.
-- @column argv      Its arguments.
-- @caveat Arguments are recorded up to 4 KiB: what comes after is not looked at.
-- @evidence SELECT * FROM process_events WHERE host = {host} AND upid = {upid} AND event = 'exec'
-- @next ebrec explain --pid {pid} --at {ts}
-- @fires attacks, execution
-- @silent lookalikes, web, compiler, database, packages, cron, desktop
WITH inline AS (
    SELECT
        ts, host, upid, pid, comm, exe, argv,
        CASE
            WHEN regexp_like(exe, '/((python|pypy|perl|ruby|php|lua)[0-9.]*|node(js)?)$')
                THEN CASE
                    WHEN
                        regexp_like(
                            argv,
                            '(?i)b64decode|base64|fromhex|unhexlify|codecs.{0,10}decode|marshal.{0,4}loads'
                                || '|zlib.{0,4}decompress|gzinflate|buffer[.]from|\batob\b'
                                || '|unpack *[(]? *["''\\]*[hu]|\bpack *[(]? *["''\\]*h'
                        )
                        AND regexp_like(
                            argv, '(?i)\b(exec|eval|system|popen|passthru|shell_exec|spawn|subprocess|assert)\b'
                        )
                        THEN 'decodes'
                    WHEN
                        regexp_like(
                            argv,
                            '(?i)\b(socket|fsockopen|tcpsocket|io::socket|net[.](connect|socket)|require.{0,4}net\b)'
                        )
                        AND regexp_like(
                            argv,
                            '(?i)\b(dup2|pty|subprocess|os[.]system|popen|proc_open|shell_exec|passthru|spawn'
                                || '|exec[lvpe]*)\b'
                        )
                        AND regexp_like(argv, '(?i)/bin/|\b(b?a|da|z|k)?sh\b|cmd')
                        THEN 'socket'
                END
            ELSE CASE
                WHEN
                    regexp_like(
                        argv,
                        '(base64 +(-d|-D|--decode)|xxd +-r|openssl +(enc|base64|aes[^ ]*) [^|]*-d)[^|;]*[|] *'
                            || '((/[a-z/]+)?(sudo|env|exec|nohup) +)*(/[a-z/]+)?((b?a|da|z|k)?sh|python[0-9.]*|perl)\b'
                    )
                    OR regexp_like(
                        argv, '\b(eval|source|[.]|sh +-c) +[^;]*[$`(].*(base64 +(-d|-D|--decode)|xxd +-r)'
                    )
                    THEN 'decodes'
                WHEN regexp_like(argv, 'sh +-[a-z]*i[^;]*/dev/(tcp|udp)/|/dev/(tcp|udp)/.*while +read') THEN 'socket'
            END
        END AS kind
    FROM execs
    WHERE
        regexp_like(
            exe,
            '/((b?a|da|z|[lm]?k|t?c|fi)?sh([0-9.-]+|-static)?|busybox'
                || '|(python|pypy|perl|ruby|php|lua)[0-9.]*|node(js)?)$'
        )
        -- A program text among the options.
        AND regexp_like(
            argv,
            '^(''[^'']*''|"[^"]*"|[^ ]+)( -([^ ]*[oWX] [^ -][^ ]*|[^ ]+))*'
                || ' (-[a-zA-Z0-9]*[ceErR] |--(eval|print|run)[ =]|["'']-[a-zA-Z]*[ceEr])'
        )
),
decoders AS (
    SELECT e.ts, e.host, e.upid, e.argv, e.parent_upid, p.end_ts
    FROM execs e
    JOIN processes p ON e.host = p.host AND e.upid = p.upid
    WHERE regexp_like(
        e.argv,
        '^([^ ]*/)?(busybox )?'
            || '(base(32|64) (.* )?(-[a-z]*d|-D|--decode)|xxd (.* )?-r|openssl (enc|base64|aes[^ ]*) (.* )?-d)( |$)'
    )
),
forks AS (
    SELECT host, child_upid AS upid, ts FROM process_events WHERE event = 'fork'
),
found AS (
    SELECT
        ts, host, upid, pid, comm, exe, argv, kind,
        concat(
            CASE kind
                WHEN 'decodes' THEN ' was given a program that decodes what it runs: '
                ELSE ' was given a program that ties a shell to a socket: '
            END,
            left(argv, 200)
        ) AS what
    FROM inline
    WHERE kind IS NOT NULL
    UNION ALL
    SELECT
        s.ts, s.host, s.upid, s.pid, s.comm, s.exe, s.argv, 'pipe' AS kind,
        concat(' reads what it runs from ', d.argv) AS what
    FROM decoders d
    JOIN execs s ON d.host = s.host AND d.parent_upid = s.parent_upid
    JOIN forks f ON s.host = f.host AND s.upid = f.upid
    WHERE
        d.upid <> s.upid
        -- What stands in a pipe is started before anything in it is waited for.
        AND (d.end_ts IS NULL OR f.ts < d.end_ts)
        AND regexp_like(s.exe, '/((b?a|da|z|[lm]?k|t?c|fi)?sh([0-9.-]+|-static)?|python[0-9.]*|perl[0-9.]*)$')
        AND regexp_like(s.argv, '^(''[^'']*''|"[^"]*"|[^ ]+)( -[a-bd-z]*)*$')
        AND abs(CAST(f.ts AS BIGINT) - CAST(d.ts AS BIGINT)) <= $within
)
SELECT
    min(ts) AS ts,
    host,
    upid,
    min(pid) AS pid,
    first_value(concat(comm, what) ORDER BY ts, kind, what) AS sentence,
    first_value(kind ORDER BY ts, kind, what) AS kind,
    first_value(exe ORDER BY ts, kind, what) AS exe,
    first_value(argv ORDER BY ts, kind, what) AS argv
FROM found
GROUP BY host, upid
ORDER BY ts, host, upid
