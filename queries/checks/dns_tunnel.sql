-- # Data in names
-- Is something carried in the names that a program looks up? One row per program and domain. A tunnel asks for a new name
-- each time, or else the answer would come from a cache: so it counts different names below one domain, when they are long
-- and look random, or when what is asked for are texts (TXT, NULL and their like) and the answers are many bytes.
-- @severity medium
-- @technique T1071.004, T1572, T1048.003
-- @rationale Names are looked up where nothing else gets out, and few look at them.
-- @false-positive Scanners of mail and of viruses ask for the hash of what they look at, and advertising networks give each
--     page a name of its own: domains that are known; suppress by `domain`.
-- @needs dns
-- @param names integer 50  Different names within the window from which on it is a finding.
-- @param window duration 5m  Length of the window.
-- @param length number 25  Mean length of what stands before the domain.
-- @param entropy number 3.0  Mean entropy of it, in bits for each character.
-- @param text_bytes bytes 8KiB  Bytes of answers with texts from which on short names count, too.
-- @window 10m
-- @column ts            When the number was reached.
-- @column host          Machine.
-- @column upid          Process for good; of several, their parent.
-- @column pid           Process id.
-- @column sentence      What was found.
-- @column exe [key]     The program, as the kernel names it.
-- @column domain [key]  The domain.
-- @column names         Different names below it.
-- @column mean_length [mean]   Mean length of what stands before the domain.
-- @column mean_entropy [mean]  Mean entropy of it.
-- @column text_bytes    Bytes of answers with texts.
-- @column example       One of the names.
-- @caveat A program that asks a service of its machine has a row, and so has the service that asks on.
-- @caveat The domain is taken for the last two parts of a name, or three below `co.uk` and its like.
-- @evidence SELECT ts, comm, pid, kind, name, type, message_bytes, answers FROM dns WHERE host = {host}
--     AND lower(name) LIKE concat('%.', {domain}) ORDER BY ts
-- @next ebrec report dns --failed false
-- @fires attacks, behaviour
-- @silent lookalikes, dns, packages, cron, desktop
WITH asked AS (
    SELECT
        d.host, d.upid, p.parent_upid, coalesce(p.exe, d.comm) AS exe, lower(d.name) AS name,
        coalesce(
            regexp_match(
                lower(d.name),
                '([^.]+[.]((co|com|net|org|gov|edu|ac|or|ne|go)[.][a-z]{2}|[^.]+)[.])$'
            )[1],
            '.'
        ) AS domain,
        min(d.ts) AS ts,
        sum(CASE
            WHEN d.kind = 'response' AND d.type IN ('TXT', 'NULL', 'TYPE65399', 'CNAME', 'MX', 'SRV', 'KEY')
                THEN d.message_bytes
            ELSE 0
        END) AS text_bytes
    FROM dns d
    LEFT JOIN processes p ON d.host = p.host AND d.upid = p.upid
    -- A server does not choose what it is asked for. The other way round from an address to a name, names are long by
    -- design.
    WHERE (d.side IS DISTINCT FROM 'server') AND lower(d.name) NOT LIKE '%.arpa.'
    GROUP BY d.host, d.upid, p.parent_upid, coalesce(p.exe, d.comm), lower(d.name)
),
-- Of most domains few names are asked for, and nothing else has to be found out about them.
many AS (
    SELECT host, domain
    FROM asked
    GROUP BY host, domain
    HAVING count(*) >= $names
),
-- A process that does enough by itself is told by itself; others are put together below their parent.
owned AS (
    SELECT
        a.*,
        CASE
            WHEN count(*) OVER (PARTITION BY a.host, a.upid, a.domain) >= $names THEN a.upid
            ELSE coalesce(a.parent_upid, a.upid)
        END AS who
    FROM many m
    JOIN asked a ON m.host = a.host AND m.domain = a.domain
),
parts AS (
    SELECT
        host, exe, who, domain, name,
        replace(left(name, length(name) - length(domain)), '.', '') AS part,
        min(ts) AS ts,
        min(upid) AS upid,
        sum(text_bytes) AS text_bytes
    FROM owned
    GROUP BY host, exe, who, domain, name
),
-- What is looked up within a second is one row, so that little has to be sorted.
seconds AS (
    SELECT
        host, exe, who, domain,
        min(ts) AS first_ts,
        max(ts) AS ts,
        min(upid) AS first_upid,
        max(upid) AS last_upid,
        count(*) AS names,
        sum(length(part)) AS length,
        sum(entropy(part)) AS entropy,
        sum(text_bytes) AS text_bytes,
        first_value(name ORDER BY length(name) DESC, name) AS example
    FROM parts
    GROUP BY host, exe, who, domain, time_bucket(ts, 1000000000)
),
counted AS (
    SELECT
        *,
        sum(names) OVER (
            PARTITION BY host, exe, who, domain
            ORDER BY CAST(ts AS BIGINT) RANGE BETWEEN $window PRECEDING AND CURRENT ROW
        ) AS recent
    FROM seconds
),
found AS (
    SELECT
        min(ts) FILTER (WHERE recent >= $names) AS ts,
        host, exe, domain,
        CASE WHEN min(first_upid) = max(last_upid) THEN min(first_upid) ELSE who END AS upid,
        sum(names) AS names,
        CAST(sum(length) AS DOUBLE) / sum(names) AS mean_length,
        sum(entropy) / sum(names) AS mean_entropy,
        CAST(sum(text_bytes) AS BIGINT) AS text_bytes,
        max(CAST(ts AS BIGINT)) - min(CAST(first_ts AS BIGINT)) AS duration_ns,
        first_value(example ORDER BY length(example) DESC, example) AS example
    FROM counted
    GROUP BY host, exe, who, domain
    HAVING
        max(recent) >= $names
        AND (
            (CAST(sum(length) AS DOUBLE) / sum(names) >= $length AND sum(entropy) / sum(names) >= $entropy)
            OR sum(text_bytes) >= $text_bytes
        )
)
SELECT
    f.ts,
    f.host,
    f.upid,
    p.pid,
    concat(
        coalesce(p.comm, base_name(f.exe), '?'), ' looked up ', f.names, ' names below ', f.domain, ' in ',
        human_duration(f.duration_ns), ', ', CAST(round(f.mean_length) AS BIGINT), ' characters and ',
        CAST(round(f.mean_entropy, 1) AS VARCHAR), ' bits for each of them on average; answers with texts have ',
        human_bytes(f.text_bytes)
    ) AS sentence,
    f.exe,
    f.domain,
    f.names,
    round(f.mean_length, 1) AS mean_length,
    round(f.mean_entropy, 2) AS mean_entropy,
    f.text_bytes,
    f.example
FROM found f
LEFT JOIN processes p ON f.host = p.host AND f.upid = p.upid
ORDER BY f.ts, f.host, f.exe, f.domain, f.upid
