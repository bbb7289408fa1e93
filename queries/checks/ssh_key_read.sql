-- # Private keys of SSH read
-- Who read a private key of SSH, or made a link to it, and is no program of SSH? One row per process.
-- @severity medium
-- @technique T1552.004
-- @rationale A private key opens the machines that its owner can log in to. Programs of SSH read it where it lies; one
--     that copies, packs or searches it does something else.
-- @false-positive A backup of homes, and a search through them with `grep -r`.
-- @false-positive Programs with an SSH of their own: Ansible with paramiko, file managers, editors. Name them in a
--     suppression.
-- @needs syscalls
-- @window 0s
-- @column ts             When the first of them was read.
-- @column host           Machine.
-- @column upid           Process for good.
-- @column pid            Process id.
-- @column sentence       What was found.
-- @column exe            Program file of the process at the first of them.
-- @column file [key]     The first of the files, in the order of letters.
-- @column files [total]  How many files.
-- @caveat Attempts that failed are not told.
-- @evidence SELECT ts, last_ts, comm, exe, operation, path, path2, calls, failures FROM file_accesses WHERE host =
--     {host} AND upid = {upid} AND path = {file} ORDER BY ts, operation, path, path2
-- @fires attacks, persistence, intrusion
-- @silent lookalikes, web, compiler, database, packages, cron, desktop
SELECT
    min(ts) AS ts,
    host,
    upid,
    min(pid) AS pid,
    concat(
        first_value(comm ORDER BY ts, path),
        ' read ',
        CASE count(DISTINCT path)
            WHEN 1 THEN 'a private key: '
            ELSE concat(count(DISTINCT path), ' private keys: ')
        END,
        array_to_string(array_slice(array_agg(DISTINCT path ORDER BY path), 1, 5), ', '),
        CASE WHEN count(DISTINCT path) > 5 THEN ', ...' ELSE '' END
    ) AS sentence,
    first_value(exe ORDER BY ts, path) AS exe,
    min(path) AS file,
    count(DISTINCT path) AS files
FROM file_accesses
WHERE
    operation IN ('read', 'open', 'link', 'symlink', 'rename')
    AND failures < calls
    AND regexp_like(
        path,
        '(^|/)\.ssh/(id_[^/.]+|identity|[^/]+\.pem)$|(^|/)id_(rsa|dsa|ecdsa|ed25519)(_sk)?$'
            || '|^/etc/ssh/ssh_host_[a-z0-9]+_key$'
    )
    AND NOT regexp_like(
        coalesce(exe, ''),
        '^/(usr/)?s?bin/(ssh|scp|sftp|ssh-(add|agent|keygen|keyscan)|sshd|gnome-keyring-daemon|dropbear|dbclient)$'
            || '|^/usr/lib(exec)?/(openssh/(sshd-[a-z]+|ssh-[a-z0-9-]+)|gcr-ssh-agent)$'
    )
GROUP BY host, upid
ORDER BY ts, host, upid
