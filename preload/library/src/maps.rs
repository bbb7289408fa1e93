//! Reads `/proc/thread-self/maps`. Not that of `self`: it is empty once the first thread has ended.

use crate::sys::File;

/// A mapping.
pub struct Mapping<'a> {
    pub start: u64,
    pub end: u64,
    pub offset: u64,
    pub inode: u64,
    /// Major number shifted by 20 bits, plus minor.
    pub device: u32,
    pub readable: bool,
    pub executable: bool,
    /// The path, a name such as `[stack]`, or nothing.
    pub name: &'a [u8],
}

const PATH: &[u8] = b"/proc/thread-self/maps\0";

/// Longest line that is understood whole; of a longer one the end of the name is missing.
pub const BUFFER_BYTES: usize = 8 << 10;

/// Calls `visit` for every mapping until it returns false. Whether all were seen.
pub fn for_each(buffer: &mut [u8; BUFFER_BYTES], visit: &mut dyn FnMut(&Mapping) -> bool) -> bool {
    let Ok(file) = File::open(PATH) else { return false };
    let mut used = 0;
    loop {
        let read = match file.read(&mut buffer[used..]) {
            Ok(read) => read,
            Err(_) => return false,
        };
        used += read;
        let mut begin = 0;
        while let Some(length) = buffer[begin..used].iter().position(|byte| *byte == b'\n') {
            if let Some(mapping) = parse(&buffer[begin..begin + length])
                && !visit(&mapping)
            {
                return false;
            }
            begin += length + 1;
        }
        if read == 0 {
            return true;
        }
        if begin == 0 && used == buffer.len() {
            // No line is that long; should one be, there is no telling where it ends.
            return false;
        }
        buffer.copy_within(begin..used, 0);
        used -= begin;
    }
}

/// `start-end rwxp offset major:minor inode name`.
fn parse(line: &[u8]) -> Option<Mapping<'_>> {
    let mut rest = line;
    let start = number(&mut rest, 16, b'-')?;
    let end = number(&mut rest, 16, b' ')?;
    let (permissions, after) = rest.split_at_checked(5)?;
    rest = after;
    let offset = number(&mut rest, 16, b' ')?;
    let major = number(&mut rest, 16, b':')? as u32;
    let minor = number(&mut rest, 16, b' ')? as u32;
    let inode = number(&mut rest, 10, b' ')?;
    let spaces = rest.iter().position(|byte| *byte != b' ').unwrap_or(rest.len());
    Some(Mapping {
        start,
        end,
        offset,
        inode,
        device: major << 20 | minor,
        readable: permissions[0] == b'r',
        executable: permissions[2] == b'x',
        name: &rest[spaces..],
    })
}

/// A number up to `end`, which is skipped; the end of the line counts as one.
fn number(rest: &mut &[u8], base: u32, end: u8) -> Option<u64> {
    let mut value = 0u64;
    for (at, byte) in rest.iter().enumerate() {
        if *byte == end {
            *rest = &rest[at + 1..];
            return Some(value);
        }
        let digit = (*byte as char).to_digit(base)?;
        value = value.wrapping_mul(u64::from(base)).wrapping_add(u64::from(digit));
    }
    *rest = &[];
    Some(value)
}
