-- # Passwords and cookies of a browser read
-- Who read where a browser keeps passwords and cookies, and is no browser? One row per process.
-- @severity medium
-- @technique T1555.003, T1539
-- @rationale A copied cookie is a login that is past its password and its second factor; programs that steal them read
--     these files first.
-- @false-positive A backup or an indexer of the home; a browser that was unpacked into the home instead of installed.
-- @false-positive A browser that takes over the passwords of another is a browser, and is left out.
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
            WHEN 1 THEN 'a store of a browser: '
            ELSE concat(count(DISTINCT path), ' stores of browsers: ')
        END,
        array_to_string(array_slice(array_agg(DISTINCT path ORDER BY path), 1, 5), ', '),
        CASE WHEN count(DISTINCT path) > 5 THEN ', ...' ELSE '' END
    ) AS sentence,
    first_value(exe ORDER BY ts, path) AS exe,
    min(path) AS file,
    count(DISTINCT path) AS files
FROM file_accesses
WHERE
    operation IN ('read', 'write', 'open', 'link', 'symlink', 'rename')
    AND failures < calls
    AND regexp_like(
        path,
        '/(google-chrome|chromium|microsoft-edge|BraveSoftware/Brave-Browser|opera|vivaldi)[^/]*/([^/]+/)*'
            || '(Login Data|Login Data For Account|Cookies|Web Data|Local State)$'
            || '|/\.?(mozilla/firefox|librewolf|waterfox|thunderbird)/[^/]+/'
            || '(logins\.json|key[34]\.db|cookies\.sqlite|signons\.sqlite)$'
    )
    AND NOT regexp_like(
        coalesce(exe, ''),
        '^/(usr|opt|snap|app)/([^/]+/)*(firefox(-esr|-bin)?|librewolf|waterfox|thunderbird(-bin)?|chrome|chromium'
            || '|chromium-browser|brave|msedge|opera|vivaldi-bin|chrome_crashpad_handler)$'
    )
GROUP BY host, upid
ORDER BY ts, host, upid
