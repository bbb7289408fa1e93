-- # Much sent to one address outside
-- Does a program send far more to an address outside than it gets back, and than goes to others? One row per program and
-- address. Against others it is held where there are enough of them: by how many deviations the logarithm of the bytes
-- lies above the median (robust z-score); docs/anomalies.md has the formula.
-- @severity medium
-- @technique T1048, T1041
-- @rationale Data that leaves is what an intrusion is for in the end, and it cannot leave without being sent.
-- @false-positive Backups, pushes of a repository and uploads of pictures or films: the same address each time.
-- @needs connections
-- @param min_bytes bytes 50MiB  Bytes from which on it is a finding.
-- @param ratio number 10  How many times what was received must have been sent.
-- @param score number 3.5  Deviations above the median of all addresses outside.
-- @param peers integer 5  Pairs of program and address from which on they are compared.
-- @window all
-- @column ts              When the last of the connections began.
-- @column host            Machine.
-- @column upid            Process for good; of several, the one that sent most.
-- @column pid             Process id.
-- @column sentence        What was found.
-- @column exe [key]       The program, as the kernel names it.
-- @column remote_address [key]  The address.
-- @column sent_bytes [total]      Bytes that it sent.
-- @column received_bytes [total]  Bytes that it received.
-- @column connections [total]     Connections.
-- @column z_score [mean]  Deviations above the median; NULL when there are too few others.
-- @caveat Connections that others made to a service of this machine do not count: a server sends more than it gets.
-- @caveat Addresses of private networks are not outside.
-- @evidence SELECT ts, comm, pid, protocol, remote_port, duration_ns, sent_bytes, received_bytes FROM connections
--     WHERE host = {host} AND remote_address = {remote_address} ORDER BY sent_bytes DESC
-- @next ebrec report connections --peer {remote_address}
-- @fires attacks, behaviour
-- @silent lookalikes, web, network, packages, cron, desktop
WITH sums AS (
    SELECT
        c.host,
        coalesce(p.exe, c.comm) AS exe,
        c.remote_address,
        max(c.ts) AS ts,
        first_value(c.upid ORDER BY c.sent_bytes DESC, c.upid) AS upid,
        CAST(sum(c.sent_bytes) AS BIGINT) AS sent_bytes,
        CAST(sum(c.received_bytes) AS BIGINT) AS received_bytes,
        count(*) AS connections
    FROM connections c
    LEFT JOIN processes p ON c.host = p.host AND c.upid = p.upid
    WHERE
        c.role IN ('client', 'peer')
        AND c.protocol NOT LIKE 'unix%'
        AND NOT regexp_like(
            c.remote_address,
            '^(0|10|127)[.]|^192[.]168[.]|^172[.](1[6-9]|2[0-9]|3[01])[.]|^169[.]254[.]|^100[.](6[4-9]|[7-9][0-9]|1[01][0-9]|12[0-7])[.]|^2(2[4-9]|[345][0-9])[.]|^f[cd][0-9a-f]{2}:|^fe[89ab][0-9a-f]:|^ff[0-9a-f]{2}:|^::1?$'
        )
    GROUP BY c.host, coalesce(p.exe, c.comm), c.remote_address
),
centers AS (
    SELECT
        *,
        ln(1 + CAST(sent_bytes AS DOUBLE)) AS amount,
        median(ln(1 + CAST(sent_bytes AS DOUBLE))) OVER (PARTITION BY host) AS center,
        count(*) OVER (PARTITION BY host) AS peers
    FROM sums
),
scored AS (
    SELECT
        *,
        -- Where all are alike, a deviation below a half of a power of e is none.
        CASE WHEN peers >= $peers THEN
            (amount - center) / greatest(0.5, 1.4826 * median(abs(amount - center)) OVER (PARTITION BY host))
        END AS z_score
    FROM centers
)
SELECT
    s.ts,
    s.host,
    s.upid,
    p.pid,
    concat(
        coalesce(p.comm, base_name(s.exe), '?'), ' sent ', human_bytes(s.sent_bytes), ' to ', s.remote_address, ' and received ',
        human_bytes(s.received_bytes), ' over ', s.connections, CASE WHEN s.connections = 1 THEN ' connection' ELSE ' connections' END
    ) AS sentence,
    s.exe,
    s.remote_address,
    s.sent_bytes,
    s.received_bytes,
    s.connections,
    round(s.z_score, 1) AS z_score
FROM scored s
LEFT JOIN processes p ON s.host = p.host AND s.upid = p.upid
WHERE
    s.sent_bytes >= $min_bytes
    AND s.sent_bytes >= $ratio * s.received_bytes
    AND (s.z_score IS NULL OR s.z_score >= $score)
ORDER BY s.ts, s.host, s.exe, s.remote_address
