//! One raw record: safe, bounds-checked access to its header, fields and variable parts.

use schema::events::{Header, KINDS, TAIL_TRUNCATED, Tail};

/// Bytes of a record's header.
pub(crate) const HEADER_SIZE: usize = size_of::<Header>();

/// A whole record; its length and the length of its fixed part have been checked.
#[derive(Clone, Copy)]
pub(crate) struct Record<'a>(&'a [u8]);

/// Why bytes are not a record.
pub(crate) type Malformed = &'static str;

impl<'a> Record<'a> {
    /// The record at the beginning of `bytes`.
    pub fn first(bytes: &'a [u8]) -> Result<Self, Malformed> {
        let Some(size) = bytes.get(18..20) else {
            return Err("a record is shorter than its header");
        };
        let size = usize::from(u16::from_le_bytes([size[0], size[1]]));
        if size < HEADER_SIZE || size > bytes.len() {
            return Err("a record's size is not that of a record");
        }
        let record = Record(&bytes[..size]);
        if record.fixed() < HEADER_SIZE || record.fixed() > size {
            return Err("the fixed part of a record is not inside it");
        }
        Ok(record)
    }

    pub fn bytes(self) -> &'a [u8] {
        self.0
    }

    fn array<const N: usize>(self, offset: usize) -> [u8; N] {
        let mut out = [0; N];
        out.copy_from_slice(&self.0[offset..offset + N]);
        out
    }

    pub fn ts_ns(self) -> u64 {
        u64::from_le_bytes(self.array(0))
    }
    pub fn tid(self) -> u32 {
        u32::from_le_bytes(self.array(8))
    }
    pub fn pid(self) -> u32 {
        u32::from_le_bytes(self.array(12))
    }
    pub fn kind(self) -> u16 {
        u16::from_le_bytes(self.array(16))
    }
    pub fn fixed(self) -> usize {
        usize::from(u16::from_le_bytes(self.array(20)))
    }
    pub fn cpu(self) -> u16 {
        u16::from_le_bytes(self.array(22))
    }

    /// The bytes of the field at `offset`, unless the record ends before it.
    pub fn field(self, offset: usize, size: usize) -> Option<&'a [u8]> {
        (offset + size <= self.fixed()).then(|| &self.0[offset..offset + size])
    }

    pub fn u32_at(self, offset: usize) -> Option<u32> {
        (offset + 4 <= self.fixed()).then(|| u32::from_le_bytes(self.array(offset)))
    }

    pub fn u64_at(self, offset: usize) -> Option<u64> {
        (offset + 8 <= self.fixed()).then(|| u64::from_le_bytes(self.array(offset)))
    }

    /// Its variable parts; what is cut off at the end is left out.
    pub fn tails(self) -> Tails<'a> {
        Tails(&self.0[self.fixed()..])
    }

    /// The variable part `tag`, and whether it was cut by the recorder.
    pub fn tail(self, tag: Tail) -> Option<(&'a [u8], bool)> {
        self.tails()
            .find(|tail| tail.0 == tag as u8)
            .map(|(_, truncated, bytes)| (bytes, truncated))
    }
}

/// Walks the variable parts of a record: tag, whether truncated, bytes.
pub(crate) struct Tails<'a>(&'a [u8]);

impl<'a> Iterator for Tails<'a> {
    type Item = (u8, bool, &'a [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        let (head, rest) = self.0.split_at_checked(4)?;
        let length = usize::from(u16::from_le_bytes([head[2], head[3]]));
        // Tag 0 is none: what follows is the padding of a record that reserved more than it used.
        let (bytes, rest) = rest.split_at_checked(length).filter(|_| head[0] != 0)?;
        self.0 = rest;
        Some((head[0], head[1] & TAIL_TRUNCATED != 0, bytes))
    }
}

/// Walks the records of a block: their offset in it, and they themselves.
pub(crate) struct Records<'a> {
    payload: &'a [u8],
    offset: usize,
}

impl<'a> Records<'a> {
    pub fn new(payload: &'a [u8]) -> Self {
        Records { payload, offset: 0 }
    }
}

impl<'a> Iterator for Records<'a> {
    type Item = Result<(usize, Record<'a>), (usize, Malformed)>;

    fn next(&mut self) -> Option<Self::Item> {
        let offset = self.offset;
        let rest = self.payload.get(offset..).filter(|rest| !rest.is_empty())?;
        match Record::first(rest) {
            Ok(record) => {
                self.offset += record.bytes().len();
                Some(Ok((offset, record)))
            }
            Err(what) => {
                self.offset = self.payload.len();
                Some(Err((offset, what)))
            }
        }
    }
}

/// Counts per kind.
pub(crate) type Counts = [u64; KINDS];
