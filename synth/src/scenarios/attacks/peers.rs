//! Machines that programs talk to and should not, or not so.

use super::stage::{Image, Link, Lookup, MILLISECOND, SECOND, Stage};
use super::{Plant, plant};

pub(super) const PLANTS: &[Plant] = &[
    plant("beaconing", beaconing, no_beaconing),
    plant("dga_names", dga_names, no_dga_names),
    plant("dns_tunnel", dns_tunnel, no_dns_tunnel),
    plant("exfiltration", exfiltration, no_exfiltration),
    plant("rare_peer", rare_peer, no_rare_peer),
    plant("odd_port_protocol", odd_port, no_odd_port),
    plant("unexpected_listener", unexpected_listener, no_unexpected_listener),
    plant("login_brute_force", login_brute_force, no_login_brute_force),
];

const CONSONANTS: &[u8] = b"bcdfghjklmnpqrstvwxz";
const LETTERS: &[u8] = b"abcdefghijklmnopqrstuvwxyz234567";

/// Letters at random.
fn letters(stage: &mut Stage, from: &[u8], count: i64) -> String {
    (0..count).map(|_| char::from(stage.random.pick(from))).collect()
}

/// A program that is always there, in a folder of the system.
fn daemon(stage: &mut Stage, begin: &str) -> u32 {
    let exe = stage.fresh(begin);
    stage.start(stage.cast.systemd, Image::new(exe, ""))
}

/// A program asks for orders, from time to time.
fn beaconing(stage: &mut Stage) {
    // A program that calls, or a shell that starts one each time.
    let is_loop = stage.turn == 1;
    let child = if is_loop { stage.shell(33) } else { daemon(stage, "/usr/lib/upd/agent") };
    let remote = stage.outside();
    let pace = stage.random.between(4, 15) * SECOND;
    let jitter = pace * stage.random.between(2, 15) / 100;
    for _ in 0..stage.random.between(16, 24) {
        let sent = stage.random.between(200, 900);
        let call = Link::to(remote.clone(), 443).bytes(sent, 300).lasting(80 * MILLISECOND);
        let began = stage.now;
        if is_loop {
            let curl = Image::new("/usr/bin/curl", format!("-s https://{remote}/"));
            let curl = stage.start(child, curl);
            stage.link(curl, &call);
            stage.wait(100 * MILLISECOND);
            stage.exit(curl, 0);
        } else {
            stage.link(child, &call);
        }
        stage.now = began;
        stage.wait_between(pace - jitter, pace + jitter);
    }
    stage.finding(child);
    stage.exit(child, 0);
}

/// Calls without a pace, few calls, time and names, and what goes to the machine itself.
fn no_beaconing(stage: &mut Stage) {
    let begun = stage.now;
    let remote = stage.outside();
    let call = Link::to(remote.clone(), 443).lasting(80 * MILLISECOND);
    // People have no pace.
    let person = daemon(stage, "/usr/lib/mail/client");
    for _ in 0..20 {
        stage.link(person, &call);
        let doubled = stage.random.below(6);
        stage.wait_between(SECOND << doubled, (2 * SECOND) << doubled);
    }
    stage.now = begun;
    let few = daemon(stage, "/usr/lib/mon/check");
    let local = daemon(stage, "/usr/lib/mon/local");
    let names = daemon(stage, "/usr/lib/mon/names");
    let fast = daemon(stage, "/usr/lib/mon/fast");
    for at in 0..20 {
        let began = stage.now;
        if at < 12 {
            stage.link(few, &call);
        }
        stage.link(local, &Link::to("127.0.0.1", 9_090));
        stage.link(names, &Link::to("10.0.0.2", 53).protocol("udp"));
        // It works, and has ten calls in a second.
        for _ in 0..3 {
            stage.link(fast, &call);
            stage.wait(300 * MILLISECOND);
        }
        stage.now = began + 10 * SECOND;
    }
    for who in [person, few, local, names, fast] {
        stage.lookalike(who);
    }
}

/// A program tries names that it reckons.
fn dga_names(stage: &mut Stage) {
    let child = daemon(stage, "/usr/lib/upd/sync");
    for _ in 0..stage.random.between(24, 40) {
        let length = stage.random.between(8, 14);
        let label = letters(stage, CONSONANTS, length);
        let zone = stage.random.pick(&["com", "net", "org", "info"]);
        stage.look_up(child, &Lookup::missing(format!("{label}.{zone}.")));
        stage.wait_between(SECOND / 10, 3 * SECOND);
    }
    stage.finding(child);
    stage.exit(child, 0);
}

