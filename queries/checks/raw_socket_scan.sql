-- # Raw socket of a program that is no tool for it
-- Did a program open a socket on which it makes and reads packets itself? One row per program. A scan with requests that
-- the kernel knows nothing of (SYN scan), forged addresses and a look at the traffic of others all need one. Tools that
-- are known for it and lie in a folder of the system do not count.
-- @severity medium
-- @technique T1046, T1040, T1095
-- @rationale Few programs have to do with packets instead of connections, and they are known.
-- @false-positive A tool for networks that is not in the list, or that was not installed by the package manager.
-- @needs syscalls
-- @window 0s
-- @column ts         When the first was opened.
-- @column host       Machine.
-- @column upid       Process for good, of the first.
-- @column pid        Process id of the first.
-- @column sentence   What was found.
-- @column exe [key]  The program, as the kernel names it.
-- @column kind [key] `packet`: whole frames of an interface; `raw`: packets of a protocol.
-- @column sockets    How many it opened.
-- @column processes  In how many processes.
-- @column argv       Arguments of the first.
-- @caveat A 32-bit program that calls `socketcall` is not seen.
-- @evidence SELECT ts, comm, pid, syscall, arg0, arg1, arg2, ret FROM syscalls WHERE host = {host} AND upid = {upid}
--     AND syscall = 'socket'
-- @next ebrec explain --pid {pid} --at {ts}
-- @fires attacks, behaviour
-- @silent lookalikes, web, compiler, database, server, packages, cron, desktop
WITH opened AS (
    SELECT
        host, upid, min(ts) AS ts, min(pid) AS pid, min(comm) AS comm,
        CASE WHEN arg0 = 17 THEN 'packet' ELSE 'raw' END AS kind,
        count(*) AS sockets
    FROM syscalls
    WHERE
        syscall = 'socket'
        AND ret >= 0
        -- 17 is AF_PACKET; 2 and 10 are AF_INET and AF_INET6, and the low bits of the type are 3 for SOCK_RAW.
        AND (arg0 = 17 OR (arg0 IN (2, 10) AND arg1 & 15 = 3))
    GROUP BY host, upid, CASE WHEN arg0 = 17 THEN 'packet' ELSE 'raw' END
)
SELECT
    min(o.ts) AS ts,
    o.host,
    first_value(o.upid ORDER BY o.ts, o.upid) AS upid,
    first_value(o.pid ORDER BY o.ts, o.upid) AS pid,
    concat(
        first_value(coalesce(p.comm, o.comm) ORDER BY o.ts, o.upid), ' opened ', CAST(sum(o.sockets) AS BIGINT),
        CASE WHEN sum(o.sockets) = 1 THEN ' socket' ELSE ' sockets' END,
        CASE o.kind WHEN 'packet' THEN ' for whole frames' ELSE ' for raw packets' END
    ) AS sentence,
    p.exe,
    o.kind,
    CAST(sum(o.sockets) AS BIGINT) AS sockets,
    count(*) AS processes,
    first_value(p.argv ORDER BY o.ts, o.upid) AS argv
FROM opened o
LEFT JOIN processes p ON o.host = p.host AND o.upid = p.upid
WHERE NOT regexp_like(
    coalesce(p.exe, ''),
    '^/(usr/)?(s?bin|lib|libexec|lib/systemd|lib/NetworkManager|libexec/NetworkManager|lib/ipsec|lib/frr)/(ping6?|fping|iputils-[a-z]+|traceroute(6|[.]db)?|tracepath|mtr(-packet)?|arping|ndisc6|rdisc6|tcpdump|dumpcap|tshark|snort|suricata|zeek|arpwatch|dhclient|dhcpcd|dhcpd|dhcp6c|udhcpc|kea-dhcp4|NetworkManager|nm-[a-z-]+|systemd-networkd|systemd-network|dnsmasq|xtables-(legacy|nft)-multi|iptables|ip6tables|ipset|ebtables|arptables|ip|tc|keepalived|ospfd|ospf6d|bgpd|zebra|isisd|bird6?|radvd|lldpd|wpa_supplicant|hostapd|iwd|charon|charon-systemd|pppd|pppoe|rp-pppoe|avahi-autoipd|corosync|chronyd|conmon|busybox|VBoxNet[A-Za-z]+)$'
)
GROUP BY o.host, p.exe, o.kind
ORDER BY ts, o.host, upid, o.kind
