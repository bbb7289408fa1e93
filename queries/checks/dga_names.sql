-- # Names that were made up
-- Does a program look up many domains that do not exist and look random? One row per program. A domain looks random when
-- it has five consonants in a row or digits among its letters, and characters enough that differ; docs/anomalies.md says
-- how many made by people do.
-- @severity medium
-- @technique T1568.002
-- @rationale Malware that reckons where its orders will come from tries many domains of the day, of which one exists.
-- @false-positive A mail server or a crawler meets many domains that are gone: few of them look random, `random_percent`
--     tells how many.
-- @false-positive Browsers try a few random names to see whether a network answers all: three, and without a domain.
-- @needs dns
-- @param domains integer 15  Domains that look random and do not exist, within the window, from which on it is a finding.
-- @param share number 0.3  Share of all domains that do not exist, which those must be.
-- @param entropy number 2.5  Least entropy of the name of a domain, in bits for each character.
-- @param window duration 5m  Length of the window.
-- @window 10m
-- @column ts         When the number was reached.
-- @column host       Machine.
-- @column upid       Process for good; of several, their parent.
-- @column pid        Process id.
-- @column sentence   What was found.
-- @column exe [key]  The program, as the kernel names it.
-- @column domains    Domains that do not exist.
-- @column random_percent [mean]  Share of them that look random.
-- @column example    One of those, the first by name.
-- @caveat Names that are put together from words do not look random and are not found.
-- @caveat A program that asks a service of its machine has a row, and so has the service that asks on.
-- @evidence SELECT ts, comm, pid, name, type, rcode FROM dns WHERE host = {host} AND rcode = 'NXDOMAIN' ORDER BY ts
-- @next ebrec report dns --failed true
-- @fires attacks, behaviour
-- @silent lookalikes, dns, packages, cron, desktop
WITH names AS (
    SELECT d.host, d.upid, p.parent_upid, coalesce(p.exe, d.comm) AS exe, lower(d.name) AS name, min(d.ts) AS ts
    FROM dns d
    LEFT JOIN processes p ON d.host = p.host AND d.upid = p.upid
    WHERE d.rcode = 'NXDOMAIN' AND (d.side IS DISTINCT FROM 'server')
    GROUP BY d.host, d.upid, p.parent_upid, coalesce(p.exe, d.comm), lower(d.name)
),
labels AS (
    SELECT
        *,
        regexp_match(name, '([^.]+)[.]((co|com|net|org|gov|edu|ac|or|ne|go)[.][a-z]{2}|[^.]+)[.]$')[1] AS label,
        regexp_match(name, '([^.]+[.]((co|com|net|org|gov|edu|ac|or|ne|go)[.][a-z]{2}|[^.]+)[.])$')[1] AS domain
    FROM names
),
missing AS (
    SELECT
        host, upid, parent_upid, exe, domain,
        min(ts) AS ts,
        bool_or(
            regexp_like(label, '[bcdfghjklmnpqrstvwxz]{5}|[a-z][0-9]+[a-z]+[0-9]') AND entropy(label) >= $entropy
        ) AS is_random
    FROM labels
    GROUP BY host, upid, parent_upid, exe, domain
),
busy AS (
    SELECT host, upid
    FROM missing
    GROUP BY host, upid
    HAVING count(*) >= $domains
),
-- A process that does enough by itself is told by itself; others are put together below their parent.
owned AS (
    SELECT m.*, CASE WHEN b.upid IS NOT NULL THEN m.upid ELSE coalesce(m.parent_upid, m.upid) END AS who
    FROM busy b
    RIGHT JOIN missing m ON b.host = m.host AND b.upid = m.upid
),
domains AS (
    SELECT
        host, exe, who, domain,
        min(ts) AS ts,
        min(upid) AS upid,
        bool_or(is_random) AS is_random
    FROM owned
    GROUP BY host, exe, who, domain
),
-- What is looked up within a second is one row, so that little has to be sorted.
seconds AS (
    SELECT
        host, exe, who,
        min(ts) AS first_ts,
        max(ts) AS ts,
        min(upid) AS first_upid,
        max(upid) AS last_upid,
        count(*) AS domains,
        count(*) FILTER (WHERE is_random) AS random_domains,
        min(domain) FILTER (WHERE is_random) AS example
    FROM domains
    GROUP BY host, exe, who, time_bucket(ts, 1000000000)
),
counted AS (
    SELECT
        *,
        sum(random_domains) OVER (
            PARTITION BY host, exe, who ORDER BY CAST(ts AS BIGINT) RANGE BETWEEN $window PRECEDING AND CURRENT ROW
        ) AS recent
    FROM seconds
),
found AS (
    SELECT
        min(ts) FILTER (WHERE recent >= $domains) AS ts,
        host, exe,
        CASE WHEN min(first_upid) = max(last_upid) THEN min(first_upid) ELSE who END AS upid,
        sum(domains) AS domains,
        100.0 * sum(random_domains) / sum(domains) AS random_percent,
        max(CAST(ts AS BIGINT)) - min(CAST(first_ts AS BIGINT)) AS duration_ns,
        min(example) AS example
    FROM counted
    GROUP BY host, exe, who
    HAVING max(recent) >= $domains AND 1.0 * sum(random_domains) / sum(domains) >= $share
)
SELECT
    f.ts,
    f.host,
    f.upid,
    p.pid,
    concat(
        coalesce(p.comm, base_name(f.exe), '?'), ' looked up ', f.domains, ' domains that do not exist in ',
        human_duration(f.duration_ns), '; ', CAST(round(f.random_percent) AS BIGINT), ' % look random, such as ', f.example
    ) AS sentence,
    f.exe,
    f.domains,
    round(f.random_percent, 1) AS random_percent,
    f.example
FROM found f
LEFT JOIN processes p ON f.host = p.host AND f.upid = p.upid
ORDER BY f.ts, f.host, f.exe, f.upid
