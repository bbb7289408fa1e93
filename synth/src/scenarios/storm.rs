//! System calls: `report-gen` makes a burst of calls that fail, among services that do their work;
//! later the two threads of `ping-pong` do nothing but wake each other.

use std::collections::BTreeMap;

use crate::random::Random;
use crate::rows::{At, Rows, Syscall};
use crate::scenarios::Play;
use crate::scenarios::actor::{Actor, Run};
use crate::truth::Truth;
use crate::world::{New, World};

const SECOND: i64 = 1_000_000_000;
/// Thousandths of the recording: the burst, the storm of switches, and the slow call.
const BURST: (i64, i64) = (400, 500);
const SWITCHES: (i64, i64) = (600, 700);
const SLOW: i64 = 300;
/// How long the slow call takes: longer than any other call can.
const SLOW_NS: i64 = 2_718_281_828;
/// The CPU of the two threads that wake each other.
const SWITCH_CPU: u16 = 8;
/// Paths that may not be opened.
const SECRETS: usize = 199;

/// A call that a service makes: its name, how many arguments, and how often.
struct Habit {
    syscall: &'static str,
    arg_count: u8,
    weight: i64,
    /// How it fails now and then: one in so many times.
    error: Option<(&'static str, i64, i64)>,
    has_path: bool,
}

const fn habit(
    syscall: &'static str,
    arg_count: u8,
    weight: i64,
    error: Option<(&'static str, i64, i64)>,
) -> Habit {
    Habit { syscall, arg_count, weight, error, has_path: false }
}

const HABITS: &[Habit] = &[
    habit("read", 3, 30, Some(("EAGAIN", -11, 20))),
    habit("write", 3, 20, None),
    habit("epoll_wait", 4, 18, None),
    habit("recvfrom", 4, 10, Some(("EAGAIN", -11, 8))),
    habit("sendto", 4, 10, None),
    Habit { has_path: true, ..habit("openat", 4, 6, Some(("ENOENT", -2, 30))) },
    Habit { has_path: true, ..habit("newfstatat", 4, 4, Some(("ENOENT", -2, 10))) },
    habit("close", 1, 6, None),
    habit("fsync", 1, 1, None),
];
const FSYNC: usize = HABITS.len() - 1;

/// A thread that makes one call after the other.
struct Caller {
    thread: u32,
    cpu: u16,
    free_at: i64,
}

/// What is known of the calls of one name that a process made.
#[derive(Default)]
struct Tally {
    calls: i64,
    duration_ns: i64,
    slowest: (i64, i64),
    errors: BTreeMap<&'static str, i64>,
}

struct Storm {
    random: Random,
    weights: Vec<i64>,
    callers: Vec<Caller>,
    /// Mean time from one call of a service thread to its next.
    slot: i64,
    paths: Vec<u32>,
    secrets: Vec<u32>,
    has_been_slow: bool,
    generator: Caller,
    burst: (i64, i64),
    burst_slot: i64,
    burst_calls: i64,
    burst_ends: (i64, i64),
    opens: BTreeMap<u32, i64>,
    tallies: BTreeMap<(u32, &'static str), Tally>,
    players: [Actor; 2],
    switches: (i64, i64),
    switch_slot: i64,
    switch_now: i64,
    turn: usize,
    by_second: BTreeMap<i64, i64>,
}

pub(crate) fn begin(world: &mut World, seed: u64, events: i64) -> Box<dyn Play> {
    let span = world.span;
    let nginx = New { threads: &["nginx-1", "nginx-2"], ..New::service("nginx", "nginx.service") };
    let postgres = New { uid: 108, ..New::service("postgres", "postgresql.service") };
    let redis = New {
        uid: 109,
        threads: &["io_thd_1", "io_thd_2"],
        ..New::service("redis-server", "redis.service")
    };
    let mut threads = Vec::new();
    for new in [nginx, postgres, redis] {
        let first = world.process(new);
        threads.extend(first..=first + new.threads.len() as u32);
    }
    let generator = world.process(New {
        uid: 1000,
        args: "--all --out /srv/reports",
        start: span.at(BURST.0) - 10 * SECOND / 8,
        end: Some(span.at(BURST.1) + SECOND / 4),
        exit_code: 3,
        ..New::service("report-gen", "user.slice")
    });
    let first = world.process(New {
        uid: 1000,
        threads: &["pong"],
        ..New::service("ping-pong", "user.slice")
    });
    let paths = (0..100).map(|at| world.text(&format!("/srv/www/page-{at:03}.html"))).collect();
    let secrets = (0..SECRETS).map(|at| match at {
        0 => world.text("/etc/shadow"),
        at => world.text(&format!("/srv/private/ledger-{at:03}.db")),
    });
    let secrets: Vec<u32> = secrets.collect();
    let window = |(from, to): (i64, i64)| (span.at(from), span.at(to));
    let length = |(from, to): (i64, i64)| to - from;
    let (burst, switches) = (window(BURST), window(SWITCHES));
    let slot = (span.duration_ns() * 2 / events).max(2) * threads.len() as i64;
    let mut random = Random::new(seed, "storm");
    let mut caller = |(at, thread): (usize, u32)| Caller {
        thread,
        cpu: at as u16,
        free_at: span.begin + random.between(1_000, 1_000 + slot),
    };
    Box::new(Storm {
        weights: HABITS.iter().map(|habit| habit.weight).collect(),
        callers: threads.into_iter().enumerate().map(&mut caller).collect(),
        slot,
        paths,
        secrets,
        has_been_slow: false,
        generator: Caller { thread: generator, cpu: 9, free_at: burst.0 },
        burst,
        burst_slot: (length(burst) * 4 / events).max(2),
        burst_calls: 0,
        burst_ends: (0, 0),
        opens: BTreeMap::new(),
        tallies: BTreeMap::new(),
        players: [Actor::new(first, SWITCH_CPU), Actor::new(first + 1, SWITCH_CPU)],
        switches,
        switch_slot: (length(switches) * 8 / events).max(4),
        switch_now: switches.0,
        turn: 0,
        by_second: BTreeMap::new(),
        random,
    })
}

impl Storm {
    fn push(&mut self, row: Syscall, world: &World, rows: &mut Rows) {
        let first = world.process_of(row.at.thread).first_thread;
        let tally = self.tallies.entry((first, row.syscall)).or_default();
        tally.calls += 1;
        tally.duration_ns += row.duration_ns;
        if row.duration_ns > tally.slowest.0 {
            tally.slowest = (row.duration_ns, row.at.ts);
        }
        if !row.error.is_empty() {
            *tally.errors.entry(row.error).or_default() += 1;
        }
        if row.path != 0 && row.syscall == "openat" {
            *self.opens.entry(row.path).or_default() += 1;
        }
        rows.syscalls.push(row);
    }

    /// What services do until then.
    fn serve(&mut self, until: i64, world: &World, rows: &mut Rows) {
        let slow = world.span.at(SLOW);
        loop {
            let next = self.callers.iter_mut().min_by_key(|caller| caller.free_at);
            let Some(caller) = next.filter(|caller| caller.free_at < until) else { return };
            let ts = caller.free_at;
            let random = &mut self.random;
            let slot = 2 + random.below(2 * self.slot);
            caller.free_at = ts + slot;
            let mut at = random.weighted(&self.weights);
            let mut duration_ns = random.skewed(400 + self.slot / 500).min(slot * 3 / 4).max(1);
            if !self.has_been_slow && ts >= slow {
                (self.has_been_slow, at, duration_ns) = (true, FSYNC, SLOW_NS);
                caller.free_at = ts + SLOW_NS + slot;
            }
            let habit = &HABITS[at];
            let count = random.between(1, 4096);
            let (ret, error) = match habit.error {
                Some((error, ret, times)) if random.one_in(times) => (ret, error),
                _ if habit.arg_count == 3 => (count, ""),
                _ if habit.syscall == "openat" => (random.between(5, 40), ""),
                _ => (0, ""),
            };
            let path = if habit.has_path { random.pick(&self.paths) } else { 0 };
            let first = if habit.has_path { -100 } else { random.between(3, 40) };
            let row = Syscall {
                at: At { ts, thread: caller.thread, cpu: caller.cpu },
                duration_ns,
                ret,
                syscall: habit.syscall,
                error,
                arg_count: habit.arg_count,
                args: [first, 0x7ffc_0000_1000, count, 0, 0, 0],
                path,
                ..Syscall::default()
            };
            self.push(row, world, rows);
        }
    }

    /// What must not be.
    fn fail(&mut self, until: i64, world: &World, rows: &mut Rows) {
        while self.generator.free_at < until.min(self.burst.1) {
            let ts = self.generator.free_at;
            let slot = 2 + self.random.below(2 * self.burst_slot - 2);
            self.generator.free_at = ts + slot;
            let syscall = if self.random.one_in(10) { "newfstatat" } else { "openat" };
            // Of all paths the first is asked for most.
            let at = if self.random.one_in(4) { 0 } else { self.random.below(SECRETS as i64) };
            let row = Syscall {
                at: At { ts, thread: self.generator.thread, cpu: self.generator.cpu },
                duration_ns: 1 + self.random.below(slot.min(9_000)),
                ret: -13,
                syscall,
                error: "EACCES",
                arg_count: 4,
                args: [-100, 0x7ffe_2000_0000, 0, 0, 0, 0],
                path: self.secrets[at as usize],
                ..Syscall::default()
            };
            if self.burst_calls == 0 {
                self.burst_ends.0 = ts;
            }
            self.burst_ends.1 = ts;
            self.burst_calls += 1;
            self.push(row, world, rows);
        }
    }

    /// One thread wakes the other, and the other way round.
    fn switch(&mut self, until: i64, rows: &mut Rows) {
        while self.switch_now < until.min(self.switches.1) {
            let from = self.switch_now;
            let to = from + 3 + self.random.below(2 * self.switch_slot - 6);
            let waker = self.players[1 - self.turn].thread;
            let run = Run { waker, ..Run::sleeping(from, to, 1, 0) };
            self.players[self.turn].run(run, rows);
            *self.by_second.entry(from - from.rem_euclid(SECOND)).or_default() += 1;
            self.turn = 1 - self.turn;
            self.switch_now = to + 1;
        }
    }
}

impl Play for Storm {
    fn advance(&mut self, until: i64, world: &World, rows: &mut Rows) {
        self.serve(until.min(world.span.end - self.slot), world, rows);
        self.fail(until, world, rows);
        // A time off the CPU is told when it is over, which is two turns later.
        self.switch(until + 8 * self.switch_slot, rows);
    }

    fn finish(self: Box<Self>, world: &World, truth: &mut Truth) {
        for ((first, syscall), tally) in &self.tallies {
            let subject = format!("{}|{syscall}", world.threads[*first as usize].comm);
            truth.count("calls", subject.clone(), tally.calls);
            truth.ns("duration_ns", subject.clone(), tally.duration_ns);
            let (ns, ts) = tally.slowest;
            truth.at("slowest_ns", subject.clone(), Some(ns), "ns", ts);
            for (error, count) in &tally.errors {
                truth.count("errors", format!("{subject}|{error}"), *count);
            }
        }
        let denied = self.secrets.iter().filter(|secret| self.opens.contains_key(secret));
        truth.count("denied_paths", "report-gen", denied.count() as i64);
        for (path, opens) in &self.opens {
            truth.count("opens", world.text_of(*path).unwrap_or_default(), *opens);
        }
        let (from, to) = self.burst_ends;
        truth.at("burst_begin", "report-gen|EACCES", Some(self.burst_calls), "count", from);
        truth.at("burst_end", "report-gen|EACCES", None, "count", to);
        self.players.iter().for_each(|player| player.account(world, truth));
        let switches = self.by_second.values().sum();
        truth.count("switches", "ping-pong", switches);
        let most = self.by_second.iter().max_by_key(|(second, count)| (**count, -**second));
        if let Some((second, count)) = most {
            truth.at("switches_in_second", "ping-pong", Some(*count), "count", *second);
        }
    }
}
