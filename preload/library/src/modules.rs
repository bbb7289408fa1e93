//! The code that is mapped in the process: found in `/proc` when an address is met that lies in
//! none known, with the unwinding rules it brings, and announced to the recorder when a stack
//! leads through it.
//!
//! Readers take no lock: an entry is copied, and the copy is good if the entry's version did not
//! change meanwhile. Writers take turns, and give up waiting soon.

use core::sync::atomic::{AtomicU32, AtomicU64, Ordering, fence};

use unwind::{BaseAddresses, Rule};

use crate::elf::{PT_GNU_EH_FRAME, PT_LOAD, PT_NOTE, Segment};
use crate::layout::{KIND_MAPPING, MAPPING_BYTES, TAIL_BUILD_ID, TAIL_FILE};
use crate::maps::{self, Mapping};
use crate::record::Writer;
use crate::rules::{self, Lookup};
use crate::{clock, next, process, sys};

const ENTRIES: usize = 2048;
const WORDS: usize = 10;

/// An executable mapping. All of it in words, copied one by one.
struct Entry {
    /// Odd while it is being written.
    version: AtomicU32,
    /// The last reading of `/proc` that found it; writers only.
    pass: AtomicU32,
    /// The incarnation and segment it was announced in.
    announced: AtomicU64,
    words: [AtomicU64; WORDS],
}

/// A copy of an entry.
#[derive(Clone, Copy, PartialEq, Eq)]
#[repr(C)]
struct Code {
    start: u64,
    end: u64,
    offset: u64,
    inode: u64,
    device: u64,
    /// Where the ELF header is; 0 when it is not mapped.
    base: u64,
    /// `.eh_frame_hdr` and its end; 0 when there is none.
    header: u64,
    header_end: u64,
    frames: u64,
    frames_end: u64,
}

const _: () = assert!(size_of::<Code>() == WORDS * 8);

static TABLE: [Entry; ENTRIES] = [const {
    Entry {
        version: AtomicU32::new(0),
        pass: AtomicU32::new(0),
        announced: AtomicU64::new(0),
        words: [const { AtomicU64::new(0) }; WORDS],
    }
}; ENTRIES];
static USED: AtomicU32 = AtomicU32::new(0);
static PASSES: AtomicU32 = AtomicU32::new(0);
static GENERATION: AtomicU32 = AtomicU32::new(0);
static LOCKED: AtomicU32 = AtomicU32::new(0);
/// Until when `/proc` is read no more: see [`may_read`].
static BUSY_UNTIL_NS: AtomicU64 = AtomicU64::new(0);

/// How often a thread lets others run before it does without.
const TURNS_MAX: u32 = 200;

impl Entry {
    fn copy(&self) -> Option<Code> {
        let version = self.version.load(Ordering::Acquire);
        let mut words = [0; WORDS];
        for (copy, word) in words.iter_mut().zip(&self.words) {
            *copy = word.load(Ordering::Relaxed);
        }
        fence(Ordering::Acquire);
        let is_good = version & 1 == 0 && self.version.load(Ordering::Relaxed) == version;
        // SAFETY: plain words of the same size.
        is_good.then(|| unsafe { core::mem::transmute::<[u64; WORDS], Code>(words) })
    }

    fn set(&self, code: Code) {
        let version = self.version.load(Ordering::Relaxed) | 1;
        self.version.store(version, Ordering::Relaxed);
        fence(Ordering::Release);
        // SAFETY: plain words of the same size.
        let words = unsafe { core::mem::transmute::<Code, [u64; WORDS]>(code) };
        for (word, value) in self.words.iter().zip(words) {
            word.store(value, Ordering::Relaxed);
        }
        self.announced.store(0, Ordering::Relaxed);
        self.version.store(version.wrapping_add(1), Ordering::Release);
    }
}

const NOTHING: Code = Code {
    start: 0,
    end: 0,
    offset: 0,
    inode: 0,
    device: 0,
    base: 0,
    header: 0,
    header_end: 0,
    frames: 0,
    frames_end: 0,
};

/// How often modules have been unloaded.
#[inline(always)]
pub fn generation() -> u32 {
    GENERATION.load(Ordering::Relaxed)
}

/// Something may have been unloaded, and something else loaded in its place.
pub fn forget_unloaded() {
    // Nothing is known until `/proc` is read next.
    for entry in &TABLE[..used()] {
        if entry.words[1].load(Ordering::Relaxed) != 0 {
            lock_and(|| entry.set(NOTHING));
        }
    }
    GENERATION.fetch_add(1, Ordering::Relaxed);
    rules::forget();
    BUSY_UNTIL_NS.store(0, Ordering::Relaxed);
    next::forget_unloadable();
}

