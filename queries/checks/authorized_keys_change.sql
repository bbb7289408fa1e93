-- # Keys for logins by SSH changed
-- Who changed the keys that may log in? One row per process that did.
-- @severity medium
-- @technique T1098.004
-- @rationale A key in `authorized_keys` is a login without a password that outlives every change of passwords. On most
--     machines it happens a few times in a year.
-- @false-positive `ssh-copy-id`, which runs a shell below `sshd` that appends the key: ask whose login that was.
-- @false-positive Ansible, Puppet and Chef: their agent stands above the process.
-- @needs syscalls
-- @window 0s
-- @column ts             When the first of them was changed.
-- @column host           Machine.
-- @column upid           Process for good.
-- @column pid            Process id.
-- @column sentence       What was found.
-- @column exe            Program file of the process at the first of them.
-- @column file [key]     The first of the files, in the order of letters.
-- @column files [total]  How many files.
-- @caveat A file opened with `openat2` counts as changed: whether to write lies in a structure that is not recorded.
-- @caveat The agents by which a cloud hands out its keys are left out.
-- @evidence SELECT ts, last_ts, comm, exe, operation, path, path2, calls, failures FROM file_accesses WHERE host =
--     {host} AND upid = {upid} AND (path = {file} OR path2 = {file}) ORDER BY ts, operation, path, path2
-- @fires attacks, persistence, intrusion
-- @silent lookalikes, web, compiler, database, packages, cron, desktop
WITH RECURSIVE
changes AS (
    SELECT
        host,
        upid,
        min(ts) AS ts,
        min(pid) AS pid,
        first_value(comm ORDER BY ts, file) AS comm,
        first_value(exe ORDER BY ts, file) AS exe,
        array_agg(DISTINCT file ORDER BY file) AS names
    FROM (
        SELECT *, CASE WHEN operation IN ('rename', 'link', 'symlink') THEN path2 ELSE path END AS file
        FROM file_accesses
    )
    WHERE
        operation IN ('write', 'open', 'rename', 'link', 'symlink')
        AND failures < calls
        AND regexp_like(
            file,
            '(^|/)authorized_keys2?$|/etc/ssh/authorized_(keys|principals)(\.d)?/.'
        )
    GROUP BY host, upid
),
-- Programs that stand behind a finding: the program itself, who started it, who started that one, and so on.
lineage AS (
    SELECT host, upid, upid AS above, concat(exe, ' ') AS program, 0 AS depth FROM changes
    UNION ALL
    SELECT l.host, l.upid, p.parent_upid, concat(p.exe, ' ', p.argv, ' '), l.depth + 1
    FROM lineage l
    JOIN processes p ON l.host = p.host AND l.above = p.upid
    WHERE l.depth < 12
),
agents AS (
    SELECT DISTINCT host, upid
    FROM lineage
    WHERE regexp_like(
        program,
        '^/usr/bin/(google_guest_agent|google_accounts_manager|GCEGuestAgent) '
            || '|^/usr/bin/python3[.0-9]* [^ ]+ (-[EISsuB]+ )?/usr/(bin/cloud-init|s?bin/waagent) '
    )
)
SELECT
    c.ts,
    c.host,
    c.upid,
    c.pid,
    concat(
        c.comm,
        ' changed ',
        CASE array_length(c.names)
            WHEN 1 THEN 'a file of keys that may log in: '
            ELSE concat(array_length(c.names), ' files of keys that may log in: ')
        END,
        array_to_string(array_slice(c.names, 1, 5), ', '),
        CASE WHEN array_length(c.names) > 5 THEN ', ...' ELSE '' END
    ) AS sentence,
    c.exe,
    c.names[1] AS file,
    CAST(array_length(c.names) AS BIGINT) AS files
FROM changes c
LEFT ANTI JOIN agents k ON c.host = k.host AND c.upid = k.upid
ORDER BY c.ts, c.host, c.upid
