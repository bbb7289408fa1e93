//! The records of one spool file in any order, within a bound of memory.

use std::collections::VecDeque;

use schema::events::{EventDef, KINDS};

use crate::error::Result;
use crate::record::{Counts, HEADER_SIZE, Record};
use crate::spool::{SpoolReader, ZSTD};

/// Bytes of blocks that are kept.
pub(crate) const CACHE_BYTES: usize = 16 << 20;
/// A block that was evicted is read record by record until so many were wanted: calls that took
/// long lie far from their neighbours in time, and a whole block for each of them is slow.
const SINGLE_READS_MAX: u8 = 64;

/// Where a record is: the number of its block, and the offset in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Position {
    pub block: u32,
    pub offset: u32,
}

/// A record to come, by time and then by its place in the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct IndexEntry {
    pub ts_ns: u64,
    pub at: Position,
}

/// What one pass over a spool file learns.
pub(crate) struct Index {
    pub cache: BlockCache,
    /// Stored records per kind, without context.
    pub counts: Counts,
    /// Earliest and latest time per kind, without context.
    pub span: Vec<Option<(u64, u64)>>,
    pub stored_before: Counts,
    /// Records of kinds that this version does not know.
    pub unknown: u64,
    pub torn_bytes: u64,
}

impl Index {
    /// Reads the file once; `keep` gets each known record, and whether it is context.
    pub fn build(
        mut reader: SpoolReader,
        cache_bytes: usize,
        mut keep: impl FnMut(&'static EventDef, bool, IndexEntry),
    ) -> Result<Index> {
        let mut kinds: [Option<&'static EventDef>; KINDS] = [None; KINDS];
        schema::events::EVENTS.iter().for_each(|event| kinds[usize::from(event.id)] = Some(event));
        let mut blocks = Vec::new();
        let (mut counts, mut unknown) = ([0; KINDS], 0);
        let mut span: Vec<Option<(u64, u64)>> = vec![None; KINDS];
        reader.for_each(|block, offset, bytes| {
            if blocks.last().is_none_or(|last: &BlockAt| last.offset != block.offset) {
                blocks.push(BlockAt { offset: block.offset, packed: block.flags & ZSTD != 0 });
            }
            let Ok(record) = Record::first(bytes) else {
                return;
            };
            let kind = usize::from(record.kind());
            if !block.is_context()
                && let Some(count) = counts.get_mut(kind)
            {
                *count += 1;
                let ts_ns = record.ts_ns();
                let (first, last) = span[kind].get_or_insert((ts_ns, ts_ns));
                (*first, *last) = ((*first).min(ts_ns), (*last).max(ts_ns));
            }
            match kinds.get(kind).copied().flatten() {
                Some(event) => {
                    let at = Position { block: blocks.len() as u32 - 1, offset };
                    keep(event, block.is_context(), IndexEntry { ts_ns: record.ts_ns(), at });
                }
                None => unknown += 1,
            }
        })?;
        if reader.end_counts().is_some_and(|end| *end != counts) {
            return Err(reader.corrupt(0, "the counts at its end are not those of its records"));
        }
        let stored_before = reader.header().map_or([0; KINDS], |header| header.stored_before);
        let torn_bytes = reader.torn_bytes();
        let cache = BlockCache::new(reader, blocks, cache_bytes);
        Ok(Index { cache, counts, span, stored_before, unknown, torn_bytes })
    }
}

struct BlockAt {
    offset: u64,
    packed: bool,
}

#[derive(Clone, Copy, Default)]
struct Use {
    /// Wanted since the clock hand last passed.
    recent: bool,
    /// Loaded at least once before.
    seen: bool,
    /// Records read one by one since it was evicted.
    single_reads: u8,
}

/// Blocks by number, the recently used ones in memory.
pub(crate) struct BlockCache {
    reader: SpoolReader,
    blocks: Vec<BlockAt>,
    loaded: Vec<Vec<u8>>,
    uses: Vec<Use>,
    /// The loaded blocks in the order of the clock hand.
    clock: VecDeque<u32>,
    bytes: usize,
    bytes_max: usize,
    single: Vec<u8>,
}

impl BlockCache {
    fn new(reader: SpoolReader, blocks: Vec<BlockAt>, bytes_max: usize) -> BlockCache {
        let loaded = blocks.iter().map(|_| Vec::new()).collect();
        let uses = vec![Use::default(); blocks.len()];
        let (clock, single) = (VecDeque::new(), Vec::new());
        BlockCache { reader, blocks, loaded, uses, clock, bytes: 0, bytes_max, single }
    }

    /// The record at a position that the index has given.
    pub fn record(&mut self, at: Position) -> Result<Record<'_>> {
        let block = at.block as usize;
        if self.loaded[block].is_empty() {
            let uses = &mut self.uses[block];
            if uses.seen && !self.blocks[block].packed && uses.single_reads < SINGLE_READS_MAX {
                uses.single_reads += 1;
                return self.single(at);
            }
            self.load(at.block)?;
        }
        self.uses[block].recent = true;
        let bytes = self.loaded[block].get(at.offset as usize..).unwrap_or_default();
        Record::first(bytes).map_err(|what| self.reader.corrupt(self.blocks[block].offset, what))
    }

    fn single(&mut self, at: Position) -> Result<Record<'_>> {
        let offset = self.blocks[at.block as usize].offset;
        self.single.resize(HEADER_SIZE, 0);
        self.reader.raw_at(offset, at.offset, &mut self.single)?;
        let size = usize::from(u16::from_le_bytes([self.single[18], self.single[19]]));
        self.single.resize(size.max(HEADER_SIZE), 0);
        self.reader.raw_at(offset, at.offset, &mut self.single)?;
        Record::first(&self.single).map_err(|what| self.reader.corrupt(offset, what))
    }

