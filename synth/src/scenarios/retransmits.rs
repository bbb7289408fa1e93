//! Connections: a peer that loses packets and connects slowly, peers that refuse, reset or never
//! answer, and one that gets most of the bytes.

use crate::random::Random;
use crate::rows::{At, Connection, ConnectionEvent, Flow, Rows};
use crate::scenarios::Play;
use crate::truth::{Sums, Truth};
use crate::world::{CPUS, New, World};

const MICROSECOND: i64 = 1_000;
const MILLISECOND: i64 = 1_000_000;
const SECOND: i64 = 1_000_000_000;
/// Rows of a hundred connections on average.
const ROWS_OF_100: i64 = 740;
const LOCAL: &str = "10.0.0.10";
/// Bytes of headers, and of a packet's payload.
const HEADERS: i64 = 66;
const PAYLOAD: i64 = 1448;
/// Connections of the top talker.
const BACKUPS: i64 = 4;
/// What lives shorter is short-lived.
const SHORT_NS: i64 = 100 * MILLISECOND;

/// How a connection goes.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Course {
    /// One end closes it.
    Close,
    /// The peer refuses it.
    Refused,
    /// The peer never answers.
    TimedOut,
    /// The peer resets it.
    ResetReceived,
    /// The own end resets it.
    ResetSent,
}

/// What connections are like.
struct Kind {
    comm: &'static str,
    role: &'static str,
    /// Addresses of peers: what they begin with, and the last numbers from and to.
    network: &'static str,
    hosts: (i64, i64),
    port: i32,
    weight: i64,
    life_ns: (i64, i64),
    sent: (i64, i64),
    received: (i64, i64),
    latency_ns: (i64, i64),
    retransmits: (i64, i64),
    course: Course,
}

const WEB: Kind = Kind {
    comm: "edge-proxy",
    role: "server",
    network: "198.51.100.",
    hosts: (1, 61),
    port: 443,
    weight: 48,
    life_ns: (5 * MILLISECOND, 600 * MILLISECOND),
    sent: (1_000, 60_000),
    received: (300, 2_000),
    latency_ns: (-1, 0),
    retransmits: (0, 1),
    course: Course::Close,
};
const FETCH: Kind = Kind {
    comm: "fetcher",
    role: "client",
    network: "203.0.113.",
    hosts: (1, 9),
    weight: 20,
    sent: (300, 3_000),
    received: (2_000, 200_000),
    latency_ns: (800 * MICROSECOND, 9_000 * MICROSECOND),
    ..WEB
};
const KINDS: [Kind; 8] = [
    WEB,
    FETCH,
    Kind {
        comm: "app-db",
        network: "10.0.3.",
        hosts: (7, 8),
        port: 5432,
        weight: 8,
        life_ns: (1_200 * MILLISECOND, 3_000 * MILLISECOND),
        latency_ns: (200 * MILLISECOND, 900 * MILLISECOND),
        retransmits: (3, 21),
        ..FETCH
    },
    Kind {
        comm: "app-db",
        network: "10.0.3.",
        hosts: (8, 11),
        port: 5432,
        weight: 6,
        latency_ns: (200 * MICROSECOND, 900 * MICROSECOND),
        ..FETCH
    },
    Kind {
        comm: "healthcheck",
        network: "10.0.9.",
        hosts: (9, 10),
        port: 8080,
        weight: 10,
        life_ns: (100 * MICROSECOND, 900 * MICROSECOND),
        latency_ns: (-1, 0),
        course: Course::Refused,
        ..FETCH
    },
    Kind { hosts: (99, 100), weight: 4, course: Course::ResetReceived, ..FETCH },
    Kind { hosts: (250, 251), weight: 3, course: Course::ResetSent, ..WEB },
    Kind {
        network: "192.0.2.",
        hosts: (1, 2),
        weight: 1,
        life_ns: (3 * SECOND, 4 * SECOND),
        latency_ns: (-1, 0),
        retransmits: (2, 3),
        course: Course::TimedOut,
        ..FETCH
    },
];

/// What goes all the time to the same peer.
const BACKUP: Kind = Kind {
    comm: "backup",
    network: "10.0.0.",
    hosts: (50, 51),
    port: 873,
    weight: 0,
    sent: (1 << 30, 2 << 30),
    received: (1 << 20, 2 << 20),
    latency_ns: (200 * MICROSECOND, 400 * MICROSECOND),
    ..FETCH
};

const COMMS: [&str; 5] = ["edge-proxy", "fetcher", "app-db", "healthcheck", "backup"];

