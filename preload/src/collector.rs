//! Finds the rings of programs and drains them.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::env;
use std::ffi::{OsStr, OsString};
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use crate::clock::Clock;
use crate::control::{self, ControlFile, OnFull, Settings};
use crate::error::Result;
use crate::folder::Folder;
use crate::layout;
use crate::liveness::{self, State};
use crate::ring::{Opened, Ring};
use crate::room::Room;

/// Work of one call of [`Collector::drain`], about.
const BUDGET_BYTES: usize = 32 << 20;
/// Descriptors that are kept open.
const OPEN_MAX: usize = 256;
/// Files that are looked at; a program that makes more hides its own.
const FILES_MAX: usize = 1 << 16;
/// How long threads are waited for that are writing.
const QUIET_WITHIN: Duration = Duration::from_millis(50);
/// How often processes are looked at.
const LIVENESS_EVERY: Duration = Duration::from_millis(100);
/// The folder's time of change is not exact.
const SCAN_AGAIN_NS: i128 = 100_000_000;

/// What became of the events of a kind: they were stored, or they are among `lost`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KindTotals {
    /// Number of the kind.
    pub kind: u16,
    /// Events that programs had for the recorder: those passed to a sink, and those lost.
    pub emitted: u64,
    /// Events that found no room.
    pub lost: u64,
}

/// Collects the allocations of the programs that are run with its environment.
pub struct Collector {
    // Before the folder: threads that wait for room must be let go first.
    control: ControlFile,
    folder: Folder,
    room: Room,
    /// Bytes of removed rings that the room does not know of yet.
    released: u64,
    waits: bool,
    rings: Vec<Ring>,
    /// Names in the folder that need no second look.
    known: HashSet<OsString>,
    /// When the folder had changed at the last look, in nanoseconds.
    scanned_ns: Option<i128>,
    /// Where the next call goes on.
    next: usize,
    looked_alive: Instant,
    attached: BTreeSet<u32>,
    stored: [u64; 4],
    /// Lost events of rings that are gone.
    lost: [u64; 4],
    clock: Clock,
    buffer: Vec<u8>,
}

impl Collector {
    /// Makes the folder, with the library in it, and removes those of dead recorders.
    pub fn create(settings: &Settings) -> Result<Collector> {
        let folder = Folder::create()?;
        let clock = Clock::new();
        let path = folder.path().join(layout::CONTROL_NAME);
        let control = ControlFile::create(&path, settings, clock.unit())?;
        let room = Room::create(&folder.path().join(layout::ROOM_NAME))?;
        folder.open()?;
        let known = [layout::CONTROL_NAME, layout::LIBRARY_NAME, layout::ROOM_NAME]
            .map(OsString::from)
            .into();
        Ok(Collector {
            control,
            folder,
            room,
            released: 0,
            waits: settings.on_full == OnFull::Wait,
            rings: Vec::new(),
            known,
            scanned_ns: None,
            next: 0,
            looked_alive: Instant::now(),
            attached: BTreeSet::new(),
            stored: [0; 4],
            lost: [0; 4],
            clock,
            buffer: Vec::new(),
        })
    }

    /// What to set in the environment of a program, and thereby of those that it starts.
    pub fn environment(&self) -> Vec<(OsString, OsString)> {
        const PRELOAD: &str = "LD_PRELOAD";
        let mut preload = self.folder.library().as_os_str().to_owned();
        if let Some(others) = env::var_os(PRELOAD).filter(|others| !others.is_empty()) {
            preload.push(":");
            preload.push(others);
        }
        vec![
            (PRELOAD.into(), preload),
            (layout::ENVIRONMENT.into(), self.folder.path().as_os_str().to_owned()),
        ]
    }

    /// Begins a segment, in which stacks and mappings are announced anew. Afterwards, or after
    /// 50 ms at the latest, no thread writes a record of the segment before.
    pub fn set_epoch(&self, segment: u32) {
        self.control.control().epoch.store(segment, Ordering::SeqCst);
        self.await_quiet();
    }

    /// Passes records to `sink`, one at a time, for as long as about 32 MiB; returns their bytes.
    /// Call it until it returns 0 to get everything that was there.
    pub fn drain(&mut self, sink: &mut dyn FnMut(&[u8])) -> usize {
        self.control.beat();
        if self.looked_alive.elapsed() >= LIVENESS_EVERY {
            self.looked_alive = Instant::now();
            self.find_ended();
            self.room.check(self.rings.iter().map(Ring::data_bytes).sum());
        }
        self.scan();
        self.clock.look();
        let mut passed = 0;
        let count = self.rings.len();
        let mut finished = Vec::new();
        for step in 0..count {
            let at = (self.next + step) % count;
            let ring = &mut self.rings[at];
            let budget = BUDGET_BYTES - passed;
            let (bytes, is_empty) =
                ring.drain(budget, &mut self.clock, &mut self.buffer, &mut self.stored, sink);
            passed += bytes;
            if ring.is_over && is_empty {
                finished.push(at);
            }
            if passed >= BUDGET_BYTES {
                self.next = (at + 1) % count;
                break;
            }
        }
        finished.sort_unstable();
        for at in finished.into_iter().rev() {
            self.forget(at);
        }
        if self.released > 0 && self.room.release(self.released) {
            self.released = 0;
        }
        if self.waits {
            self.control.wake_waiting();
        }
        passed
    }

    /// Sleeps until a ring fills up, but not longer than `timeout`.
    pub fn wait(&self, timeout: Duration) {
        self.control.beat();
        self.control.wait(timeout);
        self.control.beat();
    }

