//! Allocators: leaks at known stacks among memory that is given back in all the ways there are.
//!
//! `api-server` lives on and leaks all the time; `batch-import` builds up a table, gives it back and
//! ends, with what it forgot; `renderd` gives back in one thread what another got; `node-agent` is
//! clean. All calls are made one after the other, so that what is held is known at each of them.

use std::collections::BTreeMap;

use crate::random::Random;
use crate::rows::{Allocation, At, MemoryUsage, Rows};
use crate::scenarios::Play;
use crate::truth::{Sums, Truth};
use crate::world::{CPUS, New, Span, World};

const SECOND: i64 = 1_000_000_000;
/// No action has more rows.
const ROWS_MAX: i64 = 64;
/// Where heaps begin.
const HEAP: i64 = 0x5555_5000_0000;
/// Resident memory that is not the heap's.
const OTHER_BYTES: i64 = 6 << 20;
/// Thousandths of the recording: when `batch-import` builds its table, gives it back, and ends.
const BUILD_FROM: i64 = 250;
const BUILD_TO: i64 = 450;
const RELEASE_TO: i64 = 650;
const BATCH_END: i64 = 800;
/// Thousandths of the recording after which what is held is noted.
const MARKS: [i64; 4] = [1000, 750, 500, 250];

/// What becomes of the memory that a place in the program gets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    /// It is never given back.
    Leak,
    /// The same thread gives it back at once.
    Temporary,
    /// It stays for a while in a cache of so many objects.
    Cache(usize),
    /// It is moved to ever larger places, and given back.
    Grow,
    /// Another thread gives it back.
    Pass,
    /// It is gathered for a time and then given back piece by piece.
    Build,
    /// There is none.
    Fail,
}

/// A place in a program that allocates.
struct Site {
    stack_id: i64,
    folded: String,
    operation: &'static str,
    /// Sizes: from, to.
    sizes: (i64, i64),
    fate: Fate,
    weight: i64,
    calls: i64,
    bytes: i64,
    unfreed: i64,
    unfreed_bytes: i64,
    temporary: i64,
}

/// Memory that is in use.
#[derive(Clone, Copy)]
struct Object {
    address: i64,
    size: i64,
    site: usize,
    thread: u32,
}

/// A process with its heap.
struct Heap {
    comm: &'static str,
    threads: Vec<u32>,
    end: i64,
    sites: Vec<Site>,
    weights: Vec<i64>,
    /// Addresses that were given back, by the binary logarithm of their size.
    given_back: Vec<Vec<i64>>,
    unused: i64,
    cached: Vec<Object>,
    built: Vec<Object>,
    held: i64,
    peak: (i64, i64),
    reused: i64,
    freed_elsewhere: i64,
    moved: i64,
    grown_in_place: i64,
    failed: i64,
    operations: Sums,
    weight: i64,
    /// What each thread got by its last call, by address and site; nothing if that got nothing.
    last: BTreeMap<u32, (i64, usize)>,
}

struct Leaks {
    random: Random,
    heaps: Vec<Heap>,
    now: i64,
    /// Mean time between calls.
    pause: i64,
    next_second: i64,
    held: i64,
    peak: (i64, i64),
    /// Thousandths of the recording after which what is held is noted, the next one last.
    marks: Vec<i64>,
    /// Process and mark, what it holds, and when.
    growth: Vec<(String, i64, i64)>,
    build: (i64, i64, i64),
}

