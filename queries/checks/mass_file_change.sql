-- # Files taken away, as ransomware does
-- Were many files replaced by ones that are called the same and something more? One row per program and what it added to
-- the names. A file counts when a process, or its child, wrote to it and then renamed it to its name and more
-- (`report.odt` to `report.odt.locked`); or when processes of one parent read it, made a file of its name and more, and
-- removed it. It does not count when somebody made a file of the old name again. That is what tells it apart: a compiler
-- makes new files of other names, a package manager and git rename to the name without the addition, an editor that
-- keeps a copy makes the old name again, and who only renames files does not write to them.
-- @severity high
-- @technique T1486
-- @rationale Files that are encrypted are gone without a copy elsewhere; the sooner it is stopped, the more are left.
-- @false-positive A script that copies every file to `name.bak` and removes it.
-- @false-positive Somebody encrypts his files with `gpg` or `age` in a loop and removes the originals.
-- @needs syscalls
-- @param files integer 20  Files within the window from which on it is a finding.
-- @param directories integer 3  From how many folders they must be.
-- @param window duration 60s  Length of the window.
-- @window 2m
-- @column ts           When the number was reached.
-- @column host         Machine.
-- @column upid         Process for good; of several, their parent.
-- @column pid          Process id.
-- @column sentence     What was found.
-- @column suffix [key] What was added to the names.
-- @column files        Files in all.
-- @column directories  Folders that they are from.
-- @column first_file   One of them, the first by name.
-- @caveat Files that are encrypted in their place and keep their names are not found, nor are those that one process
--     writes to and another, that it did not start, renames.
-- @evidence SELECT * FROM files WHERE host = {host} AND operation IN ('rename', 'unlink', 'create')
--     AND (path2 LIKE concat('%', {suffix}) OR path LIKE concat('%', {suffix}) OR path = {first_file})
-- @next ebrec report file_changes --path {first_file}
-- @fires attacks, behaviour
-- @silent lookalikes, web, compiler, database, packages, cron, desktop
WITH acts AS (
    SELECT a.ts, a.last_ts, a.host, a.upid, p.parent_upid, a.exe, a.operation, a.path, a.path2
    FROM processes p
    JOIN file_accesses a ON p.host = a.host AND p.upid = a.upid
    WHERE a.calls > a.failures
),
gone AS (
    SELECT
        ts, host, upid, parent_upid, exe, path AS old, substr(path2, length(path) + 1) AS suffix, true AS is_renamed
    FROM acts
    WHERE operation = 'rename' AND starts_with(path2, path) AND path2 <> path
    UNION ALL
    SELECT u.ts, u.host, u.upid, u.parent_upid, u.exe, u.path AS old, m.suffix, false AS is_renamed
    FROM acts u
    JOIN (
        SELECT
            ts, host, upid, parent_upid,
            regexp_replace(made, '[.][^./]+$', '') AS old,
            substr(made, length(regexp_replace(made, '[.][^./]+$', '')) + 1) AS suffix
        FROM (SELECT *, CASE WHEN operation = 'rename' THEN path2 ELSE path END AS made FROM acts)
        WHERE operation IN ('write', 'rename')
    ) m
        ON u.host = m.host AND u.path = m.old
    WHERE
        u.operation = 'unlink'
        AND m.suffix <> ''
        AND m.ts <= u.ts
        AND (u.upid = m.upid OR u.parent_upid = m.parent_upid OR u.parent_upid = m.upid OR u.upid = m.parent_upid)
),
-- What packs files and removes them cannot keep them from their owner.
taken AS (
    SELECT ts, host, upid, parent_upid, old, suffix, is_renamed
    FROM gone
    WHERE NOT regexp_like(coalesce(exe, ''), '^/(usr/)?bin/(gzip|bzip2|xz|zstd|lz4|lzip|lzop|pigz|pbzip2|compress)$')
),
-- Of a file that keeps its place the content was written before; of one that is written anew it was read.
opened AS (
    SELECT t.*
    FROM taken t
    LEFT SEMI JOIN acts r
        ON t.host = r.host
        AND t.old = r.path
        AND r.operation IN ('read', 'write', 'open')
        AND r.ts <= t.ts
        AND CASE
            WHEN t.is_renamed THEN r.operation <> 'read' AND (t.upid = r.upid OR t.upid = r.parent_upid)
            ELSE t.upid = r.upid OR t.parent_upid = r.parent_upid OR t.parent_upid = r.upid OR t.upid = r.parent_upid
        END
),
lost AS (
    SELECT o.*
    FROM opened o
    LEFT ANTI JOIN (
        SELECT host, last_ts, operation, CASE WHEN operation = 'rename' THEN path2 ELSE path END AS made
        FROM acts
    ) m
        ON o.host = m.host AND o.old = m.made AND m.operation IN ('write', 'rename') AND m.last_ts > o.ts
),
files AS (
    SELECT
        host, suffix, parent_upid, old,
        min(ts) AS ts,
        min(upid) AS upid,
        regexp_replace(old, '/?[^/]*$', '') AS directory
    FROM lost
    GROUP BY host, suffix, parent_upid, old
),
counted AS (
    SELECT
        *,
        count(*) OVER (
            PARTITION BY host, suffix, parent_upid
            ORDER BY CAST(ts AS BIGINT) RANGE BETWEEN $window PRECEDING AND CURRENT ROW
        ) AS recent
    FROM files
),
found AS (
    SELECT
        min(ts) FILTER (WHERE recent >= $files) AS ts,
        host,
        CASE WHEN min(upid) = max(upid) THEN min(upid) ELSE parent_upid END AS upid,
        suffix,
        count(*) AS files,
        count(DISTINCT directory) AS directories,
        max(CAST(ts AS BIGINT)) - min(CAST(ts AS BIGINT)) AS duration_ns,
        min(old) AS first_file
    FROM counted
    GROUP BY host, suffix, parent_upid
    HAVING max(recent) >= $files AND count(DISTINCT directory) >= $directories
)
SELECT
    f.ts,
    f.host,
    f.upid,
    p.pid,
    concat(
        coalesce(p.comm, '?'), ' replaced ', f.files, ' files in ', f.directories, ' folders by files with ''', f.suffix,
        ''' at the end of their names in ', human_duration(f.duration_ns)
    ) AS sentence,
    f.suffix,
    f.files,
    f.directories,
    f.first_file
FROM found f
LEFT JOIN processes p ON f.host = p.host AND f.upid = p.upid
ORDER BY f.ts, f.host, f.upid, f.suffix
