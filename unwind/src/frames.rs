//! Frame descriptions (FDE) of a `.eh_frame`, and the table of them in `.eh_frame_hdr`.

use gimli::{
    BaseAddresses, EhFrameOffset, EndianSlice, FrameDescriptionEntry, LittleEndian, Register,
    RegisterRule, Section, UnwindContextStorage, UnwindSection, UnwindTableRow,
};

use crate::rule::EhFrame;

/// The description of one function.
pub(crate) type Fde<'a> = FrameDescriptionEntry<EndianSlice<'a, LittleEndian>>;

/// Fixed storage for the evaluation of one function: 24 registers (x86_64 has 17, and ten more
/// that Windows functions save), and states remembered three deep.
pub(crate) struct Storage;

impl UnwindContextStorage<usize> for Storage {
    type Rules = [(Register, RegisterRule<usize>); 24];
    type Stack = [UnwindTableRow<usize, Self>; 4];
}

/// 3.3 KiB, on the stack of who looks up a rule.
pub(crate) type Context = gimli::UnwindContext<usize, Storage>;

const _: () = assert!(size_of::<Context>() < 3400);

/// Common parts (CIE) have some 20 bytes. Each function evaluates its own again, so that long
/// ones would take quadratic time.
const CIE_BYTES_MAX: u64 = 256;

/// `.eh_frame` of an x86_64 module.
pub(crate) fn eh_frame(bytes: &[u8]) -> EhFrame<'_> {
    let mut eh_frame = EhFrame::new(bytes, LittleEndian);
    eh_frame.set_address_size(8);
    eh_frame
}

/// The description at `offset` in `.eh_frame`.
pub(crate) fn fde<'a>(
    eh_frame: &EhFrame<'a>,
    bases: &BaseAddresses,
    offset: usize,
) -> gimli::Result<Fde<'a>> {
    eh_frame.fde_from_offset(bases, EhFrameOffset(offset), |eh_frame, bases, cie| {
        let length = u32_at(eh_frame.reader().slice(), cie.0);
        if length.is_some_and(|length| u64::from(length) > CIE_BYTES_MAX) {
            return Err(gimli::Error::UnsupportedOffset);
        }
        eh_frame.cie_from_offset(bases, cie)
    })
}

/// `.eh_frame_hdr`: where `.eh_frame` is, and its functions by address.
///
/// Encodings are free in theory; every linker writes the one that is read here.
pub(crate) struct Header<'a> {
    address: u64,
    eh_frame_address: u64,
    /// Pairs of function and description, relative to the header, ordered by function.
    entries: &'a [[u8; 8]],
}

impl<'a> Header<'a> {
    const PC_RELATIVE_I32: u8 = 0x1b;
    const U32: u8 = 0x03;
    const HEADER_RELATIVE_I32: u8 = 0x3b;

    pub(crate) fn parse(bytes: &'a [u8], address: u64) -> Option<Self> {
        let [1, Self::PC_RELATIVE_I32, count_encoding, entry_encoding] = *bytes.first_chunk()?
        else {
            return None;
        };
        let eh_frame_address =
            relative(address.wrapping_add(4), i32::from_le_bytes(*bytes.get(4..)?.first_chunk()?));
        let mut entries: &[[u8; 8]] = &[];
        // Linkers leave the table out when they did not understand an input file.
        if (count_encoding, entry_encoding) == (Self::U32, Self::HEADER_RELATIVE_I32) {
            let count = u32_at(bytes, 8)? as usize;
            entries = bytes.get(12..)?.as_chunks().0;
            entries = &entries[..count.min(entries.len())];
        }
        Some(Header { address, eh_frame_address, entries })
    }

    pub(crate) fn eh_frame_address(&self) -> u64 {
        self.eh_frame_address
    }

    /// Offset in `.eh_frame` of the last description that begins at or before `pc`.
    pub(crate) fn find(&self, pc: u64) -> Option<usize> {
        let target = pc.wrapping_sub(self.address).cast_signed();
        let after = self.entries.partition_point(|entry| i64::from(first(entry)) <= target);
        self.fde_offset(&self.entries[after.checked_sub(1)?])
    }

    /// Offsets in `.eh_frame` of all descriptions.
    #[cfg(feature = "std")]
    pub(crate) fn fde_offsets(&self) -> impl Iterator<Item = usize> {
        self.entries.iter().filter_map(|entry| self.fde_offset(entry))
    }

    fn fde_offset(&self, entry: &[u8; 8]) -> Option<usize> {
        let [.., a, b, c, d] = *entry;
        let address = relative(self.address, i32::from_le_bytes([a, b, c, d]));
        usize::try_from(address.checked_sub(self.eh_frame_address)?).ok()
    }
}

fn first(entry: &[u8; 8]) -> i32 {
    let [a, b, c, d, ..] = *entry;
    i32::from_le_bytes([a, b, c, d])
}

fn relative(base: u64, offset: i32) -> u64 {
    base.wrapping_add_signed(offset.into())
}

/// The little-endian word at `offset`.
pub(crate) fn u32_at(bytes: &[u8], offset: usize) -> Option<u32> {
    bytes.get(offset..)?.first_chunk().copied().map(u32::from_le_bytes)
}
