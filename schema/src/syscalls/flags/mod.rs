//! The names of flags and choices: which bits of an argument mean what, by kind and architecture.
//!
//! The values are those of the kernel's user interface and never change once released:
//! <https://git.kernel.org/pub/scm/linux/kernel/git/torvalds/linux.git/tree/include/uapi>.
mod files;
mod memory;
mod sockets;
mod tasks;

use super::{Arch, Kind};
use std::fmt::Write;

pub(super) use sockets::{protocols, socket_options};

/// Names of values.
type Names = &'static [(&'static str, u32)];

/// Writes a list of names and values without the quotes and parentheses that would hide them.
macro_rules! names {
    ($($name:ident = $value:expr),* $(,)?) => { &[$((stringify!($name), $value)),*] };
}
use names;

/// The meaning of the bits of one kind of argument.
///
/// Of every argument that has a table only the low 32 bits mean something.
#[derive(Debug, Clone, Copy)]
pub struct Table {
    /// The bits that hold one of `choices`; the others are flags.
    mask: u32,
    choices: Names,
    /// Names of several bits come before names of some of these bits.
    flags: Names,
}

impl Table {
    const fn one_of(choices: Names) -> Table {
        Table { mask: u32::MAX, choices, flags: &[] }
    }

    const fn any_of(flags: Names) -> Table {
        Table { mask: 0, choices: &[], flags }
    }

    const fn mixed(mask: u32, choices: Names, flags: Names) -> Table {
        Table { mask, choices, flags }
    }

    /// Every name with its value: first those of which one holds, then those that can be combined.
    pub fn names(&self) -> impl Iterator<Item = (&'static str, u32)> {
        self.choices.iter().chain(self.flags).copied()
    }

    /// Appends the value as names joined by `|`; bits without a name follow in hexadecimal.
    pub fn render(&self, value: u32, out: &mut String) {
        let start = out.len();
        let mut add = |text: std::fmt::Arguments| {
            if out.len() > start {
                out.push('|');
            }
            let _ = out.write_fmt(text);
        };
        let choice = value & self.mask;
        match self.choices.iter().find(|(_, v)| *v == choice) {
            Some((name, _)) => add(format_args!("{name}")),
            None if choice != 0 => add(format_args!("{choice:#x}")),
            None => {}
        }
        let mut rest = value & !self.mask;
        for (name, bits) in self.flags {
            if *bits != 0 && rest & bits == *bits {
                add(format_args!("{name}"));
                rest &= !bits;
            }
        }
        if rest != 0 {
            add(format_args!("{rest:#x}"));
        }
        if out.len() == start {
            let zero = self.flags.iter().find(|(_, bits)| *bits == 0);
            out.push_str(zero.map_or("0", |(name, _)| name));
        }
    }
}

/// The table of a kind of argument, if its values have names.
pub fn table(kind: Kind, arch: Arch) -> Option<&'static Table> {
    files::table(kind, arch)
        .or_else(|| memory::table(kind, arch))
        .or_else(|| sockets::table(kind))
        .or_else(|| tasks::table(kind))
}

/// Name of a signal, as in `SIGKILL`; real-time signals count from the kernel's `SIGRTMIN`, 32.
pub fn signal_name(number: i32) -> Option<&'static str> {
    let number = u32::try_from(number).ok()?;
    let (name, _) = tasks::SIGNALS.choices.iter().find(|(_, v)| *v == number)?;
    Some(name)
}

/// Number of a signal from its name, with or without `SIG`, in any case.
pub fn signal_number(name: &str) -> Option<i32> {
    let name = name.to_ascii_uppercase();
    let wanted = name.strip_prefix("SIG").unwrap_or(&name);
    let (_, number) = tasks::SIGNALS.choices.iter().find(|(n, _)| n[3..] == *wanted)?;
    i32::try_from(*number).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(kind: Kind, value: u32, expected: &str) {
        for arch in [Arch::X86_64, Arch::Aarch64] {
            let mut out = String::new();
            table(kind, arch).unwrap().render(value, &mut out);
            assert_eq!(out, expected, "{kind:?} {value:#x} {arch:?}");
        }
    }

    #[test]
    fn values_become_the_names_of_the_headers() {
        check(Kind::OpenFlags, 0, "O_RDONLY");
        check(Kind::OpenFlags, 0x80241, "O_WRONLY|O_CREAT|O_TRUNC|O_CLOEXEC");
        check(Kind::OpenFlags, 0x101002, "O_RDWR|O_SYNC");
        check(Kind::MmapProt, 0, "PROT_NONE");
        check(Kind::MmapProt, 5, "PROT_READ|PROT_EXEC");
        check(Kind::MmapFlags, 0x22, "MAP_PRIVATE|MAP_ANONYMOUS");
        check(Kind::SocketType, 0x80802, "SOCK_DGRAM|SOCK_CLOEXEC|SOCK_NONBLOCK");
        check(Kind::FutexOp, 0x81, "FUTEX_WAKE_PRIVATE");
        check(Kind::AccessMode, 0, "F_OK");
        check(Kind::RusageWho, u32::MAX, "RUSAGE_CHILDREN");
        check(Kind::WaitOptions, 0, "0");
    }

    #[test]
    fn bits_without_a_name_stay_visible() {
        check(Kind::MmapProt, 0x4000_0001, "PROT_READ|0x40000000");
        check(Kind::Whence, 77, "0x4d");
    }

    #[test]
    fn open_flags_differ_between_architectures() {
        for (arch, value) in [(Arch::X86_64, 0x10000), (Arch::Aarch64, 0x4000)] {
            let mut out = String::new();
            table(Kind::OpenFlags, arch).unwrap().render(value, &mut out);
            assert_eq!(out, "O_RDONLY|O_DIRECTORY");
        }
    }

    #[test]
    fn a_flag_hides_no_flag_that_contains_it() {
        for kind in Kind::ALL {
            for arch in [Arch::X86_64, Arch::Aarch64] {
                let Some(table) = table(*kind, arch) else {
                    continue;
                };
                for (i, (name, bits)) in table.flags.iter().enumerate() {
                    assert!(bits & table.mask == 0, "{name} is part of the choices");
                    let mut before = table.flags[..i].iter();
                    assert!(!before.any(|(_, b)| *b != 0 && b & bits == *b), "{name} is hidden");
                }
                let values: std::collections::BTreeSet<_> =
                    table.choices.iter().map(|(_, v)| v).collect();
                assert_eq!(values.len(), table.choices.len(), "{kind:?} repeats a choice");
            }
        }
    }

    #[test]
    fn signals_have_names_and_numbers() {
        assert_eq!(signal_name(9), Some("SIGKILL"));
        assert_eq!(signal_name(34), Some("SIGRT_2"));
        assert_eq!(signal_name(0), None);
        assert_eq!(signal_number("term"), Some(15));
        assert_eq!(signal_number("SIGRT_2"), Some(34));
        assert_eq!(signal_number("nonsense"), None);
    }
}
