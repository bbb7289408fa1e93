-- # Keys of clouds and services read
-- Who read files with keys of clouds, clusters and services that are not its own, or many of them? One row per process.
-- @severity medium
-- @technique T1552.001
-- @rationale These files are logins in plain text. A client reads its own one; what reads several kinds, or is no
--     client, gathers them.
-- @false-positive A backup of homes, and a search through them with `grep -r`.
-- @false-positive A program that was built here and has the library of a cloud in it: name it in a suppression.
-- @needs syscalls
-- @param files integer 3  From how many files on a client or a script is told, too.
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
-- @caveat A script in Python, Node.js, Ruby, Java, Perl or PHP that reads fewer than `--files` of them is not told: the
--     clients of clouds are written in those.
-- @fires attacks, persistence
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
            WHEN 1 THEN 'a file of keys: '
            ELSE concat(count(DISTINCT path), ' files of keys: ')
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
        '^(.*/)?(\.aws/credentials|\.kube/config|\.docker/config\.json|\.netrc|\.git-credentials|\.pgpass|\.pypirc'
            || '|\.vault-token|\.s3cfg|\.boto|\.azure/(accessTokens|msal_token_cache)\.(json|bin)'
            || '|\.config/gcloud/(credentials\.db|application_default_credentials\.json)|\.config/gh/hosts\.yml'
            || '|\.config/rclone/rclone\.conf|\.terraform\.d/credentials\.tfrc\.json|etc/kubernetes/admin\.conf)$'
    )
GROUP BY host, upid, exe
HAVING
    count(DISTINCT path) >= $files
    OR NOT regexp_like(
        coalesce(exe, ''),
        '^/(usr|opt|snap|bin)/([^/]+/)*(aws|aws_completer|kubectl|helm|k9s|kubelet|docker|dockerd|docker-compose|podman'
            || '|buildah|skopeo|crane|git|git-(remote-https?|credential-store)|curl|wget|ftp|lftp|psql|pg_dump|vault|gh'
            || '|rclone|terraform|tofu|s3cmd|(python|ruby|perl|php)[.0-9]*|node|java)$'
    )
ORDER BY ts, host, upid
