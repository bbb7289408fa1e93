//! Flows against the counters of interfaces.

use std::process::Command;
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::lab::{Lab, workload};
use super::pair::Pair;
use crate::skip::{has_program, skip};

/// Received and sent, as [`Pair::counters`] has them.
fn sums(lab: &Lab, pair: &Pair, side: &str, interface: &str) -> [i64; 4] {
    let rows = lab.rows(&format!(
        "SELECT sum(received_bytes), sum(received_packets), sum(sent_bytes), sum(sent_packets) FROM flows \
         WHERE netns = {} AND (interface = '{interface}' OR interface IS NULL)",
        pair.number(side)
    ));
    let numbers: Vec<i64> = rows[0].split(',').map(|text| text.parse().unwrap()).collect();
    numbers.try_into().unwrap()
}

/// Whoever fills the table of flows fills it for all: one test at a time.
fn alone() -> MutexGuard<'static, ()> {
    static TABLE: Mutex<()> = Mutex::new(());
    TABLE.lock().unwrap_or_else(PoisonError::into_inner)
}

#[test]
fn flows_sum_up_to_what_the_interfaces_count() {
    let _alone = alone();
    let (Some(lab), Some(pair)) = (Lab::open(), Pair::make()) else { return };
    if !has_program("iperf3", &["--version"]) || !has_program("python3", &["--version"]) {
        return skip("iperf3 and python3 are not installed");
    }
    pair.settle();
    // TCP both ways and over IPv6, which is cut into packets late; UDP; ARP; ICMP, also over lo.
    let work = format!(
        "L='ip netns exec {left}'; R='ip netns exec {right}'; $L cat /proc/net/dev >l0; $R cat /proc/net/dev >r0\n\
         $R iperf3 -s -1 -p 5301 >/dev/null & sleep 0.3; $L iperf3 -c 10.99.0.2 -p 5301 -n 20M >/dev/null; wait\n\
         $R iperf3 -s -1 -p 5301 >/dev/null & sleep 0.3; $L iperf3 -c fd99::2 -p 5301 -n 5M -R >/dev/null; wait\n\
         $R iperf3 -s -1 -p 5301 >/dev/null & sleep 0.3; $L iperf3 -u -c 10.99.0.2 -p 5301 -b 50M -t 1.2 >/dev/null; wait\n\
         $L python3 {script} ping 10.99.0.2 10.99.0.1; sleep 0.2\n\
         $L cat /proc/net/dev >l1; $R cat /proc/net/dev >r1",
        left = pair.left,
        right = pair.right,
        script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/programs/packets.py"),
    );
    let options = [
        "record",
        "-s",
        "network",
        "--rotate",
        "1s",
        "--netns",
        &pair.left,
        "--netns",
        &pair.right,
    ];
    lab.ebrec(&[&options[..], &["--", "sh", "-c", &work]].concat()).ok();
    // Read by the command itself: what the kernel says before and after is not recorded.
    let counters = |file: &str, interface| {
        Pair::counters_in(&std::fs::read_to_string(lab.file(file)).unwrap(), interface)
    };
    let ends = [(&pair.left, 'l', "va"), (&pair.right, 'r', "vb"), (&pair.left, 'l', "lo")];
    for (side, file, interface) in ends {
        let before = counters(&format!("{file}0"), interface);
        let after = counters(&format!("{file}1"), interface);
        let counted = [0, 1, 2, 3].map(|at| after[at] - before[at]);
        assert!(counted[1] > 10 && counted[3] > 10, "{counted:?}");
        assert_eq!(sums(&lab, &pair, side, interface), counted, "{interface}");
    }
    lab.assert_complete();
    let arp = lab.value(
        "SELECT count(*) FROM flows WHERE ethertype = 'arp' AND local_address = '10.99.0.1'",
    );
    assert!(arp > 0);
    let names = lab.rows(
        "SELECT protocol, comm, count(DISTINCT upid) FROM flows WHERE protocol IN ('tcp', 'udp') \
         AND sent_packets > 3 GROUP BY 1, 2 ORDER BY 1, 2",
    );
    // Three servers and three clients; the client of UDP alone sends more than a few.
    assert_eq!(names, ["tcp,iperf3,6", "udp,iperf3,1"]);
}