/// In a forked child: a thread of the parent may have been in the middle of a change.
pub fn forget_parent() {
    for entry in &TABLE[..used()] {
        entry.set(NOTHING);
    }
    LOCKED.store(0, Ordering::Relaxed);
    BUSY_UNTIL_NS.store(0, Ordering::Relaxed);
}

fn used() -> usize {
    (USED.load(Ordering::Acquire) as usize).min(ENTRIES)
}

/// Runs `change` alone, unless that takes too long to get to.
fn lock_and(change: impl FnOnce()) -> bool {
    for _ in 0..TURNS_MAX {
        if LOCKED.compare_exchange(0, 1, Ordering::Acquire, Ordering::Relaxed).is_ok() {
            change();
            LOCKED.store(0, Ordering::Release);
            return true;
        }
        sys::yield_now();
    }
    false
}

fn lookup(pc: u64) -> Option<(&'static Entry, Code)> {
    TABLE[..used()].iter().find_map(|entry| {
        if pc < entry.words[0].load(Ordering::Relaxed)
            || pc >= entry.words[1].load(Ordering::Relaxed)
        {
            return None;
        }
        let code = entry.copy()?;
        (code.start <= pc && pc < code.end).then_some((entry, code))
    })
}

/// What is known of an address.
pub enum Found {
    /// It is code; [`Rule::NONE`] when nothing says how to leave it.
    Rule(Rule),
    /// It is not.
    NotCode,
    /// It cannot be found out right now.
    Unknown,
}

/// The rule at `pc`, as its module has it.
pub fn rule_at(pc: u64, lookup_by: &Lookup) -> Found {
    if let Some((_, code)) = lookup(pc) {
        return Found::Rule(code.rule_at(pc));
    }
    let since_ns = clock::now_ns();
    if !may_read(since_ns) {
        return Found::Unknown;
    }
    let mut is_read = false;
    lock_and(|| {
        // Another thread may have been faster.
        // SAFETY: the calling thread's buffer, which nothing else uses during a walk.
        is_read = lookup(pc).is_some() || read(unsafe { &mut *lookup_by.buffer });
    });
    spend(since_ns);
    match lookup(pc) {
        Some((_, code)) => Found::Rule(code.rule_at(pc)),
        None if is_read => Found::NotCode,
        None => Found::Unknown,
    }
}

/// Garbage on stacks looks like code that is not known yet. Reading `/proc` for it may take a
/// twentieth of the time, and 50 ms of that at once.
fn may_read(now_ns: u64) -> bool {
    BUSY_UNTIL_NS.load(Ordering::Relaxed) < now_ns + 1_000_000_000
}

fn spend(since_ns: u64) {
    let now_ns = clock::now_ns();
    let until_ns = BUSY_UNTIL_NS.load(Ordering::Relaxed).max(now_ns);
    BUSY_UNTIL_NS.store(until_ns + 20 * (now_ns - since_ns.min(now_ns)), Ordering::Relaxed);
}

/// Brings the table up to date. Only one thread at a time.
fn read(buffer: &mut [u8; maps::BUFFER_BYTES]) -> bool {
    let pass = PASSES.fetch_add(1, Ordering::Relaxed).wrapping_add(1);
    // The beginning of the file that the mappings after it are of.
    let mut image = (0, 0, 0);
    let is_whole = maps::for_each(buffer, &mut |mapping| {
        let device = u64::from(mapping.device);
        if mapping.offset == 0
            && mapping.readable
            && (mapping.inode != 0 || mapping.name == b"[vdso]")
        {
            image = (mapping.inode, device, mapping.start);
        }
        if mapping.executable && mapping.name != b"[vsyscall]" {
            let base = if image.0 == mapping.inode && image.1 == device && !mapping.name.is_empty()
            {
                image.2
            } else {
                0
            };
            enter(mapping, base, pass);
        }
        true
    });
    if is_whole {
        for entry in &TABLE[..used()] {
            if entry.pass.load(Ordering::Relaxed) != pass {
                entry.set(NOTHING);
            }
        }
    }
    is_whole
}