/// Program, threads besides the first, share of all actions, sites.
type Program = (&'static str, &'static [&'static str], i64, &'static [SiteSpec]);
/// Stack, function called, sizes, fate, share of the program's actions.
type SiteSpec = (&'static str, &'static str, (i64, i64), Fate, i64);

const PROGRAMS: &[Program] = &[
    (
        "api-server",
        &["api-worker-1", "api-worker-2", "api-worker-3"],
        50,
        &[
            ("serve;handle_request;parse_request;[c]strdup", "malloc", (16, 200), Fate::Leak, 3),
            ("serve;handle_request;open_session;session_new", "calloc", (640, 641), Fate::Leak, 1),
            ("serve;handle_request;json_encode", "malloc", (32, 2048), Fate::Temporary, 40),
            ("serve;handle_request;log_line;format_time", "malloc", (64, 65), Fate::Temporary, 16),
            ("serve;handle_request;cache_put", "malloc", (128, 4096), Fate::Cache(1500), 12),
            ("serve;handle_request;read_body;buffer_grow", "realloc", (64, 128), Fate::Grow, 4),
            ("serve;handle_request;huge_upload", "malloc", (1 << 40, 1 << 41), Fate::Fail, 1),
        ],
    ),
    (
        "batch-import",
        &[],
        20,
        &[
            ("import;load_table;row_new", "malloc", (900, 1100), Fate::Build, 30),
            ("import;open_index", "malloc", (5000, 6000), Fate::Leak, 1),
            ("import;parse_line;split_fields", "malloc", (24, 240), Fate::Temporary, 20),
        ],
    ),
    (
        "renderd",
        &["render-1", "render-2"],
        20,
        &[
            ("render_loop;frame_begin;Tile::create(int)", "new", (256, 4096), Fate::Pass, 12),
            ("render_loop;frame_begin;std::vector::reserve", "new", (64, 512), Fate::Cache(300), 8),
            ("render_loop;layout;Glyph::copy", "new", (40, 41), Fate::Temporary, 10),
            ("render_loop;load_font;FontCache::pin", "new", (3000, 3001), Fate::Leak, 1),
        ],
    ),
    (
        "node-agent",
        &[],
        10,
        &[
            ("poll;read_proc", "malloc", (1024, 4096), Fate::Temporary, 4),
            ("poll;metric_set", "malloc", (48, 96), Fate::Cache(200), 2),
        ],
    ),
];

pub(crate) fn begin(world: &mut World, seed: u64, events: i64) -> Box<dyn Play> {
    let span = world.span;
    let pause = (span.duration_ns() / events).max(2);
    let heaps = PROGRAMS.iter().map(|(comm, threads, weight, specs)| {
        let end = (*comm == "batch-import").then(|| span.at(BATCH_END));
        let new = New { threads, end, uid: 1000, ..New::service(comm, "app.service") };
        let first = world.process(new);
        let program = world.process_of(first).program.exe.clone();
        let sites = specs.iter().map(|(stack, operation, sizes, fate, weight)| {
            let stack_id = world.stack(&format!("{comm}::main;{stack}"), &program);
            Site {
                stack_id,
                folded: world.folded(stack_id),
                operation,
                sizes: *sizes,
                fate: *fate,
                weight: *weight,
                calls: 0,
                bytes: 0,
                unfreed: 0,
                unfreed_bytes: 0,
                temporary: 0,
            }
        });
        let sites: Vec<Site> = sites.collect();
        Heap {
            comm,
            threads: (first..=first + threads.len() as u32).collect(),
            end: end.map_or(i64::MAX, |end| end - 1_000_000 - longest_ns(pause)),
            weights: sites.iter().map(|site| site.weight).collect(),
            sites,
            given_back: vec![Vec::new(); 48],
            unused: HEAP + i64::from(first) * 0x10_0000_0000,
            cached: Vec::new(),
            built: Vec::new(),
            held: 0,
            peak: (0, span.begin),
            reused: 0,
            freed_elsewhere: 0,
            moved: 0,
            grown_in_place: 0,
            failed: 0,
            operations: Sums::default(),
            weight: *weight,
            last: BTreeMap::new(),
        }
    });
    Box::new(Leaks {
        heaps: heaps.collect(),
        random: Random::new(seed, "leaks"),
        now: span.begin,
        pause,
        next_second: span.begin + SECOND,
        held: 0,
        peak: (0, span.begin),
        marks: MARKS.to_vec(),
        growth: Vec::new(),
        build: (span.at(BUILD_FROM), span.at(BUILD_TO), span.at(RELEASE_TO)),
    })
}

/// No action takes longer.
fn longest_ns(pause: i64) -> i64 {
    2 * pause * ROWS_MAX
}

/// One action of one process: what it needs at hand.
struct Action<'a> {
    heap: &'a mut Heap,
    rows: &'a mut Vec<Allocation>,
    random: &'a mut Random,
    now: &'a mut i64,
    pause: i64,
    held: &'a mut i64,
    peak: &'a mut (i64, i64),
}

