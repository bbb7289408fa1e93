-- # Metadata service of the cloud asked
-- Which program that is no agent of a cloud connected to the service that hands out its keys? One row per program.
-- @severity medium
-- @technique T1552.005
-- @rationale The address answers every program of a virtual machine or container with the keys of its role. A server
--     that can be made to ask it gives them away, and so does a shell.
-- @false-positive A program with the library of a cloud in it asks for its keys there by design: name it in a
--     suppression. What remains is who never asked before.
-- @needs connections
-- @window 0s
-- @column ts                   When it first connected.
-- @column host                 Machine.
-- @column upid                 Process for good.
-- @column pid                  Process id.
-- @column sentence             What was found.
-- @column exe [key]            Program file, as last known.
-- @column address [key]        The address.
-- @column connections [total]  How often.
-- @column processes [total]    From how many processes.
-- @caveat Other ports of the address, such as 53 and 123 where the cloud has its servers of names and of time, are not
--     told.
-- @evidence SELECT c.ts, c.pid, c.comm, c.protocol, c.remote_address, c.remote_port, c.sent_bytes, c.received_bytes,
--     c.state, c.error FROM connections c JOIN processes p ON c.host = p.host AND c.upid = p.upid WHERE c.host = {host}
--     AND c.remote_address = {address} AND c.remote_port = 80 AND (p.exe = {exe} OR c.upid = {upid}) ORDER BY c.ts,
--     c.connection_id
-- @fires attacks, persistence
-- @silent lookalikes, web, compiler, database, packages, cron, desktop
SELECT
    min(c.ts) AS ts,
    c.host,
    first_value(c.upid ORDER BY c.ts, c.upid) AS upid,
    first_value(c.pid ORDER BY c.ts, c.upid) AS pid,
    concat(
        first_value(c.comm ORDER BY c.ts, c.upid),
        ' connected to the metadata service of the cloud at ', c.remote_address, ', ',
        CASE WHEN count(*) = 1 THEN 'once' ELSE concat(count(*), ' times') END
    ) AS sentence,
    p.exe,
    c.remote_address AS address,
    count(*) AS connections,
    count(DISTINCT c.upid) AS processes
FROM connections c
LEFT JOIN processes p ON c.host = p.host AND c.upid = p.upid
WHERE
    -- The second is of Alibaba, the third of tasks in ECS, the fourth of pods in EKS; the last two of AWS and Google.
    c.remote_address IN (
        '169.254.169.254', '100.100.100.200', '169.254.170.2', '169.254.170.23', 'fd00:ec2::254', 'fd20:ce::254'
    )
    AND c.remote_port = 80
    AND NOT regexp_like(
        concat(p.exe, ' ', p.argv, ' '),
        '^/usr/(s?bin|lib|libexec)/([^/ ]+/)*(google_(guest_agent|metadata_script_runner|osconfig_agent|network_daemon)'
            || '|google_guest_compat_manager|GCEGuestAgent|amazon-ssm-agent|ssm-(agent|document)-worker|kubelet'
            || '|waagent|aws-node|snapd) '
            || '|^/(opt|snap)/(aws|amazon-ssm-agent|google-cloud-ops-agent)/[^ ]+ '
            || '|^/usr/bin/python3[.0-9]* [^ ]+ (-[EISsuB]+ )?/usr/(bin/cloud-init|s?bin/waagent|bin/cloud-id) '
            || '|^/usr/bin/(da|ba)?sh [^ ]+ /usr/s?bin/(ec2|amazon-ec2)[^ ]* '
    )
GROUP BY c.host, p.exe, c.remote_address
ORDER BY ts, c.host, upid, address
