//! Ports and addresses that are tried, and packets that no system sends.

use super::stage::{Call, Image, LOCAL, Link, MILLISECOND, SECOND, Stage, segment};
use super::{Plant, plant};
use crate::rows::{NOBODY, Packet};

pub(super) const PLANTS: &[Plant] = &[
    plant("port_scan", port_scan, no_port_scan),
    plant("host_scan", host_scan, no_host_scan),
    plant("raw_socket_scan", raw_socket_scan, no_raw_socket_scan),
    plant("syn_flood", syn_flood, no_syn_flood),
    plant("odd_tcp_flags", odd_tcp_flags, no_odd_tcp_flags),
    plant("icmp_tunnel", icmp_tunnel, no_icmp_tunnel),
    plant("arp_spoofing", arp_spoofing, no_arp_spoofing),
];

/// An address within the house; a third number for each purpose keeps them apart.
fn inside(third: i64, last: i64) -> String {
    format!("10.0.{third}.{last}")
}

/// Sends or receives a request to connect, and the answer that there is.
fn request(stage: &mut Stage, who: u32, from: (u32, i32), to: (u32, i32), answer: &'static str) {
    let is_sent = who != NOBODY;
    stage.packet(who, segment(is_sent, "SYN", from, to));
    if !answer.is_empty() {
        stage.packet(who, segment(!is_sent, answer, to, from));
    }
}

/// One port after the other of a machine.
fn port_scan(stage: &mut Stage) {
    let last = stage.random.between(2, 250);
    let target = inside(20 + stage.turn as i64, last);
    // None that is known for something by itself.
    let first = stage.random.between(1_400, 3_200) as i32;
    let ports = stage.random.between(24, 60) as i32;
    match stage.turn {
        // Somebody outside tries this one.
        1 => {
            let scanner = stage.outside();
            let (scanner, own) = (stage.world.text(&scanner), stage.world.text(LOCAL));
            for port in 0..ports {
                request(stage, NOBODY, (scanner, 40_000), (own, first + port), "RST|ACK");
                stage.wait_between(MILLISECOND, 200 * MILLISECOND);
            }
            stage.finding_of_nobody();
        }
        // Packets of its own, that the kernel knows nothing of.
        2 => {
            let shell = stage.shell(0);
            let child = stage.start(shell, Image::new("/usr/bin/masscan", target.clone()));
            let socket = Call::new("socket").arg("domain", 17).arg("type", 3).ret(4);
            stage.call(child, socket);
            stage.finding_of("raw_socket_scan", child);
            let (own, target) = (stage.world.text(LOCAL), stage.world.text(&target));
            for port in 0..ports {
                let answer = if port == 7 { "SYN|ACK" } else { "RST|ACK" };
                request(stage, child, (own, 40_000), (target, first + port), answer);
                stage.wait_between(MILLISECOND, 100 * MILLISECOND);
            }
            stage.finding(child);
            stage.exit(child, 0);
        }
        // A shell that starts a program for each.
        3 => {
            let shell = stage.shell(1000);
            for port in first..first + ports {
                let argv = format!("nc -z {target} {port}");
                let nc = stage.start(shell, Image::new("/usr/bin/nc.openbsd", "").argv(argv));
                stage.link(nc, &Link::to(target.clone(), port).refused());
                stage.wait(MILLISECOND);
                stage.exit(nc, 1);
            }
            stage.finding(shell);
        }
        _ => {
            let shell = stage.shell(1000);
            let child = stage.start(shell, Image::new("/usr/bin/nmap", target.clone()));
            for port in 0..ports {
                let link = Link::to(target.clone(), first + port);
                let link = match stage.random.below(12) {
                    0 => link.lasting(MILLISECOND).bytes(0, 0),
                    1 => link.unanswered(),
                    _ => link.refused(),
                };
                stage.link(child, &link);
                // The interface sees it as well.
                let from = (stage.world.text(LOCAL), 40_000 + port);
                let to = (stage.world.text(&target), first + port);
                request(stage, child, from, to, if link.error.is_empty() { "SYN|ACK" } else { "" });
                stage.wait_between(MILLISECOND, 300 * MILLISECOND);
            }
            stage.wait(3 * SECOND);
            stage.finding(child);
            stage.exit(child, 0);
        }
    }
}