const WORDS: [&str; 8] =
    ["orange", "mill", "river", "paper", "silver", "garden", "harbour", "winter"];

/// Names that people made and that are gone, names that there are, and few of the others.
fn no_dga_names(stage: &mut Stage) {
    let crawler = daemon(stage, "/usr/lib/web/crawler");
    for at in 0..30 {
        let name = format!("{}{}.example.", stage.random.pick(&WORDS), stage.random.pick(&WORDS));
        let domain = format!("{}{at}.com.", stage.random.pick(&WORDS));
        stage.look_up(crawler, &Lookup::missing(domain));
        stage.look_up(crawler, &Lookup::new(name, "10.0.3.7"));
    }
    let cloud = daemon(stage, "/usr/lib/web/cloud");
    for _ in 0..20 {
        let label = letters(stage, CONSONANTS, 10);
        stage.look_up(cloud, &Lookup::new(format!("{label}.com."), "203.0.113.200"));
    }
    let browser = daemon(stage, "/usr/lib/web/browser");
    for _ in 0..3 {
        let label = letters(stage, CONSONANTS, 10);
        stage.look_up(browser, &Lookup::missing(format!("{label}.com.")));
    }
    for who in [crawler, cloud, browser] {
        stage.lookalike(who);
    }
}

/// Something is carried in names.
fn dns_tunnel(stage: &mut Stage) {
    let is_loop = stage.turn == 2;
    let child = if is_loop { stage.shell(33) } else { daemon(stage, "/usr/lib/upd/names") };
    let domain = stage.fresh("t");
    let is_text = stage.turn % 2 == 1;
    for _ in 0..stage.random.between(55, 90) {
        let length = if is_text { 8 } else { stage.random.between(30, 50) };
        let label = letters(stage, LETTERS, length);
        let name = format!("{label}.{domain}.example.");
        let answer = letters(stage, LETTERS, 180);
        let lookup = match is_text {
            true => Lookup::new(name, format!("TXT {answer}")).of_kind("TXT"),
            false => Lookup::new(name, "203.0.113.201"),
        };
        if is_loop {
            let dig = stage
                .start(child, Image::new("/usr/bin/dig", "").argv(format!("dig {}", lookup.name)));
            stage.look_up(dig, &lookup);
            stage.exit(dig, 0);
        } else {
            stage.look_up(child, &lookup);
        }
        stage.wait_between(SECOND / 50, SECOND / 2);
    }
    stage.finding(child);
    stage.exit(child, 0);
}

/// Many short names below one domain, long ones again and again, names of addresses, few long ones.
fn no_dns_tunnel(stage: &mut Stage) {
    let domain = stage.fresh("cdn");
    let hosts = daemon(stage, "/usr/lib/web/hosts");
    for at in 0..60 {
        let name = format!("host-{at:03}.{domain}.example.");
        stage.look_up(hosts, &Lookup::new(name, "203.0.113.202"));
    }
    let again = daemon(stage, "/usr/lib/web/again");
    let label = letters(stage, LETTERS, 40);
    for _ in 0..60 {
        let name = format!("{label}.{domain}.example.");
        stage.look_up(again, &Lookup::new(name, "203.0.113.202"));
    }
    let backwards = daemon(stage, "/usr/lib/web/backwards");
    for at in 0..60 {
        let name = format!("{at}.3.0.10.in-addr.arpa.");
        stage.look_up(backwards, &Lookup::new(name, "PTR h.example.").of_kind("PTR"));
    }
    let few = daemon(stage, "/usr/lib/web/few");
    for _ in 0..30 {
        let label = letters(stage, LETTERS, 40);
        stage.look_up(few, &Lookup::new(format!("{label}.{domain}.example."), "203.0.113.202"));
    }
    for who in [hosts, again, backwards, few] {
        stage.lookalike(who);
    }
}

const MEBIBYTE: i64 = 1 << 20;

/// Far more is sent to one address than to all others.
fn exfiltration(stage: &mut Stage) {
    let shell = stage.shell(33);
    let remote = stage.outside();
    let exe = stage.fresh("/usr/lib/upd/push");
    let child = stage.start(shell, Image::new(exe, ""));
    let parts = stage.random.between(1, 4);
    for _ in 0..parts {
        let bytes = stage.random.between(60, 900) * MEBIBYTE / parts + 20 * MEBIBYTE;
        let link = Link::to(remote.clone(), 443).bytes(bytes, bytes / 90).lasting(8 * SECOND);
        let link = if stage.turn == 1 { link.protocol("udp") } else { link };
        stage.link(child, &link.over(8));
        stage.wait(9 * SECOND);
    }
    stage.finding(child);
    stage.exit(child, 0);
}

