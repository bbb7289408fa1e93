//! System calls: names, signatures and text for every architecture ebrec records.
//!
//! Everything here is data about Linux and works on any machine: a trace is read where it was
//! recorded or elsewhere.
mod errors;
pub mod flags;
mod kinds;
mod render;
mod sets;
mod signatures;

pub use errors::{error_description, error_name};
pub use kinds::Kind;
pub use render::{Call, argument, render, render_args, render_result};
pub use sets::{SETS, SetError, parse_set};
pub use signatures::{Arg, Signature, signature, signatures};

use ::syscalls as tables;

/// An architecture that ebrec records on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Arch {
    /// 64-bit Intel and AMD processors.
    X86_64,
    /// 64-bit ARM processors.
    Aarch64,
}

impl Arch {
    /// The architecture of this name, as in `uname -m`.
    pub fn from_name(name: &str) -> Option<Arch> {
        match name {
            "x86_64" => Some(Arch::X86_64),
            "aarch64" => Some(Arch::Aarch64),
            _ => None,
        }
    }

    /// Its name, as in `uname -m`.
    pub fn name(self) -> &'static str {
        match self {
            Arch::X86_64 => "x86_64",
            Arch::Aarch64 => "aarch64",
        }
    }
}

/// Calls younger than the tables; since 5.1 all architectures number new calls alike.
const NEWER: &[(u32, &str)] = &[(470, "listns"), (471, "rseq_slice_yield")];

/// Name of a system call; `compat` chooses the numbers of 32-bit programs.
///
/// A call has the same name on every architecture, so that one query fits all.
pub fn name(arch: Arch, compat: bool, number: u32) -> Option<&'static str> {
    let index = usize::try_from(number).ok()?;
    let found = match (arch, compat) {
        (Arch::X86_64, false) => tables::x86_64::Sysno::new(index).map(|n| n.name()),
        (Arch::X86_64, true) => tables::x86::Sysno::new(index).map(|n| n.name()),
        (Arch::Aarch64, false) => tables::aarch64::Sysno::new(index).map(|n| n.name()),
        (Arch::Aarch64, true) => tables::arm::Sysno::new(index).map(|n| n.name()),
    };
    match found {
        Some("fstatat") => Some("newfstatat"),
        // The tables are written in Rust, where this name is a keyword.
        Some("r#break") => Some("break"),
        Some(name) => Some(name),
        None => NEWER.iter().find(|(n, _)| *n == number).map(|(_, name)| *name),
    }
}

/// Number of a system call; the inverse of [`name`].
pub fn number(arch: Arch, compat: bool, name: &str) -> Option<u32> {
    if let Some((number, _)) = NEWER.iter().find(|(_, n)| *n == name) {
        return Some(*number);
    }
    let id = match (arch, compat, name) {
        (Arch::X86_64, false, _) => name.parse::<tables::x86_64::Sysno>().map(|n| n.id()),
        (Arch::X86_64, true, "break") => Ok(tables::x86::Sysno::r#break.id()),
        (Arch::X86_64, true, _) => name.parse::<tables::x86::Sysno>().map(|n| n.id()),
        (Arch::Aarch64, false, "newfstatat") => Ok(tables::aarch64::Sysno::fstatat.id()),
        (Arch::Aarch64, false, "fstatat") => Err(()),
        (Arch::Aarch64, false, _) => name.parse::<tables::aarch64::Sysno>().map(|n| n.id()),
        (Arch::Aarch64, true, _) => name.parse::<tables::arm::Sysno>().map(|n| n.id()),
    };
    u32::try_from(id.ok()?).ok()
}

/// What the kernel side must read to decode a call. The numbers are argument indexes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Decoding {
    /// How many arguments the call takes; six if it is unknown.
    pub args: u8,
    /// The argument that points to a path.
    pub path: Option<u8>,
    /// The argument that points to a second path.
    pub path2: Option<u8>,
    /// Where a socket address is.
    pub address: Option<Address>,
}