/// Sums that facts are made of, by process and by peer.
#[derive(Default)]
struct Told {
    connections: Sums,
    sent_bytes: Sums,
    received_bytes: Sums,
    retransmits: Sums,
    refused: Sums,
    timed_out: Sums,
    resets_sent: Sums,
    resets_received: Sums,
    connects: Sums,
    connect_latency_ns: Sums,
    short_lived: Sums,
    alive: Sums,
    flow_sent_bytes: Sums,
    flow_received_bytes: Sums,
}

struct Network {
    random: Random,
    weights: [i64; KINDS.len()],
    /// Numbers of the peers' addresses, by kind; that of the backup last.
    peers: Vec<Vec<u32>>,
    local: u32,
    threads: [u32; COMMS.len()],
    now: i64,
    pause: i64,
    next_id: i64,
    slowest: (i64, i64, u32),
    told: Told,
}

pub(crate) fn begin(world: &mut World, seed: u64, events: i64) -> Box<dyn Play> {
    let span = world.span;
    let new = |comm| New { uid: 33, ..New::service(comm, "network.service") };
    let threads = COMMS.map(|comm| world.process(new(comm)));
    let peers = KINDS.iter().chain([&BACKUP]).map(|kind| {
        let (from, to) = kind.hosts;
        (from..to).map(|host| world.text(&format!("{}{host}", kind.network))).collect()
    });
    let peers = peers.collect();
    Box::new(Network {
        random: Random::new(seed, "retransmits"),
        weights: std::array::from_fn(|at| KINDS[at].weight),
        peers,
        local: world.text(LOCAL),
        threads,
        now: span.begin,
        pause: (span.duration_ns() / events * ROWS_OF_100 / 100).max(2),
        next_id: 1,
        slowest: (0, 0, 0),
        told: Told::default(),
    })
}

/// A connection in the making: what its rows have in common.
struct Making<'a> {
    at: At,
    row: Connection,
    rows: &'a mut Rows,
    /// Events from here on are not seen any more.
    end: i64,
}

impl Making<'_> {
    fn event(&mut self, ts: i64, event: &'static str, change: (&'static str, &'static str)) {
        self.event_with(ts, event, change, "", 1);
    }

    fn event_with(
        &mut self,
        ts: i64,
        event: &'static str,
        (old_state, state): (&'static str, &'static str),
        error: &'static str,
        events: i32,
    ) {
        if ts >= self.end {
            return;
        }
        if event == "state" {
            self.row.state = if state == "CLOSE" { old_state } else { state };
        }
        let Connection { connection_id, local_address, local_port, .. } = self.row;
        let Connection { remote_address, remote_port, .. } = self.row;
        self.rows.connection_events.push(ConnectionEvent {
            at: At { ts, ..self.at },
            connection_id,
            event,
            local_address,
            local_port,
            remote_address,
            remote_port,
            old_state,
            state,
            error,
            events,
            ..ConnectionEvent::default()
        });
    }
}

impl Network {
    fn listen(&mut self, ts: i64, rows: &mut Rows) {
        let row = Connection {
            at: At { ts, thread: self.threads[0], cpu: 0 },
            duration_ns: -1,
            connection_id: self.next_id,
            role: "listener",
            local_address: self.local,
            local_port: WEB.port,
            remote_port: -1,
            connect_latency_ns: -1,
            srtt_ns: -1,
            state: "LISTEN",
            ..Connection::default()
        };
        self.next_id += 1;
        rows.connections.push(row);
    }

