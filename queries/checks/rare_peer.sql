-- # Address that a program called once
-- Did a program that always talks to the same few call somebody else, once? One row per program and address that no other
-- program of the machine called.
-- @severity low
-- @technique T1071
-- @rationale A service has its peers. Code that was brought into it calls its own.
-- @false-positive A look-up that is due once a day, such as that of a licence or an update.
-- @needs connections
-- @param connections integer 50  Connections of the program from which on its peers are known.
-- @param peers integer 5  A program with more peers than this talks to anybody.
-- @window all
-- @column ts              When it did.
-- @column host            Machine.
-- @column upid            Process for good.
-- @column pid             Process id.
-- @column sentence        What was found.
-- @column exe [key]       The program, as the kernel names it.
-- @column remote_address [key]  The address.
-- @column remote_port     Its port.
-- @column connections     Connections of the program in all.
-- @column peers           Addresses that it called, this one included.
-- @caveat What was normal before the recording is not known; `ebrec check --baseline` compares with what was learnt.
-- @evidence SELECT * FROM connections WHERE host = {host} AND upid = {upid} AND remote_address = {remote_address}
-- @next ebrec explain --pid {pid} --at {ts}
-- @fires attacks, behaviour
-- @silent lookalikes, web, network, packages, cron, desktop
WITH calls AS (
    SELECT
        c.host, coalesce(p.exe, c.comm) AS exe, c.remote_address,
        count(*) AS calls,
        min(c.ts) AS ts, min(c.upid) AS upid, min(c.remote_port) AS remote_port
    FROM connections c
    LEFT JOIN processes p ON c.host = p.host AND c.upid = p.upid
    WHERE c.role = 'client' AND c.protocol NOT LIKE 'unix%'
    GROUP BY c.host, coalesce(p.exe, c.comm), c.remote_address
),
counted AS (
    SELECT
        *,
        sum(calls) OVER (PARTITION BY host, exe) AS connections,
        count(*) OVER (PARTITION BY host, exe) AS peers,
        count(*) OVER (PARTITION BY host, remote_address) AS programs
    FROM calls
)
SELECT
    c.ts,
    c.host,
    c.upid,
    p.pid,
    concat(
        coalesce(p.comm, base_name(c.exe), '?'), ' called ', c.remote_address, ' port ', c.remote_port, ' once, of ',
        CAST(c.connections AS BIGINT), ' connections to ', c.peers, ' addresses'
    ) AS sentence,
    c.exe,
    c.remote_address,
    c.remote_port,
    CAST(c.connections AS BIGINT) AS connections,
    c.peers
FROM counted c
LEFT JOIN processes p ON c.host = p.host AND c.upid = p.upid
WHERE
    c.calls = 1
    AND c.programs = 1
    AND c.connections >= $connections
    AND c.peers <= $peers
    AND c.remote_address NOT LIKE '127.%'
    AND c.remote_address <> '::1'
ORDER BY c.ts, c.host, c.upid, c.remote_address
