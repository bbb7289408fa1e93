//! What goes on while nothing happens: services answer, ask a database, look names up.

use crate::random::Random;
use crate::rows::{At, Connection, Dns, Flow, Packet, Rows, Syscall};
use crate::scenarios::attacks::cast::Cast;
use crate::scenarios::attacks::stage::{LOCAL, MICROSECOND, MILLISECOND, segment};
use crate::world::{CPUS, World};

/// System calls that services make: name, how many arguments, weight.
const CALLS: [(&str, u8, i64); 9] = [
    ("read", 3, 20),
    ("write", 3, 14),
    ("epoll_wait", 4, 16),
    ("recvfrom", 6, 10),
    ("sendto", 6, 10),
    ("openat", 4, 6),
    ("newfstatat", 4, 6),
    ("close", 1, 8),
    ("futex", 6, 6),
];
/// What happens, by weight, and how many rows that has.
const ACTS: [(Act, i64, i64); 6] = [
    (Act::Call, 66, 1),
    (Act::Serve, 12, 2),
    (Act::Query, 6, 2),
    (Act::Browse, 6, 2),
    (Act::LookUp, 4, 2),
    (Act::Handshake, 6, 3),
];
/// Fewer rows than these are no background.
const ROWS_MIN: i64 = 1_500;
const NAMES: [&str; 6] = [
    "db.shop.example.",
    "payments.example.",
    "cache.shop.example.",
    "mail.example.",
    "ntp.example.",
    "mirror.example.",
];

#[derive(Clone, Copy)]
enum Act {
    Call,
    Serve,
    Query,
    Browse,
    LookUp,
    Handshake,
}

pub(super) struct Quiet {
    random: Random,
    /// Threads that make calls.
    callers: [u32; 5],
    server: u32,
    app: u32,
    paths: Vec<u32>,
    names: Vec<u32>,
    clients: Vec<u32>,
    /// Machines whose pages somebody looks at.
    pages: Vec<u32>,
    browser: u32,
    local: u32,
    database: u32,
    resolver: u32,
    now: i64,
    pause: i64,
    next_id: i64,
}

impl Quiet {
    /// Services of `cast`, with rows so that there are about `events` in all.
    pub fn new(world: &mut World, cast: &Cast, seed: u64, events: i64) -> Quiet {
        let span = world.span;
        let within = |ts: i64| i64::from(ts >= span.begin);
        let lives = world.processes.iter().map(|process| {
            let ends = i64::from(process.end.is_some());
            within(process.start) + process.execs.len() as i64 + ends
        });
        let rows = (events - lives.sum::<i64>()).max(ROWS_MIN);
        let weights: i64 = ACTS.iter().map(|(_, weight, _)| weight).sum();
        let parts: i64 = ACTS.iter().map(|(_, weight, rows)| weight * rows).sum();
        let acts = rows * weights / parts;
        let paths = (0..80).map(|at| world.text(&format!("/srv/www/page-{at:02}.html"))).collect();
        let pages = (100..160).map(|at| world.text(&format!("198.51.100.{at}"))).collect();
        let clients = (1..50).map(|at| world.text(&format!("198.51.100.{at}"))).collect();
        Quiet {
            random: Random::new(seed, "quiet"),
            callers: [cast.nginx_worker, cast.app, cast.postgres, cast.redis, cast.rsyslogd],
            server: cast.nginx_worker,
            app: cast.app,
            paths,
            names: NAMES.iter().map(|name| world.text(name)).collect(),
            clients,
            pages,
            browser: cast.firefox,
            local: world.text(LOCAL),
            database: world.text("10.0.3.7"),
            resolver: world.text("10.0.0.2"),
            now: span.begin + MILLISECOND,
            pause: (span.duration_ns() / acts).max(2),
            next_id: 1 << 40,
        }
    }

    fn at(&self, thread: u32) -> At {
        At { ts: self.now, thread, cpu: (i64::from(thread) % CPUS) as u16 }
    }

    pub fn advance(&mut self, until: i64, world: &World, rows: &mut Rows) {
        // What is told together lies within a millisecond or two.
        let last = world.span.end - 4 * MILLISECOND;
        loop {
            let pause = 1 + self.random.below(2 * self.pause - 1);
            if self.now + pause >= until.min(last) {
                // The next moment is drawn once more: nothing is lost by that.
                self.now = self.now.max(until.min(last) - 1);
                return;
            }
            self.now += pause;
            let at = self.random.weighted(&ACTS.map(|(_, weight, _)| weight));
            match ACTS[at].0 {
                Act::Call => self.call(rows),
                Act::Serve => self.serve(rows),
                Act::Query => self.query(rows),
                Act::Browse => self.browse(rows),
                Act::LookUp => self.look_up(rows),
                Act::Handshake => self.handshake(rows),
            }
        }
    }