impl Action<'_> {
    /// No two calls are made at the same moment.
    fn tick(&mut self) -> i64 {
        *self.now += 1 + self.random.below(2 * self.pause - 1);
        *self.now
    }

    fn push(&mut self, thread: u32, row: Allocation) {
        let ts = self.tick();
        let cpu = (i64::from(thread) % CPUS) as u16;
        self.heap.operations.add(row.operation, 1);
        self.rows.push(Allocation { at: At { ts, thread, cpu }, ..row });
    }

    fn hold(&mut self, bytes: i64) {
        let ts = *self.now;
        self.heap.held += bytes;
        *self.held += bytes;
        if self.heap.held > self.heap.peak.0 {
            self.heap.peak = (self.heap.held, ts);
        }
        if *self.held > self.peak.0 {
            *self.peak = (*self.held, ts);
        }
    }

    /// An address for so many bytes; one that was used before, if there is one.
    fn address(&mut self, size: i64) -> i64 {
        let class = 64 - (size.max(16) - 1).leading_zeros();
        match self.heap.given_back[class as usize].pop() {
            Some(address) => {
                self.heap.reused += 1;
                address
            }
            None => {
                let address = self.heap.unused + 16;
                self.heap.unused += (1 << class) + 16;
                address
            }
        }
    }

    fn allocate(&mut self, site: usize, thread: u32) -> Object {
        let (from, to) = self.heap.sites[site].sizes;
        let size = self.random.between(from, to);
        let address = self.address(size);
        self.got(Object { address, size, site, thread }, 0);
        Object { address, size, site, thread }
    }

    /// A row for memory that was got.
    fn got(&mut self, object: Object, old_address: i64) {
        let Object { address, size, site, thread } = object;
        let of = &mut self.heap.sites[site];
        of.calls += 1;
        of.bytes += size;
        of.unfreed += 1;
        of.unfreed_bytes += size;
        let (stack_id, operation) = (of.stack_id, of.operation);
        let at = At::default();
        self.push(
            thread,
            Allocation { at, address, old_address, size_bytes: size, stack_id, operation },
        );
        self.hold(size);
        self.heap.last.insert(thread, (address, site));
    }

    /// What is no longer there under its address.
    fn forget(&mut self, object: Object) {
        let of = &mut self.heap.sites[object.site];
        of.unfreed -= 1;
        of.unfreed_bytes -= object.size;
        self.hold(-object.size);
    }

    fn free(&mut self, object: Object, thread: u32) {
        let operation = match self.heap.sites[object.site].operation {
            "new" => "delete",
            _ => "free",
        };
        self.give_back(object, thread, operation);
        self.heap.freed_elsewhere += i64::from(thread != object.thread);
    }

    fn give_back(&mut self, object: Object, thread: u32, operation: &'static str) {
        let at = At::default();
        let (address, size_bytes) = (object.address, -1);
        let row = Allocation { at, address, old_address: 0, size_bytes, stack_id: 0, operation };
        self.push(thread, row);
        self.forget(object);
        // Temporary is what the same thread gives back by its very next call.
        if let Some((address, site)) = self.heap.last.remove(&thread)
            && address == object.address
        {
            self.heap.sites[site].temporary += 1;
        }
        let class = 64 - (object.size.max(16) - 1).leading_zeros();
        self.heap.given_back[class as usize].push(object.address);
    }

    /// What is needed for a moment only.
    fn temporary(&mut self, site: usize, thread: u32) {
        let object = self.allocate(site, thread);
        self.free(object, thread);
    }

    /// A buffer that becomes larger and larger. It is not temporary: the thread makes other calls in
    /// between.
    fn grow(&mut self, site: usize, thread: u32) {
        let between = self.heap.sites.iter().position(|site| site.fate == Fate::Temporary);
        let between = between.expect("a program with a buffer also has what is temporary");
        let mut object = self.allocate(site, thread);
        self.temporary(between, thread);
        for _ in 0..1 + self.random.below(4) {
            let size = object.size * 3 / 2;
            let old = object;
            let is_moved = 64 - (size - 1).leading_zeros() != 64 - (old.size - 1).leading_zeros();
            if is_moved {
                self.give_back(old, thread, "realloc");
                // Not where it was: that has another size.
                object = Object { address: self.address(size), size, ..old };
                self.heap.moved += 1;
            } else {
                // One row for both: what was there goes at the moment the larger one comes.
                self.forget(old);
                object = Object { size, ..old };
                self.heap.grown_in_place += 1;
            }
            self.got(object, old.address);
            self.temporary(between, thread);
        }
        self.free(object, thread);
    }

    fn act(&mut self, is_building: bool, is_releasing: bool) {
        if is_releasing && let Some(object) = self.heap.built.pop() {
            self.free(object, object.thread);
            if let Some(object) = self.heap.built.pop() {
                self.free(object, object.thread);
            }
            return;
        }
        let site = self.random.weighted(&self.heap.weights);
        let thread = self.random.pick(&self.heap.threads);
        let other = self.random.pick(&self.heap.threads);
        match self.heap.sites[site].fate {
            Fate::Leak => _ = self.allocate(site, thread),
            Fate::Build if is_building => {
                let object = self.allocate(site, thread);
                self.heap.built.push(object);
            }
            Fate::Build | Fate::Temporary => self.temporary(site, thread),
            Fate::Cache(length) => {
                let object = self.allocate(site, thread);
                self.heap.cached.push(object);
                if self.heap.cached.len() > length {
                    let at = self.random.below(length as i64) as usize;
                    let old = self.heap.cached.swap_remove(at);
                    self.free(old, other);
                }
            }
            Fate::Grow => self.grow(site, thread),
            Fate::Pass => {
                let object = self.allocate(site, self.heap.threads[1]);
                self.free(object, self.heap.threads[0]);
            }
            Fate::Fail => {
                let (from, to) = self.heap.sites[site].sizes;
                let size_bytes = self.random.between(from, to);
                let Site { stack_id, operation, .. } = self.heap.sites[site];
                let at = At::default();
                let row =
                    Allocation { at, address: 0, old_address: 0, size_bytes, stack_id, operation };
                self.push(thread, row);
                self.heap.last.remove(&thread);
                self.heap.failed += 1;
            }
        }
    }
}