fn enter(mapping: &Mapping, base: u64, pass: u32) {
    let is_same = |code: &Code| {
        (code.start, code.end, code.offset) == (mapping.start, mapping.end, mapping.offset)
            && (code.inode, code.base) == (mapping.inode, base)
    };
    let used = used();
    let known = TABLE[..used].iter().find(|entry| entry.copy().is_some_and(|code| is_same(&code)));
    if let Some(entry) = known {
        entry.pass.store(pass, Ordering::Relaxed);
        return;
    }
    let free = TABLE[..used].iter().find(|entry| entry.words[1].load(Ordering::Relaxed) == 0);
    let Some(entry) = free.or_else(|| TABLE.get(used)) else { return };
    let mut code = Code {
        start: mapping.start,
        end: mapping.end,
        offset: mapping.offset,
        inode: mapping.inode,
        device: mapping.device.into(),
        base,
        ..NOTHING
    };
    if base != 0 {
        code.find_frames();
    }
    entry.set(code);
    entry.pass.store(pass, Ordering::Relaxed);
    if free.is_none() {
        USED.store(used as u32 + 1, Ordering::Release);
    }
}

const SEGMENTS_MAX: usize = 24;

/// The program headers of the ELF image at `base`, and what to add to their addresses.
fn segments(base: u64, into: &mut [Segment; SEGMENTS_MAX]) -> Option<(&[Segment], u64)> {
    let mut header = [0u8; 64];
    let is_elf =
        sys::read_memory_exact(base, &mut header) && header.starts_with(b"\x7fELF\x02\x01");
    if !is_elf || header[54] as usize != size_of::<Segment>() {
        return None;
    }
    let at = u64::from_le_bytes(header[32..40].try_into().ok()?);
    let count = usize::from(u16::from_le_bytes([header[56], header[57]])).min(SEGMENTS_MAX);
    // SAFETY: plain words; the kernel checks what it reads.
    let bytes = unsafe {
        core::slice::from_raw_parts_mut(
            into.as_mut_ptr().cast::<u8>(),
            count * size_of::<Segment>(),
        )
    };
    if !sys::read_memory_exact(base.wrapping_add(at), bytes) {
        return None;
    }
    let segments = &into[..count];
    let first = segments.iter().find(|segment| segment.kind == PT_LOAD)?;
    let bias = base.wrapping_sub(first.address.wrapping_sub(first.offset));
    Some((segments, bias))
}

impl Code {
    /// Finds `.eh_frame_hdr` and `.eh_frame` in memory.
    fn find_frames(&mut self) {
        let mut storage = [Segment::default(); SEGMENTS_MAX];
        let Some((segments, bias)) = segments(self.base, &mut storage) else { return };
        let find = |kind| segments.iter().find(move |segment| segment.kind == kind);
        let Some(header) = find(PT_GNU_EH_FRAME) else { return };
        let (start, bytes) = (bias.wrapping_add(header.address), header.memory_bytes);
        let mut first = [0u8; 12];
        if bytes < 12 || !sys::read_memory_exact(start, &mut first) {
            return;
        }
        let Some(frames) = unwind::eh_frame_address(&first, start) else { return };
        let end_of = |address: u64| {
            segments.iter().find_map(|segment| {
                let load = bias.wrapping_add(segment.address);
                let is_in =
                    segment.kind == PT_LOAD && address.wrapping_sub(load) < segment.file_bytes;
                is_in.then(|| load.wrapping_add(segment.file_bytes))
            })
        };
        let (Some(frames_end), Some(header_end)) = (end_of(frames), end_of(start)) else { return };
        // An image that was not mapped as its headers say has no rules to read.
        let is_there = |address: u64| sys::read_memory_exact(address, &mut [0]);
        let header_end = header_end.min(start.wrapping_add(bytes));
        if [header_end - 1, frames, frames_end - 1].into_iter().all(is_there) {
            (self.header, self.header_end) = (start, header_end);
            (self.frames, self.frames_end) = (frames, frames_end);
        }
    }

    #[cfg(target_arch = "x86_64")]
    fn rule_at(&self, pc: u64) -> Rule {
        if self.header == 0 {
            return Rule::NONE;
        }
        // SAFETY: both were found mapped, and stay so while a thread is about to return into the
        // module that they are of.
        let (header, frames) = unsafe {
            let slice = |start: u64, end: u64| {
                core::slice::from_raw_parts(start as *const u8, (end - start) as usize)
            };
            (slice(self.header, self.header_end), slice(self.frames, self.frames_end))
        };
        unwind::rule_at(header, self.header, frames, self.frames, &BaseAddresses::default(), pc)
            .unwrap_or(Rule::NONE)
    }

    /// Frame pointers are part of the ABI.
    #[cfg(target_arch = "aarch64")]
    fn rule_at(&self, _: u64) -> Rule {
        let _ = BaseAddresses::default();
        Rule::NONE
    }
}

const BUILD_ID_BYTES_MAX: usize = 64;