    fn connect(&mut self, ts: i64, kind: &Kind, peers: usize, world: &World, rows: &mut Rows) {
        let random = &mut self.random;
        let remote_address = random.pick(&self.peers[peers]);
        let process = COMMS.iter().position(|comm| *comm == kind.comm).unwrap_or_default();
        let thread = self.threads[process];
        let id = self.next_id;
        self.next_id += 1;
        let is_client = kind.role == "client";
        let ephemeral = 32_768 + (id % 28_000) as i32;
        let latency_ns = match kind.latency_ns {
            (-1, _) => -1,
            (from, to) => random.between(from, to),
        };
        let mut life_ns = random.between(kind.life_ns.0, kind.life_ns.1) + latency_ns.max(0);
        if kind.weight == 0 {
            life_ns = world.span.duration_ns();
        }
        let cpu = (i64::from(thread) % CPUS) as u16;
        let at = At { ts, thread, cpu };
        let is_open = matches!(kind.course, Course::Refused | Course::TimedOut);
        let retransmits = match random.between(kind.retransmits.0, kind.retransmits.1) {
            // A packet gets lost now and then.
            0 if !is_open && random.one_in(50) => 1,
            retransmits => retransmits,
        };
        let row = Connection {
            at,
            duration_ns: life_ns,
            connection_id: id,
            role: kind.role,
            local_address: self.local,
            local_port: if is_client { ephemeral } else { kind.port },
            remote_address,
            remote_port: if is_client { kind.port } else { ephemeral },
            connect_latency_ns: latency_ns,
            srtt_ns: if is_open { -1 } else { latency_ns.max(20 * MILLISECOND) },
            state: if is_client { "SYN_SENT" } else { "SYN_RECV" },
            ..Connection::default()
        };
        let mut making = Making { at, row, rows, end: world.span.end };
        if is_client {
            making.event(ts, "state", ("CLOSE", "SYN_SENT"));
        }
        let (opened, closed) = (ts + latency_ns.max(0), ts + life_ns);
        for _ in 0..retransmits {
            let ts = random.between(opened, closed);
            if ts < world.span.end {
                making.row.retransmits += 1;
                let state = if is_open { "SYN_SENT" } else { "ESTABLISHED" };
                making.event(ts, "retransmit", ("", state));
            }
        }
        if is_open {
            fail(kind.course, closed, &mut making);
        } else {
            let change = (making.row.state, "ESTABLISHED");
            making.event(opened, "state", change);
            self.transfer(kind, opened, closed, &mut making);
            close(kind, closed, &mut making);
        }
        let mut row = making.row;
        if opened >= world.span.end {
            row.connect_latency_ns = -1;
        }
        if closed >= world.span.end {
            row.duration_ns = -1;
            row.error = "";
        }
        rows.connections.push(row);
        self.tell(&row, world);
    }

    /// Bytes, evenly over the seconds that the connection lasts.
    fn transfer(&mut self, kind: &Kind, opened: i64, closed: i64, making: &mut Making) {
        let random = &mut self.random;
        let second = |ts: i64| ts - ts.rem_euclid(SECOND);
        let seconds = (second(closed) - second(opened)) / SECOND + 1;
        let sent = random.between(kind.sent.0, kind.sent.1) / seconds + 1;
        let received = random.between(kind.received.0, kind.received.1) / seconds + 1;
        let mut resent = making.row.retransmits;
        for at in 0..seconds {
            let from = (second(opened) + at * SECOND).max(opened);
            let to = (second(opened) + (at + 1) * SECOND).min(closed);
            if from >= making.end {
                break;
            }
            let sent_packets = (sent + PAYLOAD - 1) / PAYLOAD;
            let received_packets = (received + PAYLOAD - 1) / PAYLOAD;
            let resent = std::mem::take(&mut resent);
            let row = &mut making.row;
            row.sent_bytes += sent;
            row.received_bytes += received;
            row.sends += (sent + 16_383) / 16_384;
            row.receives += (received + 16_383) / 16_384;
            let flow = Flow {
                at: At { ts: from, ..making.at },
                duration_ns: (to - from) * 9 / 10,
                sent_packets: sent_packets + resent,
                sent_bytes: sent + sent_packets * HEADERS + resent * (PAYLOAD + HEADERS),
                received_packets,
                received_bytes: received + received_packets * HEADERS,
                local_address: row.local_address,
                local_port: row.local_port,
                remote_address: row.remote_address,
                remote_port: row.remote_port,
                ..Flow::default()
            };
            making.rows.flows.push(flow);
            self.told.flow_sent_bytes.add(kind.comm, flow.sent_bytes);
            self.told.flow_received_bytes.add(kind.comm, flow.received_bytes);
        }
    }

    fn tell(&mut self, row: &Connection, world: &World) {
        let told = &mut self.told;
        let comm = world.process_of(row.at.thread).program.comm.as_str();
        let peer = world.text_of(row.remote_address).unwrap_or_default();
        told.connections.add(&format!("{comm}|{}", row.role), 1);
        for subject in [comm, peer] {
            told.sent_bytes.add(subject, row.sent_bytes);
            told.received_bytes.add(subject, row.received_bytes);
            told.retransmits.add(subject, row.retransmits);
            told.resets_sent.add(subject, i64::from(row.resets_sent));
            told.resets_received.add(subject, i64::from(row.resets_received));
            told.refused.add(subject, i64::from(row.error == "ECONNREFUSED"));
            told.timed_out.add(subject, i64::from(row.error == "ETIMEDOUT"));
        }
        if row.connect_latency_ns >= 0 {
            told.connects.add(peer, 1);
            told.connect_latency_ns.add(peer, row.connect_latency_ns);
            if row.connect_latency_ns > self.slowest.0 {
                self.slowest = (row.connect_latency_ns, row.at.ts, row.remote_address);
            }
        }
        let is_short = (0..SHORT_NS).contains(&row.duration_ns);
        told.short_lived.add(comm, i64::from(is_short));
        told.alive.add(comm, i64::from(row.duration_ns < 0));
    }
}

