//! A rule, and a rule with the place it holds from.

/// [`Rule::fp_offset`] of a frame that keeps its caller's `rbp` where no rule can tell: the walk
/// goes on as long as frames are found through `rsp`.
pub const FP_LOST: i8 = i8::MIN;

/// How the canonical frame address (CFA: `rsp` of the caller, after the return) is found.
///
/// Where there is a CFA, the return address is the word below it. A plain byte, so that tables
/// can be read back from anywhere.
#[repr(transparent)]
#[cfg_attr(
    feature = "std",
    derive(zerocopy::FromBytes, zerocopy::IntoBytes, zerocopy::Immutable, zerocopy::KnownLayout)
)]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Kind(pub u8);

impl Kind {
    /// No rule: between functions, or not expressible. The walk stops, the stack is truncated.
    pub const NONE: Kind = Kind(0);
    /// CFA = `rsp + cfa_offset * 8`.
    pub const SP: Kind = Kind(1);
    /// CFA = `rbp + cfa_offset * 8`.
    pub const FP: Kind = Kind(2);
    /// In `.plt`: CFA = `rsp + 8`, and 8 more when `rip & 15 >= 11`.
    pub const PLT: Kind = Kind(3);
    /// Of the kernel: the interrupted registers lie in the `ucontext` that `rsp` points at.
    pub const SIGNAL: Kind = Kind(4);
    /// The outermost frame: it has no return address.
    pub const END: Kind = Kind(5);
    /// In `.plt` of files linked for indirect branch tracking: as [`Kind::PLT`], with 10.
    pub const PLT10: Kind = Kind(6);
}

/// How to get from a frame to its caller.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Rule {
    /// How the CFA is found.
    pub kind: Kind,
    /// In words, for [`Kind::SP`] and [`Kind::FP`].
    pub cfa_offset: i16,
    /// Where the caller's `rbp` was saved, in words from the CFA, negative; 0: it is in `rbp`
    /// still; [`FP_LOST`].
    pub fp_offset: i8,
}

impl Rule {
    /// There is no rule.
    pub const NONE: Rule = Rule::of(Kind::NONE);

    /// A rule without offsets.
    pub(crate) const fn of(kind: Kind) -> Rule {
        Rule { kind, cfa_offset: 0, fp_offset: 0 }
    }
}

/// The rule that holds from a file offset on, until the next row.
#[repr(C)]
#[cfg_attr(
    feature = "std",
    derive(zerocopy::FromBytes, zerocopy::IntoBytes, zerocopy::Immutable, zerocopy::KnownLayout)
)]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Row {
    /// File offset of the first instruction.
    pub offset: u32,
    /// See [`Rule::cfa_offset`].
    pub cfa_offset: i16,
    /// See [`Rule::kind`].
    pub kind: Kind,
    /// See [`Rule::fp_offset`].
    pub fp_offset: i8,
}

const _: () = assert!(size_of::<Row>() == 8);

impl Row {
    /// The rule `rule` from `offset` on.
    pub fn new(offset: u32, rule: Rule) -> Row {
        let Rule { kind, cfa_offset, fp_offset } = rule;
        Row { offset, cfa_offset, kind, fp_offset }
    }

    /// The rule without its place.
    pub fn rule(self) -> Rule {
        Rule { kind: self.kind, cfa_offset: self.cfa_offset, fp_offset: self.fp_offset }
    }
}