/// Downloads, backups within the house, small uploads and what clients get.
fn no_exfiltration(stage: &mut Stage) {
    let remote = stage.outside();
    let big = 300 * MEBIBYTE;
    let mut send = |exe: &str, link: Link| {
        let child = daemon(stage, exe);
        stage.link(child, &link.lasting(8 * SECOND).over(8));
        stage.wait(9 * SECOND);
        stage.lookalike(child);
        stage.exit(child, 0);
    };
    send("/usr/lib/get/fetch", Link::to(remote.clone(), 443).bytes(MEBIBYTE, big));
    send("/usr/lib/get/mirror", Link::to(remote.clone(), 443).bytes(big, big / 4));
    send("/usr/lib/get/backup", Link::to("10.0.0.50", 873).bytes(big, MEBIBYTE));
    send("/usr/lib/get/photo", Link::to(remote.clone(), 443).bytes(20 * MEBIBYTE, 10_000));
    send("/usr/lib/get/serve", Link::from(remote, 40_400, 443).bytes(big, MEBIBYTE));
}

/// A program that always talks to the same few calls somebody else, once.
fn rare_peer(stage: &mut Stage) {
    let child = daemon(stage, "/usr/lib/shop/worker");
    let usual = [("10.0.3.7", 5432), ("10.0.3.8", 6379), ("10.0.3.9", 9200)];
    let calls = stage.random.between(54, 70);
    let once = stage.random.between(20, 50);
    for at in 0..calls {
        let (address, port) = stage.random.pick(&usual);
        let call = match at == once {
            true => Link::to(stage.outside(), 443),
            false => Link::to(address, port),
        };
        let ts = stage.now;
        stage.socket(child, ts, &call.lasting(20 * MILLISECOND));
        stage.wait_between(SECOND / 10, 4 * SECOND);
    }
    stage.finding(child);
    stage.exit(child, 0);
}

/// Programs that talk to many, have talked too little, or share the address with others.
fn no_rare_peer(stage: &mut Stage) {
    let shared = stage.outside();
    for (name, calls, peers, odd) in [
        ("/usr/lib/shop/many", 60, 9, true),
        ("/usr/lib/shop/short", 30, 3, true),
        ("/usr/lib/shop/first", 60, 3, false),
        ("/usr/lib/shop/second", 60, 3, false),
    ] {
        let child = daemon(stage, name);
        for at in 0..calls {
            let call = match (at == 20, odd) {
                (true, true) => Link::to(stage.outside(), 443),
                (true, false) => Link::to(shared.clone(), 443),
                _ => Link::to(format!("10.0.3.{}", 7 + stage.random.below(peers)), 5432),
            };
            let ts = stage.now;
            stage.socket(child, ts, &call.lasting(20 * MILLISECOND));
            let doubled = stage.random.below(5);
            stage.wait_between((SECOND / 10) << doubled, (SECOND / 5) << doubled);
        }
        stage.lookalike(child);
        stage.exit(child, 0);
    }
}

/// A port that does not fit the program, or that is known from tools of attackers.
fn odd_port(stage: &mut Stage) {
    let (exe, port) = match stage.turn {
        0 => ("/usr/bin/ssh", 2_222),
        1 => ("/usr/lib/upd/call", 31_337),
        2 => ("/usr/lib/upd/chat", 6_667),
        _ => ("/usr/lib/upd/hide", 9_050),
    };
    let shell = stage.shell(1000);
    let child = stage.start(shell, Image::new(exe, "-n"));
    let link = Link::to(stage.outside(), port).lasting(3 * SECOND);
    stage.link(child, &link);
    stage.finding(child);
    stage.wait(4 * SECOND);
    stage.exit(child, 0);
}

/// Programs at the ports where they are at home.
fn no_odd_port(stage: &mut Stage) {
    let shell = stage.shell(1000);
    for (exe, port) in [
        ("/usr/bin/ssh", 22),
        ("/usr/bin/dig", 53),
        ("/usr/bin/irssi", 6_667),
        ("/usr/lib/tor/tor", 9_001),
        ("/usr/bin/curl", 8_443),
    ] {
        let child = stage.start(shell, Image::new(exe, "-n"));
        let link = Link::to(stage.outside(), port).lasting(SECOND);
        stage.link(child, &link);
        stage.wait(2 * SECOND);
        stage.lookalike(child);
        stage.exit(child, 0);
    }
    // Ports of attackers on the other side of a connection that came in, and a forwarded port.
    let sshd = stage.start(stage.cast.sshd, Image::new("/usr/sbin/sshd", "-D -R"));
    stage.link(sshd, &Link::from("10.0.0.5", 4_444, 22).bytes(9_000, 4_000));
    let forward = Link { local: "127.0.0.1".to_string(), ..Link::listener(8_022) };
    stage.link(sshd, &forward);
    stage.wait(SECOND);
    stage.lookalike(sshd);
    stage.exit(sshd, 0);
}

