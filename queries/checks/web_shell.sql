-- # Web server runs commands
-- Did a server that answers the network start a shell or look around on the machine? One row per server process. Of a
-- web server proper (`nginx`, `httpd`, `php-fpm`, ...) each shell and each tool counts; of any other program that has
-- served a connection, an interactive shell, or several different tools, started by it or by a shell that it started.
-- Only what is started after the first connection counts: servers start helpers of their own before.
-- @severity high
-- @technique T1505.003, T1190, T1059
-- @rationale A program that answers pages has no use for `id` and `uname`: who sends it requests has.
-- @false-positive Applications in PHP that call programs through a shell: `programs` says which. The other languages
--     are silent as long as they start few of the tools.
-- @false-positive Servers made to run the commands of others: those of continuous integration, of notebooks, of
--     terminals in a browser.
-- @needs process_events, connections
-- @param min_tools integer 2  Different tools that a server other than a web server proper must start.
-- @window all
-- @column ts               When the first of them was started.
-- @column host             Machine.
-- @column upid             Process for good, of the server.
-- @column pid              Process id of the server.
-- @column sentence         What was found.
-- @column exe              The server, as the kernel names it.
-- @column programs         What it started, at most five.
-- @column started [total]  How many of them it started.
-- @column remote           Who connected first.
-- @caveat A server that hands each request to a new process is seen as that process.
-- @evidence SELECT * FROM execs WHERE host = {host} AND parent_upid = {upid}
-- @next ebrec explain --pid {pid} --at {ts}
-- @fires attacks, execution, intrusion
-- @silent lookalikes, web, network, packages, cron, desktop
WITH servers AS (
    SELECT
        p.host, p.upid, p.pid, p.comm, p.exe,
        min(c.ts) AS served,
        first_value(c.remote_address ORDER BY c.ts, c.connection_id) AS remote,
        regexp_like(
            p.exe,
            '/(nginx|apache2|httpd|lighttpd|caddy|php-fpm[0-9.]*|php-cgi[0-9.]*|fcgiwrap|uwsgi|lsphp|litespeed)$'
        ) AS is_proper
    FROM processes p
    JOIN connections c ON p.host = c.host AND p.upid = c.upid
    WHERE
        c.role = 'server'
        -- PHP gets its requests over a unix socket.
        AND (c.remote_port > 0 OR regexp_like(p.exe, '/(php-fpm[0-9.]*|php-cgi[0-9.]*|fcgiwrap|uwsgi|lsphp)$'))
        -- What lets people in gives them a shell.
        AND NOT regexp_like(
            coalesce(p.exe, ''),
            '^/(usr/)?(s?bin|lib|libexec)/(.*/)?(sshd(-session)?|dropbear|in[.][a-z]+d|telnetd|x?inetd|systemd'
                || '|dockerd|containerd[a-z0-9-]*|kubelet|crond?)$'
        )
    GROUP BY p.host, p.upid, p.pid, p.comm, p.exe
),
programs AS (
    SELECT
        e.ts, e.host, e.upid, e.argv,
        unnest(make_array(e.parent_upid, q.parent_upid)) AS above,
        base_name(CASE WHEN regexp_like(e.exe, '/(busybox|toybox|coreutils)$') THEN e.path ELSE e.exe END) AS tool,
        regexp_like(e.exe, '/(b?a|da|z|[lm]?k|t?c|fi)?sh([0-9.-]+|-static)?$') AS is_shell,
        regexp_like(e.argv, '^(''[^'']*''|"[^"]*"|[^ ]+)( --?[a-z]*)*$') AS is_interactive
    FROM execs e
    LEFT JOIN processes q ON e.host = q.host AND e.parent_upid = q.upid
    WHERE
        -- A shell by its own path; a script of a gateway has another one.
        regexp_like(
            e.path,
            '(^|/)((b?a|da|z|[lm]?k|t?c|fi)?sh([0-9.-]+|-static)?|id|whoami|uname|hostname|ifconfig|ip|ss|netstat'
                || '|arp|ps|w|who|last|lastlog|groups|getent|lscpu|lsblk|dmidecode|crontab|find|cat|base64|curl|wget'
                || '|nc|ncat|socat)$'
        )
)
SELECT
    min(g.ts) AS ts,
    s.host,
    s.upid,
    s.pid,
    concat(
        s.comm, ' serves ', coalesce(s.remote, 'a local socket'), ' and others and started ',
        count(DISTINCT g.upid), CASE WHEN count(DISTINCT g.upid) = 1 THEN ' process' ELSE ' processes' END,
        ' that it has no use for, the first ',
        human_duration(CAST(min(g.ts) AS BIGINT) - CAST(s.served AS BIGINT)), ' after it had answered: ',
        array_to_string(array_slice(array_agg(DISTINCT g.argv ORDER BY g.argv), 1, 5), '; ')
    ) AS sentence,
    s.exe,
    array_to_string(array_slice(array_agg(DISTINCT g.argv ORDER BY g.argv), 1, 5), '; ') AS programs,
    count(DISTINCT g.upid) AS started,
    s.remote
FROM servers s
JOIN programs g ON s.host = g.host AND s.upid = g.above
WHERE g.ts >= s.served
GROUP BY s.host, s.upid, s.pid, s.comm, s.exe, s.served, s.remote, s.is_proper
HAVING
    s.is_proper
    OR bool_or(g.is_shell AND g.is_interactive)
    OR count(DISTINCT CASE WHEN NOT g.is_shell THEN g.tool END) >= $min_tools
ORDER BY ts, s.host, s.upid
