-- # Miner of coins
-- Does a program mine? One row per process whose signs add up: 50 points for the name of its program file, 40 for
-- arguments that name a pool, 30 for arguments that miners have, 30 for the name of a pool that it looked up, 30 for a
-- connection that it keeps to a port of pools, 30 for the CPU time that it uses. A renamed miner is found by two of the
-- others.
-- @severity high
-- @technique T1496.001
-- @rationale Who gets into a machine without a plan of what to do there lets it earn coins; and where a miner could be
--     put, something else could be, too.
-- @false-positive A miner that the owner of the machine runs: ask whose it is, and suppress it by `exe`.
-- @false-positive A program that computes for long and keeps a connection to one of the ports, such as a browser test
--     that drives a server at 4444: `signs` then has no name, pool or argument.
-- @needs process_events
-- @param score integer 50  Points from which on it is a finding.
-- @param busy duration 30s  How long a connection must last, and CPU time be used, to be a sign.
-- @param cpu_percent number 80  Share of a CPU in all of that time from which on it is a sign.
-- @window all
-- @column ts        When the last of the signs was there.
-- @column host      Machine.
-- @column upid      Process for good.
-- @column pid       Process id.
-- @column sentence  What was found.
-- @column points    Sum of the signs.
-- @column signs     The signs.
-- @column exe       The program, as the kernel names it.
-- @column argv      Its arguments.
-- @caveat CPU time is a sign where the source `cpu` was recorded, names that were looked up with `dns`, and connections
--     with `network`.
-- @caveat Pools are told by a list of names and ports, which is never complete.
-- @evidence SELECT ts, comm, protocol, role, remote_address, remote_port, duration_ns, sent_bytes, received_bytes
--     FROM connections WHERE host = {host} AND upid = {upid}
-- @next ebrec explain --pid {pid}
-- @fires attacks, behaviour
-- @silent lookalikes, web, compiler, database, packages, cron, desktop
WITH signs AS (
    SELECT
        host, upid, min(ts) AS ts, 50 AS points,
        concat('its file is called ', min(base_name(exe))) AS sign
    FROM execs
    WHERE regexp_like(
        base_name(exe),
        '^(xmrig.*|xmr-stak.*|xmr-node.*|cpuminer.*|minerd|ccminer|ethminer|nbminer|lolminer|t-rex|trex|phoenixminer|teamredminer|nanominer|bfgminer|cgminer|sgminer|gminer|wildrig.*|srbminer.*|rigel|bzminer|nheqminer|hellminer|randomx.*|kdevtmpfsi|kinsing)$',
        'i'
    )
    GROUP BY host, upid
    UNION ALL
    SELECT host, upid, min(ts) AS ts, 40 AS points, 'its arguments name a pool (stratum)' AS sign
    FROM execs
    WHERE regexp_like(argv, 'stratum[12]?[+](tcp|ssl|tls|udp|ws|wss)://', 'i')
    GROUP BY host, upid
    UNION ALL
    SELECT host, upid, min(ts) AS ts, 30 AS points, 'its arguments are those of miners' AS sign
    FROM execs
    WHERE regexp_like(
        argv,
        '(^| )''?(--donate-level|--randomx-[a-z-]+|--cpu-max-threads-hint|--nicehash|--rig-id|--coin[= ]''?(monero|xmr|wownero|raven|etc|kas)|(-a|--algo)[= ]''?(rx/|cn/|cn-|argon2/|astrobwt|ghostrider|kawpow|ethash|etchash|cryptonight|randomx|verushash|yescrypt|scrypt|lyra2))',
        'i'
    )
    GROUP BY host, upid
    UNION ALL
    SELECT host, upid, min(ts) AS ts, 30 AS points, concat('it looked up ', min(name)) AS sign
    FROM dns
    WHERE
        regexp_like(
            name,
            '(^|[.])(minexmr[.]com|supportxmr[.]com|nanopool[.]org|hashvault[.]pro|moneroocean[.]stream|2miners[.]com|f2pool[.]com|ethermine[.]org|nicehash[.]com|herominers[.]com|c3pool[.](com|org)|unmineable[.]com|xmrpool[.]eu|dwarfpool[.]com|crypto-pool[.]fr|antpool[.]com|viabtc[.]com|poolin[.](com|me)|slushpool[.]com|minergate[.]com|monerohash[.]com|flypool[.]org|ethpool[.]org|miningpoolhub[.]com|zpool[.]ca|zergpool[.]com|prohashing[.]com|kryptex[.]network|p2pool[.]io|xmr[.]pt|minexmr[.]cn)[.]$',
            'i'
        )
    GROUP BY host, upid
    UNION ALL
    SELECT
        host, upid, min(ts) AS ts, 30 AS points,
        concat('it keeps a connection to ', min(concat(remote_address, ' port ', remote_port))) AS sign
    FROM connections
    WHERE
        role = 'client'
        AND remote_port IN (3333, 4444, 5555, 7777, 9999, 10128, 10300, 10343, 14433, 14444, 20128, 45560, 45700)
        -- One that never came about is none.
        AND state <> 'SYN_SENT'
        AND (duration_ns IS NULL OR duration_ns >= $busy)
    GROUP BY host, upid
    UNION ALL
    SELECT
        host, upid, ts, 30 AS points,
        concat(
            'it used ', CAST(round(100.0 * cpu_ns / busy_ns) AS BIGINT), ' % of a CPU for ', human_duration(busy_ns)
        ) AS sign
    FROM (
        SELECT
            host, upid, max(ts) AS ts,
            CAST(sum(cpu_ns) AS BIGINT) AS cpu_ns,
            CAST(max(ts) AS BIGINT) - CAST(min(ts) AS BIGINT) AS busy_ns
        FROM task_usage
        GROUP BY host, upid
    )
    WHERE busy_ns >= $busy AND cpu_ns >= $cpu_percent / 100 * busy_ns
),
sums AS (
    SELECT
        host, upid,
        max(ts) AS ts,
        CAST(sum(points) AS BIGINT) AS points,
        string_agg(sign, ', ' ORDER BY points DESC, sign) AS signs
    FROM signs
    GROUP BY host, upid
)
SELECT
    s.ts,
    s.host,
    s.upid,
    p.pid,
    concat(coalesce(p.comm, '?'), ' looks like a miner: ', s.signs) AS sentence,
    s.points,
    s.signs,
    p.exe,
    p.argv
FROM sums s
LEFT JOIN processes p ON s.host = p.host AND s.upid = p.upid
WHERE s.points >= $score
ORDER BY s.ts, s.host, s.upid
