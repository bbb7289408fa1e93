//! Rows of sockets: both ends as text, what has no value as NULL.

use schema::events::{Connection, Stream, Tail, kind_of};
use schema::types::*;

use crate::build::*;

/// An end of a socket of an address family.
fn end(family: u16, address: [u8; 16], port: u16) -> [u8; 20] {
    let mut end = [0; 20];
    end[..16].copy_from_slice(&address);
    end[16..18].copy_from_slice(&port.to_le_bytes());
    end[18..].copy_from_slice(&family.to_le_bytes());
    end
}

fn connection(protocol: u32, local: [u8; 20], remote: [u8; 20]) -> Connection {
    const UNKNOWN: u64 = u64::MAX;
    Connection {
        header: header(kind_of("connection"), 1_000_000, 100, 100),
        duration_ns: DurationNs(UNKNOWN),
        connection_id: ConnectionId(7),
        protocol: SocketProtocol(protocol),
        role: SocketRole(1),
        local: LocalEnd(local),
        remote: RemoteEnd(remote),
        netns: Inode(5),
        socket_inode: Inode(0),
        connect_latency_ns: DurationNs(3),
        sent_bytes: SizeBytes(1 << 40),
        received_bytes: SizeBytes(0),
        sends: Count(2),
        receives: Count(0),
        retransmits: Count(UNKNOWN),
        drops: Count(0),
        srtt_ns: DurationNs(UNKNOWN),
        rtt_min_ns: DurationNs(UNKNOWN),
        state: SocketState(2),
        error: Errno(111),
        resets_sent: FewOf(u32::MAX),
        resets_received: FewOf(1),
        preexisting: Flag(1),
        approximate_end: Flag(0),
        opener_pid: Pid(0),
        peer_pid: Pid(9),
    }
}

#[test]
fn the_ends_of_a_socket_are_addresses_ports_and_names() {
    let mut mapped = [0; 16];
    mapped[10..].copy_from_slice(&[0xff, 0xff, 127, 0, 0, 1]);
    let mut loopback = [0; 16];
    loopback[15] = 1;
    let none = [0; 20];
    let unix = end(1, [0; 16], 0);
    let records = [
        whole(&connection(1, end(2, mapped, 40000), end(10, loopback, 80)), &[]),
        whole(&connection(2, end(2, mapped, 0), none), &[]),
        whole(
            &connection(3, unix, unix),
            &[(Tail::LocalName, 0, b"\0name\0\0"), (Tail::RemoteName, 0, b"/run/x\0")],
        ),
        // A name that a socket of the internet does not have, and one that is cut off.
        whole(&connection(99, end(2, mapped, 1), unix), &[(Tail::LocalName, 0, b"/no")]),
    ];
    let (_temp, folder) = trace();
    Spool::new(&folder, 1).block(Stream::Network, &records).encode();
    let ends = ["protocol", "local_address", "local_port", "remote_address", "remote_port"];
    assert_eq!(
        rows(&folder, "connections", &ends),
        [
            "tcp | 127.0.0.1 | 40000 | ::1 | 80",
            "udp | 127.0.0.1 | NULL | NULL | NULL",
            "unix_stream | @name | NULL | /run/x | NULL",
            "NULL | 127.0.0.1 | 1 | NULL | NULL",
        ]
    );
    let others = [
        "role",
        "state",
        "error",
        "sent_bytes",
        "retransmits",
        "resets_sent",
        "resets_received",
        "preexisting",
        "approximate_end",
        "opener_pid",
        "peer_pid",
        "socket_inode",
        "duration_ns",
    ];
    assert_eq!(
        rows(&folder, "connections", &others)[0],
        "client | SYN_SENT | ECONNREFUSED | 1099511627776 | NULL | NULL | 1 | true | false | NULL | 9 | NULL | NULL"
    );
}
