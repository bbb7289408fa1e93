//! A packet as the kernel side hands it over: what it read of the headers, and the payload.

use zerocopy::{FromBytes, Immutable, KnownLayout};

/// As `DNS_TCP` in ebpf/src/dns.h.
pub const TCP: u32 = 6;
/// Flags of TCP that begin and end a connection; as `DNS_TCP_` in ebpf/src/dns.h.
pub const FIN: u8 = 1;
pub const SYN: u8 = 2;
pub const RST: u8 = 4;
/// As `DNS_SENT` and `DNS_TO_SERVER` in ebpf/src/dns.h.
const SENT: u8 = 1;
const TO_SERVER: u8 = 2;

/// A conversation between a client and a server.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, FromBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct Flow {
    pub client: [u8; 16],
    pub server: [u8; 16],
    pub client_port: u16,
    pub server_port: u16,
    pub protocol: u32,
}

/// A thread in scope; the process 0 is none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct Owner {
    pub pid: u32,
    pub tid: u32,
}

/// As `struct dns_packet` in ebpf/src/dns.h.
#[derive(Clone, Copy, Debug, FromBytes, Immutable, KnownLayout)]
#[repr(C)]
struct Wire {
    ts_ns: u64,
    flow: Flow,
    client: Owner,
    server: Owner,
    payload_at: u32,
    payload: u32,
    sequence: u32,
    kept: u32,
    interface: u32,
    cpu: u16,
    tcp_flags: u8,
    bits: u8,
}

/// A packet of a conversation.
#[derive(Clone, Debug, Default)]
pub struct Packet {
    /// When it was seen: `CLOCK_MONOTONIC`, ns.
    pub ts_ns: u64,
    /// Between whom.
    pub flow: Flow,
    /// The threads in scope at the ends.
    pub client: Owner,
    /// Likewise.
    pub server: Owner,
    /// Whether it goes to the server.
    pub to_server: bool,
    /// Where it was seen: interface and direction.
    pub place: u64,
    /// CPU it was seen on.
    pub cpu: u16,
    /// Sequence number of TCP.
    pub sequence: u32,
    /// Flags of TCP.
    pub tcp_flags: u8,
    /// Bytes of the payload, also of what is not here.
    pub length: usize,
    /// The payload, as far as it is here.
    pub payload: Vec<u8>,
}

impl Packet {
    /// Reads a packet; `None` if these bytes are none.
    pub fn read(bytes: &[u8]) -> Option<Packet> {
        let (wire, rest) = Wire::read_from_prefix(bytes).ok()?;
        let kept = rest.get(..wire.kept as usize)?;
        let begin = (wire.payload_at as usize).min(kept.len());
        let end = begin.saturating_add(wire.payload as usize).min(kept.len());
        Some(Packet {
            ts_ns: wire.ts_ns,
            flow: wire.flow,
            client: wire.client,
            server: wire.server,
            to_server: wire.bits & TO_SERVER != 0,
            place: u64::from(wire.interface) << 1 | u64::from(wire.bits & SENT),
            cpu: wire.cpu,
            sequence: wire.sequence,
            tcp_flags: wire.tcp_flags,
            length: wire.payload as usize,
            payload: kept[begin..end].to_vec(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_bytes_are_a_packet_or_none() {
        for length in 0..200 {
            for fill in [0, 1, 0x7f, 0xff] {
                if let Some(packet) = Packet::read(&vec![fill; length]) {
                    assert!(packet.payload.len() <= length, "{length} times {fill}");
                }
            }
        }
    }
}
