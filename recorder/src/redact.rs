//! What is left out of what the recorder itself adds to a trace; the kernel side does the same for its
//! records (ebpf/src/redact.h).

use std::path::Path;

use schema::Tail;
use schema::events::TAIL_TRUNCATED;
use store::Meta;

use crate::options::Redaction;

/// Bytes of a record before its fields, and where in them the size of its fixed part is.
const HEADER_SIZE: usize = size_of::<schema::Header>();
const SIZE_AT: usize = 18;
const FIXED_AT: usize = 20;
/// Tag, flags and length of a variable part.
const TAIL_HEADER_SIZE: usize = 4;

/// The recorded command, as the manifest keeps it.
pub fn command(words: &[std::ffi::OsString], redaction: &Redaction) -> Vec<String> {
    let kept = if redaction.no_args { &words[..words.len().min(1)] } else { words };
    let mut kept: Vec<String> =
        kept.iter().map(|word| word.to_string_lossy().into_owned()).collect();
    if redaction.no_paths
        && let Some(program) = kept.first_mut()
    {
        *program = file_name(program);
    }
    kept
}

/// What is kept of what /proc tells of a process.
pub fn process(found: Meta, redaction: &Redaction) -> Meta {
    match found {
        Meta::Process { pid, upid, exe, argv, cwd } => Meta::Process {
            pid,
            upid,
            exe: exe.map(|exe| if redaction.no_paths { file_name(&exe) } else { exe }),
            argv: if redaction.no_args { Vec::new() } else { argv },
            cwd: cwd.filter(|_| !redaction.no_paths),
        },
        other => other,
    }
}

/// What stays of a path when paths are not kept; what is none stays as it is.
pub fn file_name(path: &str) -> String {
    match Path::new(path).file_name() {
        Some(name) if path.contains('/') => format!(".../{}", name.to_string_lossy()),
        _ => path.to_string(),
    }
}

/// A record in which each file has only its own name; `None` if it is no record.
pub fn with_file_names(record: &[u8]) -> Option<Vec<u8>> {
    let fixed =
        usize::from(u16::from_le_bytes(record.get(FIXED_AT..FIXED_AT + 2)?.try_into().ok()?));
    let (head, mut tails) = record.split_at_checked(fixed).filter(|_| fixed >= HEADER_SIZE)?;
    let mut out = head.to_vec();
    while let Some((header, rest)) = tails.split_at_checked(TAIL_HEADER_SIZE) {
        let length = usize::from(u16::from_le_bytes([header[2], header[3]]));
        let (mut bytes, rest) = rest.split_at_checked(length).filter(|_| header[0] != 0)?;
        let mut flags = header[1];
        // Names lie from the file up to the root, each ended by a NUL.
        let end = bytes.iter().position(|byte| *byte == 0).map_or(bytes.len(), |at| at + 1);
        if header[0] == Tail::File as u8 && !bytes.starts_with(b"[") {
            bytes = &bytes[..end];
            flags |= TAIL_TRUNCATED;
        }
        out.extend_from_slice(&[header[0], flags]);
        out.extend_from_slice(&(bytes.len() as u16).to_le_bytes());
        out.extend_from_slice(bytes);
        tails = rest;
    }
    let size = out.len() as u16;
    out[SIZE_AT..SIZE_AT + 2].copy_from_slice(&size.to_le_bytes());
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_a_command_stays_what_may() {
        let words = ["/opt/secret/tool".into(), "--password=x".into()];
        let kept = |no_args, no_paths| {
            command(&words, &Redaction { no_args, no_paths, hash_addresses: false })
        };
        assert_eq!(kept(false, false), ["/opt/secret/tool", "--password=x"]);
        assert_eq!(kept(true, false), ["/opt/secret/tool"]);
        assert_eq!(kept(false, true), [".../tool", "--password=x"]);
        assert_eq!(file_name("ls"), "ls");
        assert_eq!(file_name("[vdso]"), "[vdso]");
    }

    #[test]
    fn of_a_mapping_stays_the_name_of_its_file() {
        let mut record = vec![0; HEADER_SIZE + 8];
        record[FIXED_AT] = HEADER_SIZE as u8 + 8;
        let fixed = record.len();
        record.extend_from_slice(&[Tail::BuildId as u8, 0, 2, 0, 0xab, 0xcd]);
        record.extend_from_slice(&[Tail::File as u8, 0, 11, 0]);
        record.extend_from_slice(b"c.so\0lib\0x\0");
        let kept = with_file_names(&record).expect("it is whole");
        let size = usize::from(kept[SIZE_AT]);
        assert_eq!(size, kept.len());
        assert_eq!(kept[fixed..fixed + 6], [Tail::BuildId as u8, 0, 2, 0, 0xab, 0xcd]);
        assert_eq!(&kept[fixed + 6..], b"\x0a\x01\x05\0c.so\0");
        assert!(with_file_names(&record[..10]).is_none());
    }
}
