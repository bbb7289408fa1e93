//! The rule of one address, in a module mapped into the own process.

use gimli::BaseAddresses;

use crate::frames::{Context, Header, eh_frame, fde};
use crate::row::Rule;
use crate::rule::rule;

/// Where `.eh_frame` is, from the bytes of `.eh_frame_hdr` (`PT_GNU_EH_FRAME`) and their address.
pub fn eh_frame_address(eh_frame_hdr: &[u8], eh_frame_hdr_address: u64) -> Option<u64> {
    Some(Header::parse(eh_frame_hdr, eh_frame_hdr_address)?.eh_frame_address())
}

/// The rule at `pc`, which for a caller is its return address minus one.
///
/// `None`: no function is described there, or not soundly. Addresses are as mapped. Both slices
/// may go on to the end of the segment. `bases` may tell where `.text` and `.got` are; files of
/// x86_64 need neither.
///
/// Any bytes are safe to pass. It does not allocate, lock or panic, and takes time in proportion
/// to the length of one function's description. It uses 7.5 KiB of stack (19 KiB when not
/// optimized).
pub fn rule_at(
    eh_frame_hdr: &[u8],
    eh_frame_hdr_address: u64,
    eh_frame_bytes: &[u8],
    eh_frame_address: u64,
    bases: &BaseAddresses,
    pc: u64,
) -> Option<Rule> {
    let header = Header::parse(eh_frame_hdr, eh_frame_hdr_address)?;
    if header.eh_frame_address() != eh_frame_address {
        return None;
    }
    let bases = bases.clone().set_eh_frame(eh_frame_address);
    let section = eh_frame(eh_frame_bytes);
    let fde = fde(&section, &bases, header.find(pc)?).ok()?;
    if !fde.contains(pc) {
        return None;
    }
    let mut context = Context::new_in();
    let mut rows = fde.rows(&section, &bases, &mut context).ok()?;
    while let Some(row) = rows.next_row().ok()? {
        if row.contains(pc) {
            let return_address = fde.cie().return_address_register();
            return Some(rule(row, fde.is_signal_trampoline(), return_address, &section));
        }
    }
    None
}
