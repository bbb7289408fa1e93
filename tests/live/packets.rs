//! Packets against what tcpdump captures and tshark reads of the same traffic.

use std::collections::BTreeMap;
use std::process::{Child, Command, Stdio};

use super::lab::{Lab, until};
use super::pair::Pair;
use crate::skip::{has_program, skip};

const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/programs/packets.py");

/// A capture of what leaves by `va`.
struct Capture(Child, String);

impl Capture {
    fn start(lab: &Lab, pair: &Pair) -> Capture {
        let file = lab.file("va.pcap");
        let tcpdump = [
            "tcpdump",
            "-i",
            "va",
            "-Q",
            "out",
            "-w",
            &file,
            "-U",
            "--immediate-mode",
            "-s",
            "0",
            "-Z",
            "root",
        ];
        let child = pair.command(&pair.left, &tcpdump).stderr(Stdio::null()).spawn().unwrap();
        // The header of the file is there when it has begun.
        until("tcpdump captures", || std::fs::metadata(&file).is_ok_and(|file| file.len() >= 24));
        Capture(child, file)
    }

    fn stop(mut self) -> String {
        // SAFETY: no pointers; the child has not been waited for.
        unsafe { libc::kill(self.0.id() as i32, libc::SIGTERM) };
        self.0.wait().unwrap();
        self.1
    }
}

struct Setup {
    lab: Lab,
    pair: Pair,
    addresses: [String; 2],
}

#[track_caller]
fn setup() -> Option<Setup> {
    let (lab, pair) = (Lab::open()?, Pair::make()?);
    for program in ["tcpdump", "tshark", "python3"] {
        if !has_program(program, &["--version"]) {
            skip(&format!("{program} is not installed"));
            return None;
        }
    }
    pair.silence();
    let address = |side: &str, interface: &str| {
        pair.run(side, &["cat", &format!("/sys/class/net/{interface}/address")]).trim().to_string()
    };
    let addresses = [address(&pair.left, "va"), address(&pair.right, "vb")];
    Some(Setup { lab, pair, addresses })
}

impl Setup {
    /// Records the frames of these kinds as they leave.
    #[track_caller]
    fn record(&self, options: &[&str], kinds: &[&str]) {
        let [from, to] = &self.addresses;
        let send = |kind: &&str| {
            format!("ip netns exec {} python3 {SCRIPT} {kind} va {from} {to}", self.pair.left)
        };
        let work = kinds.iter().map(send).collect::<Vec<_>>().join(" && ");
        let mut args = vec!["record", "--force", "-s", "packets", "--netns", &self.pair.left];
        args.extend(options);
        args.extend(["--", "sh", "-c", &work]);
        self.lab.ebrec(&args).ok();
    }
}

/// What tshark calls a column of ours; the first of several that has something.
const FIELDS: [(&str, &[&str]); 17] = [
    ("length_bytes", &["frame.len"]),
    ("source_mac", &["eth.src"]),
    ("destination_mac", &["eth.dst"]),
    ("vlan", &["ieee8021ad.id", "vlan.id"]),
    ("source_address", &["ip.src", "ipv6.src", "arp.src.proto_ipv4"]),
    ("destination_address", &["ip.dst", "ipv6.dst", "arp.dst.proto_ipv4"]),
    ("ttl", &["ip.ttl", "ipv6.hlim"]),
    ("source_port", &["tcp.srcport", "udp.srcport"]),
    ("destination_port", &["tcp.dstport", "udp.dstport"]),
    ("seq", &["tcp.seq_raw"]),
    ("ack", &["tcp.ack_raw"]),
    ("window", &["tcp.window_size_value"]),
    ("icmp_type", &["icmp.type", "icmpv6.type"]),
    ("icmp_code", &["icmp.code", "icmpv6.code"]),
    ("arp_sender_mac", &["arp.src.hw_mac"]),
    ("tunnel_id", &["vxlan.vni", "gre.key"]),
    ("ip_id", &["ip.id"]),
];

