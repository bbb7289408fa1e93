//! The numbers in packets as words: protocols, flags, hardware addresses, what is wrong.

use std::fmt::Write;

use schema::types::{FieldType, MalformedPacket};

/// By the numbers that are registered for Ethernet; others keep their number.
const ETHER_TYPES: &[(u32, &str)] = &[
    (0x0800, "ipv4"),
    (0x0806, "arp"),
    (0x86dd, "ipv6"),
    (0x8035, "rarp"),
    (0x8100, "vlan"),
    (0x88a8, "qinq"),
    (0x8847, "mpls"),
    (0x8848, "mpls_multicast"),
    (0x8863, "pppoe_discovery"),
    (0x8864, "pppoe"),
    (0x888e, "eapol"),
    (0x88cc, "lldp"),
    (0x88e5, "macsec"),
    (0x88f7, "ptp"),
];

/// By the numbers that are registered for IP, in the words of `/etc/protocols`.
const IP_PROTOCOLS: &[(u32, &str)] = &[
    (0, "hopopt"),
    (1, "icmp"),
    (2, "igmp"),
    (4, "ipip"),
    (6, "tcp"),
    (17, "udp"),
    (33, "dccp"),
    (41, "ipv6"),
    (43, "ipv6-route"),
    (44, "ipv6-frag"),
    (47, "gre"),
    (50, "esp"),
    (51, "ah"),
    (58, "icmpv6"),
    (59, "ipv6-nonxt"),
    (60, "ipv6-opts"),
    (88, "eigrp"),
    (89, "ospf"),
    (103, "pim"),
    (112, "vrrp"),
    (115, "l2tp"),
    (132, "sctp"),
    (135, "mobility"),
    (136, "udplite"),
    (137, "mpls-in-ip"),
    (139, "hip"),
    (143, "ethernet"),
];

/// From the lowest bit on.
const TCP_FLAGS: [&str; 9] = ["FIN", "SYN", "RST", "PSH", "ACK", "URG", "ECE", "CWR", "AE"];
/// From the lowest bit on.
const IP_FLAGS: [&str; 3] = ["MF", "DF", "reserved"];

/// Puts the word for a number of this type into `out`; false if there is none.
pub(crate) fn word(ty: FieldType, value: u32, out: &mut String) -> bool {
    out.clear();
    let known = |list: &[(u32, &'static str)]| {
        list.iter().find(|(number, _)| *number == value).map(|(_, word)| *word)
    };
    let word = match ty {
        FieldType::EtherType => known(ETHER_TYPES),
        FieldType::IpProtocol => known(IP_PROTOCOLS),
        FieldType::ArpOperation => known(&[(1, "request"), (2, "reply")]),
        FieldType::Malformed => {
            MalformedPacket::ALL.iter().find(|word| **word as u32 == value).map(|word| word.name())
        }
        FieldType::TcpFlags => return flags(&TCP_FLAGS, value, out),
        FieldType::IpFlags => return flags(&IP_FLAGS, value, out),
        _ => unreachable!("no other type has words here"),
    };
    let _ = match (word, ty) {
        (Some(word), _) => out.write_str(word),
        (None, FieldType::EtherType) => write!(out, "{value:#06x}"),
        (None, FieldType::Malformed) if value == 0 => return false,
        (None, _) => write!(out, "{value}"),
    };
    true
}

fn flags(names: &[&str], value: u32, out: &mut String) -> bool {
    let set = names.iter().enumerate().filter(|(bit, _)| value >> bit & 1 != 0);
    for (_, name) in set {
        if !out.is_empty() {
            out.push('|');
        }
        out.push_str(name);
    }
    !out.is_empty()
}

/// Puts a hardware address into `out`.
pub(crate) fn mac(number: u64, out: &mut String) {
    out.clear();
    for (at, byte) in number.to_le_bytes().iter().take(6).enumerate() {
        let colon = if at > 0 { ":" } else { "" };
        let _ = write!(out, "{colon}{byte:02x}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(ty: FieldType, value: u32) -> Option<String> {
        let mut out = String::from("before");
        word(ty, value, &mut out).then_some(out)
    }

    #[test]
    fn numbers_of_packets_read_as_words_and_unknown_ones_as_numbers() {
        for (ty, value, expected) in [
            (FieldType::EtherType, 0x0800, Some("ipv4")),
            (FieldType::EtherType, 0x9000, Some("0x9000")),
            (FieldType::EtherType, 0x26, Some("0x0026")),
            (FieldType::IpProtocol, 58, Some("icmpv6")),
            (FieldType::IpProtocol, 254, Some("254")),
            (FieldType::TcpFlags, 0x12, Some("SYN|ACK")),
            (FieldType::TcpFlags, 0, None),
            (FieldType::IpFlags, 2, Some("DF")),
            (FieldType::ArpOperation, 2, Some("reply")),
            (FieldType::ArpOperation, 9, Some("9")),
            (FieldType::Malformed, 0, None),
            (FieldType::Malformed, 14, Some("short_tcp_header")),
            (FieldType::Malformed, 4000, Some("4000")),
        ] {
            assert_eq!(text(ty, value).as_deref(), expected, "{ty:?} {value}");
        }
    }

    #[test]
    fn hardware_addresses_read_as_people_write_them() {
        let mut out = String::new();
        mac(u64::from_le_bytes([2, 0, 0x5e, 0x10, 0xab, 0xff, 0, 0]), &mut out);
        assert_eq!(out, "02:00:5e:10:ab:ff");
    }
}