/// Few ports, ports that answer, a port that is tried again and again, a look that takes its time.
fn no_port_scan(stage: &mut Stage) {
    let start = |stage: &mut Stage, begin: &str| {
        let exe = stage.fresh(begin);
        stage.start(stage.cast.systemd, Image::new(exe, ""))
    };
    let few = start(stage, "/usr/lib/mon/few");
    for port in 0..15 {
        stage.link(few, &Link::to("10.0.40.1", 8_000 + port).refused());
    }
    let open = start(stage, "/usr/lib/mon/open");
    for port in 0..30 {
        stage.link(open, &Link::to("10.0.40.2", 8_000 + port));
    }
    let again = start(stage, "/usr/lib/mon/again");
    for _ in 0..40 {
        stage.link(again, &Link::to("10.0.40.3", 8_000).refused());
        stage.wait(100 * MILLISECOND);
    }
    let slow = start(stage, "/usr/lib/mon/slow");
    for port in 0..24 {
        stage.link(slow, &Link::to("10.0.40.4", 8_000 + port).refused());
        stage.wait_between(5 * SECOND, 20 * SECOND);
    }
    for who in [few, open, again, slow] {
        stage.lookalike(who);
    }
}

/// The same port of one machine after the other.
fn host_scan(stage: &mut Stage) {
    let port = stage.random.between(1_000, 9_000) as i32;
    let count = stage.random.between(24, 60);
    let third = 60 + stage.turn as i64;
    if stage.turn == 1 {
        // Somebody outside tries the machines behind this one.
        let scanner = stage.outside();
        let scanner = stage.world.text(&scanner);
        for last in 1..=count {
            let target = stage.world.text(&inside(third, last));
            let answer = if last % 9 == 0 { "SYN|ACK" } else { "" };
            request(stage, NOBODY, (scanner, 40_000), (target, port), answer);
            stage.wait_between(MILLISECOND, 200 * MILLISECOND);
        }
        stage.finding_of_nobody();
        return;
    }
    let shell = stage.shell(33);
    if stage.turn == 2 {
        // A shell that starts a program for each.
        for last in 1..=count {
            let argv = format!("nc -z {} {port}", inside(third, last));
            let nc = stage.start(shell, Image::new("/usr/bin/nc.openbsd", "").argv(argv));
            stage.link(nc, &Link::to(inside(third, last), port).refused());
            stage.wait(MILLISECOND);
            stage.exit(nc, 1);
        }
        stage.finding(shell);
        return;
    }
    let exe = stage.fresh("/usr/lib/upd/worm");
    let child = stage.start(shell, Image::new(exe, ""));
    for last in 1..=count {
        let link = Link::to(inside(third, last), port);
        let link = match stage.random.below(12) {
            0 => link.bytes(0, 40),
            1 => link.refused(),
            _ => link.unanswered(),
        };
        let ts = stage.now;
        stage.socket(child, ts, &link);
        stage.wait_between(MILLISECOND, 300 * MILLISECOND);
    }
    stage.wait(3 * SECOND);
    stage.finding(child);
    stage.exit(child, 0);
}

