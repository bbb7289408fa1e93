-- # TCP ports that were tried
-- One row per process and TCP port of an address that it tried: by a connection, or, where packets were recorded, by a
-- request (SYN), so that raw packets count as well; and per address outside and port of this machine that it tried.
-- @column host         Name of the machine.
-- @column direction    `out`: by a program of this machine; `in`: by others.
-- @column upid         Process for good; NULL from outside, and where it is not known.
-- @column parent_upid  Process that started it.
-- @column program      Its program file, else its name, else the address that tried.
-- @column target       Address that was tried.
-- @column port         Port that was tried.
-- @column ts           When first.
-- @column is_open      Whether it was open: a connection was made, or a packet (SYN, ACK) says so.
-- @column scanner      Address that tried; NULL where it is not known.
-- @keep Checks ask it for ports of one address and for addresses with one port.
WITH asked AS (
    SELECT
        host, 'out' AS direction, upid, comm, local_address AS scanner, remote_address AS target, remote_port AS port, ts,
        state <> 'SYN_SENT' AS is_open
    FROM connections
    WHERE role = 'client' AND protocol = 'tcp'
    UNION ALL
    -- The answer that a port is open goes the other way.
    SELECT
        host,
        CASE WHEN (direction = 'sent') = (tcp_flags LIKE 'SYN|ACK%') THEN 'in' ELSE 'out' END AS direction,
        CASE WHEN (direction = 'sent') = (tcp_flags LIKE 'SYN|ACK%') THEN NULL ELSE upid END AS upid,
        CASE WHEN (direction = 'sent') = (tcp_flags LIKE 'SYN|ACK%') THEN NULL ELSE comm END AS comm,
        CASE WHEN tcp_flags LIKE 'SYN|ACK%' THEN destination_address ELSE source_address END AS scanner,
        CASE WHEN tcp_flags LIKE 'SYN|ACK%' THEN source_address ELSE destination_address END AS target,
        CASE WHEN tcp_flags LIKE 'SYN|ACK%' THEN source_port ELSE destination_port END AS port,
        ts,
        tcp_flags LIKE 'SYN|ACK%' AS is_open
    FROM packets
    WHERE tcp_flags IN ('SYN', 'SYN|ECE|CWR', 'SYN|ACK', 'SYN|ACK|ECE')
)
SELECT
    a.host, a.direction, a.upid, p.parent_upid, coalesce(p.exe, a.comm, a.scanner) AS program, a.target, a.port,
    min(a.ts) AS ts,
    bool_or(a.is_open) AS is_open,
    max(a.scanner) AS scanner
FROM asked a
LEFT JOIN processes p ON a.host = p.host AND a.upid = p.upid
GROUP BY a.host, a.direction, a.upid, p.parent_upid, coalesce(p.exe, a.comm, a.scanner), a.target, a.port
