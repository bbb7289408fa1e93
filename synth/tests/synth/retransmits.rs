//! Connections, by process and by peer.

use std::collections::BTreeMap;

use crate::read::{Made, sums};

#[test]
fn connections_are_what_the_truth_says() {
    let made = Made::new("retransmits");
    let rows = made.table("connections");
    let (comm, peer, role) = (rows.text("comm"), rows.text("remote_address"), rows.text("role"));
    let (error, life, ts) = (rows.text("error"), rows.int("duration_ns"), rows.int("ts"));
    let latency = rows.int("connect_latency_ns");
    let all = || 0..rows.len();
    let comm = |row: usize| comm[row].clone().unwrap();
    let roles = all().map(|row| (format!("{}|{}", comm(row), role[row].as_ref().unwrap()), 1));
    made.check("connections", &sums(roles));
    let both = |row: usize| [Some(comm(row)), peer[row].clone()].into_iter().flatten();
    let add = |values: &dyn Fn(usize) -> i64| {
        sums(
            all()
                .flat_map(|row| both(row).map(move |name| (name, row)))
                .map(|(name, row)| (name, values(row))),
        )
    };
    for fact in ["sent_bytes", "received_bytes", "retransmits", "resets_sent", "resets_received"] {
        let column = rows.int(fact);
        let found = add(&|row| column[row].unwrap());
        assert!(found.values().any(|sum| *sum > 0), "{fact}");
        made.check(fact, &found);
    }
    for (fact, name) in [("refused", "ECONNREFUSED"), ("timed_out", "ETIMEDOUT")] {
        let found = add(&|row| i64::from(error[row].as_deref() == Some(name)));
        assert!(found.values().any(|sum| *sum > 0), "{fact}");
        made.check(fact, &found);
    }
    let connected: Vec<usize> = all().filter(|row| latency[*row].is_some()).collect();
    let peer_of = |row: &usize| peer[*row].clone().unwrap();
    made.check("connects", &sums(connected.iter().map(|row| (peer_of(row), 1))));
    let ns = sums(connected.iter().map(|row| (peer_of(row), latency[*row].unwrap())));
    made.check("connect_latency_ns", &ns);
    let slowest = connected.iter().max_by_key(|row| latency[**row]).unwrap();
    assert_eq!(peer_of(slowest), "10.0.3.7");
    let told = made.fact("slowest_connect_ns", "10.0.3.7");
    assert_eq!(told, (latency[*slowest], ts[*slowest]));
    let short = all().filter(|row| life[*row].is_some_and(|life| life < 100_000_000));
    made.check("short_lived", &sums(short.map(|row| (comm(row), 1))));
    let is_alive = |row: &usize| life[*row].is_none() && role[*row].as_deref() != Some("listener");
    made.check("alive", &sums(all().filter(is_alive).map(|row| (comm(row), 1))));
    // What stands out does so.
    let retransmits = rows.int("retransmits");
    let lossy = sums(all().filter_map(|row| Some((peer[row].clone()?, retransmits[row]?))));
    let most = lossy.iter().max_by_key(|(_, count)| **count).unwrap();
    assert_eq!(most.0, "10.0.3.7");
}

#[test]
fn events_and_flows_agree_with_connections() {
    let made = Made::new("retransmits");
    let rows = made.table("connection_events");
    let (event, peer, id) =
        (rows.text("event"), rows.text("remote_address"), rows.int("connection_id"));
    let (old, new) = (rows.text("old_state"), rows.text("state"));
    let count = |name: &str| {
        let rows = (0..rows.len()).filter(|row| event[*row].as_deref() == Some(name));
        sums(rows.map(|row| (peer[row].clone().unwrap(), 1)))
    };
    for (name, fact) in [
        ("retransmit", "retransmits"),
        ("reset_sent", "resets_sent"),
        ("reset_received", "resets_received"),
    ] {
        for (peer, count) in count(name) {
            assert_eq!(made.value(fact, &peer), count, "{fact} of {peer}");
        }
    }
    // A state is entered from the one before.
    let mut states: BTreeMap<i64, String> = BTreeMap::new();
    for row in (0..rows.len()).filter(|row| event[*row].as_deref() == Some("state")) {
        let known = states.insert(id[row].unwrap(), new[row].clone().unwrap());
        assert!(known.is_none() || known == old[row], "{known:?} is not {:?}", old[row]);
    }
    let flows = made.table("flows");
    let (comm, sent) = (flows.text("comm"), flows.int("sent_bytes"));
    let received = flows.int("received_bytes");
    let of = |bytes: &[Option<i64>]| {
        sums((0..flows.len()).map(|row| (comm[row].clone().unwrap(), bytes[row].unwrap())))
    };
    made.check("flow_sent_bytes", &of(&sent));
    made.check("flow_received_bytes", &of(&received));
    let sent = of(&sent);
    assert_eq!(sent.iter().max_by_key(|(_, bytes)| **bytes).unwrap().0, "backup");
}