/// Monitors of machines that are up, of few machines, and with many ports.
fn no_host_scan(stage: &mut Stage) {
    let third = 70 + stage.turn as i64;
    for (exe, count, is_open) in [("/usr/lib/mon/up", 30, true), ("/usr/lib/mon/down", 12, false)] {
        let exe = stage.fresh(exe);
        let child = stage.start(stage.cast.systemd, Image::new(exe, ""));
        for last in 1..=count {
            let link = Link::to(inside(third, last), 9_100);
            stage.link(child, &if is_open { link } else { link.unanswered() });
        }
        stage.wait(3 * SECOND);
        stage.lookalike(child);
    }
    let exe = stage.fresh("/usr/lib/mon/slow");
    let slow = stage.start(stage.cast.systemd, Image::new(exe, ""));
    for last in 1..=24 {
        stage.link(slow, &Link::to(inside(third, 100 + last), 9_100).unanswered());
        stage.wait_between(5 * SECOND, 15 * SECOND);
    }
    stage.lookalike(slow);
    // One address of each machine, but each at another port.
    let exe = stage.fresh("/usr/lib/mon/ports");
    let ports = stage.start(stage.cast.systemd, Image::new(exe, ""));
    for last in 1..=24 {
        stage.link(ports, &Link::to(inside(third, 200 + last), 9_200 + last as i32).refused());
    }
    stage.lookalike(ports);
}

/// A program makes packets itself.
fn raw_socket_scan(stage: &mut Stage) {
    let shell = stage.shell(0);
    let exe = stage.fresh("/srv/tools/probe");
    let child = stage.start(shell, Image::new(exe, ""));
    let (domain, kind) = match stage.turn % 3 {
        0 => (2, 3),
        1 => (17, 3),
        _ => (10, 3 | 0o2_000_000),
    };
    for _ in 0..stage.random.between(1, 4) {
        let socket = Call::new("socket").arg("domain", domain).arg("type", kind);
        stage.call(child, socket.arg("protocol", 6).ret(4));
    }
    stage.finding(child);
    stage.exit(child, 0);
}

/// Tools that are for it, sockets of other kinds, and refusals.
fn no_raw_socket_scan(stage: &mut Stage) {
    let shell = stage.shell(0);
    let socket = |domain, kind| Call::new("socket").arg("domain", domain).arg("type", kind);
    let ping = stage.start(shell, Image::new("/usr/bin/ping", "10.0.0.1"));
    stage.call(ping, socket(2, 3).ret(3));
    let dump = stage.start(shell, Image::new("/usr/bin/tcpdump", "-i eth0"));
    stage.call(dump, socket(17, 3).ret(3));
    let plain = stage.start(shell, Image::new("/srv/bin/client", ""));
    stage.call(plain, socket(2, 1).ret(3));
    stage.call(plain, socket(2, 2 | 0o2_000_000).ret(4));
    // Of netlink, all sockets are raw.
    stage.call(plain, socket(16, 3).ret(5));
    stage.call(plain, socket(17, 3).ret(-1));
    for who in [ping, dump, plain] {
        stage.lookalike(who);
        stage.exit(who, 0);
    }
}

/// Requests from many addresses that never go on.
fn syn_flood(stage: &mut Stage) {
    let port = stage.random.between(4_000, 9_000) as i32;
    let count = stage.random.between(520, 640);
    // All within one window of the clock.
    let window = 10 * SECOND;
    stage.now += window - stage.now.rem_euclid(window) + MILLISECOND;
    let (sender, target) = match stage.turn {
        0 => {
            let shell = stage.shell(0);
            let child = stage.start(shell, Image::new("/srv/tools/flood", "10.0.90.1"));
            (child, stage.world.text("10.0.90.1"))
        }
        _ => (NOBODY, stage.world.text(LOCAL)),
    };
    for at in 0..count {
        let source = format!("198.19.{}.{}", at % 7, stage.random.between(1, 250));
        let source = stage.world.text(&source);
        let from = (source, stage.random.between(1_024, 65_000) as i32);
        let is_sent = sender != NOBODY;
        stage.packet(sender, segment(is_sent, "SYN", from, (target, port)));
        stage.wait(5 * MILLISECOND);
    }
    match sender {
        NOBODY => stage.finding_of_nobody(),
        sender => {
            stage.finding(sender);
            stage.exit(sender, 0);
        }
    }
}

