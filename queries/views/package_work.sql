-- # Processes that install packages
-- One row per process that is a package manager, or that descends from one over at most twelve generations: what such
-- processes change is changed by a package. The manager is told by its program file, one that is a script also by its
-- path.
-- @column host   Name of the machine.
-- @column upid   Process for good.
-- @column exe    Its program file, as last known.
-- @column depth  Generations from the farthest manager down to it; 0 of one that is itself the manager.
-- @keep Every check on files of the system asks who installs packages.
WITH RECURSIVE work AS (
    SELECT host, upid, exe, 0 AS depth
    FROM processes
    WHERE regexp_like(
        concat(exe, ' ', argv, ' '),
        '^/(usr/)?s?bin/(dpkg|rpm|dnf5|microdnf|zypper|pacman|apk|opkg|xbps-install) '
            || '|^/usr/lib(exec)?/packagekitd '
            || '|^/usr/(bin|libexec)/(platform-)?python3[.0-9]* [^ ]+ (-[EISsuB]+ )?/usr/bin/(dnf|dnf-3|yum) '
    )
    UNION ALL
    SELECT p.host, p.upid, p.exe, w.depth + 1
    FROM work w
    JOIN processes p ON w.host = p.host AND w.upid = p.parent_upid
    WHERE w.depth < 12
)
SELECT host, upid, min(exe) AS exe, max(depth) AS depth
FROM work
GROUP BY host, upid
