//! A spool becomes the Parquet files of its segment: a pure function, the same bytes every time.
//!
//! A first pass over a stream indexes its records by time, 16 bytes each; a second fetches them in
//! that order and writes rows. Memory is the index, a cache of blocks and one row group. Streams and
//! segments run in parallel within the rayon pool of the caller (`pool.install(...)`).

use std::path::Path;

use parquet::errors::ParquetError;
use rayon::prelude::*;
use schema::events::{EVENTS, KINDS, Stream};
use schema::tables::{Source, TABLES, Table};

use crate::cache::{BlockCache, CACHE_BYTES, Index, IndexEntry};
use crate::columns::{Context, Plan, Rows};
use crate::error::{Error, Result};
use crate::folder::Folder;
use crate::identity::Identity;
use crate::output::{Partial, TableFile};
use crate::record::Counts;
use crate::segment::SegmentMeta;
use crate::spool::{SpoolKind, SpoolReader};
use crate::stacks::resolve::Stacks;
use crate::state;

/// Rows that become columns at once.
const BATCH_ROWS: usize = 8192;
/// Bytes of records that become columns at once.
const BATCH_BYTES: usize = 4 << 20;

/// What became of a spool.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Encoded {
    /// Number of the segment.
    pub segment: u64,
    /// Its files.
    pub tables: Vec<TableSize>,
    /// Records of kinds that only a newer ebrec knows, which are in no table.
    pub unknown: u64,
    /// Bytes at the end of spool files that a dying recorder had written in part.
    pub torn_bytes: u64,
}

/// Size of one file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TableSize {
    /// The table.
    pub table: &'static str,
    /// Its rows.
    pub rows: u64,
    /// Its bytes.
    pub bytes: u64,
}

/// Encodes the spool of `segment` in `folder` into the trace folder `out`, which may be the same.
///
/// The spool stays where it is. All files appear when they are complete, that of `segments` last.
pub fn segment(folder: &Folder, segment: u64, out: &Path) -> Result<Encoded> {
    let spool = folder.spool_path(segment);
    let meta = SegmentMeta::read(&spool, segment)?;
    let (identity, processes) = Identity::build(&spool, &meta)?;
    let stacks = Stacks::build(&spool, &meta)?;
    let mut stats = Stats::default();
    let mut files = Vec::new();
    let streams: Vec<Result<_>> = Stream::ALL
        .into_par_iter()
        .map(|stream| encode_stream(&spool, stream, &meta, &identity, &stacks, out))
        .collect();
    for stream in streams {
        let (stream_stats, stream_files) = stream?;
        stats.add(&stream_stats);
        files.extend(stream_files);
    }
    files.extend(state::write(&meta, &identity, processes, out)?);
    if is_recorded(&meta, Stream::Stacks) || !stacks.is_empty() {
        files.push(stacks.write(&meta, out)?);
    }
    // The seal comes last, and knows the other files.
    files.push(state::write_segments(&meta, &stats, &files, out)?);
    let size = |file: &Partial| TableSize { table: file.table, rows: file.rows, bytes: file.bytes };
    let tables = files.iter().map(size).collect();
    files.into_iter().try_for_each(Partial::publish)?;
    Ok(Encoded { segment, tables, unknown: stats.unknown, torn_bytes: stats.torn_bytes })
}

/// Encodes every spool of `folder` that is not encoded yet, several at once.
pub fn all(folder: &Folder) -> Result<Vec<Encoded>> {
    let done = folder.segments_encoded()?;
    let todo: Vec<u64> =
        folder.spools()?.into_iter().filter(|number| !done.contains(number)).collect();
    todo.into_par_iter().map(|number| segment(folder, number, folder.path())).collect()
}

/// What the streams of a segment hold.
pub(crate) struct Stats {
    pub counts: Counts,
    pub stored_before: Counts,
    pub span: Vec<Option<(u64, u64)>>,
    unknown: u64,
    torn_bytes: u64,
}

