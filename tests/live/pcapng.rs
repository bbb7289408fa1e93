//! Packets exported as pcapng are what `tshark` lists: the same ones, in the same order.

use std::process::Command;

use super::lab::Lab;
use crate::skip::{has_program, skip};

/// Traffic on a loopback interface of its own, and on a device whose packets have no Ethernet header.
const TALK: &str = r#"
import fcntl, os, socket, struct, subprocess
subprocess.run("ip link set lo up", shell=True, check=True)
server = socket.create_server(("127.0.0.1", 0))
client = socket.create_connection(server.getsockname())
accepted = server.accept()[0]
client.sendall(b"x" * 3000)
accepted.recv(3000, socket.MSG_WAITALL)
client.close()
accepted.close()
datagram = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
receiver = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
receiver.bind(("127.0.0.1", 0))
for size in (0, 1, 100):
    datagram.sendto(b"y" * size, receiver.getsockname())
try:
    tun = os.open("/dev/net/tun", os.O_RDWR)
except OSError:
    raise SystemExit
fcntl.ioctl(tun, 0x400454ca, struct.pack("16sH", b"bare0", 0x1001))
subprocess.run("ip addr add 10.9.9.1/24 dev bare0 && ip link set bare0 up", shell=True, check=True)
datagram.sendto(b"z" * 10, ("10.9.9.2", 9))
"#;

fn lab() -> Option<Lab> {
    for program in ["tshark", "unshare", "python3"] {
        if !has_program(program, &["--version"]) {
            skip(&format!("there is no `{program}`"));
            return None;
        }
    }
    Lab::open()
}

#[test]
fn tshark_lists_the_packets_of_the_table() {
    let Some(lab) = lab() else { return };
    let args = ["record", "-s", "packets", "--snaplen", "1000", "--", "unshare", "-n"];
    let run = lab.ebrec(&[&args[..], &["python3", "-c", TALK]].concat());
    assert_eq!(run.code, 0, "{run:?}");
    lab.ebrec(&["export", "--to", "pcapng", "-o", "x.pcapng"]).ok();
    let mut tshark = Command::new("tshark");
    tshark.args(["-r", "x.pcapng", "-T", "fields", "-E", "separator=|", "-n"]);
    for field in [
        "frame.time_epoch",
        "frame.len",
        "frame.encap_type",
        "frame.interface_name",
        "frame.packet_flags_direction",
        "frame.comment",
        "ip.src",
        "ip.dst",
    ] {
        tshark.args(["-e", field]);
    }
    let output = tshark.current_dir(lab.path()).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    let warnings = String::from_utf8(output.stderr).unwrap();
    let warnings: Vec<&str> =
        warnings.lines().filter(|line| !line.starts_with("Running as user")).collect();
    assert!(warnings.is_empty(), "{warnings:?}");
    let listed: Vec<String> = String::from_utf8(output.stdout)
        .unwrap()
        .lines()
        .map(|line| {
            let (seconds, rest) = line.split_once('.').unwrap();
            format!("{seconds}{rest}").replace("0x0000000", "")
        })
        .collect();
    // 1 and 7 are tshark's numbers for Ethernet and for IP without a header before it.
    let rows = lab.rows(
        "SELECT concat_ws('|', CAST(ts AS BIGINT), length_bytes, \
         CASE WHEN source_mac IS NULL THEN 7 ELSE 1 END, interface, \
         CASE direction WHEN 'sent' THEN 2 ELSE 1 END, concat(comm, '[', pid, ']'), \
         coalesce(source_address, ''), coalesce(destination_address, '')) \
         FROM packets WHERE ethertype = 'ipv4' ORDER BY ts",
    );
    let listed: Vec<String> = listed.into_iter().filter(|line| !line.ends_with("||")).collect();
    assert_eq!(listed, rows);
    assert!(rows.len() > 10, "{rows:?}");
    let has_bare = rows.iter().any(|row| row.contains("|7|bare0|2|"));
    assert!(has_bare || !std::path::Path::new("/dev/net/tun").exists(), "{rows:?}");
    // To standard output, and only some.
    let some = ["export", "--to", "pcapng", "--where", "protocol = 'udp' AND interface = 'lo'"];
    let run = lab.ebrec(&[&some[..], &["-o", "udp.pcapng"]].concat());
    assert_eq!(run.code, 0, "{run:?}");
    let count = Command::new("tshark").args(["-r", "udp.pcapng"]).current_dir(lab.path()).output();
    let count = String::from_utf8(count.unwrap().stdout).unwrap().lines().count() as i64;
    let sql = "SELECT count(*) FROM packets WHERE protocol = 'udp' AND interface = 'lo'";
    assert_eq!(count, lab.value(sql));
}

#[test]
fn packets_without_bytes_are_no_capture() {
    let Some(lab) = lab() else { return };
    let run = lab.ebrec(&["record", "-s", "packets", "--", "unshare", "-n", "python3", "-c", TALK]);
    assert_eq!(run.code, 0, "{run:?}");
    let export = |args: &[&str]| {
        lab.ebrec(&[&["export", "--to", "pcapng", "-o", "x.pcapng"], args].concat()).error()
    };
    let error = export(&[]);
    assert!(error.contains("was recorded with its bytes: record with"), "{error}");
    assert!(error.contains("--snaplen"), "{error}");
    assert!(export(&["--where", "ts IS NULL"]).contains("no packet matches"));
    assert!(export(&["--where", "nosuch = 1"]).contains("--where: "));
    assert!(!lab.path().join("x.pcapng").exists());
}
