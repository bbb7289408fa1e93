//! Whether bytes of a ring are records that the library writes.

use crate::layout::{
    self, ALLOCATION_BYTES, DEALLOCATION_BYTES, DEPTH_MAX, KIND_ALLOCATION, KIND_DEALLOCATION,
    KIND_INTERNAL, KIND_MAPPING, KIND_STACK, MAPPING_BYTES, RECORD_BYTES_MAX, RECORD_HEADER_BYTES,
    STACK_BYTES,
};

/// What is at a position.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Item {
    /// A record of this many bytes; the place of its kind in [`layout::KINDS`].
    Record(usize, usize),
    /// Nothing up to here.
    Gap(usize),
    /// From here on records are of another thread.
    Tenant(usize, u32),
}

/// What `bytes` begin with; `None` if it is nothing that the library writes. `latest` limits times.
pub(crate) fn first(bytes: &[u8], latest: u64) -> Option<Item> {
    let (stamp, tid) = (u64_at(bytes, 0)?, u32_at(bytes, 8)?);
    let (kind, size, fixed) =
        (u16_at(bytes, 16)?, usize::from(u16_at(bytes, 18)?), u16_at(bytes, 20)?);
    if !(RECORD_HEADER_BYTES..=RECORD_BYTES_MAX).contains(&size) || !size.is_multiple_of(8) {
        return None;
    }
    let record = bytes.get(..size)?;
    if kind == KIND_INTERNAL {
        return match fixed {
            layout::INTERNAL_PAD => Some(Item::Gap(size)),
            layout::INTERNAL_TENANT => Some(Item::Tenant(size, tid)),
            _ => None,
        };
    }
    let fixed = usize::from(fixed);
    let is_sound = stamp <= latest
        && match kind {
            KIND_ALLOCATION => {
                fixed == ALLOCATION_BYTES && size == fixed && is_operation(record, 56)
            }
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

fn u64_at(bytes: &[u8], offset: usize) -> Option<u64> {
    bytes.get(offset..)?.first_chunk().copied().map(u64::from_le_bytes)
}

fn u32_at(bytes: &[u8], offset: usize) -> Option<u32> {
    bytes.get(offset..)?.first_chunk().copied().map(u32::from_le_bytes)
}

fn u16_at(bytes: &[u8], offset: usize) -> Option<u16> {
    bytes.get(offset..)?.first_chunk().copied().map(u16::from_le_bytes)
}
