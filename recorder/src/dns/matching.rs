//! Which message is seen for the first time, and which query a response answers.

use std::collections::HashMap;

use super::packet::{Flow, Owner, Packet};

/// A message that is seen at another place within this time is the same one on its way: through a
/// bridge, or from one network namespace to another.
const SAME_NS: u64 = 50_000_000;
/// Conversations remembered, at most twice that.
const REMEMBERED_MAX: usize = 8192;

/// What tells a query and its response from others.
type Key = (Flow, u16);

/// A message that was seen.
#[derive(Clone, Copy, Debug)]
struct Seen {
    ts_ns: u64,
    place: u64,
}

impl Seen {
    fn is_again(self, packet: &Packet) -> bool {
        self.place != packet.place && packet.ts_ns.saturating_sub(self.ts_ns) < SAME_NS
    }
}

#[derive(Clone, Copy, Debug, Default)]
struct Exchange {
    query: Option<Seen>,
    response: Option<Seen>,
    /// Thread that asked.
    client: Owner,
}

/// What is known of a message that was not seen before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fresh {
    /// Of a response, time since its query.
    pub latency_ns: Option<u64>,
    /// Thread in scope that asked.
    pub client: Owner,
}

/// What was seen lately. Two generations: when the newer is full the older is forgotten.
#[derive(Default)]
pub struct Exchanges {
    newer: HashMap<Key, Exchange>,
    older: HashMap<Key, Exchange>,
}

impl Exchanges {
    /// Notes a message; `None` if it was seen on its way before.
    pub fn note(&mut self, packet: &Packet, message: &[u8]) -> Option<Fresh> {
        let Some((id, rest)) = message.split_first_chunk::<2>() else {
            return Some(Fresh { latency_ns: None, client: packet.client });
        };
        let is_response = rest.first().is_some_and(|flags| flags & 0x80 != 0);
        let exchange = self.entry((packet.flow, u16::from_be_bytes(*id)));
        let before = if is_response { &mut exchange.response } else { &mut exchange.query };
        if before.is_some_and(|seen| seen.is_again(packet)) {
            return None;
        }
        *before = Some(Seen { ts_ns: packet.ts_ns, place: packet.place });
        if !is_response {
            exchange.client = packet.client;
            return Some(Fresh { latency_ns: None, client: packet.client });
        }
        let latency_ns = exchange.query.and_then(|query| packet.ts_ns.checked_sub(query.ts_ns));
        let asked = exchange.client;
        let client = if asked.pid == 0 { packet.client } else { asked };
        Some(Fresh { latency_ns, client })
    }

    fn entry(&mut self, key: Key) -> &mut Exchange {
        if self.newer.len() >= REMEMBERED_MAX && !self.newer.contains_key(&key) {
            self.older = std::mem::take(&mut self.newer);
        }
        let known = self.older.remove(&key);
        self.newer.entry(key).or_insert_with(|| known.unwrap_or_default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const QUERY: [u8; 3] = [0x12, 0x34, 0x01];
    const RESPONSE: [u8; 3] = [0x12, 0x34, 0x81];

    fn at(ts_ns: u64, place: u64) -> Packet {
        Packet { ts_ns, place, client: Owner { pid: 7, tid: 8 }, ..Packet::default() }
    }

    #[test]
    fn a_response_has_the_time_and_the_thread_of_its_query() {
        let mut exchanges = Exchanges::default();
        let asked = exchanges.note(&at(1_000, 1), &QUERY).expect("fresh");
        assert_eq!((asked.latency_ns, asked.client.tid), (None, 8));
        let mut packet = at(4_000, 2);
        packet.client = Owner { pid: 7, tid: 9 };
        let answered = exchanges.note(&packet, &RESPONSE).expect("fresh");
        assert_eq!((answered.latency_ns, answered.client.tid), (Some(3_000), 8));
        // A second one, at the same place: somebody else answers too.
        assert_eq!(
            exchanges.note(&at(5_000, 2), &RESPONSE).expect("fresh").latency_ns,
            Some(4_000)
        );
    }

    #[test]
    fn a_message_on_its_way_counts_once_and_one_that_is_sent_again_twice() {
        let mut exchanges = Exchanges::default();
        assert!(exchanges.note(&at(0, 1), &QUERY).is_some());
        assert!(exchanges.note(&at(1_000, 2), &QUERY).is_none());
        assert!(exchanges.note(&at(2_000, 1), &QUERY).is_some());
        assert!(exchanges.note(&at(2_000 + SAME_NS, 2), &QUERY).is_some());
    }

    #[test]
    fn what_is_remembered_is_bounded() {
        let mut exchanges = Exchanges::default();
        for id in 0..60_000u16 {
            let [high, low] = id.to_be_bytes();
            assert!(exchanges.note(&at(1, 1), &[high, low, 1]).is_some());
        }
        assert!(exchanges.newer.len() + exchanges.older.len() <= 2 * REMEMBERED_MAX);
        assert!(exchanges.note(&at(2, 1), &[]).is_some(), "a message without an id");
    }
}
