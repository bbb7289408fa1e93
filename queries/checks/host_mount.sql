-- # Disk of the machine opened in a container
-- Did a process in a container open or mount a disk of the machine, or did a container get the machine's root mounted?
-- One row per process. A disk is found by the name of its device; a root that is mounted into a container is mounted
-- by its runtime, before it goes in.
-- @severity high
-- @technique T1611, T1006
-- @rationale With the disk one has all files of the machine, whatever the container is kept from otherwise.
-- @false-positive Agents that watch the machine get its root, read-only most of the time; drivers of storage open
--     disks. They are known by their container.
-- @needs syscalls, processes
-- @window 0s
-- @column ts            When it first did.
-- @column host          Machine.
-- @column upid          Process for good.
-- @column pid           Process id.
-- @column sentence      What was found.
-- @column exe           Program file of the process, as last known.
-- @column container_id  The container.
-- @column source        What was opened or mounted.
-- @column target        Where it was mounted; NULL when it was not, or when it cannot be told.
-- @caveat A device that was made under another name is not known as a disk.
-- @evidence SELECT * FROM files WHERE host = {host} AND upid = {upid} AND path = {source}
-- @next ebrec explain --pid {pid} --at {ts}
-- @fires attacks, execution
-- @silent lookalikes, web, compiler, database, packages, cron, desktop
WITH opened AS (
    SELECT
        f.ts, f.host, f.upid, f.pid, f.comm, p.exe, p.container_id, p.container_name, f.operation,
        f.path AS source, CASE WHEN f.operation = 'mount' THEN f.path2 END AS target
    FROM file_accesses f
    JOIN processes p ON f.host = p.host AND f.upid = p.upid
    LEFT JOIN processes q ON p.host = q.host AND p.parent_upid = q.upid
    WHERE
        p.container_id IS NOT NULL
        AND f.calls > f.failures
        AND (
            (
                f.operation IN ('read', 'write', 'open', 'mount')
                AND regexp_like(
                    f.path,
                    '^/dev/((sd|vd|xvd|hd)[a-z]+[0-9]*|(nvme[0-9]+n|mmcblk)[0-9]+(p[0-9]+)?|md[0-9]+|dm-[0-9]+|root'
                        || '|mapper/[^c].*|disk/.*)$'
                )
            )
            -- Inside, the root is that of the container: only who is still outside can mean that of the machine.
            OR (
                f.operation IN ('mount', 'open_tree')
                AND f.path = '/'
                AND coalesce(f.path2, '') <> '/'
                AND q.upid IS NOT NULL
                AND q.container_id IS NULL
            )
        )
)
SELECT
    min(ts) AS ts,
    host,
    upid,
    min(pid) AS pid,
    concat(
        first_value(comm ORDER BY ts, source), ' in container ',
        coalesce(min(container_name), left(min(container_id), 12)),
        CASE
            WHEN bool_or(source = '/') THEN ' mounted the root of the machine'
            WHEN bool_or(operation = 'mount')
                THEN concat(' mounted the disk ', min(CASE WHEN operation = 'mount' THEN source END))
            ELSE concat(' opened the disk ', min(source))
        END,
        CASE WHEN min(target) IS NULL THEN '' ELSE concat(' at ', min(target)) END
    ) AS sentence,
    min(exe) AS exe,
    min(container_id) AS container_id,
    min(source) AS source,
    min(target) AS target
FROM opened
GROUP BY host, upid
ORDER BY ts, host, upid
