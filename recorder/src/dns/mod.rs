//! Messages of the domain name system: from the packets that the kernel side hands over to records.
//!
//! Each CPU has a buffer of packets, which this thread empties. They are brought into the order of
//! time, since a query and its response may have been seen on different CPUs: what is younger than the
//! look at the buffers waits for the next. Messages are put together (`streams`), told from those
//! seen before and joined with what they answer (`matching`), and go to the spool as they are: what
//! they say is read when it is encoded.

mod matching;
mod packet;
mod streams;

use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

use aya::maps::perf::{PerfEvent, PerfEventArrayBuffer};
use aya::maps::{MapData, PerfEventArray};
use schema::events::{Dns, Header, TAIL_TRUNCATED, Tail};
use schema::types::{DnsMessage, DnsSide, DurationNs, IpAddress, Port, Reserved, Transport};
use store::meta::KindCount;
use zerocopy::IntoBytes;

use self::matching::Exchanges;
use self::packet::{Packet, TCP};
use self::streams::{Message, Streams};
use crate::sink::Sink;
use crate::{Error, host};

/// Bytes of a message that are kept.
const MESSAGE_KEPT: usize = 4096;
/// Longest time between two looks at the buffers.
const LOOK_EVERY: Duration = Duration::from_millis(20);
/// A packet is in its buffer this long after its time at the latest.
const SETTLED_NS: u64 = 5_000_000;
/// Bytes of all buffers of a look: what is more waits for the next.
const PASS_BYTES: usize = 16 << 20;
/// A block is written when it has this many bytes.
const BLOCK_BYTES: usize = 1 << 20;

enum Command {
    /// Write what was seen so far.
    Settle,
    Finish,
}

/// The running thread.
pub struct Messages {
    /// Records made, by CPU.
    made: Arc<Mutex<Vec<u64>>>,
    commands: Sender<(Command, Sender<()>)>,
    thread: Option<JoinHandle<()>>,
}

impl Messages {
    /// Opens the buffers, of `bytes` in all, and starts the thread.
    pub fn start(map: aya::maps::Map, bytes: u32, sink: Arc<Sink>) -> Result<Messages, Error> {
        let mut map = PerfEventArray::try_from(map)?;
        let cpus = aya::util::online_cpus()
            .map_err(|(_, source)| Error::Io { what: "cannot list the CPUs", source })?;
        let pages = u64::from(bytes) / host::page_bytes() / cpus.len().max(1) as u64;
        // A packet must fit, of which 16 KiB are handed over.
        let pages = pages.max(8).next_power_of_two() as usize;
        let open = |cpu| {
            map.open(cpu, Some(pages)).map_err(|error| Error::Io {
                what: "cannot open a buffer for packets",
                source: std::io::Error::other(error),
            })
        };
        let buffers = cpus.into_iter().map(open).collect::<Result<Vec<_>, Error>>()?;
        let made = Arc::new(Mutex::new(Vec::new()));
        let (commands, received) = channel();
        let worker = Worker {
            buffers,
            waiting: Vec::new(),
            maker: Maker::default(),
            sink,
            made: made.clone(),
        };
        let thread = std::thread::Builder::new()
            .name("drain-messages".into())
            .spawn(move || worker.run(&received))
            .map_err(Error::io("cannot start a thread"))?;
        Ok(Messages { made, commands, thread: Some(thread) })
    }

    fn ask(&self, command: Command) {
        let (answer, answered) = channel();
        if self.commands.send((command, answer)).is_ok() {
            let _ = answered.recv();
        }
    }

    /// Writes what was seen so far to the spool.
    pub fn settle(&self) {
        self.ask(Command::Settle);
    }

    /// Writes everything, and ends the thread.
    pub fn finish(&mut self) {
        self.ask(Command::Finish);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }

    /// Adds the records made here to what the kernel side has lost.
    pub fn add_to(&self, kinds: &mut Vec<KindCount>) {
        let made = self.made.lock().expect("no thread panics with the lock");
        for (cpu, emitted) in (0..).zip(made.iter().copied()).filter(|(_, made)| *made > 0) {
            KindCount { kind: Dns::KIND, cpu, emitted, ..KindCount::default() }.add_to(kinds);
        }
    }
}

