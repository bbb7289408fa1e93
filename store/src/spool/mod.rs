//! The spool: the raw record stream of one segment, one file per stream.
//!
//! A file is a header and blocks, little-endian. A block is written with one call and holds whole
//! records, so that a recorder that dies leaves at most one torn block at the end. A block that
//! says END closes the file and counts its records per kind.
//!
//! ```text
//! header  magic[8] major:u16 minor:u16 stream:u16 0:u16 segment:u64 stored_before:u64[KINDS] crc:u32 0:u32
//! block   magic:u32 flags:u16 0:u16 raw_len:u32 stored_len:u32 crc:u32 payload[stored_len]
//! ```
//! `crc` is CRC-32 of what comes before it in the header, and in a block also of the payload.

mod read;
mod write;

use std::path::Path;

use schema::events::{KINDS, Stream};

use crate::error::{Error, Result};
use crate::record::Counts;

pub use read::{Block, SpoolReader};
pub use write::{MetaWriter, SpoolWriter};

const MAGIC: &[u8; 8] = b"EBRECSPL";
const HEADER_SIZE: usize = 8 + 4 * 2 + 8 + KINDS * 8 + 8;
const CRC_OFFSET: usize = HEADER_SIZE - 8;

const BLOCK_MAGIC: u32 = u32::from_le_bytes(*b"EBLK");
const BLOCK_HEADER_SIZE: usize = 20;

/// Flag of a block: its records say who the threads are, and are stored in another segment.
pub const CONTEXT: u16 = 1;
/// Flag of a block: the payload is compressed.
pub const ZSTD: u16 = 2;
/// Flag of a block: the last one; the payload counts the records of blocks without `CONTEXT`.
pub const END: u16 = 4;

/// Longest block, raw or as stored, that a reader accepts.
pub const BLOCK_BYTES_MAX: usize = 16 << 20;
/// Most raw bytes of one file: bounds what a crafted file makes a reader allocate.
pub const RAW_BYTES_MAX: u64 = 1 << 30;
/// Blocks that the writer makes are not longer, so that a reader's cache of blocks is of use.
const BLOCK_BYTES_TARGET: usize = 1 << 20;

const META_STREAM: u16 = 0xffff;

/// Which spool file of a segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SpoolKind {
    /// The records of a stream.
    Stream(Stream),
    /// What user space adds.
    Meta,
}

impl SpoolKind {
    /// Name of the file in the segment's spool folder.
    pub fn file_name(self) -> String {
        match self {
            SpoolKind::Stream(stream) => format!("{}.spool", stream.name()),
            SpoolKind::Meta => "meta.spool".to_string(),
        }
    }

    fn number(self) -> u16 {
        match self {
            SpoolKind::Stream(stream) => {
                Stream::ALL.iter().position(|known| *known == stream).map_or(0, |at| at as u16)
            }
            SpoolKind::Meta => META_STREAM,
        }
    }
}

/// What a spool file begins with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SpoolHeader {
    /// Which file of the segment it is, as a number.
    stream: u16,
    /// Number of the segment.
    pub segment: u64,
    /// Records per kind in the spools of earlier segments.
    pub stored_before: Counts,
}

impl SpoolHeader {
    fn encode(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(HEADER_SIZE);
        out.extend_from_slice(MAGIC);
        for half in [schema::FORMAT.major, schema::FORMAT.minor, self.stream, 0] {
            out.extend_from_slice(&half.to_le_bytes());
        }
        out.extend_from_slice(&self.segment.to_le_bytes());
        out.extend_from_slice(&counts_to_bytes(&self.stored_before));
        let crc = crc32fast::hash(&out);
        out.extend_from_slice(&crc.to_le_bytes());
        out.extend_from_slice(&[0; 4]);
        debug_assert_eq!(out.len(), HEADER_SIZE);
        out
    }

    fn decode(bytes: &[u8; HEADER_SIZE], path: &Path) -> Result<SpoolHeader> {
        if &bytes[..8] != MAGIC {
            return Err(Error::NotSpool { path: path.to_path_buf() });
        }
        let half = |at: usize| u16::from_le_bytes([bytes[at], bytes[at + 1]]);
        let (major, minor) = (half(8), half(10));
        if major > schema::FORMAT.major {
            return Err(Error::TooNew {
                path: path.to_path_buf(),
                version: format!("{major}.{minor}"),
            });
        }
        let mut crc = [0; 4];
        crc.copy_from_slice(&bytes[CRC_OFFSET..CRC_OFFSET + 4]);
        if u32::from_le_bytes(crc) != crc32fast::hash(&bytes[..CRC_OFFSET]) {
            let what = "the checksum of the header does not match".to_string();
            return Err(Error::Corrupt { path: path.to_path_buf(), offset: 0, what });
        }
        let mut segment = [0; 8];
        segment.copy_from_slice(&bytes[16..24]);
        Ok(SpoolHeader {
            stream: half(12),
            segment: u64::from_le_bytes(segment),
            stored_before: counts_from_bytes(&bytes[24..CRC_OFFSET]).unwrap_or([0; KINDS]),
        })
    }
}

