//! Whether bytes of a ring are records that the library writes.

use crate::layout::{
    self, ALLOCATION_BYTES, DEALLOCATION_BYTES, DEPTH_MAX, KIND_ALLOCATION, KIND_DEALLOCATION,
    KIND_MAPPING, KIND_STACK, MAPPING_BYTES, RECORD_BYTES_MAX, RECORD_HEADER_BYTES,
    SHORT_ADDRESS_BITS, SHORT_ALLOCATION_BYTES, SHORT_DEALLOCATION_BYTES, STACK_BYTES,
    TAG_ALLOCATION, TAG_DEALLOCATION, TAG_OPERATION, TAG_PAD, TAG_RECORD, TAG_TENANT, TENANT_BYTES,
};

/// What is at a position.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Item {
    /// A record of this many bytes; the place of its kind in [`layout::KINDS`].
    Record(usize, usize),
    /// A short allocation, see [`allocation`].
    Allocation,
    /// A short deallocation, see [`deallocation`].
    Deallocation,
    /// Nothing up to the end of the data.
    Pad,
    /// From here on records are of another thread.
    Tenant(u32),
}

impl Item {
    /// The place of its kind in [`layout::KINDS`]; `None` of what is no event.
    pub fn place(self) -> Option<usize> {
        match self {
            Item::Record(_, place) => Some(place),
            Item::Allocation => Some(0),
            Item::Deallocation => Some(1),
            Item::Pad | Item::Tenant(_) => None,
        }
    }
}

/// What `bytes` begin with; `None` if it is nothing that the library writes.
#[inline]
pub(crate) fn first(bytes: &[u8]) -> Option<Item> {
    let tag = *bytes.first()?;
    let is_known = |first: u8| {
        const FIRST: u8 = layout::Operation::Malloc as u8;
        const LAST: u8 = layout::Operation::Delete as u8;
        (first + FIRST..=first + LAST).contains(&tag)
    };
    match tag {
        TAG_PAD => Some(Item::Pad),
        TAG_TENANT => (bytes.len() >= TENANT_BYTES).then_some(Item::Tenant(u32_at(bytes, 8)?)),
        TAG_RECORD => record(bytes),
        _ if is_known(TAG_ALLOCATION) => {
            (bytes.len() >= SHORT_ALLOCATION_BYTES).then_some(Item::Allocation)
        }
        _ if is_known(TAG_DEALLOCATION) => {
            (bytes.len() >= SHORT_DEALLOCATION_BYTES).then_some(Item::Deallocation)
        }
        _ => None,
    }
}

fn record(bytes: &[u8]) -> Option<Item> {
    let (kind, size, fixed) =
        (u16_at(bytes, 16)?, usize::from(u16_at(bytes, 18)?), u16_at(bytes, 20)?);
    if !(RECORD_HEADER_BYTES..=RECORD_BYTES_MAX).contains(&size) || !size.is_multiple_of(8) {
        return None;
    }
    let record = bytes.get(..size)?;
    let fixed = usize::from(fixed);
    let is_sound = match kind {
        KIND_ALLOCATION => fixed == ALLOCATION_BYTES && size == fixed && is_operation(record, 56),
        KIND_DEALLOCATION => {
            fixed == DEALLOCATION_BYTES && size == fixed && is_operation(record, 32)
        }
        KIND_STACK => fixed == STACK_BYTES && is_stack(record),
        KIND_MAPPING => fixed == MAPPING_BYTES && is_mapping(record),
        _ => false,
    };
    let place = layout::KINDS.iter().position(|known| *known == kind)?;
    is_sound.then_some(Item::Record(size, place))
}

/// What records of a ring have in common, or what is the recorder's to say.
#[derive(Clone, Copy)]
pub(crate) struct About {
    pub ts_ns: u64,
    pub pid: u32,
    pub tid: u32,
    /// [`layout::Control::one_in`].
    pub one_in: u32,
}

impl About {
    /// Writes them over the beginning of a record.
    pub fn put(&self, record: &mut [u8]) {
        record[..8].copy_from_slice(&self.ts_ns.to_le_bytes());
        record[8..12].copy_from_slice(&self.tid.to_le_bytes());
        record[12..16].copy_from_slice(&self.pid.to_le_bytes());
    }

