//! Bytes of the kernel as text: names, paths, arguments, socket addresses.

use std::fmt::Write;
use std::net::{Ipv4Addr, Ipv6Addr};

use schema::events::Tail;

/// Appends bytes as UTF-8; those that are not become `\xNN`, so that nothing is lost.
pub(crate) fn push_lossy(bytes: &[u8], out: &mut String) {
    for chunk in bytes.utf8_chunks() {
        out.push_str(chunk.valid());
        for byte in chunk.invalid() {
            let _ = write!(out, "\\x{byte:02x}");
        }
    }
}

/// What is before the first NUL.
pub(crate) fn until_nul(bytes: &[u8]) -> &[u8] {
    bytes.split(|byte| *byte == 0).next().unwrap_or_default()
}

/// Appends the text of a variable part; false if it has none.
pub(crate) fn push_tail(tail: Tail, bytes: &[u8], truncated: bool, out: &mut String) -> bool {
    match tail {
        Tail::Path | Tail::Path2 | Tail::Instance => push_lossy(until_nul(bytes), out),
        Tail::Address => return push_address(bytes, out),
        Tail::Argv => {
            push_argv(bytes.strip_suffix(&[0]).unwrap_or(bytes).split(|byte| *byte == 0), out)
        }
        Tail::Exe | Tail::Cwd | Tail::Cgroup => push_names(bytes, truncated, out),
        Tail::File => push_file(bytes, truncated, out),
        Tail::BuildId => bytes.iter().for_each(|byte| {
            let _ = write!(out, "{byte:02x}");
        }),
        Tail::LocalName | Tail::RemoteName => return push_unix_name(bytes, out),
        Tail::Captured | Tail::Frames | Tail::Message => return false,
    }
    true
}

/// Appends arguments so that a shell reads them back.
pub(crate) fn push_argv<'a>(arguments: impl Iterator<Item = &'a [u8]>, out: &mut String) {
    let mut text = String::new();
    for (index, argument) in arguments.enumerate() {
        text.clear();
        push_lossy(until_nul(argument), &mut text);
        if index > 0 {
            out.push(' ');
        }
        // Only a NUL cannot be quoted, and there is none.
        out.push_str(&shlex::try_quote(&text).unwrap_or_default());
    }
}

/// Appends the path whose names are given from the leaf to the root.
fn push_names(bytes: &[u8], truncated: bool, out: &mut String) {
    let names = bytes.strip_suffix(&[0]).unwrap_or(bytes);
    if truncated {
        out.push_str("...");
    }
    if names.is_empty() {
        out.push('/');
        return;
    }
    for name in names.rsplit(|byte| *byte == 0).filter(|name| !name.is_empty()) {
        out.push('/');
        push_lossy(name, out);
    }
}

/// Appends the file of a mapping: a path, or what the kernel calls memory that is of no file.
fn push_file(bytes: &[u8], truncated: bool, out: &mut String) {
    let names = bytes.strip_suffix(&[0]).unwrap_or(bytes);
    match names {
        [b'[', .., b']'] if !names.contains(&0) => push_lossy(names, out),
        _ => push_names(bytes, truncated, out),
    }
}

/// Appends an IP address, one that is mapped into version 6 as of version 4; false if it is unknown.
pub(crate) fn push_ip(bytes: [u8; 16], out: &mut String) -> bool {
    if bytes == [0xff; 16] {
        return false;
    }
    let address = Ipv6Addr::from(bytes);
    let _ = match address.to_ipv4_mapped() {
        Some(address) => write!(out, "{address}"),
        None => write!(out, "{address}"),
    };
    true
}

/// Appends the name of a unix socket: a path, or `@` and an abstract name; false if it has none.
fn push_unix_name(bytes: &[u8], out: &mut String) -> bool {
    let name = match bytes.split_first() {
        // Abstract: a NUL and a name, which many programs pad with NULs.
        Some((0, name)) => {
            let length = name.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1);
            out.push_str(if length > 0 { "@" } else { "" });
            &name[..length]
        }
        _ => until_nul(bytes),
    };
    push_lossy(name, out);
    !name.is_empty()
}

/// An end of a socket: address, port, address family.
pub(crate) struct End {
    pub address: [u8; 16],
    pub port: u16,
    family: u16,
}

impl End {
    /// Reads a `LocalEnd` or `RemoteEnd`; none if it is unknown.
    pub fn read(bytes: &[u8]) -> Option<End> {
        let (address, rest) = bytes.split_first_chunk::<16>()?;
        let (port, family) = rest.split_first_chunk::<2>()?;
        let family = u16::from_le_bytes(family.try_into().ok()?);
        let end = End { address: *address, port: u16::from_le_bytes(*port), family };
        (family != 0).then_some(end)
    }

