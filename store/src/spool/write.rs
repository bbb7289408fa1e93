//! Writing a spool: every call leaves the file readable, nothing is kept back in memory.

use std::fs::File;
use std::io::{IoSlice, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use schema::events::{KINDS, Stream};

use super::{
    BLOCK_BYTES_MAX, BLOCK_BYTES_TARGET, BlockHeader, CONTEXT, END, RAW_BYTES_MAX, SpoolHeader,
    SpoolKind, counts_to_bytes,
};
use crate::error::{Error, Result};
use crate::files;
use crate::meta::Meta;
use crate::record::{Counts, Records};

/// A file of blocks that is appended to.
pub(super) struct BlockFile {
    file: File,
    path: PathBuf,
    bytes: u64,
    raw_bytes: u64,
}

impl BlockFile {
    pub fn create(path: &Path, header: &SpoolHeader) -> Result<BlockFile> {
        let mut file = files::create_file(path)?;
        let header = header.encode();
        file.write_all(&header).map_err(Error::io("write", path))?;
        Ok(BlockFile { file, path: path.to_path_buf(), bytes: header.len() as u64, raw_bytes: 0 })
    }

    /// Creates a file that appears with its header, so that no reader meets half of one.
    fn create_whole(path: &Path, header: &SpoolHeader) -> Result<BlockFile> {
        let partial = path.with_extension("spool.tmp");
        let mut file = BlockFile::create(&partial, header)?;
        std::fs::rename(&partial, path).map_err(Error::io("rename", &partial))?;
        file.path = path.to_path_buf();
        Ok(file)
    }

    pub fn append(&mut self, flags: u16, raw_len: usize, stored: &[u8]) -> Result<()> {
        debug_assert!(raw_len <= BLOCK_BYTES_MAX && stored.len() <= BLOCK_BYTES_MAX);
        let raw_bytes = self.raw_bytes + raw_len as u64;
        if raw_bytes > RAW_BYTES_MAX {
            let what = "the segment is full, and the next one should have been begun".to_string();
            return Err(Error::Records { path: self.path.clone(), what });
        }
        let header = BlockHeader::new(flags, raw_len, stored).encode();
        match write_both(&mut self.file, &header, stored) {
            Ok(()) => {
                self.bytes += (header.len() + stored.len()) as u64;
                self.raw_bytes = raw_bytes;
                Ok(())
            }
            Err(source) => {
                // Back to the last whole block. If that fails too, readers take it for a torn end.
                let _ = self.file.set_len(self.bytes);
                let _ = self.file.seek(SeekFrom::Start(self.bytes));
                Err(Error::Io { action: "write", path: self.path.clone(), source })
            }
        }
    }

    pub fn sync(&self) -> Result<()> {
        self.file.sync_data().map_err(Error::io("sync", &self.path))
    }
}

/// Writes two buffers with one system call, unless the kernel takes only a part.
fn write_both(file: &mut File, first: &[u8], second: &[u8]) -> std::io::Result<()> {
    let total = first.len() + second.len();
    let mut done = 0;
    while done < total {
        let slices = [
            IoSlice::new(&first[done.min(first.len())..]),
            IoSlice::new(&second[done.saturating_sub(first.len())..]),
        ];
        match file.write_vectored(&slices) {
            Ok(0) => return Err(std::io::ErrorKind::WriteZero.into()),
            Ok(written) => done += written,
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// Appends the records of one stream to the spool of one segment.
pub struct SpoolWriter {
    file: BlockFile,
    counts: Counts,
}

impl SpoolWriter {
    /// Creates the file of `stream` in `folder`, the spool folder of the segment.
    ///
    /// `stored_before` is how many records of each kind the earlier segments hold.
    pub fn create(
        folder: &Path,
        segment: u64,
        stream: Stream,
        stored_before: &Counts,
    ) -> Result<SpoolWriter> {
        let kind = SpoolKind::Stream(stream);
        let header = SpoolHeader { stream: kind.number(), segment, stored_before: *stored_before };
        let file = BlockFile::create_whole(&folder.join(kind.file_name()), &header)?;
        Ok(SpoolWriter { file, counts: [0; KINDS] })
    }

    /// Writes whole records, each of the length that its header says, without padding.
    ///
    /// `context` marks records that identify threads here and are stored in another segment. On an
    /// error nothing of the last block is in the file, which stays readable and can be written on.
    pub fn write_block(&mut self, records: &[u8], context: bool) -> Result<()> {
        let flags = if context { CONTEXT } else { 0 };
        let mut begin = 0;
        let mut counts = [0u32; KINDS];
        let mut walk = Records::new(records);
        while begin < records.len() {
            let mut end = begin;
            for record in walk.by_ref() {
                let (offset, record) = record.map_err(|(at, what)| self.refuse(at, what))?;
                let count = counts.get_mut(usize::from(record.kind()));
                *count
                    .ok_or(())
                    .map_err(|()| self.refuse(offset, "a record is of no possible kind"))? += 1;
                end = offset + record.bytes().len();
                if end - begin >= BLOCK_BYTES_TARGET {
                    break;
                }
            }
            self.file.append(flags, end - begin, &records[begin..end])?;
            if !context {
                self.counts
                    .iter_mut()
                    .zip(counts)
                    .for_each(|(total, count)| *total += u64::from(count));
            }
            counts = [0; KINDS];
            begin = end;
        }
        Ok(())
    }

    fn refuse(&self, offset: usize, what: &str) -> Error {
        Error::Records { path: self.file.path.clone(), what: format!("{what} (at byte {offset})") }
    }

    /// Bytes of the file.
    pub fn bytes(&self) -> u64 {
        self.file.bytes
    }

    /// Records per kind written so far, without context.
    pub fn counts(&self) -> &Counts {
        &self.counts
    }

    /// Seals the file; returns its records per kind, without context.
    pub fn finish(mut self) -> Result<Counts> {
        let counts = counts_to_bytes(&self.counts);
        self.file.append(END, counts.len(), &counts)?;
        Ok(self.counts)
    }
}

/// Appends what user space knows to the spool of one segment.
pub struct MetaWriter {
    file: BlockFile,
}

impl MetaWriter {
    /// Creates the file in `folder`, the spool folder of the segment.
    pub fn create(folder: &Path, segment: u64) -> Result<MetaWriter> {
        let header =
            SpoolHeader { stream: SpoolKind::Meta.number(), segment, stored_before: [0; KINDS] };
        Ok(MetaWriter {
            file: BlockFile::create_whole(&folder.join(SpoolKind::Meta.file_name()), &header)?,
        })
    }

    /// Writes records; each block of them is in the file as a whole or not at all.
    pub fn write(&mut self, records: &[Meta]) -> Result<()> {
        let mut lines = Vec::new();
        for record in records {
            serde_json::to_writer(&mut lines, record).map_err(|error| Error::Io {
                action: "write",
                path: self.file.path.clone(),
                source: error.into(),
            })?;
            lines.push(b'\n');
            if lines.len() >= BLOCK_BYTES_TARGET {
                self.flush(&mut lines)?;
            }
        }
        self.flush(&mut lines)
    }

    fn flush(&mut self, lines: &mut Vec<u8>) -> Result<()> {
        if !lines.is_empty() {
            self.file.append(0, lines.len(), lines)?;
            lines.clear();
        }
        Ok(())
    }

    /// Bytes of the file.
    pub fn bytes(&self) -> u64 {
        self.file.bytes
    }

    /// Seals the file.
    pub fn finish(mut self) -> Result<()> {
        let counts = counts_to_bytes(&[0; KINDS]);
        self.file.append(END, counts.len(), &counts)
    }
}