struct Worker {
    buffers: Vec<PerfEventArrayBuffer<MapData>>,
    /// Packets that are too young, or did not have their turn.
    waiting: Vec<Packet>,
    maker: Maker,
    sink: Arc<Sink>,
    made: Arc<Mutex<Vec<u64>>>,
}

impl Worker {
    fn run(mut self, commands: &Receiver<(Command, Sender<()>)>) {
        loop {
            let asked = match commands.recv_timeout(LOOK_EVERY) {
                Ok(asked) => Some(asked),
                Err(RecvTimeoutError::Timeout) => None,
                Err(RecvTimeoutError::Disconnected) => return,
            };
            self.pass(asked.is_some());
            if let Some((command, answer)) = asked {
                let _ = answer.send(());
                if matches!(command, Command::Finish) {
                    return;
                }
            }
        }
    }

    /// Makes records of the packets in the buffers; of all, or of those that nothing older can follow.
    fn pass(&mut self, all: bool) {
        let until = if all { u64::MAX } else { host::monotonic_ns().saturating_sub(SETTLED_NS) };
        let mut taken = 0;
        for buffer in &mut self.buffers {
            let waiting = &mut self.waiting;
            let _ = buffer.try_fold((), |(), event| {
                // What did not fit the kernel side has counted itself.
                if let PerfEvent::Sample { head, tail } = event {
                    taken += head.len() + tail.len();
                    waiting.extend(match tail {
                        [] => Packet::read(head),
                        _ => Packet::read(&[head, tail].concat()),
                    });
                }
                match taken < PASS_BYTES {
                    true => std::ops::ControlFlow::Continue(()),
                    false => std::ops::ControlFlow::Break(()),
                }
            });
        }
        self.waiting.sort_by_key(|packet| packet.ts_ns);
        let ready = self.waiting.partition_point(|packet| packet.ts_ns <= until);
        let mut block = Vec::new();
        for packet in self.waiting.drain(..ready) {
            self.maker.add(&packet, &mut block);
            if block.len() >= BLOCK_BYTES {
                self.sink.write(&block);
                block.clear();
            }
        }
        self.sink.write(&block);
        self.made.lock().expect("no thread panics with the lock").clone_from(&self.maker.made);
    }
}

/// Makes records of packets.
#[derive(Default)]
struct Maker {
    streams: Streams,
    exchanges: Exchanges,
    /// Records made, by CPU.
    made: Vec<u64>,
}

impl Maker {
    /// Appends the records of the messages that a packet completes.
    fn add(&mut self, packet: &Packet, out: &mut Vec<u8>) {
        if packet.flow.protocol == TCP {
            for message in self.streams.take(packet) {
                self.add_message(packet, &message, out);
            }
        } else {
            let mut bytes = packet.payload.clone();
            bytes.truncate(MESSAGE_KEPT);
            self.add_message(packet, &Message { bytes, length: packet.length }, out);
        }
    }

    fn add_message(&mut self, packet: &Packet, message: &Message, out: &mut Vec<u8>) {
        let Some(fresh) = self.exchanges.note(packet, &message.bytes) else { return };
        let (side, owner) = match (fresh.client.pid, packet.server.pid) {
            (0, 0) => (0, packet.server),
            (0, _) => (2, packet.server),
            _ => (1, fresh.client),
        };
        let fixed = size_of::<Dns>();
        let size = fixed + TAIL_HEADER_SIZE + message.bytes.len();
        let record = Dns {
            header: Header {
                ts_ns: packet.ts_ns,
                tid: owner.tid,
                pid: owner.pid,
                kind: Dns::KIND,
                size: size as u16,
                fixed: fixed as u16,
                cpu: packet.cpu,
            },
            message_bytes: DnsMessage(message.length as u32),
            transport: Transport(packet.flow.protocol),
            latency_ns: DurationNs(fresh.latency_ns.unwrap_or(u64::MAX)),
            side: DnsSide(side),
            reserved: Reserved(0),
            client_address: IpAddress(packet.flow.client),
            client_port: Port(packet.flow.client_port.into()),
            server_port: Port(packet.flow.server_port.into()),
            server_address: IpAddress(packet.flow.server),
        };
        let flags = if message.bytes.len() < message.length { TAIL_TRUNCATED } else { 0 };
        out.extend_from_slice(record.as_bytes());
        out.extend_from_slice(&[Tail::Message as u8, flags]);
        out.extend_from_slice(&(message.bytes.len() as u16).to_le_bytes());
        out.extend_from_slice(&message.bytes);
        let cpu = usize::from(packet.cpu);
        if self.made.len() <= cpu {
            self.made.resize(cpu + 1, 0);
        }
        self.made[cpu] += 1;
    }
}