/// A port is opened by what is no server.
fn unexpected_listener(stage: &mut Stage) {
    let port = stage.random.between(20_000, 29_000) as i32;
    let shell = stage.shell(1000);
    let image = match stage.turn {
        0 => Image::new(stage.fresh("/home/ada/bin/serve"), ""),
        1 => Image::new("/usr/bin/nc.openbsd", "").argv(format!("nc -lp {port}")),
        2 => Image::new("/usr/bin/python3.11", "").argv("python3 -m http.server"),
        _ => Image::new(stage.fresh("/var/tmp/w/serve"), ""),
    };
    let child = stage.start(shell, image);
    stage.link(child, &Link::listener(port));
    stage.finding(child);
    stage.wait(9 * SECOND);
    stage.exit(child, 0);
}

/// Servers that are installed, scripts that are services or in containers, ports of the machine itself.
fn no_unexpected_listener(stage: &mut Stage) {
    let service = daemon(stage, "/usr/sbin/served");
    stage.link(service, &Link::listener(7_001));
    let script = Image::new("/usr/bin/python3.11", "").argv("/usr/bin/python3 /srv/app/web.py");
    let unit = super::stage::place("/system.slice/web.service");
    let script = stage.start_in(stage.cast.systemd, unit, script);
    stage.link(script, &Link::listener(7_002));
    let inside = Image::new("/usr/local/bin/python3.12", "").argv("python3 app.py");
    let inside = stage.container(inside);
    stage.link(inside, &Link::listener(7_003));
    let shell = stage.shell(1000);
    let own = stage.start(shell, Image::new("/home/ada/bin/dev", ""));
    stage.link(own, &Link { local: "127.0.0.1".to_string(), ..Link::listener(7_004) });
    let before = stage.start(shell, Image::new("/home/ada/bin/old", ""));
    stage.link(before, &Link { preexisting: true, ..Link::listener(7_005) });
    let local = Link { local: "/run/user/1000/x".to_string(), ..Link::listener(-1) };
    stage.link(own, &local.protocol("unix_stream"));
    for who in [service, script, inside, own, before] {
        stage.lookalike(who);
    }
}

/// Passwords are guessed over the network: from here, or here.
fn login_brute_force(stage: &mut Stage) {
    let remote = stage.outside();
    let tries = stage.random.between(22, 40);
    if stage.turn == 2 {
        // A shell that starts a program for each.
        let shell = stage.shell(1000);
        for at in 0..tries {
            let ssh = stage.start(shell, Image::new("/usr/bin/ssh", format!("user{at}@{remote}")));
            let link = Link::to(remote.clone(), 22).bytes(1_600, 2_300).lasting(90 * MILLISECOND);
            stage.link(ssh, &link);
            stage.wait_between(SECOND / 5, SECOND);
            stage.exit(ssh, 255);
        }
        stage.finding(shell);
    } else if stage.turn == 0 {
        // SSH, and databases, which refuse in a line.
        for (scheme, link) in [
            ("ssh", Link::to(remote.clone(), 22).bytes(1_600, 2_300)),
            ("mysql", Link::to(remote.clone(), 3_306).bytes(120, 170).says(1, 2)),
            ("postgres", Link::to(remote.clone(), 5_432).bytes(230, 216).says(3, 3)),
        ] {
            let shell = stage.shell(1000);
            let image = Image::new("/usr/bin/hydra", format!("{scheme}://{remote}"));
            let child = stage.start(shell, image);
            let link = link.lasting(2 * SECOND);
            for _ in 0..tries {
                let ts = stage.now;
                stage.socket(child, ts, &link);
                stage.wait_between(SECOND / 5, SECOND);
            }
            stage.wait(2 * SECOND);
            stage.finding(child);
            stage.exit(child, 0);
        }
    } else {
        // Each is served by a process of its own, or by a process of that one.
        let sshd = stage.cast.sshd;
        let is_split = stage.turn == 3;
        let accepts = stage.pid(sshd);
        for _ in 0..tries {
            let server = stage.start(sshd, Image::new("/usr/sbin/sshd", "-D -R"));
            let port = stage.random.between(33_000, 60_000) as i32;
            let link = Link::from(remote.clone(), port, 22).bytes(2_300, 1_600);
            let link = link.lasting(900 * MILLISECOND);
            let ts = stage.now;
            match is_split {
                true => {
                    let talks = stage.fork(server);
                    stage.socket(talks, ts, &link.opened_by(accepts));
                    stage.exit(talks, 255);
                }
                false => {
                    stage.socket(server, ts, &link);
                    let talks = stage.fork(server);
                    stage.exit(talks, 255);
                }
            }
            stage.wait_between(SECOND, 3 * SECOND / 2);
            stage.exit(server, 255);
        }
        stage.finding(sshd);
        // A server that starts what asks for the password, before anybody is in.
        let inetd = stage.start(stage.cast.systemd, Image::new("/usr/sbin/inetd", ""));
        for _ in 0..tries {
            let server = stage.start(inetd, Image::new("/usr/sbin/in.telnetd", ""));
            let port = stage.random.between(33_000, 60_000) as i32;
            let link = Link::from(remote.clone(), port, 23).bytes(300, 90).lasting(SECOND);
            let ts = stage.now;
            stage.socket(server, ts, &link);
            stage.run_with(server, Image::new("/usr/bin/login", "-h"), 1);
            stage.wait_between(SECOND, 3 * SECOND / 2);
            stage.exit(server, 0);
        }
        stage.finding(inetd);
        // Somebody else gets in and leaves again.
        let server = stage.start(sshd, Image::new("/usr/sbin/sshd", "-D -R"));
        stage.link(server, &Link::from("10.0.0.5", 50_500, 22).bytes(9_000, 4_000));
        stage.wait(SECOND);
        stage.exit(server, 0);
    }
}

