-- # Protocols
-- What is the traffic made of? One row per protocol and port of the service, the most bytes first. The port is the
-- lower one of the two ends, which is that of the service nearly always; the word behind it is what usually is at that
-- port, not what was seen there. `--ports false` adds up the ports.
-- @needs flows
-- @param ports bool true  Tells ports apart.
-- @param interface text -  Only packets at this interface.
-- @column protocol [key]          `tcp`, `udp`, `icmp`, ...; of what is no IP its Ethernet type; NULL of flows that
--     found no room.
-- @column service [key]           Port, and what usually is there; NULL where packets have no ports.
-- @column packets [total]         Packets, both ways.
-- @column sent_bytes [total]      Bytes that interfaces sent, with headers.
-- @column received_bytes [total]  Bytes that interfaces received, with headers.
-- @column share_percent [mean]    Share of all bytes both ways.
-- @caveat A packet over `lo` is sent and received; one over an interface on top of another counts at both.
-- @plot bar service sent_bytes received_bytes
-- @dataset network, web
WITH sums AS (
    SELECT
        coalesce(protocol, ethertype) AS protocol,
        CASE WHEN $ports THEN least(local_port, remote_port) END AS port,
        CAST(sum(sent_packets + received_packets) AS BIGINT) AS packets,
        CAST(sum(sent_bytes) AS BIGINT) AS sent_bytes,
        CAST(sum(received_bytes) AS BIGINT) AS received_bytes
    FROM flows
    WHERE ($interface IS NULL OR interface = $interface)
    GROUP BY 1, 2
), shares AS (
    SELECT
        *,
        sent_bytes + received_bytes AS both_bytes,
        round(100.0 * (sent_bytes + received_bytes) / nullif(sum(sent_bytes + received_bytes) OVER (), 0), 1) AS share_percent,
        CASE port
            WHEN 21 THEN 'ftp' WHEN 22 THEN 'ssh' WHEN 23 THEN 'telnet' WHEN 25 THEN 'smtp' WHEN 53 THEN 'dns'
            WHEN 67 THEN 'dhcp' WHEN 68 THEN 'dhcp' WHEN 69 THEN 'tftp' WHEN 80 THEN 'http' WHEN 88 THEN 'kerberos'
            WHEN 110 THEN 'pop3' WHEN 111 THEN 'rpcbind' WHEN 123 THEN 'ntp' WHEN 137 THEN 'netbios' WHEN 138 THEN 'netbios'
            WHEN 139 THEN 'smb' WHEN 143 THEN 'imap' WHEN 161 THEN 'snmp' WHEN 162 THEN 'snmp' WHEN 179 THEN 'bgp'
            WHEN 389 THEN 'ldap' WHEN 443 THEN CASE protocol WHEN 'udp' THEN 'quic' ELSE 'https' END WHEN 445 THEN 'smb'
            WHEN 465 THEN 'smtps' WHEN 500 THEN 'ike' WHEN 514 THEN 'syslog' WHEN 546 THEN 'dhcp' WHEN 547 THEN 'dhcp'
            WHEN 587 THEN 'smtp' WHEN 636 THEN 'ldaps' WHEN 853 THEN 'dns over tls' WHEN 873 THEN 'rsync' WHEN 993 THEN 'imaps'
            WHEN 995 THEN 'pop3s' WHEN 1433 THEN 'sql server' WHEN 1883 THEN 'mqtt' WHEN 2049 THEN 'nfs' WHEN 2379 THEN 'etcd'
            WHEN 2380 THEN 'etcd' WHEN 3306 THEN 'mysql' WHEN 3389 THEN 'rdp' WHEN 4317 THEN 'otlp' WHEN 4318 THEN 'otlp'
            WHEN 4500 THEN 'ipsec' WHEN 4789 THEN 'vxlan' WHEN 5353 THEN 'mdns' WHEN 5432 THEN 'postgresql' WHEN 5672 THEN 'amqp'
            WHEN 5900 THEN 'vnc' WHEN 6379 THEN 'redis' WHEN 6443 THEN 'kubernetes' WHEN 8080 THEN 'http' WHEN 8443 THEN 'https'
            WHEN 9042 THEN 'cassandra' WHEN 9090 THEN 'prometheus' WHEN 9092 THEN 'kafka' WHEN 9200 THEN 'elasticsearch'
            WHEN 10250 THEN 'kubelet' WHEN 11211 THEN 'memcached' WHEN 27017 THEN 'mongodb' WHEN 51820 THEN 'wireguard'
        END AS usual
    FROM sums
)
SELECT
    protocol,
    CASE WHEN usual IS NULL THEN CAST(port AS VARCHAR) ELSE concat(port, ' ', usual) END AS service,
    packets,
    sent_bytes,
    received_bytes,
    share_percent
FROM shares
ORDER BY both_bytes DESC, packets DESC, protocol, port
