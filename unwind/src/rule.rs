//! From a row of DWARF call frame information to a rule.

use gimli::{
    CfaRule, EndianSlice, LittleEndian, Register, RegisterRule, UnwindContextStorage,
    UnwindExpression, UnwindTableRow, X86_64,
};

use crate::row::{FP_LOST, Kind, Rule};

/// The bytes of a `.eh_frame` section.
pub type EhFrame<'a> = gimli::EhFrame<EndianSlice<'a, LittleEndian>>;

const WORD: i64 = 8;

/// `rsp + 8 + (((rip & 15) >= 11) << 3)`, as linkers write it for `.plt`.
const PLT: &[u8] = &[0x77, 0x08, 0x80, 0x00, 0x3f, 0x1a, 0x3b, 0x2a, 0x33, 0x24, 0x22];
/// The same with 10.
const PLT10: &[u8] = &[0x77, 0x08, 0x80, 0x00, 0x3f, 0x1a, 0x3a, 0x2a, 0x33, 0x24, 0x22];

/// `*(rsp + 160)`, `rsp + 168`, `rsp + 120`: how C libraries describe `rsp`, `rip` and `rbp` in
/// the `ucontext` of a signal frame.
const SIGNAL_SP: &[u8] = &[0x77, 0xa0, 0x01, 0x06];
const SIGNAL_PC: &[u8] = &[0x77, 0xa8, 0x01];
const SIGNAL_FP: &[u8] = &[0x77, 0xf8, 0x00];

/// The rule that a row of an x86_64 file comes to.
///
/// `signal_frame` and `return_address` are of the row's CIE.
pub fn rule<S: UnwindContextStorage<usize>>(
    row: &UnwindTableRow<usize, S>,
    signal_frame: bool,
    return_address: Register,
    eh_frame: &EhFrame,
) -> Rule {
    if return_address != X86_64::RA {
        return Rule::NONE;
    }
    let bytes = |expression: &UnwindExpression<usize>| {
        expression.get(eh_frame).map_or(&[][..], |found| found.0.slice())
    };
    let saved_by = |register, expected: &[u8]| matches!(row.register(register), Some(RegisterRule::Expression(found)) if bytes(&found) == expected);
    match row.register(X86_64::RA) {
        Some(RegisterRule::Undefined) => return Rule::of(Kind::END),
        Some(RegisterRule::Offset(offset)) if offset == -WORD => {}
        Some(RegisterRule::Expression(_))
            if signal_frame
                && matches!(row.cfa(), CfaRule::Expression(cfa) if bytes(cfa) == SIGNAL_SP)
                && saved_by(X86_64::RA, SIGNAL_PC)
                && saved_by(X86_64::RBP, SIGNAL_FP) =>
        {
            return Rule::of(Kind::SIGNAL);
        }
        _ => return Rule::NONE,
    }
    // The caller's `rsp` is the CFA, unless it is said to be elsewhere.
    if !matches!(row.register(X86_64::RSP), None | Some(RegisterRule::ValOffset(0))) {
        return Rule::NONE;
    }
    let (kind, cfa_offset) = match row.cfa() {
        CfaRule::RegisterAndOffset { register, offset } => {
            let kind = match *register {
                X86_64::RSP => Kind::SP,
                X86_64::RBP => Kind::FP,
                _ => return Rule::NONE,
            };
            let Some(words) = words(*offset).and_then(|words| i16::try_from(words).ok()) else {
                return Rule::NONE;
            };
            (kind, words)
        }
        CfaRule::Expression(expression) => match bytes(expression) {
            PLT => (Kind::PLT, 0),
            PLT10 => (Kind::PLT10, 0),
            _ => return Rule::NONE,
        },
    };
    let fp_offset = match row.register(X86_64::RBP) {
        None | Some(RegisterRule::SameValue) => 0,
        Some(RegisterRule::Offset(offset)) => words(offset)
            .and_then(|words| i8::try_from(words).ok())
            .filter(|words| *words < 0)
            .unwrap_or(FP_LOST),
        _ => FP_LOST,
    };
    Rule { kind, cfa_offset, fp_offset }
}

fn words(bytes: i64) -> Option<i64> {
    (bytes % WORD == 0).then_some(bytes / WORD)
}
