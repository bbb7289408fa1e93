//! The scheduler: threads that wait for a lock that one thread holds, and for a CPU that another hogs.
//!
//! It goes round and round: `order-flusher` takes the lock and writes to the disk with it; meanwhile
//! all workers come to want it; it lets go and wakes them. While a worker waits, a thread of
//! `collector` has its CPU. On a CPU of their own, `metrics-agent` wants to run now and then and has to
//! wait for `crunch`, which always does.

use crate::random::Random;
use crate::rows::{At, Rows, Syscall};
use crate::scenarios::Play;
use crate::scenarios::actor::{Actor, Run};
use crate::truth::{Sums, Truth};
use crate::world::{New, World};

/// Rows of a round.
const ROWS_PER_ROUND: i64 = 97;
/// Threads that want the lock, each with a CPU of its own.
const WORKERS: u32 = 6;
/// How often in a round `metrics-agent` wants to run.
const WISHES: i64 = 3;
/// The lock, and one that nobody has to wait for long.
const LOCK: i64 = 0x7f31_5c00_28a0;
const OTHER_LOCK: i64 = 0x7f62_9000_1140;
const FUTEX_WAIT_PRIVATE: i64 = 128;
const FUTEX_WAKE_PRIVATE: i64 = 129;

/// Stacks that threads are left with.
struct Stacks {
    lock: i64,
    unlock: i64,
    fsync: i64,
    flusher_sleep: i64,
    worker_sleep: i64,
    collector_sleep: i64,
    agent_sleep: i64,
}

struct Locks {
    random: Random,
    stacks: Stacks,
    flusher: Actor,
    workers: Vec<Actor>,
    collectors: Vec<Actor>,
    agent: Actor,
    hog: Actor,
    /// Mean length of a round.
    round: i64,
    /// When the round before began, and when the next one does.
    before: i64,
    now: i64,
    hog_since: i64,
    lock_waits: Sums,
    lock_wait_ns: Sums,
    futex_calls: i64,
    futex_ns: i64,
    held_ns: i64,
    waited_for_ns: i64,
    longest_wait: (i64, i64, u32),
}

pub(crate) fn begin(world: &mut World, seed: u64, events: i64) -> Box<dyn Play> {
    let threads = &[
        "order-flusher",
        "order-worker-1",
        "order-worker-2",
        "order-worker-3",
        "order-worker-4",
        "order-worker-5",
        "order-worker-6",
    ];
    let service = world.process(New { threads, ..New::service("order-svc", "order.service") });
    let threads =
        &["collector-1", "collector-2", "collector-3", "collector-4", "collector-5", "collector-6"];
    let collector =
        world.process(New { threads, ..New::service("collector", "collector.service") });
    let agent = world.process(New::service("metrics-agent", "metrics.service"));
    let hog = world.process(New { uid: 1000, ..New::service("crunch", "user.slice") });
    let order = "/usr/bin/order-svc";
    let wait = "[c]pthread_mutex_lock;[k]__x64_sys_futex;[k]futex_wait_queue;[k]schedule";
    let stacks = Stacks {
        lock: world.stack(&format!("worker_main;order_submit;journal_append;{wait}"), order),
        unlock: world.stack(
            "flusher_main;journal_flush;[c]pthread_mutex_unlock;[k]__x64_sys_futex;[k]wake_up_q",
            order,
        ),
        fsync: world
            .stack("flusher_main;journal_flush;[c]fsync;[k]__x64_sys_fsync;[k]io_schedule", order),
        flusher_sleep: world.stack(
            "flusher_main;[c]clock_nanosleep;[k]__x64_sys_clock_nanosleep;[k]schedule",
            order,
        ),
        worker_sleep: world.stack(
            "worker_main;order_receive;[c]epoll_wait;[k]__x64_sys_epoll_wait;[k]schedule",
            order,
        ),
        collector_sleep: world.stack(
            "collector_main;[c]epoll_wait;[k]__x64_sys_epoll_wait;[k]schedule",
            "/usr/bin/collector",
        ),
        agent_sleep: world.stack(
            "agent_main;[c]clock_nanosleep;[k]__x64_sys_clock_nanosleep;[k]schedule",
            "/usr/bin/metrics-agent",
        ),
    };
    let span = world.span;
    let mut random = Random::new(seed, "locks");
    let hog_since = span.begin + random.between(1, 100_000);
    Box::new(Locks {
        stacks,
        flusher: Actor::new(service + 1, 0),
        workers: (1..=WORKERS).map(|at| Actor::new(service + 1 + at, at as u16)).collect(),
        collectors: (1..=WORKERS).map(|at| Actor::new(collector + at, at as u16)).collect(),
        agent: Actor::new(agent, 7),
        hog: Actor::new(hog, 7),
        round: (span.duration_ns() / events * ROWS_PER_ROUND).max(20_000),
        before: span.begin,
        now: span.begin + random.between(100_000, 1_000_000),
        random,
        hog_since,
        lock_waits: Sums::default(),
        lock_wait_ns: Sums::default(),
        futex_calls: 0,
        futex_ns: 0,
        held_ns: 0,
        waited_for_ns: 0,
        longest_wait: (0, 0, 0),
    })
}