    /// What became of all events so far, by kind.
    pub fn counters(&self) -> Vec<KindTotals> {
        let mut lost = self.lost;
        for ring in &self.rings {
            let now = ring.header().map_or(ring.lost, |header| header.lost);
            add(&mut lost, &now);
        }
        let kinds = layout::KINDS.iter().zip(self.stored.iter().zip(&lost));
        kinds
            .map(|(kind, (stored, lost))| KindTotals {
                kind: *kind,
                emitted: stored.saturating_add(*lost),
                lost: *lost,
            })
            .collect()
    }

    /// Ends recording: what the programs do from now on is not recorded. What they did before can
    /// still be drained.
    pub fn stop(&mut self) {
        self.control.control().stop.store(1, Ordering::SeqCst);
        self.control.wake_waiting();
        self.await_quiet();
    }

    /// The processes that have loaded the library, by number, as of the last call of
    /// [`Collector::drain`]. A forked child is among them once it allocates.
    pub fn processes(&self) -> Vec<u32> {
        self.attached.iter().copied().collect()
    }

    /// Waits until no thread is inside a record that it began before the last change of the control
    /// memory.
    fn await_quiet(&self) {
        let deadline = Instant::now() + QUIET_WITHIN;
        ControlFile::barrier();
        let mut rings: Vec<Ring> = Vec::new();
        for entry in fs::read_dir(self.folder.path()).into_iter().flatten().flatten() {
            let is_new = is_ring(&entry.file_name()) && !self.known.contains(&entry.file_name());
            if is_new && let Opened::Ring(ring) = Ring::open(entry.path(), self.one_in()) {
                rings.push(ring);
            }
        }
        let writing = |ring: &Ring| ring.header().map(|header| header.sequence).filter(is_odd);
        let rings = rings.iter().chain(&self.rings).filter(|ring| !ring.is_over);
        let mut busy: Vec<_> = rings.filter_map(|ring| Some((ring, writing(ring)?))).collect();
        while !busy.is_empty() && Instant::now() < deadline {
            std::thread::sleep(Duration::from_micros(200));
            busy.retain(|(ring, before)| {
                writing(ring) == Some(*before)
                    && liveness::state(ring.pid, ring.created_ns) == State::Alive
            });
        }
    }

    /// Finds new files.
    fn scan(&mut self) {
        let Ok(about) = fs::metadata(self.folder.path()) else { return };
        let changed_ns = i128::from(about.mtime()) * 1_000_000_000 + i128::from(about.mtime_nsec());
        let now_ns = i128::from(control::clock_ns(libc::CLOCK_REALTIME));
        if self.scanned_ns == Some(changed_ns) && now_ns - changed_ns > SCAN_AGAIN_NS {
            return;
        }
        let mut is_whole = true;
        for entry in fs::read_dir(self.folder.path()).into_iter().flatten().flatten() {
            let name = entry.file_name();
            if self.known.contains(&name) || self.known.len() >= FILES_MAX {
                continue;
            }
            match Ring::open(entry.path(), self.one_in()) {
                Opened::Ring(ring) => self.enter(ring),
                Opened::Later => {
                    is_whole = false;
                    continue;
                }
                Opened::Foreign => {}
            }
            self.known.insert(name);
        }
        self.scanned_ns = is_whole.then_some(changed_ns);
    }

    fn one_in(&self) -> u32 {
        self.control.control().one_in
    }

    fn enter(&mut self, mut ring: Ring) {
        if self.rings.len() >= OPEN_MAX {
            ring.close();
        }
        if ring.is_process() {
            self.attached.insert(ring.pid);
        }
        self.rings.push(ring);
        self.find_replaced();
    }

    /// A process that runs another program now has announced itself again.
    fn find_replaced(&mut self) {
        let mut latest: BTreeMap<u32, u64> = BTreeMap::new();
        for ring in self.rings.iter().filter(|ring| ring.is_process()) {
            let created_ns = latest.entry(ring.pid).or_default();
            *created_ns = ring.created_ns.max(*created_ns);
        }
        for ring in &mut self.rings {
            ring.is_over |= latest.get(&ring.pid).is_some_and(|latest| ring.created_ns < *latest);
        }
    }

    fn find_ended(&mut self) {
        let mut states: BTreeMap<u32, State> = BTreeMap::new();
        for ring in self.rings.iter_mut().filter(|ring| !ring.is_over) {
            let state = states
                .entry(ring.pid)
                .or_insert_with(|| liveness::state(ring.pid, ring.created_ns));
            ring.is_over = *state == State::Gone;
        }
    }

    /// Removes a ring that has been read to its end.
    fn forget(&mut self, at: usize) {
        let ring = self.rings.swap_remove(at);
        let lost = ring.header().map_or(ring.lost, |header| header.lost);
        add(&mut self.lost, &lost);
        self.released += ring.data_bytes();
        let _ = fs::remove_file(ring.path());
        if let Some(name) = ring.path().file_name() {
            self.known.remove(name);
        }
    }
}

fn is_ring(name: &OsStr) -> bool {
    name.as_bytes().first() == Some(&layout::RING_PREFIX)
}

fn is_odd(sequence: &u64) -> bool {
    sequence % 2 == 1
}

fn add(sum: &mut [u64; 4], more: &[u64; 4]) {
    for (sum, more) in sum.iter_mut().zip(more) {
        *sum = sum.saturating_add(*more);
    }
}