/// Tag, flags and length of a variable part.
const TAIL_HEADER_SIZE: usize = 4;

#[cfg(test)]
mod tests {
    use zerocopy::FromBytes;

    use super::packet::{Flow, Owner};
    use super::*;

    /// A message of UDP from or to the server.
    fn packet(ts_ns: u64, to_server: bool, payload: &[u8]) -> Packet {
        Packet {
            ts_ns,
            to_server,
            flow: Flow { client_port: 4000, server_port: 53, protocol: 17, ..Flow::default() },
            client: Owner { pid: 7, tid: 8 },
            place: u64::from(to_server),
            cpu: 1,
            length: payload.len(),
            payload: payload.to_vec(),
            ..Packet::default()
        }
    }

    fn records(maker: &mut Maker, packet: &Packet) -> Vec<(Dns, Vec<u8>)> {
        let mut block = Vec::new();
        maker.add(packet, &mut block);
        let mut rest = &block[..];
        let mut records = Vec::new();
        while let Ok((record, _)) = Dns::read_from_prefix(rest) {
            let (bytes, behind) = rest.split_at(usize::from(record.header.size));
            records.push((record, bytes[usize::from(record.header.fixed)..].to_vec()));
            rest = behind;
        }
        assert!(rest.is_empty());
        records
    }

    #[test]
    fn a_response_has_the_process_of_its_query_and_its_time() {
        let mut maker = Maker::default();
        let query = records(&mut maker, &packet(100, true, b"\x12\x34\x01query"));
        let response = records(&mut maker, &packet(350, false, b"\x12\x34\x81response"));
        assert_eq!(query[0].1, b"\x0c\0\x08\0\x12\x34\x01query");
        let (record, _) = &response[0];
        assert_eq!((record.latency_ns.0, record.side.0, record.header.tid), (250, 1, 8));
        assert_eq!(
            (record.client_port.0, record.server_port.0, record.transport.0),
            (4000, 53, 17)
        );
        assert_eq!(maker.made, [0, 2]);
    }

    #[test]
    fn a_server_has_the_rows_of_a_client_that_is_not_recorded() {
        let mut maker = Maker::default();
        let served = |ts_ns, to_server, payload: &[u8]| Packet {
            client: Owner::default(),
            server: Owner { pid: 3, tid: 4 },
            ..packet(ts_ns, to_server, payload)
        };
        records(&mut maker, &served(10, true, b"\0\x01\x01"));
        let response = records(&mut maker, &served(30, false, b"\0\x01\x80"));
        let (record, _) = &response[0];
        assert_eq!((record.latency_ns.0, record.side.0, record.header.pid), (20, 2, 3));
        let nobody = Packet { server: Owner::default(), ..served(40, true, b"\0\x02\x01") };
        let (record, _) = &records(&mut maker, &nobody)[0];
        assert_eq!((record.side.0, record.header.pid), (0, 0));
    }

    #[test]
    fn a_long_message_is_cut_and_says_so() {
        let mut maker = Maker::default();
        let (record, tail) = &records(&mut maker, &packet(1, true, &[1; 9000]))[0];
        assert_eq!((record.message_bytes.0, tail.len()), (9000, TAIL_HEADER_SIZE + MESSAGE_KEPT));
        assert_eq!(tail[1], TAIL_TRUNCATED);
    }
}