/// The moments that matter in a round.
struct Round {
    begin: i64,
    length: i64,
    release: i64,
}

impl Round {
    /// A time from `from` to `to` thousandths of the round.
    fn part(&self, random: &mut Random, from: i64, to: i64) -> i64 {
        self.length * random.between(from, to) / 1000
    }
}

fn call(thread: u32, cpu: u16, ts: i64, duration_ns: i64, syscall: &'static str) -> Syscall {
    Syscall { at: At { ts, thread, cpu }, duration_ns, syscall, ..Syscall::default() }
}

impl Locks {
    fn flush(&mut self, round: &Round, rows: &mut Rows) {
        let Round { begin, length, release } = *round;
        let thread = self.flusher.thread;
        let to = begin + round.part(&mut self.random, 20, 40);
        let wake_ns = self.random.between(1_000, 1_000 + length / 500);
        let sleeping = Run::sleeping(begin, to, wake_ns, self.stacks.fsync);
        self.flusher.run(Run { end_state: "disk sleep", ..sleeping }, rows);
        let back = release - round.part(&mut self.random, 20, 60);
        let fsync = call(thread, 0, to - length / 500, back - to + length / 500, "fsync");
        rows.syscalls.push(Syscall { arg_count: 1, args: [11, 0, 0, 0, 0, 0], ..fsync });
        let wake_ns = self.random.between(1_000, 1_000 + length / 500);
        let end = release + round.part(&mut self.random, 10, 30);
        let run = Run::sleeping(back, end, wake_ns, self.stacks.flusher_sleep);
        self.flusher.run(run, rows);
        let wake = call(thread, 0, release - length / 1000, length / 1000 + 700, "futex");
        self.futex_calls += 1;
        self.futex_ns += wake.duration_ns;
        rows.syscalls.push(Syscall {
            ret: i64::from(WORKERS),
            arg_count: 4,
            args: [LOCK, FUTEX_WAKE_PRIVATE, i64::from(i32::MAX), 0, 0, 0],
            ..wake
        });
        self.held_ns += release - begin;
    }