    fn call(&mut self, rows: &mut Rows) {
        let (syscall, arg_count, _) =
            CALLS[self.random.weighted(&CALLS.map(|(_, _, weight)| weight))];
        let has_path = matches!(syscall, "openat" | "newfstatat");
        let count = self.random.between(1, 4_096);
        let path = if has_path { self.random.pick(&self.paths) } else { 0 };
        let first = if has_path { -100 } else { self.random.between(3, 40) };
        let thread = match has_path {
            true => self.server,
            false => self.random.pick(&self.callers),
        };
        let is_missing = has_path && self.random.one_in(40);
        let ret = match syscall {
            "read" | "write" | "recvfrom" | "sendto" => count,
            "openat" => self.random.between(5, 40),
            _ => 0,
        };
        rows.syscalls.push(Syscall {
            at: self.at(thread),
            duration_ns: self.random.skewed(500).min(2 * MILLISECOND),
            ret: if is_missing { -2 } else { ret },
            syscall,
            error: if is_missing { "ENOENT" } else { "" },
            arg_count,
            args: [first, 0x7ffc_0000_1000, if has_path { 0 } else { count }, 0, 0, 0],
            path,
            ..Syscall::default()
        });
    }

    /// A connection and its packets of a second.
    fn connection(&mut self, row: Connection, rows: &mut Rows) {
        self.next_id += 1;
        let row = Connection { connection_id: self.next_id, ..row };
        rows.connections.push(row);
        rows.flows.push(Flow {
            at: row.at,
            duration_ns: row.duration_ns.min(900 * MILLISECOND),
            sent_packets: row.sent_bytes / 1_448 + 3,
            sent_bytes: row.sent_bytes + 200,
            received_packets: row.received_bytes / 1_448 + 3,
            received_bytes: row.received_bytes + 200,
            local_address: row.local_address,
            local_port: row.local_port,
            remote_address: row.remote_address,
            remote_port: row.remote_port,
            protocol: "",
        });
    }

    fn serve(&mut self, rows: &mut Rows) {
        let random = &mut self.random;
        let row = Connection {
            duration_ns: random.between(5, 600) * MILLISECOND,
            role: "server",
            local_address: self.local,
            local_port: 443,
            remote_address: random.pick(&self.clients),
            remote_port: random.between(33_000, 60_000) as i32,
            connect_latency_ns: -1,
            srtt_ns: 20 * MILLISECOND,
            sent_bytes: random.between(1_000, 60_000),
            received_bytes: random.between(300, 2_000),
            sends: 3,
            receives: 2,
            state: "CLOSE",
            ..Connection::default()
        };
        let at = self.at(self.server);
        self.connection(Connection { at, ..row }, rows);
    }

    fn query(&mut self, rows: &mut Rows) {
        let random = &mut self.random;
        let row = Connection {
            duration_ns: random.between(5, 90) * MILLISECOND,
            role: "client",
            local_address: self.local,
            local_port: random.between(33_000, 60_000) as i32,
            remote_address: self.database,
            remote_port: 5432,
            connect_latency_ns: random.between(200, 900) * MICROSECOND,
            srtt_ns: MILLISECOND,
            sent_bytes: random.between(200, 2_000),
            received_bytes: random.between(600, 30_000),
            sends: 2,
            receives: 3,
            state: "TIME_WAIT",
            ..Connection::default()
        };
        let at = self.at(self.app);
        self.connection(Connection { at, ..row }, rows);
    }

    fn browse(&mut self, rows: &mut Rows) {
        let random = &mut self.random;
        let row = Connection {
            duration_ns: random.between(50, 900) * MILLISECOND,
            role: "client",
            local_address: self.local,
            local_port: random.between(33_000, 60_000) as i32,
            remote_address: random.pick(&self.pages),
            remote_port: 443,
            connect_latency_ns: random.between(5, 90) * MILLISECOND,
            srtt_ns: 20 * MILLISECOND,
            sent_bytes: random.between(400, 4_000),
            received_bytes: random.between(3_000, 300_000),
            sends: 4,
            receives: 20,
            state: "TIME_WAIT",
            ..Connection::default()
        };
        let at = self.at(self.browser);
        self.connection(Connection { at, ..row }, rows);
    }

    fn look_up(&mut self, rows: &mut Rows) {
        let query = Dns {
            at: self.at(self.app),
            id: self.random.between(1, 65_536) as i32,
            name: self.random.pick(&self.names),
            kind: if self.random.one_in(2) { "A" } else { "AAAA" },
            message_bytes: 46,
            client_address: self.local,
            client_port: self.random.between(33_000, 60_000) as i32,
            server_address: self.resolver,
            transport: "udp",
            ..Dns::default()
        };
        rows.dns.push(query);
        let latency_ns = self.random.between(300, 3_000) * MICROSECOND;
        rows.dns.push(Dns {
            at: At { ts: query.at.ts + latency_ns, ..query.at },
            is_response: true,
            answers: self.database,
            answer_count: 1,
            rcode: "NOERROR",
            message_bytes: 62,
            latency_ns,
            ..query
        });
    }

    /// The packets that a connection begins with.
    fn handshake(&mut self, rows: &mut Rows) {
        let client = (self.random.pick(&self.clients), self.random.between(33_000, 60_000) as i32);
        let server = (self.local, 443);
        let at = self.at(self.server);
        let steps = [
            segment(false, "SYN", client, server),
            segment(true, "SYN|ACK", server, client),
            segment(false, "ACK", client, server),
        ];
        for (step, packet) in steps.into_iter().enumerate() {
            let ts = at.ts + step as i64 * 300 * MICROSECOND;
            rows.packets.push(Packet { at: At { ts, ..at }, ..packet });
        }
    }
}