    pub fn is_ip(&self) -> bool {
        self.family == AF_INET || self.family == AF_INET6
    }
}

const AF_UNIX: u16 = 1;
const AF_INET: u16 = 2;
const AF_INET6: u16 = 10;
const AF_NETLINK: u16 = 16;
const AF_PACKET: u16 = 17;

/// Appends a `struct sockaddr`; false if there is none.
fn push_address(bytes: &[u8], out: &mut String) -> bool {
    let Some((family, rest)) = bytes.split_first_chunk::<2>() else {
        return false;
    };
    let family = u16::from_le_bytes(*family);
    let port = |rest: &[u8]| u16::from_be_bytes([rest[0], rest[1]]);
    let word = |at: usize| u32::from_le_bytes([rest[at], rest[at + 1], rest[at + 2], rest[at + 3]]);
    let _ = match family {
        AF_INET if rest.len() >= 6 => {
            write!(out, "{}:{}", Ipv4Addr::new(rest[2], rest[3], rest[4], rest[5]), port(rest))
        }
        AF_INET6 if rest.len() >= 22 => {
            let mut address = [0; 16];
            address.copy_from_slice(&rest[6..22]);
            let address = Ipv6Addr::from(address);
            let scope = if rest.len() >= 26 { word(22) } else { 0 };
            match scope {
                0 => write!(out, "[{address}]:{}", port(rest)),
                _ => write!(out, "[{address}%{scope}]:{}", port(rest)),
            }
        }
        AF_UNIX => {
            out.push_str("unix:");
            push_unix_name(rest, out);
            Ok(())
        }
        AF_NETLINK if rest.len() >= 6 => write!(out, "netlink:{}", word(2)),
        AF_PACKET if rest.len() >= 6 => write!(out, "packet:{}", word(2)),
        _ => write!(out, "family {family}"),
    };
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(tail: Tail, bytes: &[u8]) -> String {
        let mut out = String::new();
        assert!(push_tail(tail, bytes, false, &mut out));
        out
    }

    #[test]
    fn addresses_read_as_people_write_them() {
        let v6 = |tail: [u8; 4]| {
            [&[10, 0, 0, 80, 0, 0, 0, 0][..], &[0; 10], &[0xff, 0xff], &tail, &[0; 4]].concat()
        };
        let mut link_local =
            [&[10, 0, 0, 80, 0, 0, 0, 0, 0xfe, 0x80][..], &[0; 13], &[1], &[2, 0, 0, 0]].concat();
        for (bytes, expected) in [
            (&[2, 0, 0, 80, 127, 0, 0, 1, 0, 0][..], "127.0.0.1:80"),
            (&v6([1, 2, 3, 4]), "[::ffff:1.2.3.4]:80"),
            (&link_local, "[fe80::1%2]:80"),
            (b"\x01\0/run/x\0junk", "unix:/run/x"),
            (b"\x01\0\0name\0\0", "unix:@name"),
            (b"\x01\0", "unix:"),
            (&[16, 0, 0, 0, 7, 0, 0, 0], "netlink:7"),
            (&[40, 0, 1], "family 40"),
            (&[2, 0, 1], "family 2"),
        ] {
            assert_eq!(text(Tail::Address, bytes), expected);
        }
        link_local.truncate(1);
        assert!(!push_tail(Tail::Address, &link_local, false, &mut String::new()));
    }

    #[test]
    fn an_ip_address_is_of_the_version_it_was_used_with() {
        let mut mapped = [0; 16];
        mapped[10..].copy_from_slice(&[0xff, 0xff, 127, 0, 0, 1]);
        let mut loopback = [0; 16];
        loopback[15] = 1;
        for (bytes, expected) in [
            (mapped, Some("127.0.0.1")),
            (loopback, Some("::1")),
            ([0; 16], Some("::")),
            ([0xff; 16], None),
        ] {
            let mut out = String::new();
            assert_eq!(push_ip(bytes, &mut out).then_some(&*out), expected);
        }
    }

    #[test]
    fn paths_and_arguments_are_readable_and_lose_nothing() {
        assert_eq!(text(Tail::Exe, b"ls\0bin\0usr\0"), "/usr/bin/ls");
        assert_eq!(text(Tail::Cwd, b""), "/");
        assert_eq!(text(Tail::Path, b"caf\xc3\xa9\xff\0"), "café\\xff");
        assert_eq!(text(Tail::Argv, b"sh\0-c\0echo a b\0\0"), "sh -c 'echo a b' ''");
        let mut out = String::new();
        push_tail(Tail::Cwd, b"b\0a\0", true, &mut out);
        assert_eq!(out, ".../a/b");
    }
}
