//! Messages over TCP: each has its length before it, and lies in segments as they come.
//!
//! A direction of a connection is followed by sequence numbers, so that a segment that is seen twice
//! (sent again, or on several interfaces) counts once. Where a segment is missing, or came out of
//! turn, what was begun is handed out as it is, and the next segment is taken to begin with a message.

use std::collections::HashMap;

use super::MESSAGE_KEPT;
use super::packet::{FIN, Flow, Packet, RST, SYN};

/// Directions of connections that are followed at once.
const STREAMS_MAX: usize = 1024;
/// Bytes of the length before a message.
const PREFIX: usize = 2;

/// A message, or what was seen of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// Its first bytes.
    pub bytes: Vec<u8>,
    /// How long it is.
    pub length: usize,
}

/// One direction of a connection.
struct Stream {
    /// Sequence number of the byte that comes next.
    next: u32,
    /// The length before the message, and what is kept of the message.
    begun: Vec<u8>,
    /// Bytes of the message seen so far, kept or not.
    seen: usize,
    last_ns: u64,
}

impl Stream {
    fn begin(next: u32) -> Stream {
        Stream { next, begun: Vec::new(), seen: 0, last_ns: 0 }
    }

    /// Length of the message that has begun.
    fn length(&self) -> Option<usize> {
        let (prefix, _) = self.begun.split_first_chunk::<PREFIX>()?;
        Some(usize::from(u16::from_be_bytes(*prefix)))
    }

    fn take(&mut self, out: &mut Vec<Message>) {
        if let Some(length) = self.length() {
            out.push(Message { bytes: self.begun.split_off(PREFIX), length });
        }
        self.begun.clear();
        self.seen = 0;
    }

    /// Takes in what comes next; `missing` bytes behind it were not handed over.
    fn feed(&mut self, mut bytes: &[u8], missing: usize, out: &mut Vec<Message>) {
        self.next = self.next.wrapping_add((bytes.len() + missing) as u32);
        loop {
            let Some(length) = self.length() else {
                let Some((first, rest)) = bytes.split_first() else { break };
                self.begun.push(*first);
                bytes = rest;
                continue;
            };
            let part = bytes.len().min(length - self.seen);
            let kept = part.min((PREFIX + MESSAGE_KEPT).saturating_sub(self.begun.len()));
            self.begun.extend_from_slice(&bytes[..kept]);
            self.seen += part;
            bytes = &bytes[part..];
            if self.seen < length {
                break;
            }
            self.take(out);
        }
        if missing > 0 {
            // Where the next message begins is in what is missing, unless this one goes on behind it.
            match self.length().filter(|length| self.seen + missing < *length) {
                Some(_) => self.seen += missing,
                None => self.take(out),
            }
        }
    }
}

/// The connections that are followed.
#[derive(Default)]
pub struct Streams(HashMap<(Flow, bool), Stream>);

impl Streams {
    /// The messages that a segment completes, or that end with it.
    pub fn take(&mut self, packet: &Packet) -> Vec<Message> {
        let mut out = Vec::new();
        let key = (packet.flow, packet.to_server);
        if packet.tcp_flags & SYN != 0 {
            self.0.remove(&key);
            return out;
        }
        if packet.length > 0 {
            if self.0.len() >= STREAMS_MAX && !self.0.contains_key(&key) {
                self.forget_oldest();
            }
            let stream = self.0.entry(key).or_insert_with(|| Stream::begin(packet.sequence));
            stream.last_ns = packet.ts_ns;
            let mut known = stream.next.wrapping_sub(packet.sequence) as i32;
            if known < 0 {
                stream.take(&mut out);
                stream.next = packet.sequence;
                known = 0;
            }
            let known = known as usize;
            if known < packet.length {
                let fresh = packet.payload.get(known..).unwrap_or_default();
                stream.feed(fresh, packet.length - known - fresh.len(), &mut out);
            }
        }
        if packet.tcp_flags & (FIN | RST) != 0
            && let Some(mut stream) = self.0.remove(&key)
        {
            stream.take(&mut out);
        }
        out
    }

    fn forget_oldest(&mut self) {
        let oldest = self.0.iter().min_by_key(|(_, stream)| stream.last_ns);
        if let Some(key) = oldest.map(|(key, _)| *key) {
            self.0.remove(&key);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn segment(sequence: u32, payload: &[u8]) -> Packet {
        Packet { sequence, payload: payload.to_vec(), length: payload.len(), ..Packet::default() }
    }

    fn framed(messages: &[&[u8]]) -> Vec<u8> {
        let framed =
            |message: &&[u8]| [&(message.len() as u16).to_be_bytes()[..], message].concat();
        messages.iter().flat_map(framed).collect()
    }

    fn texts(messages: &[Message]) -> Vec<(String, usize)> {
        let text =
            |message: &Message| (String::from_utf8(message.bytes.clone()).unwrap(), message.length);
        messages.iter().map(text).collect()
    }

    #[test]
    fn messages_are_found_however_they_are_cut() {
        let bytes = framed(&[b"first", b"", b"second one", b"third"]);
        let expected: Vec<(String, usize)> =
            [("first", 5), ("", 0), ("second one", 10), ("third", 5)]
                .map(|(text, length)| (text.to_string(), length))
                .to_vec();
        for size in 1..=bytes.len() {
            let mut streams = Streams::default();
            let mut found = Vec::new();
            for (index, part) in bytes.chunks(size).enumerate() {
                // The numbers go round on the way.
                let sequence = 0xffff_fff0u32.wrapping_add((index * size) as u32);
                found.extend(streams.take(&segment(sequence, part)));
                // Once more, as on another interface.
                assert!(streams.take(&segment(sequence, part)).is_empty());
            }
            assert_eq!(texts(&found), expected, "in parts of {size}");
        }
    }

    #[test]
    fn what_is_missing_ends_a_message_and_the_next_segment_begins_one() {
        let mut streams = Streams::default();
        assert!(streams.take(&segment(0, &framed(&[b"complete"])[..6])).is_empty());
        let found = streams.take(&segment(100, &framed(&[b"next"])));
        assert_eq!(texts(&found), [("comp".to_string(), 8), ("next".to_string(), 4)]);
        // An end in the middle.
        assert!(streams.take(&segment(106, &framed(&[b"last"])[..4])).is_empty());
        let end = Packet { tcp_flags: FIN, ..segment(110, b"") };
        assert_eq!(texts(&streams.take(&end)), [("la".to_string(), 4)]);
        assert!(streams.0.is_empty());
    }

    #[test]
    fn a_long_message_is_cut_and_the_next_is_found() {
        let long = vec![b'x'; 60_000];
        let bytes = framed(&[&long, b"next"]);
        let mut streams = Streams::default();
        // Of a large segment only the first bytes are handed over.
        let mut first = segment(0, &bytes[..20_000]);
        first.payload.truncate(16_000);
        assert!(streams.take(&first).is_empty());
        let found = streams.take(&segment(20_000, &bytes[20_000..]));
        assert_eq!(found[0].length, 60_000);
        assert_eq!(found[0].bytes, long[..MESSAGE_KEPT]);
        assert_eq!(texts(&found[1..]), [("next".to_string(), 4)]);
    }

    #[test]
    fn what_is_followed_is_bounded() {
        let mut streams = Streams::default();
        for port in 0..5000 {
            let mut packet = segment(0, b"\x10\0begun");
            packet.ts_ns = u64::from(port);
            packet.flow.client_port = port;
            streams.take(&packet);
        }
        assert_eq!(streams.0.len(), STREAMS_MAX);
    }
}