impl Default for Stats {
    fn default() -> Stats {
        Stats {
            counts: [0; KINDS],
            stored_before: [0; KINDS],
            span: vec![None; KINDS],
            unknown: 0,
            torn_bytes: 0,
        }
    }
}

impl Stats {
    /// Takes over the kinds of one stream.
    fn of(index: &Index, stream: Stream) -> Stats {
        let mut stats =
            Stats { unknown: index.unknown, torn_bytes: index.torn_bytes, ..Stats::default() };
        for kind in
            EVENTS.iter().filter(|event| event.stream == stream).map(|event| usize::from(event.id))
        {
            stats.counts[kind] = index.counts[kind];
            stats.stored_before[kind] = index.stored_before[kind];
            stats.span[kind] = index.span[kind];
        }
        stats
    }

    fn add(&mut self, other: &Stats) {
        for kind in 0..KINDS {
            self.counts[kind] += other.counts[kind];
            self.stored_before[kind] += other.stored_before[kind];
            self.span[kind] = self.span[kind].or(other.span[kind]);
        }
        self.unknown += other.unknown;
        self.torn_bytes += other.torn_bytes;
    }
}

/// Encodes the tables of one stream, one after the other; none if it was not recorded.
fn encode_stream(
    spool: &Path,
    stream: Stream,
    meta: &SegmentMeta,
    identity: &Identity,
    stacks: &Stacks,
    out: &Path,
) -> Result<(Stats, Vec<Partial>)> {
    let tables: Vec<&'static Table> =
        TABLES.iter().filter(|table| table.source == Source::Stream(stream)).collect();
    let mut entries: Vec<Vec<IndexEntry>> = vec![Vec::new(); tables.len()];
    let table_of: Vec<Option<usize>> = (0..KINDS)
        .map(|kind| {
            tables
                .iter()
                .position(|table| table.events().any(|event| usize::from(event.id) == kind))
        })
        .collect();
    let index = match SpoolReader::open_as(spool, SpoolKind::Stream(stream), meta.segment) {
        Ok(reader) => Some(Index::build(reader, CACHE_BYTES, |event, is_context, entry| {
            if let Some(table) = table_of[usize::from(event.id)].filter(|_| !is_context) {
                entries[table].push(entry);
            }
        })?),
        Err(error) if error.is_not_found() => None,
        Err(error) => return Err(error),
    };
    if index.is_none() && !is_recorded(meta, stream) {
        return Ok((Stats::default(), Vec::new()));
    }
    let stats = index.as_ref().map_or_else(Stats::default, |index| Stats::of(index, stream));
    let mut cache = index.map(|index| index.cache);
    let context = Context { meta, identity, stacks };
    let mut files = Vec::new();
    for (table, mut entries) in tables.into_iter().zip(entries) {
        // Records of one moment stay in the order of the spool, so that there is one result only.
        entries.sort_unstable();
        let plan = Plan::new(table, &meta.start.arch);
        let file = TableFile::create(out, table, meta.segment)?;
        files.push(write_rows(file, plan, &entries, cache.as_mut(), &context)?);
    }
    Ok((stats, files))
}

fn is_recorded(meta: &SegmentMeta, stream: Stream) -> bool {
    stream == Stream::Processes || meta.start.sources.iter().any(|source| source == stream.name())
}

fn write_rows(
    mut file: TableFile,
    mut plan: Plan,
    entries: &[IndexEntry],
    cache: Option<&mut BlockCache>,
    context: &Context,
) -> Result<Partial> {
    let table = file.table().name;
    let mut rows = Rows::default();
    let mut write = |rows: &mut Rows| -> Result<()> {
        let batch = plan.batch(rows, context).map_err(|error| Error::Parquet {
            path: table.into(),
            source: ParquetError::from(error),
        })?;
        rows.clear();
        file.write(&batch)
    };
    if let Some(cache) = cache {
        for entry in entries {
            rows.push(cache.record(entry.at)?);
            if rows.len() == BATCH_ROWS || rows.bytes() >= BATCH_BYTES {
                write(&mut rows)?;
            }
        }
    }
    if rows.len() > 0 {
        write(&mut rows)?;
    }
    file.finish()
}