/// Logins that succeed, few that fail, monitors that say nothing, and other services.
fn no_login_brute_force(stage: &mut Stage) {
    let remote = stage.outside();
    let to = |port: i32| Link::to(remote.clone(), port).lasting(SECOND);
    for (exe, tries, link) in [
        ("/usr/lib/ops/deploy", 30, to(22).bytes(9_000, 40_000)),
        ("/usr/lib/ops/typo", 8, to(22).bytes(1_600, 2_300)),
        ("/usr/lib/ops/probe", 30, to(22).bytes(0, 40)),
        // Whether a directory is there, is asked by datagrams.
        ("/usr/lib/ops/join", 30, to(389).protocol("udp").bytes(80, 100)),
        ("/usr/lib/ops/web", 30, to(8_443).bytes(1_600, 2_300)),
        ("/usr/lib/ops/closed", 30, to(22).refused()),
        // A client that connects anew for each query.
        ("/usr/lib/ops/shop", 30, to(3_306).bytes(170, 250).says(3, 3)),
        ("/usr/lib/ops/report", 30, to(5_432).bytes(124, 487).says(3, 3)),
        ("/usr/lib/ops/users", 30, to(389).bytes(120, 260).says(3, 2)),
        ("/usr/lib/ops/long", 25, to(22).bytes(1_600, 2_300).lasting(50 * SECOND)),
    ] {
        let child = daemon(stage, exe);
        for _ in 0..tries {
            let ts = stage.now;
            stage.socket(child, ts, &link);
            stage.wait_between(SECOND / 5, SECOND);
        }
        stage.wait(if exe.ends_with("long") { 60 } else { 15 } * SECOND);
        stage.lookalike(child);
        stage.exit(child, 0);
    }
    // Short commands on another machine, and those of others here.
    let script = stage.script();
    let sshd = stage.cast.sshd;
    for _ in 0..21 {
        let ssh = stage.start(script, Image::new("/usr/bin/ssh", format!("{remote} uptime")));
        let ts = stage.now;
        stage.socket(ssh, ts, &to(22).bytes(3_400, 3_300).lasting(90 * MILLISECOND));
        stage.wait_between(SECOND / 5, SECOND);
        stage.exit(ssh, 0);
        let server = stage.start(sshd, Image::new("/usr/sbin/sshd", "-D -R"));
        let port = stage.random.between(33_000, 60_000) as i32;
        let link = Link::from("10.0.0.6", port, 22).bytes(3_300, 3_400).lasting(90 * MILLISECOND);
        let ts = stage.now;
        stage.socket(server, ts, &link);
        stage.run(server, Image::new("/usr/bin/bash", "").argv("bash -c uptime"));
        stage.exit(server, 255);
    }
    stage.lookalike(script);
    stage.lookalike(sshd);
}
