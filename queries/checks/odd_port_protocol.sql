-- # Program and port that do not belong together
-- Does a program speak to a port at which its protocol is not at home, or to one that is known from attack tools, from
-- IRC or from Tor? One row per program, address and port.
-- @severity low
-- @technique T1571, T1090.003
-- @rationale A protocol is moved to another port to get past a filter or a look; and the ports that tools of attackers have
--     by default are often left as they are.
-- @false-positive Administrators move SSH to another port so as to have peace; Selenium listens at 4444, MinIO at 9001.
-- @needs connections
-- @window 0s
-- @column ts                   When it first did.
-- @column host                 Machine.
-- @column upid                 Process for good.
-- @column pid                  Process id.
-- @column sentence             What was found.
-- @column exe [key]            The program, as the kernel names it.
-- @column remote_address [key] Address; NULL of a program that listens.
-- @column port [key]           Port.
-- @column reason               What does not belong together.
-- @column connections          Connections.
-- @caveat What is spoken is told by the program, not by what was sent.
-- @evidence SELECT ts, comm, pid, role, remote_address, remote_port, local_port, duration_ns, sent_bytes, received_bytes, error
--     FROM connections WHERE host = {host} AND (remote_port = {port} OR local_port = {port}) ORDER BY ts
-- @next ebrec report connections --port {port} --sort time
-- @fires attacks, intrusion
-- @silent lookalikes, web, network, packages, cron, desktop
WITH odd AS (
    SELECT
        c.ts, c.host, c.upid, c.pid, coalesce(p.comm, c.comm) AS comm, p.exe,
        CASE WHEN c.role <> 'listener' THEN c.remote_address END AS remote_address,
        CASE WHEN c.role <> 'listener' THEN c.remote_port ELSE c.local_port END AS port,
        CASE
            WHEN c.role = 'listener' THEN
                CASE
                    WHEN
                        regexp_like(p.exe, '/(sshd|sshd-session|dropbear)$')
                        AND c.local_port <> 22
                        -- It forwards ports for those who are logged in.
                        AND c.local_address NOT LIKE '127.%'
                        AND c.local_address <> '::1'
                        THEN 'SSH is at home at 22'
                END
            WHEN regexp_like(p.exe, '/(ssh|dbclient)$') AND c.remote_port <> 22 THEN 'SSH is at home at 22'
            WHEN regexp_like(p.exe, '/(dig|nslookup|host|kdig|drill)$') AND c.remote_port NOT IN (53, 443, 853, 953)
                THEN 'DNS is at home at 53'
            WHEN c.remote_port IN (1337, 4444, 5554, 12345, 31337, 54321) THEN 'known from attack tools'
            WHEN
                (c.remote_port BETWEEN 6660 AND 6669 OR c.remote_port = 6697)
                AND NOT regexp_like(coalesce(p.exe, ''), '^/(usr|opt|snap)/.*/(irssi|weechat.*|hexchat|konversation|quassel.*|pidgin|thunderbird.*|znc|ircd|inspircd|ngircd)$')
                THEN 'IRC'
            WHEN
                c.remote_port IN (9001, 9030, 9050, 9051, 9150, 9151)
                AND NOT regexp_like(coalesce(p.exe, ''), '^/(usr|opt)/.*/(tor|tor-browser.*|firefox.*|nyx|obfs4proxy)$')
                THEN 'Tor'
        END AS reason
    FROM connections c
    LEFT JOIN processes p ON c.host = p.host AND c.upid = p.upid
    WHERE c.role IN ('client', 'peer', 'listener')
)
SELECT
    min(ts) AS ts,
    host,
    first_value(upid ORDER BY ts, upid) AS upid,
    first_value(pid ORDER BY ts, upid) AS pid,
    concat(
        first_value(comm ORDER BY ts, upid),
        CASE
            WHEN remote_address IS NULL THEN ' listens at'
            ELSE concat(' called ', remote_address)
        END,
        ' port ', port, CASE WHEN reason LIKE 'known%' THEN concat(', which is ', reason) ELSE concat(' (', reason, ')') END
    ) AS sentence,
    exe,
    remote_address,
    port,
    reason,
    count(*) AS connections
FROM odd
WHERE reason IS NOT NULL
GROUP BY host, exe, remote_address, port, reason
ORDER BY ts, host, upid, remote_address, port
