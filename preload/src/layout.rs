//! What the library in the traced program and the recorder share: files, memory, numbers.
//!
//! The library includes this file by its path, so it names nothing but `core`. The control file is
//! the recorder's, and read-only to programs. A ring file is the program's: the recorder never maps
//! one, for a program could cut it and the recorder would die of the missing page; it reads with
//! `pread` and gives room back with `pwrite`. Such copies are not atomic, so that a position is kept
//! twice ([`Position`]).

use core::sync::atomic::{AtomicU32, AtomicU64, Ordering};

/// Environment variable with the folder that the control file and the rings lie in.
pub const ENVIRONMENT: &str = "EBREC_ALLOCATIONS";
/// Name of the control file.
pub const CONTROL_NAME: &str = "control";
/// Name of the file with the bytes that rings take, a word.
pub const ROOM_NAME: &str = "room";
/// Name of the library, as in `/proc/PID/maps` of the programs that have loaded it.
pub const LIBRARY_NAME: &str = "libebrec.so";
/// First byte of the name of a ring file.
pub const RING_PREFIX: u8 = b'r';
/// First byte of the name of the file that a process announces itself with.
pub const PROCESS_PREFIX: u8 = b'p';

/// First word of all files.
pub const MAGIC: u64 = u64::from_le_bytes(*b"ebrecall");
/// Raised with every change of this file: library and recorder come from the same build.
pub const VERSION: u32 = 2;

/// Deepest stack that can be asked for.
pub const DEPTH_MAX: usize = 128;
/// Bytes of a ring's header: a page.
pub const HEADER_BYTES: usize = 4096;
/// Least and largest data size of a ring; all are powers of two.
pub const RING_BYTES_MIN: u32 = 16 << 10;
/// See [`RING_BYTES_MIN`].
pub const RING_BYTES_MAX: u32 = 1 << 30;
/// Where rings stop getting shorter for want of room.
pub const RING_BYTES_SHORT: u64 = 64 << 10;
/// Rings one process may have.
pub const RINGS_MAX: usize = 4096;
/// A recorder whose heartbeat is older is taken for dead.
pub const HEARTBEAT_STALE_NS: u64 = 2_000_000_000;

/// Event kinds, as in `schema`.
pub const KIND_ALLOCATION: u16 = 40;
/// See [`KIND_ALLOCATION`].
pub const KIND_DEALLOCATION: u16 = 41;
/// See [`KIND_ALLOCATION`].
pub const KIND_STACK: u16 = 48;
/// See [`KIND_ALLOCATION`].
pub const KIND_MAPPING: u16 = 49;
/// The kinds that are counted, in the order of [`Header::lost`].
pub const KINDS: [u16; 4] = [KIND_ALLOCATION, KIND_DEALLOCATION, KIND_STACK, KIND_MAPPING];

/// What is in a ring begins with a word of which this is the lowest byte; see [`first_word`]. Here:
/// nothing up to the end of the data.
pub const TAG_PAD: u8 = 1;
/// From here on the ring is that of the thread in the second word. [`TENANT_BYTES`].
pub const TAG_TENANT: u8 = 2;
/// A record as in `schema`, but for the first word; process and thread are the ring's.
pub const TAG_RECORD: u8 = 3;
/// Plus the [`Operation`]: an allocation, short, as most are. [`SHORT_ALLOCATION_BYTES`]: address
/// and CPU ([`address_word`]), size, stack.
pub const TAG_ALLOCATION: u8 = 0x40;
/// Plus the [`Operation`]: a deallocation, short. [`SHORT_DEALLOCATION_BYTES`]: address and CPU.
pub const TAG_DEALLOCATION: u8 = 0x80;
/// Bits of the operation in the last two.
pub const TAG_OPERATION: u8 = 0x3f;

/// See [`TAG_TENANT`].
pub const TENANT_BYTES: usize = 16;
/// See [`TAG_ALLOCATION`].
pub const SHORT_ALLOCATION_BYTES: usize = 32;
/// See [`TAG_DEALLOCATION`].
pub const SHORT_DEALLOCATION_BYTES: usize = 16;
/// Addresses below have room for the CPU above them.
pub const SHORT_ADDRESS_BITS: u32 = 48;