    fn work(&mut self, round: &Round, at: usize, rows: &mut Rows, world: &World) {
        let Round { begin, length, release } = *round;
        let random = &mut self.random;
        let worker = &mut self.workers[at];
        let (thread, cpu) = (worker.thread, at as u16 + 1);
        let comm = &world.threads[thread as usize].comm;
        // It gets something to do, and comes to want the lock.
        let woken = begin + round.part(random, 10, 40);
        let wants = begin + round.part(random, 50, 300);
        let wake_ns = random.between(1_000, 1_000 + length / 500);
        let slept_ns = worker.run(Run::sleeping(woken, wants, wake_ns, self.stacks.lock), rows);
        if slept_ns > 0 {
            let wait = call(thread, cpu, woken - slept_ns - length / 1000, 0, "epoll_wait");
            let duration_ns = slept_ns + length / 500;
            let (arg_count, args) = (4, [5, 0x7ffd_1000, 64, -1, 0, 0]);
            rows.syscalls.push(Syscall { duration_ns, ret: 1, arg_count, args, ..wait });
        }
        // It gets the lock.
        let ready_ns = random.between(2_000, 2_000 + length / 50);
        let from = release + ready_ns;
        let to = from + round.part(random, 60, 120);
        let run = Run {
            waker: self.flusher.thread,
            waker_stack_id: self.stacks.unlock,
            ..Run::sleeping(from, to, ready_ns, self.stacks.worker_sleep)
        };
        let waited_ns = worker.run(run, rows);
        self.lock_waits.add(comm, 1);
        self.lock_wait_ns.add(comm, waited_ns);
        self.waited_for_ns += waited_ns;
        if waited_ns > self.longest_wait.0 {
            self.longest_wait = (waited_ns, wants, thread);
        }
        let futex = call(thread, cpu, wants - 800, waited_ns + 1_200, "futex");
        self.futex_calls += 1;
        self.futex_ns += futex.duration_ns;
        let args = [LOCK, FUTEX_WAIT_PRIVATE, 2, 0, 0, 0];
        rows.syscalls.push(Syscall { arg_count: 4, args, ..futex });
        let bytes = random.between(80, 400);
        let write = call(thread, cpu, from + (to - from) / 2, length / 200, "write");
        let args = [9, 0x7f31_6000_0000, bytes, 0, 0, 0];
        rows.syscalls.push(Syscall { ret: bytes, arg_count: 3, args, ..write });
        // Its CPU was not idle meanwhile.
        let collector = &mut self.collectors[at];
        let mut from = wants + round.part(random, 10, 30);
        for _ in 0..2 {
            let to = from + round.part(random, 20, 60);
            let wake_ns = random.between(1_000, 1_000 + length / 500);
            let run = Run::sleeping(from, to, wake_ns, self.stacks.collector_sleep);
            collector.run(run, rows);
            let futex = call(collector.thread, cpu, from + (to - from) / 2, length / 900, "futex");
            let (ret, error, arg_count) = (-11, "EAGAIN", 4);
            let args = [OTHER_LOCK, FUTEX_WAIT_PRIVATE, 2, 0, 0, 0];
            rows.syscalls.push(Syscall { ret, error, arg_count, args, ..futex });
            from = to + round.part(random, 10, 30);
        }
    }

    fn hog(&mut self, round: &Round, rows: &mut Rows) {
        let random = &mut self.random;
        for wish in 0..WISHES {
            let ready = round.begin + round.part(random, 300 * wish + 10, 300 * wish + 100);
            let ready_ns = round.part(random, 50, 150);
            let from = ready + ready_ns;
            let to = from + round.part(random, 10, 30);
            let run = Run::sleeping(self.hog_since, from, 0, 0);
            // It is always ready.
            let off_since = self.hog.off_since().unwrap_or(self.hog_since);
            let wait_ns = self.hog_since - off_since;
            self.hog.run(Run { wait_ns, end_state: "preempted", ..run }, rows);
            self.agent.run(Run::sleeping(from, to, ready_ns, self.stacks.agent_sleep), rows);
            self.hog_since = to;
        }
    }
}

impl Play for Locks {
    fn advance(&mut self, until: i64, world: &World, rows: &mut Rows) {
        // The next round also tells of what began in the one before.
        while self.before < until {
            let length = self.round * self.random.between(850, 1150) / 1000;
            let begin = self.now;
            if begin + 2 * length >= world.span.end {
                return;
            }
            let held_ns = length * self.random.between(500, 600) / 1000;
            let round = Round { begin, length, release: begin + held_ns };
            self.flush(&round, rows);
            (0..self.workers.len()).for_each(|at| self.work(&round, at, rows, world));
            self.hog(&round, rows);
            (self.before, self.now) = (begin, begin + length);
        }
    }

    fn finish(self: Box<Self>, world: &World, truth: &mut Truth) {
        let actors = [&self.flusher, &self.agent, &self.hog].into_iter();
        for actor in actors.chain(&self.workers).chain(&self.collectors) {
            actor.account(world, truth);
        }
        let comm = |thread: u32| &world.threads[thread as usize].comm;
        let lock = format!("{LOCK:#x}");
        truth.count("futex_calls", lock.clone(), self.futex_calls);
        truth.ns("futex_ns", lock.clone(), self.futex_ns);
        truth.count("futex_waiters", lock.clone(), i64::from(WORKERS));
        truth.ns("lock_held_ns", format!("{lock}|{}", comm(self.flusher.thread)), self.held_ns);
        truth.ns("waited_for_ns", comm(self.flusher.thread), self.waited_for_ns);
        truth.ns("offcpu_ns", world.folded(self.stacks.lock), self.waited_for_ns);
        let (ns, ts, thread) = self.longest_wait;
        truth.at("longest_lock_wait_ns", comm(thread), Some(ns), "ns", ts);
        self.lock_waits.into_facts(truth, "lock_waits", "count");
        self.lock_wait_ns.into_facts(truth, "lock_wait_ns", "ns");
    }
}
