//! The stacks of a segment's spool: addresses become places in files.
//!
//! A stack belongs to the process of its record; its addresses lie in the mappings that records of
//! the same process tell of, the latest before it first.

use std::collections::{BTreeMap, HashMap};
use std::mem::offset_of;
use std::path::Path;
use std::sync::Arc;

use schema::Tail;
use schema::events::{self as ev, EventDef, Stream, kind_of};

use super::{Frame, Interner, JIT, KERNEL, Stack, VDSO};
use crate::cache::{CACHE_BYTES, Index, IndexEntry};
use crate::error::Result;
use crate::output::{Partial, TableFile};
use crate::record::Record;
use crate::segment::SegmentMeta;
use crate::spool::{SpoolKind, SpoolReader};
use crate::text::push_tail;

const STACK: u16 = kind_of("stack");
pub(super) const MAPPING: u16 = kind_of("mapping");

/// Bits of `stack_flags`.
const OUTERMOST_MISSING: u32 = 1;
/// The innermost address of the program's is one that a call returns to.
const INNERMOST_RETURNS: u32 = 4;

/// Rows that become columns at once.
const BATCH_ROWS: usize = 1024;

/// The stacks of a segment.
#[derive(Default)]
pub(crate) struct Stacks {
    /// Their ids by the numbers of the kernel side.
    ids: HashMap<u64, i64>,
    /// The distinct ones.
    distinct: BTreeMap<i64, Stack>,
}

/// A mapping of a process from a moment on.
struct Mapping {
    ts_ns: u64,
    start: u64,
    end: u64,
    offset: u64,
    module: Option<Arc<str>>,
    build_id: Option<Arc<str>>,
}

impl Stacks {
    /// The id of the stack that events call `raw_id`; none if it is unknown.
    pub fn id(&self, raw_id: u64) -> Option<i64> {
        self.ids.get(&raw_id).copied()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.distinct.is_empty()
    }

    /// Reads the spool of stacks in the spool folder `spool`.
    pub fn build(spool: &Path, meta: &SegmentMeta) -> Result<Stacks> {
        let kind = SpoolKind::Stream(Stream::Stacks);
        let reader = match SpoolReader::open_as(spool, kind, meta.segment) {
            Ok(reader) => reader,
            Err(error) if error.is_not_found() => return Ok(Stacks::default()),
            Err(error) => return Err(error),
        };
        let mut entries: Vec<(IndexEntry, u16)> = Vec::new();
        let mut index = Index::build(reader, CACHE_BYTES, |event: &EventDef, _, entry| {
            entries.push((entry, event.id));
        })?;
        entries.sort_unstable();
        let mut mappings: HashMap<u32, Vec<Mapping>> = HashMap::new();
        let mut texts = Interner::default();
        for (entry, _) in entries.iter().filter(|(_, kind)| *kind == MAPPING) {
            let record = index.cache.record(entry.at)?;
            if let Some(mapping) = mapping(record, meta, &mut texts) {
                mappings.entry(record.pid()).or_default().push(mapping);
            }
        }
        let mut stacks = Stacks::default();
        let kernel: Arc<str> = KERNEL.into();
        for (entry, _) in entries.iter().filter(|(_, kind)| *kind == STACK) {
            let record = index.cache.record(entry.at)?;
            let Some(raw_id) = record.u64_at(offset_of!(ev::Stack, raw_id)) else { continue };
            let known = mappings.get(&record.pid()).map_or(&[][..], Vec::as_slice);
            let stack = stack(record, known, &kernel);
            stacks.ids.insert(raw_id, stack.id);
            stacks.distinct.entry(stack.id).or_insert(stack);
        }
        Ok(stacks)
    }

    /// Writes the table `stacks` of a segment.
    pub fn write(self, meta: &SegmentMeta, out: &Path) -> Result<Partial> {
        let stacks: Vec<Stack> = self.distinct.into_values().collect();
        write(&stacks, &meta.start.host, meta.segment, out)
    }
}

