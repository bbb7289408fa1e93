//! Reading a spool: whole blocks in order or by offset, whatever the bytes are.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use schema::events::KINDS;

use super::{
    BLOCK_BYTES_MAX, BLOCK_HEADER_SIZE, BlockHeader, CONTEXT, END, HEADER_SIZE, RAW_BYTES_MAX,
    SpoolHeader, SpoolKind, ZSTD, counts_from_bytes,
};
use crate::error::{Error, Result};
use crate::files;
use crate::record::{Counts, Records};

/// A block that was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Block {
    /// Where it begins in the file; [`SpoolReader::block_at`] takes this.
    pub offset: u64,
    /// Its flags.
    pub flags: u16,
}

impl Block {
    /// Whether its records only say who the threads are.
    pub fn is_context(&self) -> bool {
        self.flags & CONTEXT != 0
    }
}

/// Reads a spool file, sealed or not, also while it is being written.
pub struct SpoolReader {
    path: PathBuf,
    file: File,
    header: Option<SpoolHeader>,
    offset: u64,
    /// Length when it was opened: what is appended later belongs to the next look.
    length: u64,
    raw_bytes: u64,
    end_counts: Option<Counts>,
    torn_bytes: u64,
    stored: Vec<u8>,
}

/// What lies at an offset.
enum Next {
    Block(BlockHeader),
    /// The end of the file, or what a writer that died has left of a block.
    Torn,
}

impl SpoolReader {
    /// Opens the spool file at `path`.
    pub fn open(path: &Path) -> Result<SpoolReader> {
        let (file, length) = files::open_file(path)?;
        let mut reader = SpoolReader {
            path: path.to_path_buf(),
            file,
            header: None,
            offset: 0,
            length,
            raw_bytes: 0,
            end_counts: None,
            torn_bytes: 0,
            stored: Vec::new(),
        };
        let mut bytes = [0; HEADER_SIZE];
        let got = reader.read_at(0, &mut bytes)?;
        // A machine that died can leave an empty file, or zeros in place of what was written.
        if got < HEADER_SIZE || bytes.iter().all(|byte| *byte == 0) {
            if !super::MAGIC.starts_with(&bytes[..got.min(8)])
                && bytes.iter().any(|byte| *byte != 0)
            {
                return Err(Error::NotSpool { path: path.to_path_buf() });
            }
            reader.torn_bytes = length;
            return Ok(reader);
        }
        reader.header = Some(SpoolHeader::decode(&bytes, path)?);
        reader.offset = HEADER_SIZE as u64;
        Ok(reader)
    }