    fn words(&self, kind: u16, size: usize, cpu: u64) -> [u64; 3] {
        let ids = u64::from(self.tid) | u64::from(self.pid) << 32;
        let size = size as u64;
        [self.ts_ns, ids, u64::from(kind) | size << 16 | size << 32 | cpu << 48]
    }
}

const ADDRESS: u64 = (1 << SHORT_ADDRESS_BITS) - 1;

/// The record of a short allocation.
#[inline]
pub(crate) fn allocation(short: &[u8], about: About) -> [u8; ALLOCATION_BYTES] {
    let word = |at: usize| u64_at(short, at).unwrap_or(0);
    let (operation, address) = (u64::from(short[0] & TAG_OPERATION), word(8) & ADDRESS);
    // What failed stands for itself: all failures are recorded.
    let one_in = if address == 0 { 1 } else { about.one_in.max(1) };
    let [time, ids, kind] =
        about.words(KIND_ALLOCATION, ALLOCATION_BYTES, word(8) >> SHORT_ADDRESS_BITS);
    bytes([time, ids, kind, address, 0, word(16), word(24), operation | u64::from(one_in) << 32])
}

/// The record of a short deallocation.
#[inline]
pub(crate) fn deallocation(short: &[u8], about: About) -> [u8; DEALLOCATION_BYTES] {
    let word = |at: usize| u64_at(short, at).unwrap_or(0);
    let (operation, address) = (u64::from(short[0] & TAG_OPERATION), word(8) & ADDRESS);
    let [time, ids, kind] =
        about.words(KIND_DEALLOCATION, DEALLOCATION_BYTES, word(8) >> SHORT_ADDRESS_BITS);
    bytes([time, ids, kind, address, operation | u64::from(about.one_in.max(1)) << 32])
}

fn bytes<const WORDS: usize, const BYTES: usize>(words: [u64; WORDS]) -> [u8; BYTES] {
    let mut bytes = [0; BYTES];
    for (into, word) in bytes.chunks_exact_mut(8).zip(words) {
        into.copy_from_slice(&word.to_le_bytes());
    }
    bytes
}

fn is_operation(record: &[u8], offset: usize) -> bool {
    const FIRST: u32 = layout::Operation::Malloc as u32;
    const LAST: u32 = layout::Operation::Delete as u32;
    u32_at(record, offset).is_some_and(|number| (FIRST..=LAST).contains(&number))
        && u32_at(record, offset + 4).is_some_and(|one_in| one_in > 0)
}

fn is_stack(record: &[u8]) -> bool {
    let has_id = u64_at(record, 24).is_some_and(|id| id != 0);
    let is_of_user = u32_at(record, 32) == Some(0);
    let mut tails = Tails(&record[STACK_BYTES..]);
    let frames = tails.next().is_some_and(|(tag, bytes)| {
        tag == layout::TAIL_FRAMES && bytes % 8 == 0 && (1..=DEPTH_MAX).contains(&(bytes / 8))
    });
    has_id && is_of_user && frames && tails.next().is_none() && tails.0.len() < 8
}

fn is_mapping(record: &[u8]) -> bool {
    let (start, end) = (u64_at(record, 24), u64_at(record, 32));
    let mut tails = Tails(&record[MAPPING_BYTES..]);
    let are_known =
        tails.by_ref().all(|(tag, _)| [layout::TAIL_BUILD_ID, layout::TAIL_FILE].contains(&tag));
    start < end && are_known && tails.0.len() < 8
}

/// Tag and length of each variable part; what is left when it ends is padding.
struct Tails<'a>(&'a [u8]);

impl Iterator for Tails<'_> {
    type Item = (u8, usize);

    fn next(&mut self) -> Option<(u8, usize)> {
        let (tag, length) = (*self.0.first()?, usize::from(u16_at(self.0, 2)?));
        let rest = self.0.get(4 + length..).filter(|_| tag != 0)?;
        self.0 = rest;
        Some((tag, length))
    }
}

pub(crate) fn u64_at(bytes: &[u8], offset: usize) -> Option<u64> {
    bytes.get(offset..)?.first_chunk().copied().map(u64::from_le_bytes)
}

fn u32_at(bytes: &[u8], offset: usize) -> Option<u32> {
    bytes.get(offset..)?.first_chunk().copied().map(u32::from_le_bytes)
}

fn u16_at(bytes: &[u8], offset: usize) -> Option<u16> {
    bytes.get(offset..)?.first_chunk().copied().map(u16::from_le_bytes)
}