/// Where a system call keeps a socket address. The numbers are argument indexes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Address {
    /// At a pointer, its length in another argument.
    ByLen {
        /// The pointer to the address.
        arg: u8,
        /// Its length.
        len_arg: u8,
    },
    /// At a pointer that the kernel fills, as is the length another argument points to.
    ByLenPtr {
        /// The pointer to the address.
        arg: u8,
        /// The pointer to its length.
        len_ptr_arg: u8,
    },
    /// In a `struct msghdr`.
    Msghdr {
        /// The pointer to the structure.
        arg: u8,
    },
}

/// What the kernel side must read for the system call of this name.
pub fn decoding(name: &str) -> Decoding {
    let Some(signature) = signature(name) else {
        return Decoding { args: 6, path: None, path2: None, address: None };
    };
    let find = |kind| signature.position(kind).map(|index| index as u8);
    let address = match (find(Kind::Address), find(Kind::Msghdr)) {
        (Some(arg), _) => match (find(Kind::AddressLen), find(Kind::AddressLenPtr)) {
            (Some(len_arg), _) => Some(Address::ByLen { arg, len_arg }),
            (None, Some(len_ptr_arg)) => Some(Address::ByLenPtr { arg, len_ptr_arg }),
            (None, None) => None,
        },
        (None, Some(arg)) => Some(Address::Msghdr { arg }),
        (None, None) => None,
    };
    Decoding {
        args: signature.args.len() as u8,
        path: find(Kind::Path),
        path2: find(Kind::Path2),
        address,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_the_names_of_their_architecture() {
        for (arch, compat, number_, name_) in [
            (Arch::X86_64, false, 257, "openat"),
            (Arch::X86_64, false, 262, "newfstatat"),
            (Arch::X86_64, true, 5, "open"),
            (Arch::Aarch64, false, 56, "openat"),
            (Arch::Aarch64, false, 79, "newfstatat"),
            (Arch::Aarch64, true, 322, "openat"),
            (Arch::X86_64, false, 470, "listns"),
        ] {
            assert_eq!(name(arch, compat, number_), Some(name_));
            assert_eq!(number(arch, compat, name_), Some(number_));
        }
        assert_eq!(name(Arch::X86_64, false, 400), None);
        assert_eq!(name(Arch::X86_64, false, u32::MAX), None);
        assert_eq!(number(Arch::Aarch64, false, "open"), None);
    }

    #[test]
    fn names_and_numbers_are_inverse_in_every_table() {
        for arch in [Arch::X86_64, Arch::Aarch64] {
            assert_eq!(Arch::from_name(arch.name()), Some(arch));
            for compat in [false, true] {
                for n in 0..600 {
                    let Some(name) = name(arch, compat, n) else {
                        continue;
                    };
                    assert_eq!(number(arch, compat, name), Some(n), "{arch:?} {compat} {name}");
                }
            }
        }
    }

    #[test]
    fn decoding_follows_from_the_signature() {
        let paths = |name| (decoding(name).path, decoding(name).path2);
        assert_eq!(paths("openat"), (Some(1), None));
        assert_eq!(paths("renameat2"), (Some(1), Some(3)));
        assert_eq!(paths("symlinkat"), (Some(0), Some(2)));
        assert_eq!(paths("fanotify_mark"), (Some(4), None));
        assert_eq!(paths("read"), (None, None));

        let address = |name| decoding(name).address;
        assert_eq!(address("connect"), Some(Address::ByLen { arg: 1, len_arg: 2 }));
        assert_eq!(address("sendto"), Some(Address::ByLen { arg: 4, len_arg: 5 }));
        assert_eq!(address("accept4"), Some(Address::ByLenPtr { arg: 1, len_ptr_arg: 2 }));
        assert_eq!(address("recvmsg"), Some(Address::Msghdr { arg: 1 }));
        assert_eq!(address("read"), None);

        assert_eq!(decoding("read").args, 3);
        assert_eq!(decoding("getpid").args, 0);
        assert_eq!(decoding("syscall_999").args, 6);
    }
}