/// Writes stacks, which are in the order of their ids, as the table of a segment.
pub(crate) fn write(stacks: &[Stack], host: &str, segment: u64, out: &Path) -> Result<Partial> {
    let mut file = TableFile::create(out, super::table(), segment)?;
    for rows in stacks.chunks(BATCH_ROWS) {
        let batch = super::to_batch(host, rows).map_err(|error| crate::Error::Parquet {
            path: super::table().name.into(),
            source: error.into(),
        })?;
        file.write(&batch)?;
    }
    file.finish()
}

fn mapping(record: Record, meta: &SegmentMeta, texts: &mut Interner) -> Option<Mapping> {
    let u64_at = |offset| record.u64_at(offset).filter(|value| *value != u64::MAX);
    let mut text = String::new();
    let name = record.tail(Tail::File).map(|(bytes, truncated)| {
        push_tail(Tail::File, bytes, truncated, &mut text);
        texts.get(&text)
    });
    Some(Mapping {
        ts_ns: record.ts_ns(),
        start: u64_at(offset_of!(ev::Mapping, start_address))?,
        end: u64_at(offset_of!(ev::Mapping, end_address))?,
        offset: u64_at(offset_of!(ev::Mapping, offset_bytes)).unwrap_or(0),
        module: name,
        build_id: build_id(record, meta).map(|id| texts.get(&id)),
    })
}

/// The build-id of a mapping's file, in hexadecimal: from the record itself, or as the recorder
/// found it in the file.
pub(crate) fn build_id(record: Record, meta: &SegmentMeta) -> Option<String> {
    if let Some((bytes, _)) = record.tail(Tail::BuildId) {
        let mut text = String::new();
        return push_tail(Tail::BuildId, bytes, false, &mut text).then_some(text);
    }
    let inode = record.u64_at(offset_of!(ev::Mapping, inode))?;
    let device = record.u32_at(offset_of!(ev::Mapping, device))?;
    meta.modules.get(&(device, inode)).cloned().flatten()
}

fn stack(record: Record, mappings: &[Mapping], kernel: &Arc<str>) -> Stack {
    let kernel_frames = record.u32_at(offset_of!(ev::Stack, kernel_frames)).unwrap_or(0) as usize;
    let flags = record.u32_at(offset_of!(ev::Stack, stack_flags)).unwrap_or(0);
    let (addresses, cut) = record.tail(Tail::Frames).unwrap_or((&[], false));
    let mut out = Stack { truncated: cut || flags & OUTERMOST_MISSING != 0, ..Stack::default() };
    for (at, bytes) in addresses.as_chunks::<8>().0.iter().enumerate() {
        let address = u64::from_le_bytes(*bytes);
        // What is looked up is the call, which ends before the address it returns to.
        let is_exact = if at == kernel_frames { flags & INNERMOST_RETURNS == 0 } else { at == 0 };
        let address = if is_exact { address } else { address.saturating_sub(1) };
        let frame = if at < kernel_frames {
            Frame { module: Some(kernel.clone()), offset: Some(address), ..Frame::default() }
        } else {
            place(address, record.ts_ns(), mappings)
        };
        let is_of_process = frame.module.as_deref().is_none_or(|module| module == JIT);
        if is_of_process {
            out.pid = Some(record.pid());
        }
        out.frames.push(frame);
    }
    out.id = out.identify();
    out
}

/// Where an address of a process was at a time.
fn place(address: u64, ts_ns: u64, mappings: &[Mapping]) -> Frame {
    let holds = |mapping: &&Mapping| mapping.start <= address && address < mapping.end;
    let after = mappings.partition_point(|mapping| mapping.ts_ns <= ts_ns);
    let found =
        mappings[..after].iter().rev().find(holds).or_else(|| mappings[after..].iter().find(holds));
    let Some(mapping) = found else {
        return Frame { offset: Some(address), ..Frame::default() };
    };
    let offset = match mapping.module.as_deref() {
        None => address,
        Some(VDSO) => address - mapping.start,
        Some(_) => (address - mapping.start).saturating_add(mapping.offset),
    };
    Frame {
        module: Some(mapping.module.clone().unwrap_or_else(|| JIT.into())),
        build_id: mapping.build_id.clone(),
        offset: Some(offset),
        ..Frame::default()
    }
}