#[test]
fn a_million_packets_are_a_few_rows_and_none_is_lost() {
    let _alone = alone();
    let (Some(lab), Some(pair)) = (Lab::open(), Pair::make()) else { return };
    let before = pair.counters(&pair.left, "lo");
    let workload = workload();
    let job = ["ip", "netns", "exec", &pair.left, &workload, "datagrams", "1000000", "1"];
    let options = ["record", "-s", "network", "--netns", &pair.left, "--"];
    lab.ebrec(&[&options[..], &job].concat()).ok();
    let counted = pair.counters(&pair.left, "lo");
    assert_eq!(counted[3] - before[3], 1_000_000);
    assert_eq!(
        sums(&lab, &pair, &pair.left, "lo"),
        [0, 1, 2, 3].map(|at| counted[at] - before[at])
    );
    lab.assert_complete();
    let rows = lab.value("SELECT count(*) FROM flows");
    assert!(rows < 200, "{rows}");
    // The sender is known from its calls; the receiver never makes any.
    let named = lab.value("SELECT sum(sent_packets) FROM flows WHERE comm = 'workload'");
    assert_eq!(named, 1_000_000);
}

#[test]
fn what_a_full_table_has_no_room_for_is_counted_without_its_addresses() {
    let _alone = alone();
    let (Some(lab), Some(pair)) = (Lab::open(), Pair::make()) else { return };
    let before = pair.counters(&pair.left, "lo");
    let workload = workload();
    let job = ["ip", "netns", "exec", &pair.left, &workload, "datagrams", "600000", "600000"];
    let options = ["record", "-s", "network", "--netns", &pair.left, "--"];
    let run = lab.ebrec(&[&options[..], &job].concat());
    assert_eq!(run.code, 0, "{run:?}");
    assert!(run.err.contains("without their addresses"), "{}", run.err);
    let counted = pair.counters(&pair.left, "lo");
    let rest = lab.rows(
        "SELECT sum(sent_packets + received_packets), sum(received_bytes), sum(received_packets), sum(sent_bytes), sum(sent_packets) \
         FROM flows WHERE ethertype IS NULL",
    );
    let rest: Vec<i64> = rest[0].split(',').map(|text| text.parse().unwrap()).collect();
    assert!(rest[0] > 0);
    let known = lab.rows(&format!(
        "SELECT sum(received_bytes), sum(received_packets), sum(sent_bytes), sum(sent_packets) FROM flows \
         WHERE netns = {} AND interface = 'lo'",
        pair.number(&pair.left)
    ));
    let known: Vec<i64> = known[0].split(',').map(|text| text.parse().unwrap()).collect();
    let all: Vec<i64> = known.iter().zip(&rest[1..]).map(|(known, rest)| known + rest).collect();
    let counted: Vec<i64> =
        counted.iter().zip(before).map(|(after, before)| after - before).collect();
    // Others' packets on this machine may have found no room either.
    assert!(all.iter().zip(&counted).all(|(all, counted)| all >= counted), "{all:?} {counted:?}");
    let (code, report) = lab.verify();
    assert_eq!((code, &report["verdict"]), (1, &"lost".into()), "{report:#}");
    assert_eq!(lab.value("SELECT sum(lost) FROM loss WHERE kind = 'flow'"), rest[0]);
}

#[test]
fn only_flows_of_processes_in_scope_are_recorded() {
    let _alone = alone();
    let (Some(lab), Some(pair)) = (Lab::open(), Pair::make()) else { return };
    // One that is not in scope sends in the same namespace.
    let mut other: Command = pair.command(&pair.left, &[&workload(), "datagrams", "200000", "1"]);
    let mut other = other.spawn().unwrap();
    let workload = workload();
    let job = ["ip", "netns", "exec", &pair.left, &workload, "datagrams", "1009", "1"];
    lab.ebrec(&[&["record", "-s", "network", "--"], &job[..]].concat()).ok();
    other.wait().unwrap();
    assert_eq!(lab.value("SELECT sum(sent_packets) FROM flows"), 1009);
    lab.assert_complete();
}