impl Leaks {
    /// Readings of the processes' memory until now, and what is held at the marks.
    fn read(&mut self, now: i64, span: Span, rows: &mut Rows) {
        while self.next_second <= now {
            let ts = self.next_second;
            self.next_second += SECOND;
            for heap in self.heaps.iter().filter(|heap| ts < heap.end) {
                rows.memory_usage.push(MemoryUsage {
                    at: At { ts, thread: heap.threads[0], cpu: 0 },
                    anonymous_bytes: heap.held + OTHER_BYTES / 2,
                    file_bytes: OTHER_BYTES / 2,
                    rss_peak_bytes: heap.peak.0 + OTHER_BYTES,
                });
            }
        }
        while let Some(mark) = self.marks.pop_if(|mark| span.at(*mark) <= now) {
            let held = self.heaps.iter().filter(|heap| now < heap.end);
            let subject = |heap: &Heap| format!("{}|{} percent", heap.comm, mark / 10);
            self.growth.extend(held.map(|heap| (subject(heap), heap.held, now)));
        }
    }
}

impl Play for Leaks {
    fn advance(&mut self, until: i64, world: &World, rows: &mut Rows) {
        // The last actions end before the recording does.
        let last = world.span.end - longest_ns(self.pause);
        while self.now < until.min(last) {
            self.now += 1;
            let begin = self.now;
            self.read(begin, world.span, rows);
            let alive = |heap: &Heap| if begin < heap.end { heap.weight } else { 0 };
            let weights: [i64; PROGRAMS.len()] = std::array::from_fn(|at| alive(&self.heaps[at]));
            let at = self.random.weighted(&weights);
            let (from, to, released) = self.build;
            let mut action = Action {
                heap: &mut self.heaps[at],
                rows: &mut rows.allocations,
                random: &mut self.random,
                now: &mut self.now,
                pause: self.pause,
                held: &mut self.held,
                peak: &mut self.peak,
            };
            action.act((from..to).contains(&begin), (to..released).contains(&begin));
        }
        if until >= world.span.end {
            self.read(until, world.span, rows);
        }
    }

    fn finish(self: Box<Self>, world: &World, truth: &mut Truth) {
        for heap in &self.heaps {
            for site in &heap.sites {
                let subject = || site.folded.clone();
                if site.fate == Fate::Leak {
                    truth.count("leaks", subject(), site.unfreed);
                    truth.bytes("leaked_bytes", subject(), site.unfreed_bytes);
                }
                truth.count("unfreed", subject(), site.unfreed);
                truth.bytes("unfreed_bytes", subject(), site.unfreed_bytes);
                truth.count("allocations", subject(), site.calls);
                truth.bytes("allocated_bytes", subject(), site.bytes);
                truth.count("temporary", subject(), site.temporary);
            }
            truth.at("peak_bytes", heap.comm, Some(heap.peak.0), "bytes", heap.peak.1);
            let unfreed: i64 = heap.sites.iter().map(|site| site.unfreed).sum();
            truth.count("unfreed", heap.comm, unfreed);
            let kept = if heap.end == i64::MAX { "alive_bytes" } else { "left_bytes" };
            let at = world.process_of(heap.threads[0]).end.unwrap_or(world.span.end);
            truth.at(kept, heap.comm, Some(heap.held), "bytes", at);
            truth.count("reused_addresses", heap.comm, heap.reused);
            truth.count("freed_by_other_thread", heap.comm, heap.freed_elsewhere);
            truth.count("realloc_moved", heap.comm, heap.moved);
            truth.count("realloc_in_place", heap.comm, heap.grown_in_place);
            truth.count("failed", heap.comm, heap.failed);
        }
        for (subject, held, ts) in &self.growth {
            truth.at("held_bytes", subject, Some(*held), "bytes", *ts);
        }
        truth.at("peak_bytes", "all", Some(self.peak.0), "bytes", self.peak.1);
        for heap in self.heaps {
            let mut calls = Sums::default();
            calls.add_all(heap.comm, heap.operations);
            calls.into_facts(truth, "calls", "count");
        }
    }
}