/// Bytes of a record's header.
pub const RECORD_HEADER_BYTES: usize = 24;
/// Bytes of the fixed part of each kind.
pub const ALLOCATION_BYTES: usize = 64;
/// See [`ALLOCATION_BYTES`].
pub const DEALLOCATION_BYTES: usize = 40;
/// See [`ALLOCATION_BYTES`].
pub const STACK_BYTES: usize = 40;
/// See [`ALLOCATION_BYTES`].
pub const MAPPING_BYTES: usize = 64;
/// Largest record: a mapping with the longest path.
pub const RECORD_BYTES_MAX: usize = 8 << 10;

/// Variable parts, as in `schema`.
pub const TAIL_FRAMES: u8 = 8;
/// See [`TAIL_FRAMES`].
pub const TAIL_BUILD_ID: u8 = 9;
/// See [`TAIL_FRAMES`].
pub const TAIL_FILE: u8 = 10;

/// Bit of `stack_flags`: the outermost frames are missing.
pub const STACK_TRUNCATED: u32 = 1;
/// Bit of `stack_flags`: some frames were found by frame pointers only.
pub const STACK_FRAME_POINTERS: u32 = 2;

/// [`Control::on_full`]: events are dropped and counted.
pub const ON_FULL_DROP: u32 = 0;
/// [`Control::on_full`]: the thread waits for room.
pub const ON_FULL_WAIT: u32 = 1;

/// [`Control::clock`]: times in rings are nanoseconds of `CLOCK_MONOTONIC`.
pub const CLOCK_NANOSECONDS: u32 = 0;
/// [`Control::clock`]: times in rings are ticks of the processor (x86-64: TSC), which the recorder
/// makes nanoseconds of when it reads them. So there is one conversion for all threads and
/// processes, and none in the programs.
pub const CLOCK_TICKS: u32 = 1;

/// What was called, as in `schema`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum Operation {
    /// malloc(3).
    Malloc = 1,
    /// calloc(3).
    Calloc = 2,
    /// realloc(3).
    Realloc = 3,
    /// reallocarray(3).
    Reallocarray = 4,
    /// posix_memalign(3).
    PosixMemalign = 5,
    /// aligned_alloc(3).
    AlignedAlloc = 6,
    /// memalign(3), valloc(3), pvalloc(3).
    Memalign = 7,
    /// C++ `new` in all its forms.
    New = 8,
    /// free(3) and its sized forms.
    Free = 9,
    /// C++ `delete` in all its forms.
    Delete = 10,
}

/// The control file: written by the recorder, mapped read-only by every process.
#[repr(C)]
pub struct Control {
    /// [`MAGIC`].
    pub magic: u64,
    /// [`VERSION`].
    pub version: u32,
    /// Process of the recorder.
    pub recorder_pid: u32,
    /// Segment: stacks and mappings are announced again in each.
    pub epoch: AtomicU32,
    /// Not 0: nothing is recorded any more.
    pub stop: AtomicU32,
    /// [`ON_FULL_DROP`] or [`ON_FULL_WAIT`].
    pub on_full: u32,
    /// Frames of a stack, 1 to [`DEPTH_MAX`].
    pub depth_max: u32,
    /// Smaller allocations are not recorded.
    pub size_min: u64,
    /// Which addresses are sampled, see [`is_sampled`].
    pub salt: u64,
    /// One address in so many is recorded; 1 is all.
    pub one_in: u32,
    /// Data bytes of a thread's ring, a power of two.
    pub ring_bytes: u32,
    /// [`CLOCK_NANOSECONDS`] or [`CLOCK_TICKS`].
    pub clock: u32,
    /// Fills the line: what is above hardly changes, and all calls of all programs look at it.
    pub reserved: u32,
    /// When the recorder last looked (`CLOCK_MONOTONIC`).
    pub heartbeat_ns: AtomicU64,
    /// Futex on which the recorder waits. A program cannot write here; it wakes only.
    pub bell: AtomicU32,
    /// Futex on which threads wait for room: raised after each drain.
    pub drained: AtomicU32,
    /// Data bytes that all rings may have together.
    pub rings_bytes_max: u64,
}

/// A position that only grows, kept twice so that one copied in the middle of a change is found
/// out.
#[repr(C)]
pub struct Position {
    check: AtomicU64,
    value: AtomicU64,
}

impl Position {
    /// Sets it. The value first, so that a reader of both in the order of their addresses who sees
    /// the new check sees the new value.
    #[inline(always)]
    pub fn set(&self, value: u64) {
        self.value.store(value, Ordering::Release);
        self.check.store(!value, Ordering::Release);
    }

