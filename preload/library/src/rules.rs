//! How to get from each address to its caller, remembered by address for the whole process.
//!
//! An entry is one word, so that threads need no order: the upper bits of the address, the rule,
//! and the generation of loaded modules it is of. The index gives the lower bits back.

use core::sync::atomic::{AtomicU64, Ordering};

use unwind::{Kind, Rule};

use crate::modules;

const INDEX_BITS: u32 = 14;
const SLOTS: usize = 1 << INDEX_BITS;

static CACHE: [AtomicU64; SLOTS] = [const { AtomicU64::new(0) }; SLOTS];

/// No code is mapped there. Never made by `unwind`.
pub const NOT_CODE: Kind = Kind(7);

/// What lookups of one walk have in common.
#[derive(Clone, Copy)]
pub struct Lookup {
    /// Of loaded modules.
    pub generation: u32,
    /// When: in seconds or so, for what was not code may become code.
    pub tick: u32,
    /// For what reads `/proc`.
    pub buffer: *mut [u8; crate::maps::BUFFER_BYTES],
}

impl Lookup {
    /// For a walk now.
    #[inline(always)]
    pub fn new(stamp: u64, buffer: *mut [u8; crate::maps::BUFFER_BYTES]) -> Lookup {
        Lookup { generation: modules::generation(), tick: (stamp >> 30) as u32, buffer }
    }
}

// Bits of an entry: address 33, CFA offset 16, frame pointer offset 8, kind 3, age 4.
const ADDRESS_SHIFT: u32 = 31;
const CFA_SHIFT: u32 = 15;
const FP_SHIFT: u32 = 7;
const KIND_SHIFT: u32 = 4;

/// The rule at `pc`: [`Kind::NONE`] in code without one, [`NOT_CODE`] elsewhere.
#[inline(always)]
pub fn find(pc: u64, lookup: &Lookup) -> Rule {
    let entry = CACHE[index(pc)].load(Ordering::Relaxed);
    let rule = unpack(entry);
    let age = if rule.kind == NOT_CODE { lookup.tick } else { lookup.generation };
    let expected = (pc >> INDEX_BITS) << ADDRESS_SHIFT | u64::from(age & 15);
    if entry & (!0 << ADDRESS_SHIFT | 15) == expected {
        return rule;
    }
    find_slowly(pc, lookup)
}

#[cold]
#[inline(never)]
fn find_slowly(pc: u64, lookup: &Lookup) -> Rule {
    // Addresses of 47 bits fit, and there are no others unless a program asks for them.
    if pc >> 47 != 0 {
        return not_code();
    }
    let (rule, age) = match modules::rule_at(pc, lookup) {
        modules::Found::Rule(rule) => (rule, lookup.generation),
        modules::Found::NotCode => (not_code(), lookup.tick),
        modules::Found::Unknown => return not_code(),
    };
    let entry = (pc >> INDEX_BITS) << ADDRESS_SHIFT | pack(rule) | u64::from(age & 15);
    CACHE[index(pc)].store(entry, Ordering::Relaxed);
    rule
}

/// Forgets everything.
pub fn forget() {
    for entry in &CACHE {
        entry.store(0, Ordering::Relaxed);
    }
}

fn not_code() -> Rule {
    Rule { kind: NOT_CODE, ..Rule::NONE }
}

#[inline(always)]
fn index(pc: u64) -> usize {
    (pc ^ (pc >> INDEX_BITS) ^ (pc >> (2 * INDEX_BITS))) as usize & (SLOTS - 1)
}

#[inline(always)]
fn pack(rule: Rule) -> u64 {
    u64::from(rule.cfa_offset.cast_unsigned()) << CFA_SHIFT
        | u64::from(rule.fp_offset.cast_unsigned()) << FP_SHIFT
        | u64::from(rule.kind.0 & 7) << KIND_SHIFT
}

#[inline(always)]
fn unpack(entry: u64) -> Rule {
    Rule {
        kind: Kind((entry >> KIND_SHIFT) as u8 & 7),
        cfa_offset: ((entry >> CFA_SHIFT) as u16).cast_signed(),
        fp_offset: ((entry >> FP_SHIFT) as u8).cast_signed(),
    }
}