/// What tshark reads in a capture: by our names, what each packet has.
fn tshark(file: &str) -> Vec<BTreeMap<&'static str, String>> {
    let mut command = Command::new("tshark");
    command.args([
        "-r",
        file,
        "-o",
        "ip.defragment:FALSE",
        "-o",
        "ipv6.defragment:FALSE",
        "-T",
        "fields",
    ]);
    command.args(["-E", "occurrence=f", "-e", "tcp.flags", "-e", "frame.protocols"]);
    for name in FIELDS.iter().flat_map(|(_, names)| *names) {
        command.args(["-e", name]);
    }
    let output = command.output().unwrap();
    assert!(output.status.success(), "{output:?}");
    let text = String::from_utf8(output.stdout).unwrap();
    let flags = ["FIN", "SYN", "RST", "PSH", "ACK", "URG", "ECE", "CWR", "AE"];
    let packet = |line: &str| {
        let mut values = line.split('\t');
        let mut packet = BTreeMap::new();
        let set = values.next().unwrap();
        let protocols = values.next().unwrap();
        if let Some(bits) =
            set.strip_prefix("0x").map(|bits| u32::from_str_radix(bits, 16).unwrap())
        {
            let names = flags.iter().enumerate().filter(|(bit, _)| bits >> bit & 1 != 0);
            packet.insert("tcp_flags", names.map(|(_, name)| *name).collect::<Vec<_>>().join("|"));
        }
        for (column, names) in FIELDS {
            let found: Vec<&str> = names.iter().map(|_| values.next().unwrap()).collect();
            let Some(value) = found.into_iter().find(|value| !value.is_empty()) else { continue };
            // What lies in a tunnel of GRE is not ours to read.
            if !(protocols.contains(":gre") && column.ends_with("_port")) {
                let number =
                    value.strip_prefix("0x").map(|hex| u64::from_str_radix(hex, 16).unwrap());
                packet
                    .insert(column, number.map_or(value.to_string(), |number| number.to_string()));
            }
        }
        packet
    };
    text.lines().map(packet).collect()
}

#[test]
fn packets_are_those_that_tshark_reads() {
    let Some(setup) = setup() else { return };
    let Setup { lab, pair, .. } = &setup;
    let capture = Capture::start(lab, pair);
    setup.record(&["--interface", "va"], &["plain", "tagged", "odd"]);
    let expected = tshark(&capture.stop());
    let names: Vec<&str> = FIELDS.iter().map(|(name, _)| *name).chain(["tcp_flags"]).collect();
    let sql = format!(
        "SELECT {} FROM packets WHERE direction = 'sent' AND malformed IS NULL ORDER BY ts",
        names
            .iter()
            .map(|name| format!("coalesce(CAST({name} AS VARCHAR), '')"))
            .collect::<Vec<_>>()
            .join(", ")
    );
    let rows = lab.rows(&sql);
    assert_eq!(rows.len(), expected.len(), "{rows:#?}");
    assert!(rows.len() >= 12 + 4 + 17, "{rows:#?}");
    for (row, expected) in rows.iter().zip(expected) {
        let found: BTreeMap<&str, &str> = names.iter().copied().zip(row.split(',')).collect();
        for (name, value) in &expected {
            assert_eq!(found[name], value, "{name} of {expected:?} in {found:?}");
        }
    }
    lab.assert_complete();
    // What tshark has no field for, or not in these units.
    let fragments = lab.rows("SELECT fragment_offset_bytes, ip_flags FROM packets WHERE ip_id = 77 AND direction = 'sent' ORDER BY ts");
    assert_eq!(fragments, ["0,MF", "40,MF", "80,"]);
    assert_eq!(
        lab.rows("SELECT vlan, inner_vlan FROM packets WHERE inner_vlan IS NOT NULL"),
        ["7,9"]
    );
}

