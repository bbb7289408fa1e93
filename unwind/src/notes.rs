//! The build id among ELF notes.

use crate::frames::u32_at;

const NT_GNU_BUILD_ID: u32 = 3;

/// The build id in the bytes of a `PT_NOTE` segment or a note section.
pub fn build_id_of_notes(mut notes: &[u8]) -> Option<&[u8]> {
    // Notes are aligned to 4 bytes, or to 8; the names and texts of the latter are such that it
    // makes no difference.
    let aligned = |length: u32| usize::try_from(length).ok()?.checked_next_multiple_of(4);
    loop {
        let (name_bytes, text_bytes, kind) =
            (u32_at(notes, 0)?, u32_at(notes, 4)?, u32_at(notes, 8)?);
        let name = notes.get(12..)?;
        let text = name.get(aligned(name_bytes)?..)?;
        if kind == NT_GNU_BUILD_ID && name_bytes == 4 && name.starts_with(b"GNU\0") {
            return text.get(..text_bytes as usize).filter(|id| !id.is_empty());
        }
        notes = text.get(aligned(text_bytes)?..)?;
    }
}
