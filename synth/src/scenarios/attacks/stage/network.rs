//! Connections, packets and names that are looked up.

use super::{Call, MICROSECOND, MILLISECOND, SECOND, Stage};
use crate::rows::{Connection, ConnectionEvent, Dns, Flow, Packet};

/// The machine's own address.
pub(in crate::scenarios::attacks) const LOCAL: &str = "10.0.0.10";
/// Its address in a container, and the machine that answers questions for names.
const INSIDE: &str = "172.17.0.2";
const RESOLVER: &str = "10.0.0.2";
/// Bytes of headers, and of a packet's payload.
const HEADERS: i64 = 66;
const PAYLOAD: i64 = 1448;

/// A connection that is made.
#[derive(Clone)]
pub(in crate::scenarios::attacks) struct Link {
    pub protocol: &'static str,
    pub role: &'static str,
    pub local: String,
    pub local_port: i32,
    pub remote: String,
    pub remote_port: i32,
    pub sent_bytes: i64,
    pub received_bytes: i64,
    /// Times something was sent and received; 0 where the bytes tell.
    pub says: (i64, i64),
    /// Below 0 when it has not ended.
    pub life_ns: i64,
    pub latency_ns: i64,
    pub state: &'static str,
    pub error: &'static str,
    pub is_reset: bool,
    /// Who opened it, when that is another process.
    pub opener_pid: i32,
    pub preexisting: bool,
    /// Over how many seconds the bytes go.
    pub flow_seconds: i64,
}

impl Link {
    /// A connection to another machine.
    pub fn to(remote: impl Into<String>, port: i32) -> Link {
        Link {
            protocol: "tcp",
            role: "client",
            local: LOCAL.to_string(),
            local_port: 0,
            remote: remote.into(),
            remote_port: port,
            sent_bytes: 300,
            received_bytes: 2_000,
            says: (0, 0),
            life_ns: 200 * MILLISECOND,
            latency_ns: 3 * MILLISECOND,
            state: "TIME_WAIT",
            error: "",
            is_reset: false,
            opener_pid: 0,
            preexisting: false,
            flow_seconds: 1,
        }
    }

    /// A connection from another machine to a port of this one.
    pub fn from(remote: impl Into<String>, remote_port: i32, port: i32) -> Link {
        let link = Link::to(remote, remote_port);
        Link { role: "server", local_port: port, latency_ns: -1, state: "CLOSE", ..link }
    }

    /// A port that is waited at.
    pub fn listener(port: i32) -> Link {
        Link {
            role: "listener",
            local_port: port,
            remote: String::new(),
            latency_ns: -1,
            state: "LISTEN",
            ..Link::to("", -1).bytes(0, 0).open()
        }
    }

    pub fn bytes(mut self, sent: i64, received: i64) -> Link {
        (self.sent_bytes, self.received_bytes) = (sent, received);
        self
    }

    /// A dialogue of so many messages of this side, and of the other.
    pub fn says(mut self, sends: i64, receives: i64) -> Link {
        self.says = (sends, receives);
        self
    }

    pub fn lasting(mut self, ns: i64) -> Link {
        self.life_ns = ns;
        self
    }

    /// One that has not ended when the recording does.
    pub fn open(mut self) -> Link {
        self.life_ns = -1;
        if self.role != "listener" {
            self.state = "ESTABLISHED";
        }
        self
    }

    pub fn protocol(mut self, protocol: &'static str) -> Link {
        self.protocol = protocol;
        self
    }

    pub fn over(mut self, seconds: i64) -> Link {
        self.flow_seconds = seconds;
        self
    }

    pub fn opened_by(mut self, pid: i32) -> Link {
        self.opener_pid = pid;
        self
    }

    /// One that the peer refuses.
    pub fn refused(mut self) -> Link {
        (self.error, self.is_reset) = ("ECONNREFUSED", true);
        self.failed(300 * MICROSECOND)
    }

    /// One that the peer never answers.
    pub fn unanswered(mut self) -> Link {
        self.error = "ETIMEDOUT";
        self.failed(2 * SECOND)
    }

    fn failed(mut self, ns: i64) -> Link {
        (self.life_ns, self.latency_ns, self.state) = (ns, -1, "SYN_SENT");
        self.bytes(0, 0)
    }
}