/// Clients that mean it, few of them, and many requests of one.
fn no_syn_flood(stage: &mut Stage) {
    let own = stage.world.text(LOCAL);
    let port = 4_100 + stage.turn as i32;
    let window = 10 * SECOND;
    stage.now += window - stage.now.rem_euclid(window) + MILLISECOND;
    for at in 0..520 {
        let source = stage.world.text(&format!("198.18.200.{}", at % 100));
        let client = (source, 30_000 + at);
        for flags in ["SYN", "ACK"] {
            stage.packet(NOBODY, segment(false, flags, client, (own, port)));
        }
        stage.wait(5 * MILLISECOND);
    }
    stage.wait(window);
    for at in 0..520 {
        let source = stage.world.text(&format!("198.18.201.{}", at % 8));
        let client = (source, 30_000 + at);
        // A service that is down: it is the same few that try again.
        request(stage, NOBODY, client, (own, port + 10), "");
        stage.wait(5 * MILLISECOND);
    }
    stage.lookalike_of_nobody();
}

/// Segments with flags that make no sense together.
fn odd_tcp_flags(stage: &mut Stage) {
    let flags = ["FIN|PSH|URG", "", "FIN", "FIN|SYN"][stage.turn % 4];
    let other = stage.outside();
    let (other, own) = (stage.world.text(&other), stage.world.text(LOCAL));
    let sender = match stage.turn % 2 {
        0 => NOBODY,
        _ => {
            let shell = stage.shell(0);
            stage.start(shell, Image::new("/srv/tools/strange", ""))
        }
    };
    let ((from, to), is_sent) = match sender {
        NOBODY => ((other, own), false),
        _ => ((own, other), true),
    };
    for port in 0..stage.random.between(6, 20) as i32 {
        stage.packet(sender, segment(is_sent, flags, (from, 41_000), (to, 20 + port)));
        stage.wait(10 * MILLISECOND);
    }
    match sender {
        NOBODY => stage.finding_of_nobody(),
        sender => {
            stage.finding(sender);
            stage.exit(sender, 0);
        }
    }
}

/// What systems send, and few broken packets.
fn no_odd_tcp_flags(stage: &mut Stage) {
    let other = stage.outside();
    let (other, own) = (stage.world.text(&other), stage.world.text(LOCAL));
    for flags in ["SYN|ECE|CWR", "SYN|ACK", "ACK", "PSH|ACK", "FIN|ACK", "RST", "RST|ACK"] {
        for port in 0..6 {
            stage.packet(NOBODY, segment(false, flags, (other, 42_000), (own, 80 + port)));
        }
    }
    for port in 0..3 {
        stage.packet(NOBODY, segment(false, "FIN|PSH|URG", (other, 42_000), (own, 80 + port)));
    }
    stage.lookalike_of_nobody();
}

/// A ping, with so many bytes in it.
fn ping(is_sent: bool, from: u32, to: u32, payload_bytes: i64) -> Packet {
    Packet {
        protocol: "icmp",
        icmp_type: if is_sent { 8 } else { 0 },
        tcp_flags: "",
        payload_bytes,
        length_bytes: payload_bytes + 42,
        ..segment(is_sent, "", (from, 0), (to, 0))
    }
}

/// Pings that carry data.
fn icmp_tunnel(stage: &mut Stage) {
    let other = stage.outside();
    let (other, own) = (stage.world.text(&other), stage.world.text(LOCAL));
    let shell = stage.shell(0);
    let child = stage.start(shell, Image::new("/srv/tools/carry", ""));
    for _ in 0..stage.random.between(24, 50) {
        let bytes = stage.random.between(300, 1_400);
        stage.packet(child, ping(true, own, other, bytes));
        let bytes = stage.random.between(300, 1_400);
        stage.packet(child, ping(false, other, own, bytes));
        stage.wait_between(20 * MILLISECOND, SECOND);
    }
    stage.finding(child);
    stage.exit(child, 0);
}