    /// Opens the spool file of `kind` in the spool folder of `segment` and checks that it is that.
    pub fn open_as(folder: &Path, kind: SpoolKind, segment: u64) -> Result<SpoolReader> {
        let reader = SpoolReader::open(&folder.join(kind.file_name()))?;
        match &reader.header {
            Some(header) if header.stream != kind.number() || header.segment != segment => {
                Err(reader.corrupt(0, "it belongs to another segment or stream"))
            }
            _ => Ok(reader),
        }
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Its header; none if the machine died before it was on the disk.
    pub fn header(&self) -> Option<&SpoolHeader> {
        self.header.as_ref()
    }

    /// Records per kind as the writer counted them; known once all blocks of a sealed file are read.
    pub fn end_counts(&self) -> Option<&Counts> {
        self.end_counts.as_ref()
    }

    /// Bytes at the end that are not a whole block; known once all blocks are read.
    pub fn torn_bytes(&self) -> u64 {
        self.torn_bytes
    }

    /// Makes the error for something wrong at `offset`.
    pub(crate) fn corrupt(&self, offset: u64, what: impl Into<String>) -> Error {
        Error::Corrupt { path: self.path.clone(), offset, what: what.into() }
    }

    /// Reads the next block of records into `payload`; `None` at the end.
    pub fn next_block(&mut self, payload: &mut Vec<u8>) -> Result<Option<Block>> {
        payload.clear();
        if self.header.is_none() || self.end_counts.is_some() || self.torn_bytes > 0 {
            return Ok(None);
        }
        let offset = self.offset;
        let Next::Block(header) = self.look(offset)? else {
            if self.is_sealed()? {
                return Err(self.corrupt(offset, "a block is longer than what is left of the file"));
            }
            self.torn_bytes = self.length - offset;
            return Ok(None);
        };
        self.raw_bytes += u64::from(header.raw_len);
        if self.raw_bytes > RAW_BYTES_MAX {
            return Err(
                self.corrupt(offset, format!("it unpacks to more than {RAW_BYTES_MAX} bytes"))
            );
        }
        self.load(offset, header, payload)?;
        self.offset += BLOCK_HEADER_SIZE as u64 + u64::from(header.stored_len);
        if header.flags & END == 0 {
            return Ok(Some(Block { offset, flags: header.flags }));
        }
        self.end_counts = counts_from_bytes(payload);
        if self.end_counts.is_none() {
            return Err(
                self.corrupt(offset, format!("the last block does not count {KINDS} kinds"))
            );
        }
        payload.clear();
        if !self.is_zero_from(self.offset)? {
            return Err(self.corrupt(self.offset, "there is something after the last block"));
        }
        Ok(None)
    }

    /// Reads the block that [`next_block`](Self::next_block) found at `offset` once more.
    pub fn block_at(&mut self, offset: u64, payload: &mut Vec<u8>) -> Result<()> {
        payload.clear();
        match self.look(offset)? {
            Next::Block(header) => self.load(offset, header, payload),
            Next::Torn => Err(self.corrupt(offset, "a block that was there is gone")),
        }
    }

    /// Reads a part of an uncompressed block, which has been read and checked as a whole before.
    pub(crate) fn raw_at(&mut self, block: u64, offset: u32, out: &mut [u8]) -> Result<()> {
        let got = self.read_at(block + BLOCK_HEADER_SIZE as u64 + u64::from(offset), out)?;
        if got < out.len() {
            return Err(self.corrupt(block, "a block that was there is gone"));
        }
        Ok(())
    }

    /// Calls `each` for every record: its block, its offset in it, its bytes.
    pub fn for_each(&mut self, mut each: impl FnMut(Block, u32, &[u8])) -> Result<()> {
        let mut payload = Vec::new();
        while let Some(block) = self.next_block(&mut payload)? {
            for record in Records::new(&payload) {
                let (at, record) = record.map_err(|(at, what)| {
                    self.corrupt(block.offset, format!("{what} ({at} bytes into the block)"))
                })?;
                each(block, at as u32, record.bytes());
            }
        }
        Ok(())
    }

    /// Whether the file ends as a writer that finished leaves it.
    fn is_sealed(&mut self) -> Result<bool> {
        let mut bytes = [0; BLOCK_HEADER_SIZE];
        let Some(offset) = self.length.checked_sub((BLOCK_HEADER_SIZE + KINDS * 8) as u64) else {
            return Ok(false);
        };
        self.read_at(offset, &mut bytes)?;
        Ok(BlockHeader::decode(&bytes).is_some_and(|header| header.flags & END != 0))
    }

    fn look(&mut self, offset: u64) -> Result<Next> {
        let mut bytes = [0; BLOCK_HEADER_SIZE];
        if self.read_at(offset, &mut bytes)? < BLOCK_HEADER_SIZE {
            return Ok(Next::Torn);
        }
        let Some(header) = BlockHeader::decode(&bytes) else {
            if self.is_zero_from(offset)? {
                return Ok(Next::Torn);
            }
            return Err(self.corrupt(offset, "there is no block where one should begin"));
        };
        if header.raw_len as usize > BLOCK_BYTES_MAX || header.stored_len as usize > BLOCK_BYTES_MAX
        {
            return Err(
                self.corrupt(offset, format!("a block is longer than {BLOCK_BYTES_MAX} bytes"))
            );
        }
        if header.flags & ZSTD == 0 && header.raw_len != header.stored_len {
            return Err(self.corrupt(offset, "a block has two lengths"));
        }
        if offset + BLOCK_HEADER_SIZE as u64 + u64::from(header.stored_len) > self.length {
            return Ok(Next::Torn);
        }
        Ok(Next::Block(header))
    }

    fn load(&mut self, offset: u64, header: BlockHeader, payload: &mut Vec<u8>) -> Result<()> {
        let mut stored = std::mem::take(&mut self.stored);
        stored.resize(header.stored_len as usize, 0);
        let got = self.read_at(offset + BLOCK_HEADER_SIZE as u64, &mut stored)?;
        if got < stored.len() || header.checksum(&stored) != header.crc {
            return Err(self.corrupt(offset, "the checksum of a block does not match"));
        }
        if header.flags & ZSTD == 0 {
            payload.extend_from_slice(&stored);
        } else {
            let raw_len = header.raw_len as usize;
            *payload = zstd::bulk::decompress(&stored, raw_len).map_err(|error| {
                self.corrupt(offset, format!("a block does not unpack: {error}"))
            })?;
            if payload.len() != raw_len {
                return Err(self.corrupt(offset, "a block unpacks to another length"));
            }
        }
        self.stored = stored;
        Ok(())
    }

    /// Fills `out` from `offset` on; returns how much the file has.
    fn read_at(&mut self, offset: u64, out: &mut [u8]) -> Result<usize> {
        self.file.seek(SeekFrom::Start(offset)).map_err(Error::io("read", &self.path))?;
        let mut got = 0;
        while got < out.len() {
            match self.file.read(&mut out[got..]) {
                Ok(0) => break,
                Ok(read) => got += read,
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                Err(error) => return Err(Error::io("read", &self.path)(error)),
            }
        }
        Ok(got)
    }

    fn is_zero_from(&mut self, mut offset: u64) -> Result<bool> {
        let mut buffer = [0; 4096];
        loop {
            let got = self.read_at(offset, &mut buffer)?;
            if buffer[..got].iter().any(|byte| *byte != 0) {
                return Ok(false);
            }
            if got < buffer.len() {
                return Ok(true);
            }
            offset += got as u64;
        }
    }
}