impl Stage<'_> {
    /// Makes a connection, with the calls that make it; goes on at once.
    pub fn link(&mut self, who: u32, link: &Link) {
        let ts = self.tick();
        let address = match link.remote.contains(':') {
            true => format!("[{}]:{}", link.remote, link.remote_port),
            false => format!("{}:{}", link.remote, link.remote_port),
        };
        match link.role {
            "client" => {
                let ret = match link.error {
                    "ECONNREFUSED" => -111,
                    "ETIMEDOUT" => -110,
                    _ => 0,
                };
                let took = if ret == 0 { link.latency_ns.max(0) } else { link.life_ns };
                let call = Call::new("connect").arg("sockfd", 5).address(address).ret(ret);
                self.call_at(who, ts, call.took(took + 20 * MICROSECOND));
            }
            "listener" => {
                let address = format!("0.0.0.0:{}", link.local_port);
                let call = Call::new("bind").arg("sockfd", 5).address(address);
                self.call_at(who, ts - 8 * MICROSECOND, call);
                self.call_at(who, ts, Call::new("listen").arg("sockfd", 5).arg("backlog", 128));
            }
            _ => {
                self.call_at(who, ts, Call::new("accept4").arg("sockfd", 5).ret(6));
            }
        }
        self.socket(who, ts, link);
        self.now = ts + 30 * MICROSECOND;
    }

    /// The rows of a connection that began at `ts`, without calls; it may have been handed over since.
    pub fn socket(&mut self, who: u32, ts: i64, link: &Link) {
        let id = self.next_connection;
        self.next_connection += 1;
        let is_inside = self.world.process_of(who).place.container.is_some();
        let local = match is_inside && link.local == LOCAL {
            true => INSIDE,
            false => link.local.as_str(),
        };
        let local = self.world.text(local);
        let remote = self.world.text(&link.remote);
        let local_port = match link.local_port {
            0 => 32_768 + (id % 28_000) as i32,
            port => port,
        };
        let ends = self.world.span.end;
        let ends = link.life_ns >= 0 && ts + link.life_ns < ends;
        let row = Connection {
            at: self.at_time(who, ts),
            duration_ns: if ends { link.life_ns } else { -1 },
            connection_id: id,
            role: link.role,
            local_address: local,
            local_port,
            remote_address: remote,
            remote_port: link.remote_port,
            connect_latency_ns: link.latency_ns,
            sent_bytes: link.sent_bytes,
            received_bytes: link.received_bytes,
            sends: link.says.0.max((link.sent_bytes + 16_383) / 16_384),
            receives: link.says.1.max((link.received_bytes + 16_383) / 16_384),
            srtt_ns: link.latency_ns,
            state: if ends || link.role == "listener" { link.state } else { "ESTABLISHED" },
            error: if ends { link.error } else { "" },
            resets_received: i32::from(link.is_reset),
            protocol: link.protocol,
            opener_pid: link.opener_pid,
            preexisting: link.preexisting,
            ..Connection::default()
        };
        self.rows.connections.push(row);
        // What it did before it was handed over is told of nobody.
        let start = self.world.process_of(who).start;
        let row = Connection { at: self.at_time(who, ts.max(start)), ..row };
        if link.protocol == "tcp" {
            self.states(&row);
        }
        let is_ip = matches!(link.protocol, "tcp" | "udp");
        if is_ip && link.role != "listener" {
            self.flows(&row, link.flow_seconds);
        }
    }

    /// What passes the interface in a second of a connection that there is already.
    pub fn flow(&mut self, who: u32, ts: i64, link: &Link) {
        let row = Connection {
            at: self.at_time(who, ts),
            duration_ns: -1,
            local_address: self.world.text(&link.local),
            local_port: 40_000,
            remote_address: self.world.text(&link.remote),
            remote_port: link.remote_port,
            sent_bytes: link.sent_bytes,
            received_bytes: link.received_bytes,
            protocol: link.protocol,
            ..Connection::default()
        };
        self.flows(&row, 1);
    }

    fn states(&mut self, row: &Connection) {
        let ts = row.at.ts;
        let established = ts + row.connect_latency_ns.max(0);
        let closed = ts + row.duration_ns;
        let changes: &[(i64, &'static str, &'static str)] = match (row.role, row.error) {
            ("listener", _) => &[(ts, "CLOSE", "LISTEN")],
            ("client", "ECONNREFUSED" | "ETIMEDOUT") => {
                &[(ts, "CLOSE", "SYN_SENT"), (closed, "SYN_SENT", "CLOSE")]
            }
            ("client", _) => &[
                (ts, "CLOSE", "SYN_SENT"),
                (established, "SYN_SENT", "ESTABLISHED"),
                (closed - 9 * MICROSECOND, "ESTABLISHED", "FIN_WAIT1"),
                (closed - 6 * MICROSECOND, "FIN_WAIT1", "FIN_WAIT2"),
            ],
            _ => &[
                (ts, "SYN_RECV", "ESTABLISHED"),
                (closed - 9 * MICROSECOND, "ESTABLISHED", "CLOSE_WAIT"),
                (closed - 6 * MICROSECOND, "CLOSE_WAIT", "LAST_ACK"),
                (closed - 3 * MICROSECOND, "LAST_ACK", "CLOSE"),
            ],
        };
        // What has not ended has no end.
        let changes = changes.iter().filter(|(at, _, _)| row.duration_ns >= 0 || *at >= ts);
        for &(at, old_state, state) in changes {
            let error = if state == "CLOSE" { row.error } else { "" };
            self.rows.connection_events.push(ConnectionEvent {
                at: self.at_time(row.at.thread, at),
                connection_id: row.connection_id,
                event: "state",
                local_address: row.local_address,
                local_port: row.local_port,
                remote_address: row.remote_address,
                remote_port: row.remote_port,
                old_state,
                state,
                error,
                events: 1,
                protocol: row.protocol,
            });
        }
    }

    /// The bytes of a connection, in equal parts in so many seconds.
    fn flows(&mut self, row: &Connection, seconds: i64) {
        let parts = |bytes: i64| (bytes + seconds - 1) / seconds;
        let (sent, received) = (parts(row.sent_bytes), parts(row.received_bytes));
        let packets = |bytes: i64| (bytes + PAYLOAD - 1) / PAYLOAD + 1;
        for second in 0..seconds {
            let begin = row.at.ts - row.at.ts.rem_euclid(SECOND) + second * SECOND;
            let ts = begin.max(row.at.ts);
            if ts >= self.world.span.end {
                break;
            }
            let life_ns = if row.duration_ns < 0 { SECOND } else { row.duration_ns };
            let left = (begin + SECOND - ts).min(life_ns);
            self.rows.flows.push(Flow {
                at: self.at_time(row.at.thread, ts),
                duration_ns: left * 9 / 10,
                sent_packets: packets(sent),
                sent_bytes: sent + packets(sent) * HEADERS,
                received_packets: packets(received),
                received_bytes: received + packets(received) * HEADERS,
                local_address: row.local_address,
                local_port: row.local_port,
                remote_address: row.remote_address,
                remote_port: row.remote_port,
                protocol: row.protocol,
            });
        }
    }

    /// Asks for a name, and is answered.
    pub fn look_up(&mut self, who: u32, lookup: &Lookup) {
        let ts = self.tick();
        let is_inside = self.world.process_of(who).place.container.is_some();
        let client_address = self.world.text(if is_inside { INSIDE } else { LOCAL });
        let query = Dns {
            at: self.at_time(who, ts),
            id: self.random.between(1, 65_536) as i32,
            name: self.world.text(&lookup.name),
            kind: lookup.kind,
            message_bytes: 29 + lookup.name.len() as i32,
            client_address,
            client_port: self.random.between(33_000, 60_000) as i32,
            server_address: self.world.text(&lookup.server),
            transport: "udp",
            ..Dns::default()
        };
        self.rows.dns.push(query);
        let latency_ns = self.random.between(MILLISECOND, 30 * MILLISECOND);
        let answers = self.world.text(&lookup.answers);
        let answer_count = i32::from(!lookup.answers.is_empty());
        self.rows.dns.push(Dns {
            at: self.at_time(who, ts + latency_ns),
            is_response: true,
            answers,
            answer_count,
            rcode: lookup.rcode,
            message_bytes: query.message_bytes + answer_count * 16 + lookup.answers.len() as i32,
            latency_ns,
            ..query
        });
        self.now = ts + latency_ns;
    }

    /// Has a packet pass the interface; `who` may be nobody.
    pub fn packet(&mut self, who: u32, packet: Packet) {
        let ts = self.tick();
        self.rows.packets.push(Packet { at: self.at_time(who, ts), ..packet });
    }
}