/// Pings as monitors send them, and a test of what gets through.
fn no_icmp_tunnel(stage: &mut Stage) {
    let shell = stage.shell(0);
    let monitor = stage.start(shell, Image::new("/usr/bin/ping", "10.0.0.1"));
    let (own, near) = (stage.world.text(LOCAL), stage.world.text("10.0.0.1"));
    for _ in 0..40 {
        stage.packet(monitor, ping(true, own, near, 56));
        stage.packet(monitor, ping(false, near, own, 56));
        stage.wait(SECOND);
    }
    let other = stage.outside();
    let far = stage.world.text(&other);
    let large = stage.start(shell, Image::new("/usr/bin/ping", "-s 1400 far"));
    for _ in 0..40 {
        stage.packet(large, ping(true, own, far, 1_400));
        stage.packet(large, ping(false, far, own, 1_400));
    }
    let other = stage.outside();
    let path = stage.world.text(&other);
    let sizes = stage.start(shell, Image::new("/usr/bin/ping", "-M do path"));
    for at in 0..8 {
        stage.packet(sizes, ping(true, own, path, 500 + at * 100));
        stage.packet(sizes, ping(false, path, own, 500 + at * 100));
    }
    for who in [monitor, large, sizes] {
        stage.lookalike(who);
        stage.exit(who, 0);
    }
}

/// Somebody says to have an address.
fn arp(is_sent: bool, operation: &'static str, mac: u32, address: u32, asked: u32) -> Packet {
    Packet {
        is_sent,
        length_bytes: 42,
        ethertype: "arp",
        source_mac: mac,
        source_address: address,
        destination_address: asked,
        arp_operation: operation,
        arp_sender_mac: mac,
        icmp_type: -1,
        ..Packet::default()
    }
}

/// Two claim an address at the same time, or one does again and again without being asked.
fn arp_spoofing(stage: &mut Stage) {
    let address = stage.world.text(&inside(100, 1 + stage.turn as i64));
    let own = stage.world.text(LOCAL);
    let mac = |stage: &mut Stage, last: i64| {
        let mac = format!("02:00:00:{:02x}:00:{last:02x}", 16 + stage.turn);
        stage.world.text(&mac)
    };
    let (right, wrong) = (mac(stage, 1), mac(stage, 2));
    if stage.turn.is_multiple_of(2) {
        for _ in 0..stage.random.between(6, 12) {
            stage.packet(NOBODY, arp(false, "request", right, address, own));
            stage.wait_between(SECOND / 2, 2 * SECOND);
            stage.packet(NOBODY, arp(false, "reply", wrong, address, own));
            stage.wait_between(SECOND / 2, 2 * SECOND);
        }
        stage.finding_of_nobody();
    } else {
        let shell = stage.shell(0);
        let child = stage.start(shell, Image::new("/srv/tools/poison", ""));
        for _ in 0..stage.random.between(24, 50) {
            stage.packet(child, arp(true, "reply", wrong, address, own));
            stage.wait_between(SECOND / 5, SECOND);
        }
        stage.finding(child);
        stage.exit(child, 0);
    }
}

/// A machine that answers, an address that moves to another, and few words that nobody asked for.
fn no_arp_spoofing(stage: &mut Stage) {
    let first = stage.turn as i64 * 10;
    let own = stage.world.text(LOCAL);
    let own_mac = stage.world.text("02:00:00:00:00:0a");
    let asked = stage.world.text(&inside(101, first + 1));
    let mac = stage.world.text(&format!("02:00:00:60:00:{:02x}", first + 1));
    for _ in 0..30 {
        stage.packet(NOBODY, arp(true, "request", own_mac, own, asked));
        stage.packet(NOBODY, arp(false, "reply", mac, asked, own));
        stage.wait(SECOND);
    }
    let moved = stage.world.text(&inside(101, first + 2));
    for last in [2, 3] {
        let mac = stage.world.text(&format!("02:00:00:60:00:{:02x}", first + last));
        for _ in 0..5 {
            stage.packet(NOBODY, arp(false, "reply", mac, moved, own));
            stage.wait(2 * SECOND);
        }
    }
    // Who asks whether an address is free does not claim it.
    let nothing = stage.world.text("0.0.0.0");
    for last in 4..7 {
        let mac = stage.world.text(&format!("02:00:00:60:00:{:02x}", first + last));
        stage.packet(NOBODY, arp(false, "request", mac, nothing, moved));
    }
    stage.lookalike_of_nobody();
}