#[test]
fn what_is_wrong_with_a_packet_is_said() {
    let Some(setup) = setup() else { return };
    setup.record(&["--interface", "va"], &["malformed"]);
    let found = setup.lab.rows(
        "SELECT malformed FROM packets WHERE direction = 'sent' AND malformed IS NOT NULL ORDER BY ts",
    );
    let expected = [
        "short_ipv4_header",
        "short_ipv4_header",
        "bad_ipv4_version",
        "bad_ipv4_header_length",
        "bad_ipv4_length",
        "bad_ipv4_length",
        "short_tcp_header",
        "bad_tcp_header_length",
        "bad_tcp_header_length",
        "short_udp_header",
        "bad_udp_length",
        "bad_udp_length",
        "short_icmp_header",
        "short_gre_header",
        "short_ipv6_header",
        "bad_ipv6_version",
        "bad_ipv6_length",
        "short_ipv6_extension",
        "many_ipv6_extensions",
        "short_arp",
        "bad_arp_addresses",
        "short_vlan_tag",
    ];
    assert_eq!(found, expected);
}

#[test]
fn a_filter_wants_what_tcpdump_wants() {
    let Some(setup) = setup() else { return };
    let Setup { lab, pair, .. } = &setup;
    let capture = Capture::start(lab, pair);
    setup.record(&[], &["plain"]);
    let file = capture.stop();
    for filter in [
        "tcp port 80 or udp dst port 53",
        "not (ip or ip6)",
        "src host 10.99.0.1 and not portrange 1-1024",
        "dst net 10.99.0.0/24 and (tcp or arp)",
    ] {
        let captured = Command::new("tcpdump").args(["-n", "-r", &file, filter]).output().unwrap();
        let captured = String::from_utf8(captured.stdout).unwrap().lines().count() as i64;
        setup.record(&["--interface", "va", "--packet-filter", filter], &["plain"]);
        let sql = "SELECT count(*) FROM packets WHERE direction = 'sent'";
        assert!(captured > 0, "{filter}");
        assert_eq!(lab.value(sql), captured, "{filter}");
    }
}

#[test]
fn the_first_bytes_are_those_on_the_wire() {
    let Some(setup) = setup() else { return };
    let Setup { lab, pair, .. } = &setup;
    let capture = Capture::start(lab, pair);
    setup.record(&["--snaplen", "60"], &["tagged", "odd"]);
    let output =
        Command::new("tshark").args(["-r", &capture.stop(), "-T", "json", "-x"]).output().unwrap();
    let frames: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let expected: Vec<String> = frames
        .as_array()
        .unwrap()
        .iter()
        .map(|frame| frame["_source"]["layers"]["frame_raw"][0].as_str().unwrap().to_string())
        .map(|hex| hex[..hex.len().min(120)].to_string())
        .collect();
    let rows = lab.rows(
        "SELECT encode(captured, 'hex'), truncated, length_bytes > length(encode(captured, 'hex')) / 2 FROM packets WHERE direction = 'sent' ORDER BY ts",
    );
    let found: Vec<&str> = rows.iter().map(|row| row.split(',').next().unwrap()).collect();
    assert_eq!(found, expected);
    assert!(
        rows.iter().all(|row| row.ends_with("true,true") || row.ends_with("false,false")),
        "{rows:#?}"
    );
}

#[test]
fn a_filter_that_is_wrong_is_pointed_at_and_nothing_is_written() {
    let Some(lab) = Lab::open() else { return };
    let refused = |options: &[&str]| {
        lab.ebrec(&[&["record", "-s", "packets"], options, &["--", "true"]].concat()).error()
    };
    let shown = refused(&["--packet-filter", "host 10.0.0.1 and prot 80"]);
    let lines: Vec<&str> = shown.lines().collect();
    assert_eq!(lines[2].find('^'), lines[1].find("prot"), "{shown}");
    assert_eq!(
        refused(&["--interface", "nosuch0"]),
        "there is no interface `nosuch0`: `ip link` lists those there are"
    );
    assert!(refused(&["--netns", "nosuch"]).contains("no network namespace nosuch"));
    let without = lab.ebrec(&["record", "-s", "sched", "--snaplen", "9", "--", "true"]).error();
    assert!(without.contains("+packets"), "{without}");
    assert!(!lab.path().join("trace").exists());
}