/// A question for a name, and the answer.
pub(in crate::scenarios::attacks) struct Lookup {
    pub name: String,
    pub kind: &'static str,
    pub rcode: &'static str,
    pub answers: String,
    pub server: String,
}

impl Lookup {
    /// One for the address of `name`, which is told.
    pub fn new(name: impl Into<String>, answers: impl Into<String>) -> Lookup {
        Lookup {
            name: name.into(),
            kind: "A",
            rcode: "NOERROR",
            answers: answers.into(),
            server: RESOLVER.to_string(),
        }
    }

    pub fn of_kind(mut self, kind: &'static str) -> Lookup {
        self.kind = kind;
        self
    }

    /// Of a name that there is not.
    pub fn missing(name: impl Into<String>) -> Lookup {
        Lookup { rcode: "NXDOMAIN", ..Lookup::new(name, "") }
    }
}

/// A segment of TCP between two addresses, with their ports.
pub(in crate::scenarios::attacks) fn segment(
    is_sent: bool,
    tcp_flags: &'static str,
    (source_address, source_port): (u32, i32),
    (destination_address, destination_port): (u32, i32),
) -> Packet {
    Packet {
        is_sent,
        length_bytes: 60,
        ethertype: "ipv4",
        source_address,
        destination_address,
        protocol: "tcp",
        source_port,
        destination_port,
        seq: 1_000,
        tcp_flags,
        ttl: 64,
        ip_flags: "DF",
        icmp_type: -1,
        ..Packet::default()
    }
}
