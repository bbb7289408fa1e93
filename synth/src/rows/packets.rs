//! Packets, and what they say to servers of names.

use super::{At, Row};
use crate::columns::Columns;
use crate::world::World;

/// A column, and what gives its value.
type Text<T> = (&'static str, fn(&Packet) -> T);

/// A packet at an interface.
#[derive(Clone, Copy, Default)]
pub(crate) struct Packet {
    pub at: At,
    pub is_sent: bool,
    pub length_bytes: i64,
    /// Hardware addresses, as texts.
    pub source_mac: u32,
    pub destination_mac: u32,
    pub ethertype: &'static str,
    pub source_address: u32,
    pub destination_address: u32,
    /// Empty of what is no IP.
    pub protocol: &'static str,
    /// 0 where there is none.
    pub source_port: i32,
    pub destination_port: i32,
    pub seq: i64,
    pub ack: i64,
    /// Empty of what is no TCP.
    pub tcp_flags: &'static str,
    /// Below 0 of what is no ICMP.
    pub icmp_type: i64,
    /// Empty of what is no ARP.
    pub arp_operation: &'static str,
    pub arp_sender_mac: u32,
    pub arp_target_mac: u32,
    pub ttl: i64,
    pub ip_flags: &'static str,
    pub fragment_offset_bytes: i64,
    pub payload_bytes: i64,
    /// What is wrong with it, if something is.
    pub malformed: &'static str,
}

impl Packet {
    fn own(rows: &[Packet], world: &World, out: &mut Columns) {
        let rows = || rows.iter();
        let direction = |row: &Packet| if row.is_sent { "sent" } else { "received" };
        out.text("direction", rows().map(|row| Some(direction(row))));
        out.int64("length_bytes", rows().map(|row| Some(row.length_bytes)));
        out.int64("ifindex", rows().map(|_| Some(2)));
        out.text("interface", rows().map(|_| Some("eth0")));
        out.int64("netns", rows().map(|row| Some(world.netns_of(row.at.thread))));
        let texts: [Text<u32>; 6] = [
            ("source_mac", |row| row.source_mac),
            ("destination_mac", |row| row.destination_mac),
            ("source_address", |row| row.source_address),
            ("destination_address", |row| row.destination_address),
            ("arp_sender_mac", |row| row.arp_sender_mac),
            ("arp_target_mac", |row| row.arp_target_mac),
        ];
        for (name, text) in texts {
            out.text(name, rows().map(|row| world.text_of(text(row))));
        }
        let words: [Text<&'static str>; 6] = [
            ("ethertype", |row| row.ethertype),
            ("protocol", |row| row.protocol),
            ("tcp_flags", |row| row.tcp_flags),
            ("arp_operation", |row| row.arp_operation),
            ("ip_flags", |row| row.ip_flags),
            ("malformed", |row| row.malformed),
        ];
        for (name, word) in words {
            out.text(name, rows().map(|row| Some(word(row)).filter(|word| !word.is_empty())));
        }
        let ip = |row: &&Packet| !row.protocol.is_empty();
        let ips = || rows().map(move |row| Some(row).filter(ip));
        out.int64("ttl", ips().map(|row| Some(row?.ttl)));
        out.int64("ip_id", ips().map(|row| Some(row?.at.ts / 1000 % 65_536)));
        out.int64("fragment_offset_bytes", ips().map(|row| Some(row?.fragment_offset_bytes)));
        out.int64("payload_bytes", ips().map(|row| Some(row?.payload_bytes)));
        let port = |port: i32| Some(port).filter(|port| *port != 0);
        out.int32("source_port", rows().map(|row| port(row.source_port)));
        out.int32("destination_port", rows().map(|row| port(row.destination_port)));
        let tcp = || rows().map(|row| Some(row).filter(|row| row.protocol == "tcp"));
        out.int64("seq", tcp().map(|row| Some(row?.seq)));
        out.int64("ack", tcp().map(|row| Some(row?.ack)));
        out.int64("window", tcp().map(|row| row.map(|_| 64_240)));
        let icmp = || rows().map(|row| Some(row).filter(|row| row.protocol.starts_with("icmp")));
        out.int64("icmp_type", icmp().map(|row| Some(row?.icmp_type)));
        out.int64("icmp_code", icmp().map(|row| row.map(|_| 0)));
    }
}
of_threads!(Packet, "packets", |_| "packet");

/// A message of the domain name system.
#[derive(Clone, Copy, Default)]
pub(crate) struct Dns {
    pub at: At,
    pub is_response: bool,
    pub id: i32,
    /// Texts: the name that is asked for, and what the answer is.
    pub name: u32,
    pub answers: u32,
    pub answer_count: i32,
    pub kind: &'static str,
    pub rcode: &'static str,
    pub message_bytes: i32,
    pub latency_ns: i64,
    pub client_address: u32,
    pub client_port: i32,
    pub server_address: u32,
    pub transport: &'static str,
}

impl Dns {
    fn own(rows: &[Dns], world: &World, out: &mut Columns) {
        let rows = || rows.iter();
        let kind = |row: &Dns| if row.is_response { "response" } else { "query" };
        out.text("kind", rows().map(|row| Some(kind(row))));
        out.int32("id", rows().map(|row| Some(row.id)));
        out.text("name", rows().map(|row| world.text_of(row.name)));
        out.text("type", rows().map(|row| Some(row.kind)));
        out.text("class", rows().map(|_| Some("IN")));
        out.text("opcode", rows().map(|_| Some("QUERY")));
        let responses = || rows().map(|row| Some(row).filter(|row| row.is_response));
        out.text("rcode", responses().map(|row| Some(row?.rcode)));
        let flags = |row: &Dns| if row.is_response { "rd ra" } else { "rd" };
        out.text("flags", rows().map(|row| Some(flags(row))));
        out.int32("question_count", rows().map(|_| Some(1)));
        out.int32("answer_count", rows().map(|row| Some(row.answer_count)));
        out.text("answers", rows().map(|row| world.text_of(row.answers)));
        let ttl = |row: &Dns| (row.answer_count > 0).then_some(300);
        out.int64("ttl_min_s", rows().map(ttl));
        out.int32("message_bytes", rows().map(|row| Some(row.message_bytes)));
        out.text("transport", rows().map(|row| Some(row.transport)));
        out.int64("latency_ns", responses().map(|row| Some(row?.latency_ns)));
        out.text("side", rows().map(|_| Some("client")));
        out.text("client_address", rows().map(|row| world.text_of(row.client_address)));
        out.int32("client_port", rows().map(|row| Some(row.client_port)));
        out.text("server_address", rows().map(|row| world.text_of(row.server_address)));
        out.int32("server_port", rows().map(|_| Some(53)));
    }
}
of_threads!(Dns, "dns", |_| "dns");