/// What a block begins with.
#[derive(Clone, Copy, Debug)]
struct BlockHeader {
    flags: u16,
    raw_len: u32,
    stored_len: u32,
    crc: u32,
}

impl BlockHeader {
    fn new(flags: u16, raw_len: usize, stored: &[u8]) -> BlockHeader {
        let mut header =
            BlockHeader { flags, raw_len: raw_len as u32, stored_len: stored.len() as u32, crc: 0 };
        header.crc = header.checksum(stored);
        header
    }

    fn encode(&self) -> [u8; BLOCK_HEADER_SIZE] {
        let mut out = [0; BLOCK_HEADER_SIZE];
        out[..4].copy_from_slice(&BLOCK_MAGIC.to_le_bytes());
        out[4..6].copy_from_slice(&self.flags.to_le_bytes());
        out[8..12].copy_from_slice(&self.raw_len.to_le_bytes());
        out[12..16].copy_from_slice(&self.stored_len.to_le_bytes());
        out[16..].copy_from_slice(&self.crc.to_le_bytes());
        out
    }

    /// `None` if it is no header of a block.
    fn decode(bytes: &[u8; BLOCK_HEADER_SIZE]) -> Option<BlockHeader> {
        let word = |at: usize| {
            u32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]])
        };
        (word(0) == BLOCK_MAGIC && bytes[6..8] == [0; 2]).then(|| BlockHeader {
            flags: u16::from_le_bytes([bytes[4], bytes[5]]),
            raw_len: word(8),
            stored_len: word(12),
            crc: word(16),
        })
    }

    fn checksum(&self, stored: &[u8]) -> u32 {
        let mut hasher = crc32fast::Hasher::new();
        hasher.update(&self.encode()[..16]);
        hasher.update(stored);
        hasher.finalize()
    }
}

fn counts_to_bytes(counts: &Counts) -> Vec<u8> {
    counts.iter().flat_map(|count| count.to_le_bytes()).collect()
}

fn counts_from_bytes(bytes: &[u8]) -> Option<Counts> {
    let mut counts = [0; KINDS];
    if bytes.len() != KINDS * 8 {
        return None;
    }
    for (count, bytes) in counts.iter_mut().zip(bytes.as_chunks::<8>().0) {
        *count = u64::from_le_bytes(*bytes);
    }
    Some(counts)
}

/// Compresses all files of a segment's spool folder.
pub fn compress_all(folder: &Path) -> Result<()> {
    let kinds = Stream::ALL.map(SpoolKind::Stream);
    for kind in kinds.into_iter().chain([SpoolKind::Meta]) {
        let path = folder.join(kind.file_name());
        if crate::files::is_file(&path) {
            compress(&path)?;
        }
    }
    Ok(())
}

/// Rewrites a spool file with compressed blocks; reading it gives the same records.
///
/// The new file appears in place of the old one by rename. For spools that are kept: the one that
/// is being recorded is never compressed.
pub fn compress(path: &Path) -> Result<()> {
    let mut reader = SpoolReader::open(path)?;
    let Some(header) = reader.header().cloned() else {
        return Ok(());
    };
    let partial = path.with_extension("spool.tmp");
    let mut out = write::BlockFile::create(&partial, &header)?;
    let mut compressor = zstd::bulk::Compressor::new(3).map_err(Error::io("compress", path))?;
    let (mut merged, mut merged_flags, mut payload) = (Vec::new(), 0, Vec::new());
    loop {
        let block = reader.next_block(&mut payload)?;
        let flags = block.as_ref().map_or(END, |block| block.flags & CONTEXT);
        if !merged.is_empty()
            && (flags != merged_flags || merged.len() + payload.len() > BLOCK_BYTES_TARGET)
        {
            let stored = compressor.compress(&merged).map_err(Error::io("compress", path))?;
            out.append(merged_flags | ZSTD, merged.len(), &stored)?;
            merged.clear();
        }
        if block.is_none() {
            break;
        }
        merged_flags = flags;
        merged.extend_from_slice(&payload);
    }
    if let Some(counts) = reader.end_counts() {
        let counts = counts_to_bytes(counts);
        out.append(END, counts.len(), &counts)?;
    }
    out.sync()?;
    std::fs::rename(&partial, path).map_err(Error::io("rename", &partial))
}