    fn load(&mut self, block: u32) -> Result<()> {
        let mut payload = Vec::new();
        self.reader.block_at(self.blocks[block as usize].offset, &mut payload)?;
        while self.bytes + payload.len() > self.bytes_max {
            let Some(oldest) = self.clock.pop_front() else {
                break;
            };
            let uses = &mut self.uses[oldest as usize];
            if std::mem::take(&mut uses.recent) {
                self.clock.push_back(oldest);
            } else {
                self.bytes -= std::mem::take(&mut self.loaded[oldest as usize]).len();
            }
        }
        self.bytes += payload.len();
        self.loaded[block as usize] = payload;
        self.uses[block as usize] = Use { recent: true, seen: true, single_reads: 0 };
        self.clock.push_back(block);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use schema::Stream;

    use super::*;
    use crate::spool::SpoolWriter;

    /// A record of a call with nothing but a time and a marker in its header.
    fn record(number: u64, size: usize) -> Vec<u8> {
        let mut out = vec![0; size];
        out[..8].copy_from_slice(&number.to_le_bytes());
        out[16..18].copy_from_slice(&16u16.to_le_bytes());
        out[18..20].copy_from_slice(&(size as u16).to_le_bytes());
        out[20..22].copy_from_slice(&24u16.to_le_bytes());
        out
    }

    fn open(path: &Path, bytes_max: usize) -> (BlockCache, Vec<IndexEntry>) {
        let mut entries = Vec::new();
        let reader = SpoolReader::open(path).unwrap();
        let index = Index::build(reader, bytes_max, |_, _, entry| entries.push(entry)).unwrap();
        (index.cache, entries)
    }

    #[test]
    fn any_order_gives_every_record_within_the_bound() {
        let temp = tempfile::tempdir().unwrap();
        let mut writer =
            SpoolWriter::create(temp.path(), 1, Stream::Syscalls, &[0; KINDS]).unwrap();
        for block in 0..40u64 {
            let records: Vec<u8> =
                (0..100).flat_map(|at| record(block * 100 + at, 100 + at as usize)).collect();
            writer.write_block(&records, false).unwrap();
        }
        writer.finish().unwrap();
        let path = temp.path().join("syscalls.spool");
        for packed in [false, true] {
            if packed {
                crate::spool::compress(&path).unwrap();
            }
            // Three blocks fit before they are merged, and none of the merged ones.
            let (mut cache, entries) = open(&path, 50_000);
            assert_eq!(entries.len(), 4000);
            for step in 0..8000 {
                let entry = entries[step * 1237 % 4000];
                let record = cache.record(entry.at).unwrap();
                assert_eq!(record.ts_ns(), entry.ts_ns);
                assert_eq!(record.bytes().len(), 100 + (entry.ts_ns % 100) as usize);
                let held: usize = cache.loaded.iter().map(Vec::capacity).sum();
                let largest = cache.loaded.iter().map(Vec::len).max().unwrap_or(0);
                assert!(held <= 50_000.max(largest), "{held} bytes are held");
            }
        }
    }
}