    /// What it is; `None` in the middle of a change.
    #[inline(always)]
    pub fn get(&self) -> Option<u64> {
        let check = self.check.load(Ordering::Acquire);
        Position::checked(check, self.value.load(Ordering::Acquire))
    }

    /// The position in its two words as copied.
    #[inline(always)]
    pub fn checked(check: u64, value: u64) -> Option<u64> {
        (check == !value).then_some(value)
    }

    /// The two words in their order.
    pub fn words(value: u64) -> [u64; 2] {
        [!value, value]
    }
}

/// The first page of a ring file and the whole of a process file.
#[repr(C, align(64))]
pub struct Header {
    /// [`MAGIC`], written last.
    pub magic: AtomicU64,
    /// [`VERSION`].
    pub version: AtomicU32,
    /// Process, as its `/proc` numbers it.
    pub pid: AtomicU32,
    /// Thread, likewise; of a process file 0.
    pub tid: AtomicU32,
    /// Data bytes behind the page; of a process file 0.
    pub data_bytes: AtomicU32,
    /// When it was made (`CLOCK_MONOTONIC`).
    pub created_ns: AtomicU64,
    /// Fills the line.
    pub reserved: [AtomicU64; 4],
    /// End of the written records, in bytes since the beginning.
    pub head: Position,
    /// Odd while its thread is writing.
    pub sequence: AtomicU64,
    /// Events that found no room, in the order of [`KINDS`].
    pub lost: [AtomicU64; 4],
    /// Fills the line.
    pub reserved2: AtomicU64,
    /// End of the read records; written by the recorder. A line of its own.
    pub tail: Position,
}

/// Bytes of [`Header`] that are read: its lines up to `tail`.
pub const HEADER_READ_BYTES: usize = 128;
/// Offset of [`Header::head`].
pub const HEAD_OFFSET: usize = 64;
/// Offset of [`Header::sequence`].
pub const SEQUENCE_OFFSET: usize = 80;
/// Offset of [`Header::lost`].
pub const LOST_OFFSET: usize = 88;
/// Offset of [`Header::tail`].
pub const TAIL_OFFSET: usize = 128;

const _: () = {
    use core::mem::offset_of;
    assert!(offset_of!(Header, pid) == 12 && offset_of!(Header, tid) == 16);
    assert!(offset_of!(Header, data_bytes) == 20 && offset_of!(Header, created_ns) == 24);
    assert!(offset_of!(Header, head) == HEAD_OFFSET && offset_of!(Header, tail) == TAIL_OFFSET);
    assert!(offset_of!(Header, sequence) == SEQUENCE_OFFSET);
    assert!(offset_of!(Header, lost) == LOST_OFFSET);
    assert!(offset_of!(Control, heartbeat_ns) == 64);
    assert!(size_of::<Header>() <= HEADER_BYTES && size_of::<Control>() <= HEADER_BYTES);
};

/// The word that all in a ring begins with: a tag, and the time but for its upper bits, which come
/// back once in years.
#[inline(always)]
pub fn first_word(tag: u8, stamp: u64) -> u64 {
    stamp << 8 | tag as u64
}

/// The time in a first word: the last one up to `latest` that has these bits.
#[inline(always)]
pub fn stamp_of(first_word: u64, latest: u64) -> u64 {
    let before = latest.wrapping_sub(first_word >> 8) & (!0 >> 8);
    latest.wrapping_sub(before)
}

/// An address of [`SHORT_ADDRESS_BITS`] and a CPU of 16 bits.
#[inline(always)]
pub fn address_word(address: u64, cpu: u32) -> u64 {
    (cpu as u64) << SHORT_ADDRESS_BITS | address
}

/// Whether the memory at `address` is sampled. It depends on the address alone, so that an
/// allocation and its end are both recorded or both not.
#[inline(always)]
pub fn is_sampled(address: u64, salt: u64, one_in: u32) -> bool {
    one_in <= 1 || {
        let mixed = mix(address ^ salt);
        ((u128::from(mixed) * u128::from(one_in)) >> 64) == 0
    }
}

/// Spreads the bits of a word over all others.
#[inline(always)]
pub fn mix(word: u64) -> u64 {
    let word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    word ^ (word >> 31)
}