/// What becomes of a connection that is never established.
fn fail(course: Course, closed: i64, making: &mut Making) {
    let error = match course {
        Course::Refused => {
            making.event(closed, "reset_received", ("", "SYN_SENT"));
            making.row.resets_received = 1;
            "ECONNREFUSED"
        }
        _ => "ETIMEDOUT",
    };
    if closed < making.end {
        making.row.error = error;
    } else {
        making.row.resets_received = 0;
    }
    making.event_with(closed, "state", ("SYN_SENT", "CLOSE"), error, 1);
}

/// How an established connection ends.
fn close(kind: &Kind, closed: i64, making: &mut Making) {
    let step = |at: i64| closed - 90 * MICROSECOND + at * 30 * MICROSECOND;
    let is_over = closed < making.end;
    match kind.course {
        Course::ResetReceived | Course::ResetSent => {
            let is_sent = kind.course == Course::ResetSent;
            let event = if is_sent { "reset_sent" } else { "reset_received" };
            making.event(closed, event, ("", "ESTABLISHED"));
            let error = if is_sent { "" } else { "ECONNRESET" };
            making.event_with(closed, "state", ("ESTABLISHED", "CLOSE"), error, 1);
            if is_over {
                making.row.error = error;
                making.row.resets_sent = i32::from(is_sent);
                making.row.resets_received = i32::from(!is_sent);
            }
        }
        _ if kind.role == "client" => {
            making.event(step(1), "state", ("ESTABLISHED", "FIN_WAIT1"));
            making.event(step(2), "state", ("FIN_WAIT1", "FIN_WAIT2"));
            making.event(step(3), "state", ("FIN_WAIT2", "CLOSE"));
        }
        _ => {
            making.event(step(1), "state", ("ESTABLISHED", "CLOSE_WAIT"));
            making.event(step(2), "state", ("CLOSE_WAIT", "LAST_ACK"));
            making.event(step(3), "state", ("LAST_ACK", "CLOSE"));
        }
    }
}

impl Play for Network {
    fn advance(&mut self, until: i64, world: &World, rows: &mut Rows) {
        if self.next_id == 1 {
            self.listen(self.now + 1, rows);
            for at in 1..=BACKUPS {
                self.connect(self.now + at * MILLISECOND, &BACKUP, KINDS.len(), world, rows);
            }
            self.now += (BACKUPS + 1) * MILLISECOND;
        }
        while self.now < until.min(world.span.end - 2 * self.pause) {
            self.now += 1 + self.random.below(2 * self.pause - 1);
            let at = self.random.weighted(&self.weights);
            self.connect(self.now, &KINDS[at], at, world, rows);
        }
    }

    fn finish(self: Box<Self>, world: &World, truth: &mut Truth) {
        let told = self.told;
        told.connections.into_facts(truth, "connections", "count");
        truth.count("connections", "edge-proxy|listener", 1);
        told.sent_bytes.into_facts(truth, "sent_bytes", "bytes");
        told.received_bytes.into_facts(truth, "received_bytes", "bytes");
        told.retransmits.into_facts(truth, "retransmits", "count");
        told.refused.into_facts(truth, "refused", "count");
        told.timed_out.into_facts(truth, "timed_out", "count");
        told.resets_sent.into_facts(truth, "resets_sent", "count");
        told.resets_received.into_facts(truth, "resets_received", "count");
        told.connects.into_facts(truth, "connects", "count");
        told.connect_latency_ns.into_facts(truth, "connect_latency_ns", "ns");
        told.short_lived.into_facts(truth, "short_lived", "count");
        told.alive.into_facts(truth, "alive", "count");
        told.flow_sent_bytes.into_facts(truth, "flow_sent_bytes", "bytes");
        told.flow_received_bytes.into_facts(truth, "flow_received_bytes", "bytes");
        let (ns, ts, peer) = self.slowest;
        let peer = world.text_of(peer).unwrap_or_default();
        truth.at("slowest_connect_ns", peer, Some(ns), "ns", ts);
    }
}
