-- # Names that were asked for
-- Which names are looked up, how many of the queries fail, and how long do answers take? One row per name and type, or
-- per what `--by` says, the most failures first. Many names that do not exist (`NXDOMAIN`) can be a wrong search path,
-- or malware that guesses names. `no answer` at one server is that server's trouble, at all of them the network's.
-- @needs dns
-- @param by name|process|server name  What a row is: `name` (and type), `process` (a name of processes that ask), `server` (an
--     address).
-- @param failed bool false  Only rows with failures.
-- @column what [key]       Name, process or server.
-- @column type [key]       Type that is asked for, such as `A`; NULL unless by name.
-- @column queries [total]  Queries; one that is sent again is another.
-- @column failed [total]   Those without an answer, or with one whose code is not `NOERROR`.
-- @column p50_ns [mean]    Half of the answers took no longer.
-- @column p99_ns [mean]    99 % took no longer.
-- @column why              How they failed, with numbers: `no answer`, or the code of the answer.
-- @column who              Who asked: a process, or the address of one that was not recorded; of several the first and
--     the last by name. By process, which servers.
-- @caveat An answer that came after the recording, or after the end of the range of time, is `no answer`.
-- @caveat A program that asks a service of its machine, and the service that asks on, have a query each.
-- @caveat Multicast names (port 5353) are answered to everybody: they are never `no answer`, and have no latency.
-- @caveat A server that is recorded without its clients is known by its first answer; the query of that one is
--     missing.
-- @plot bar what queries failed
-- @dataset dns
WITH messages AS (
    SELECT
        coalesce(CASE WHEN d.side = 'client' THEN coalesce(p.comm, d.comm) END, d.client_address) AS asker,
        d.server_address, d.server_port, d.name, d.type, d.kind, d.rcode, d.latency_ns
    FROM dns d
    LEFT JOIN processes p ON p.host = d.host AND p.upid = d.upid
), sums AS (
    SELECT
        CASE WHEN $by = 'name' THEN name WHEN $by = 'process' THEN asker WHEN $by = 'server' THEN server_address END AS what,
        CASE WHEN $by = 'name' THEN type END AS type,
        count(*) FILTER (WHERE kind = 'query') AS queries,
        -- An answer has a latency when it is the first one to a query that was seen.
        greatest(0, count(*) FILTER (WHERE kind = 'query' AND server_port <> 5353)
            - count(latency_ns) FILTER (WHERE server_port <> 5353)) AS silent,
        count(*) FILTER (WHERE rcode = 'NXDOMAIN') AS unknown,
        count(*) FILTER (WHERE rcode = 'SERVFAIL') AS broken,
        count(*) FILTER (WHERE rcode = 'REFUSED') AS refused,
        count(*) FILTER (WHERE rcode NOT IN ('NOERROR', 'NXDOMAIN', 'SERVFAIL', 'REFUSED')) AS other,
        min(rcode) FILTER (WHERE rcode NOT IN ('NOERROR', 'NXDOMAIN', 'SERVFAIL', 'REFUSED')) AS other_code,
        quantile(latency_ns, 0.5) AS p50_ns,
        quantile(latency_ns, 0.99) AS p99_ns,
        min(CASE WHEN $by = 'process' THEN server_address ELSE asker END) AS who_first,
        max(CASE WHEN $by = 'process' THEN server_address ELSE asker END) AS who_last
    FROM messages
    WHERE $by IN ('name', 'process', 'server')
    GROUP BY 1, 2
)
SELECT
    what,
    type,
    queries,
    silent + unknown + broken + refused + other AS failed,
    p50_ns,
    p99_ns,
    nullif(concat_ws(
        ', ',
        CASE WHEN silent > 0 THEN concat('no answer ', silent) END,
        CASE WHEN unknown > 0 THEN concat('NXDOMAIN ', unknown) END,
        CASE WHEN broken > 0 THEN concat('SERVFAIL ', broken) END,
        CASE WHEN refused > 0 THEN concat('REFUSED ', refused) END,
        CASE WHEN other > 0 THEN concat(other_code, ' or others ', other) END
    ), '') AS why,
    CASE WHEN who_first < who_last THEN concat(who_first, ', ', who_last) ELSE who_first END AS who
FROM sums
WHERE NOT $failed OR silent + unknown + broken + refused + other > 0
ORDER BY failed DESC, queries DESC, what, type
