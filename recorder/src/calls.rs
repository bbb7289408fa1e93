//! The kernel side's table of system calls: what to read of each, and which are wanted.

use std::collections::BTreeSet;

use schema::syscalls::{Address, Arch, decoding, name};

/// Numbers the table covers for each calling convention; as `CALLS` in ebpf/src/syscalls.h.
const CALLS: u32 = 512;

/// One entry; as `struct call` in ebpf/src/syscalls.h.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C)]
pub struct Call {
    args: u8,
    wanted: u8,
    path: u8,
    path2: u8,
    address: u8,
    address_kind: u8,
    address_len: u8,
    is_exec: u8,
}

// SAFETY: eight bytes without padding, any value is valid.
unsafe impl aya::Pod for Call {}

/// What `wanted` says of `fcntl` where only its requests are recorded that copy a descriptor; as `WANTED_COPY`.
const WANTED_COPY: u8 = 2;

/// The entries for all numbers of an architecture, 32-bit (compat) calls behind the others. Where `dup` is wanted, so is
/// of `fcntl` what does the same: without it nobody knows what a descriptor is that another was copied to.
pub fn table(arch: Arch, wanted: Option<&BTreeSet<&'static str>>) -> Vec<Call> {
    let numbers =
        [false, true].into_iter().flat_map(|compat| (0..CALLS).map(move |number| (compat, number)));
    numbers.map(|(compat, number)| entry(name(arch, compat, number), compat, wanted)).collect()
}

fn entry(
    name: Option<&'static str>,
    compat: bool,
    wanted: Option<&BTreeSet<&'static str>>,
) -> Call {
    let Some(name) = name else {
        // A call younger than this program: recorded unless a set was chosen.
        return Call { args: 6, wanted: wanted.is_none().into(), ..Call::default() };
    };
    let decoding = decoding(name);
    let index = |arg: Option<u8>| arg.map_or(0, |arg| arg + 1);
    let (address, address_kind, address_len) = match decoding.address {
        None => (0, 0, 0),
        Some(Address::ByLen { arg, len_arg }) => (arg + 1, 1, len_arg + 1),
        Some(Address::ByLenPtr { arg, len_ptr_arg }) => (arg + 1, 2, len_ptr_arg + 1),
        // A 32-bit program's struct msghdr is laid out differently.
        Some(Address::Msghdr { .. }) if compat => (0, 0, 0),
        Some(Address::Msghdr { arg }) => (arg + 1, 3, 0),
    };
    let is_wanted = |name| wanted.is_none_or(|wanted| wanted.contains(name));
    let wanted = match name {
        name if is_wanted(name) => 1,
        "fcntl" | "fcntl64" if is_wanted("dup") => WANTED_COPY,
        _ => 0,
    };
    Call {
        args: decoding.args,
        wanted,
        path: index(decoding.path),
        path2: index(decoding.path2),
        address,
        address_kind,
        address_len,
        is_exec: matches!(name, "execve" | "execveat").into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_say_what_to_read_and_whether() {
        let all = table(Arch::X86_64, None);
        assert_eq!(all.len(), 1024);
        let openat = all[257];
        assert_eq!((openat.args, openat.wanted, openat.path), (4, 1, 2));
        let connect = all[42];
        assert_eq!((connect.address, connect.address_kind, connect.address_len), (2, 1, 3));
        assert_eq!((all[59].is_exec, all[59].path, all[322].path), (1, 1, 2));
        assert_eq!(all[512 + 5].path, 1, "open of a 32-bit program");
        let few = table(Arch::X86_64, Some(&BTreeSet::from(["openat"])));
        assert_eq!(
            few.iter().filter(|call| call.wanted == 1).count(),
            2,
            "once for each convention"
        );
        let copies = table(Arch::X86_64, Some(&BTreeSet::from(["dup"])));
        assert_eq!((copies[32].wanted, copies[72].wanted, copies[33].wanted), (1, WANTED_COPY, 0));
        let both = table(Arch::X86_64, Some(&BTreeSet::from(["dup", "fcntl"])));
        assert_eq!(both[72].wanted, 1);
    }
}
