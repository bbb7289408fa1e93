//! What sockets and interfaces do.

use super::{At, Row};
use crate::columns::Columns;
use crate::world::World;

/// A socket.
#[derive(Clone, Copy, Default)]
pub(crate) struct Connection {
    pub at: At,
    /// Below 0 when it had not ended.
    pub duration_ns: i64,
    pub connection_id: i64,
    pub role: &'static str,
    pub local_address: u32,
    pub local_port: i32,
    pub remote_address: u32,
    pub remote_port: i32,
    pub connect_latency_ns: i64,
    pub sent_bytes: i64,
    pub received_bytes: i64,
    pub sends: i64,
    pub receives: i64,
    pub retransmits: i64,
    pub srtt_ns: i64,
    pub state: &'static str,
    pub error: &'static str,
    pub resets_sent: i32,
    pub resets_received: i32,
    /// Empty for TCP.
    pub protocol: &'static str,
    /// Of one that was handed over, who opened it; 0 for who has it.
    pub opener_pid: i32,
    pub preexisting: bool,
}

impl Connection {
    fn own(rows: &[Connection], world: &World, out: &mut Columns) {
        optional!(out, rows, int64: duration_ns, connect_latency_ns, srtt_ns);
        numbers!(out, rows, int64: connection_id, sent_bytes, received_bytes);
        numbers!(out, rows, int64: sends, receives, retransmits);
        optional!(out, rows, int32: local_port, remote_port);
        numbers!(out, rows, int32: resets_sent, resets_received);
        words!(out, rows: role, state, error);
        texts!(out, rows, world: local_address, remote_address);
        out.text("protocol", rows.iter().map(|row| Some(protocol(row.protocol))));
        out.int64("netns", rows.iter().map(|row| Some(world.netns_of(row.at.thread))));
        out.int64("socket_inode", rows.iter().map(|row| Some(row.connection_id + 40_000)));
        out.int64("drops", rows.iter().map(|_| Some(0)));
        let rtt = |row: &Connection| Some(row.srtt_ns).filter(|rtt| *rtt >= 0).map(|rtt| rtt / 2);
        out.int64("rtt_min_ns", rows.iter().map(rtt));
        out.flag("preexisting", rows.iter().map(|row| row.preexisting));
        out.flag("approximate_end", rows.iter().map(|_| false));
        let opener = |row: &Connection| match row.opener_pid {
            0 => Some(world.process_of(row.at.thread).pid),
            pid => Some(pid),
        };
        out.int32("opener_pid", rows.iter().map(opener));
    }
}
of_threads!(Connection, "connections", |_| "connection");

/// Something that happened to a socket.
#[derive(Clone, Copy, Default)]
pub(crate) struct ConnectionEvent {
    pub at: At,
    pub connection_id: i64,
    pub event: &'static str,
    pub local_address: u32,
    pub local_port: i32,
    pub remote_address: u32,
    pub remote_port: i32,
    pub old_state: &'static str,
    pub state: &'static str,
    pub error: &'static str,
    pub events: i32,
    /// Empty for TCP.
    pub protocol: &'static str,
}

impl ConnectionEvent {
    fn own(rows: &[ConnectionEvent], world: &World, out: &mut Columns) {
        numbers!(out, rows, int64: connection_id);
        numbers!(out, rows, int32: local_port, events);
        optional!(out, rows, int32: remote_port);
        words!(out, rows: event, old_state, state, error);
        texts!(out, rows, world: local_address, remote_address);
        out.text("protocol", rows.iter().map(|row| Some(protocol(row.protocol))));
    }
}
of_threads!(ConnectionEvent, "connection_events", |_| "connection_event");

/// Packets of a second between two addresses.
#[derive(Clone, Copy, Default)]
pub(crate) struct Flow {
    pub at: At,
    pub duration_ns: i64,
    pub sent_packets: i64,
    pub sent_bytes: i64,
    pub received_packets: i64,
    pub received_bytes: i64,
    pub local_address: u32,
    pub local_port: i32,
    pub remote_address: u32,
    pub remote_port: i32,
    /// Empty for TCP.
    pub protocol: &'static str,
}

impl Flow {
    fn own(rows: &[Flow], world: &World, out: &mut Columns) {
        numbers!(out, rows, int64: duration_ns, sent_packets, sent_bytes);
        numbers!(out, rows, int64: received_packets, received_bytes);
        numbers!(out, rows, int32: local_port, remote_port);
        texts!(out, rows, world: local_address, remote_address);
        out.text("ethertype", rows.iter().map(|_| Some("ipv4")));
        out.text("protocol", rows.iter().map(|row| Some(protocol(row.protocol))));
        out.text("interface", rows.iter().map(|_| Some("eth0")));
        out.int64("ifindex", rows.iter().map(|_| Some(2)));
        out.int64("netns", rows.iter().map(|row| Some(world.netns_of(row.at.thread))));
    }
}
of_threads!(Flow, "flows", |_| "flow");

/// What is meant where nothing is said.
fn protocol(name: &'static str) -> &'static str {
    if name.is_empty() { "tcp" } else { name }
}
