//! Two network namespaces with a cable between them, for tests of traffic.

use std::os::unix::fs::MetadataExt;
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
use std::time::{Duration, Instant};

use super::lab::until;
use crate::skip::{has_program, skip};

/// `left` has 10.99.0.1 and fd99::1 at interface `va`, `right` the addresses that end in 2 at `vb`.
pub struct Pair {
    pub left: String,
    pub right: String,
}

impl Pair {
    /// `None` where namespaces cannot be made.
    #[track_caller]
    pub fn make() -> Option<Pair> {
        static MADE: AtomicU32 = AtomicU32::new(0);
        if !has_program("ip", &["netns"]) {
            skip("`ip netns` does not work: iproute2 is not installed");
            return None;
        }
        let number = MADE.fetch_add(1, Relaxed);
        let name = |side| format!("ebrec-{}-{number}-{side}", std::process::id());
        let pair = Pair { left: name("left"), right: name("right") };
        let (left, right) = (pair.left.as_str(), pair.right.as_str());
        ip(&["netns", "add", left]);
        ip(&["netns", "add", right]);
        ip(&[
            "-n", left, "link", "add", "va", "type", "veth", "peer", "name", "vb", "netns", right,
        ]);
        for (side, interface, number) in [(left, "va", 1), (right, "vb", 2)] {
            // What the kernel says by itself at the start would be counted.
            pair.run(side, &["sysctl", "-qw", &format!("net.ipv6.conf.{interface}.accept_dad=0")]);
            pair.run(
                side,
                &["sysctl", "-qw", &format!("net.ipv6.conf.{interface}.router_solicitations=0")],
            );
            ip(&["-n", side, "addr", "add", &format!("10.99.0.{number}/24"), "dev", interface]);
            ip(&["-n", side, "addr", "add", &format!("fd99::{number}/64"), "dev", interface]);
            ip(&["-n", side, "link", "set", "lo", "up"]);
            ip(&["-n", side, "link", "set", interface, "up"]);
        }
        std::thread::sleep(Duration::from_millis(300));
        Some(pair)
    }

    /// Waits until the kernel has nothing more to say by itself: it tells routers what it listens to.
    #[track_caller]
    pub fn settle(&self) {
        let mut seen = [0; 4];
        let mut since = Instant::now();
        until("the interfaces are quiet", || {
            let now = self.counters(&self.left, "va");
            if now != seen {
                (seen, since) = (now, Instant::now());
            }
            since.elapsed() > Duration::from_millis(1500)
        });
    }

    /// Keeps the kernel from saying anything by itself, so that there is only what a test sends.
    #[track_caller]
    pub fn silence(&self) {
        for (side, interface) in [(&self.left, "va"), (&self.right, "vb")] {
            self.run(
                side,
                &["sysctl", "-qw", &format!("net.ipv6.conf.{interface}.disable_ipv6=1")],
            );
            ip(&["-n", side, "link", "set", interface, "arp", "off"]);
        }
    }

    /// Runs a command in one of them; it must succeed. What it printed.
    #[track_caller]
    pub fn run(&self, side: &str, command: &[&str]) -> String {
        let output = self.command(side, command).output().unwrap();
        assert!(output.status.success(), "{command:?}: {output:?}");
        String::from_utf8(output.stdout).unwrap()
    }

    /// A command in one of them.
    pub fn command(&self, side: &str, command: &[&str]) -> Command {
        let mut inside = Command::new("ip");
        inside.args(["netns", "exec", side]).args(command);
        inside
    }

    /// The number of one of them.
    pub fn number(&self, side: &str) -> u64 {
        std::fs::metadata(format!("/run/netns/{side}")).unwrap().ino()
    }

    /// Bytes and packets that an interface received, and bytes and packets that it sent.
    pub fn counters(&self, side: &str, interface: &str) -> [i64; 4] {
        Pair::counters_in(&self.run(side, &["cat", "/proc/net/dev"]), interface)
    }

    /// The same of what `/proc/net/dev` said.
    pub fn counters_in(text: &str, interface: &str) -> [i64; 4] {
        let line = text.lines().find_map(|line| line.trim().strip_prefix(&format!("{interface}:")));
        let numbers: Vec<i64> =
            line.unwrap().split_whitespace().map(|number| number.parse().unwrap()).collect();
        [numbers[0], numbers[1], numbers[8], numbers[9]]
    }
}

impl Drop for Pair {
    fn drop(&mut self) {
        for side in [&self.left, &self.right] {
            let _ = Command::new("ip").args(["netns", "del", side]).status();
        }
    }
}

#[track_caller]
fn ip(arguments: &[&str]) {
    let output = Command::new("ip").args(arguments).output().unwrap();
    assert!(output.status.success(), "ip {arguments:?}: {output:?}");
}