/// The build-id of the ELF image at `base`.
fn build_id(base: u64, into: &mut [u8; BUILD_ID_BYTES_MAX]) -> &[u8] {
    let mut storage = [Segment::default(); SEGMENTS_MAX];
    let Some((segments, bias)) = segments(base, &mut storage) else { return &[] };
    let mut notes = [0u8; 1024];
    for segment in segments.iter().filter(|segment| segment.kind == PT_NOTE) {
        let length = (segment.memory_bytes as usize).min(notes.len());
        if !sys::read_memory_exact(bias.wrapping_add(segment.address), &mut notes[..length]) {
            continue;
        }
        if let Some(id) = unwind::build_id_of_notes(&notes[..length]) {
            let length = id.len().min(into.len());
            into[..length].copy_from_slice(&id[..length]);
            return &into[..length];
        }
    }
    &[]
}

/// Announces the mappings that `frames` lie in and that have not been in this segment. Whether
/// all of them are announced now.
///
/// # Safety
/// `buffer` is the calling thread's, and not in use.
#[inline]
pub unsafe fn announce(
    writer: &mut Writer,
    frames: &[u64],
    buffer: *mut [u8; maps::BUFFER_BYTES],
) -> bool {
    if are_announced(frames, writer.epoch) {
        return true;
    }
    // SAFETY: by contract.
    announce_slowly(writer, frames, unsafe { &mut *buffer });
    are_announced(frames, writer.epoch)
}

fn stamp(epoch: u32) -> u64 {
    u64::from(process::incarnation()) << 32 | u64::from(epoch)
}

/// Frames are return addresses; the call is before.
fn are_announced(frames: &[u64], epoch: u32) -> bool {
    frames.iter().all(|frame| {
        lookup(frame - 1)
            .is_none_or(|(entry, _)| entry.announced.load(Ordering::Acquire) == stamp(epoch))
    })
}

#[cold]
#[inline(never)]
fn announce_slowly(writer: &mut Writer, frames: &[u64], buffer: &mut [u8; maps::BUFFER_BYTES]) {
    maps::for_each(buffer, &mut |mapping| {
        let is_met = frames.iter().any(|frame| (mapping.start..mapping.end).contains(&(frame - 1)));
        if !mapping.executable || !is_met {
            return true;
        }
        let Some((entry, code)) = lookup(mapping.start) else { return true };
        if (code.end, code.inode) != (mapping.end, mapping.inode) {
            return true;
        }
        // Waiting for room may have led into another segment.
        let epoch = writer.epoch;
        if entry.announced.load(Ordering::Acquire) != stamp(epoch) {
            let mut id = [0; BUILD_ID_BYTES_MAX];
            let id = if code.base == 0 { &[] } else { build_id(code.base, &mut id) };
            if !write(writer, mapping, id) {
                return false;
            }
            if writer.epoch == epoch {
                entry.announced.store(stamp(epoch), Ordering::Release);
            }
        }
        true
    });
}

fn write(writer: &mut Writer, mapping: &Mapping, build_id: &[u8]) -> bool {
    let name = mapping.name.strip_suffix(b" (deleted)").unwrap_or(mapping.name);
    let names = || name.rsplit(|byte| *byte == b'/').filter(|part| !part.is_empty());
    let name_bytes: usize = names().map(|part| part.len() + 1).sum();
    let tail = |bytes: usize| if bytes == 0 { 0 } else { 4 + bytes };
    let size = (MAPPING_BYTES + tail(build_id.len()) + tail(name_bytes)).next_multiple_of(8);
    let Some(at) = writer.reserve(size) else { return false };
    // SAFETY: the room was reserved, and is filled up to its size.
    unsafe {
        writer.header(at, KIND_MAPPING, size, MAPPING_BYTES);
        let fields =
            [mapping.start, mapping.end, mapping.offset, mapping.inode, u64::from(mapping.device)];
        at.add(24).cast::<[u64; 5]>().write(fields);
        let end = at.add(size);
        let mut at = at.add(MAPPING_BYTES);
        let push = |at: &mut *mut u8, bytes: &[u8]| {
            core::ptr::copy_nonoverlapping(bytes.as_ptr(), *at, bytes.len());
            *at = at.add(bytes.len());
        };
        let begin = |at: &mut *mut u8, tag: u8, bytes: usize| {
            let [low, high] = (bytes as u16).to_le_bytes();
            push(at, &[tag, 0, low, high]);
        };
        if !build_id.is_empty() {
            begin(&mut at, TAIL_BUILD_ID, build_id.len());
            push(&mut at, build_id);
        }
        if name_bytes != 0 {
            begin(&mut at, TAIL_FILE, name_bytes);
            for part in names() {
                push(&mut at, part);
                push(&mut at, &[0]);
            }
        }
        while at < end {
            push(&mut at, &[0]);
        }
    }
    writer.commit();
    true
}
