//! One step of a stack walk: from a frame to its caller.

use crate::row::{FP_LOST, Kind, Rule};

/// What a frame is known by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Registers {
    /// `rip`; of callers the address that the call returns to.
    pub pc: u64,
    /// `rsp`.
    pub sp: u64,
    /// `rbp`; 0 when it was lost.
    pub fp: u64,
}

/// Where a step leads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// To the caller; after [`Kind::SIGNAL`] to what was interrupted, whose `pc` is not a return
    /// address: its rule is looked up at `pc`, not one before.
    Next(Registers),
    /// There is no caller.
    End,
    /// There is no rule, or what it leads to is no frame: the stack is truncated.
    Stuck,
}

/// Offsets in the `ucontext` of x86_64 Linux.
const UCONTEXT_RBP: u64 = 120;
const UCONTEXT_RSP: u64 = 160;
const UCONTEXT_RIP: u64 = 168;

/// Follows `rule` from a frame; `read` returns the word at an address.
///
/// Stacks grow down, so that a walk ends; only a signal frame may lead to another stack. Who
/// walks must limit the number of frames all the same.
pub fn step(rule: Rule, regs: Registers, read: impl Fn(u64) -> Option<u64>) -> Step {
    let next = match rule.kind {
        Kind::END => return Step::End,
        Kind::SIGNAL => interrupted(regs, read),
        _ => caller(rule, regs, read).filter(|next| next.sp > regs.sp),
    };
    next.filter(|next| next.pc != 0).map_or(Step::Stuck, Step::Next)
}

fn caller(rule: Rule, regs: Registers, read: impl Fn(u64) -> Option<u64>) -> Option<Registers> {
    let words = |base: u64, words: i64| base.wrapping_add_signed(words * 8);
    // Entries of `.plt` have 16 bytes; from its middle on they have pushed a word.
    let plt = |pushed_from: u64| words(regs.sp, 1 + i64::from(regs.pc & 15 >= pushed_from));
    let cfa = match rule.kind {
        Kind::SP => words(regs.sp, rule.cfa_offset.into()),
        Kind::FP => words(regs.fp, rule.cfa_offset.into()),
        Kind::PLT => plt(11),
        Kind::PLT10 => plt(10),
        _ => return None,
    };
    let fp = match rule.fp_offset {
        0 => regs.fp,
        FP_LOST => 0,
        offset => read(words(cfa, offset.into()))?,
    };
    Some(Registers { pc: read(words(cfa, -1))?, sp: cfa, fp })
}

fn interrupted(regs: Registers, read: impl Fn(u64) -> Option<u64>) -> Option<Registers> {
    let saved = |offset| read(regs.sp.wrapping_add(offset));
    Some(Registers { pc: saved(UCONTEXT_RIP)?, sp: saved(UCONTEXT_RSP)?, fp: saved(UCONTEXT_RBP)? })
}
