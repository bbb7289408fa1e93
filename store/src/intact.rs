//! Whether a Parquet file is what was written: its ends, its checksum, all of its pages.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

use arrow::array::RecordBatch;
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use parquet::file::metadata::KeyValue;
use parquet::schema::types::SchemaDescriptor;

use crate::error::{Error, Result};
use crate::files::open_file;
use crate::output::CHECKSUM;

pub(crate) fn damaged(path: &Path, what: impl ToString) -> Error {
    Error::Damaged { path: path.to_path_buf(), what: what.to_string() }
}

fn reader(path: &Path) -> Result<ParquetRecordBatchReaderBuilder<File>> {
    let file = File::open(path).map_err(Error::io("open", path))?;
    ParquetRecordBatchReaderBuilder::try_new(file).map_err(|error| damaged(path, error))
}

/// Decodes a file from its beginning to its end.
pub(crate) fn for_each_batch(path: &Path, each: impl FnMut(RecordBatch)) -> Result<()> {
    decode(path, |_| ProjectionMask::all(), each)
}

/// Decodes those of these columns that a file has.
pub(crate) fn for_each_batch_of(
    path: &Path,
    columns: &[&str],
    each: impl FnMut(RecordBatch),
) -> Result<()> {
    decode(path, |schema| ProjectionMask::columns(schema, columns.iter().copied()), each)
}

fn decode(
    path: &Path,
    columns: impl FnOnce(&SchemaDescriptor) -> ProjectionMask,
    mut each: impl FnMut(RecordBatch),
) -> Result<()> {
    let read = || {
        let reader = reader(path)?;
        let columns = columns(reader.parquet_schema());
        let batches = reader.with_projection(columns).build();
        for batch in batches.map_err(|error| damaged(path, error))? {
            each(batch.map_err(|error| damaged(path, error))?);
        }
        Ok(())
    };
    // The library panics on some files that were made to be unreadable.
    catch_unwind(AssertUnwindSafe(read)).unwrap_or_else(|_| Err(damaged(path, "reading it failed")))
}

/// The checksums of a segment's files by table, as its `segments` file has them.
pub(crate) fn checksums(path: &Path) -> Result<BTreeMap<String, u32>> {
    let read = || {
        reader(path).map(|reader| reader.metadata().file_metadata().key_value_metadata().cloned())
    };
    let pairs = catch_unwind(AssertUnwindSafe(read))
        .unwrap_or_else(|_| Err(damaged(path, "reading it failed")))?;
    let checksum = |pair: &KeyValue| {
        let table = pair.key.strip_prefix(CHECKSUM)?;
        Some((table.to_string(), u32::from_str_radix(pair.value.as_deref()?, 16).ok()?))
    };
    Ok(pairs.unwrap_or_default().iter().filter_map(checksum).collect())
}

/// Compares the checksum of a file.
pub(crate) fn check_sum(path: &Path, expected: u32) -> Result<()> {
    let mut file = File::open(path).map_err(Error::io("open", path))?;
    let mut hasher = crc32fast::Hasher::new();
    let mut buffer = vec![0; 1 << 16];
    loop {
        match file.read(&mut buffer).map_err(Error::io("read", path))? {
            0 => break,
            length => hasher.update(&buffer[..length]),
        }
    }
    if hasher.finalize() == expected {
        Ok(())
    } else {
        Err(damaged(path, "its checksum does not match"))
    }
}

/// Checks that a Parquet file begins and ends like one: a file that was cut does not.
pub(crate) fn check_ends(path: &Path) -> Result<()> {
    let (mut file, length) = open_file(path)?;
    let (mut first, mut last) = ([0; 4], [0; 4]);
    if length >= 12 {
        file.read_exact(&mut first)
            .and_then(|()| file.seek(SeekFrom::End(-4)))
            .and_then(|_| file.read_exact(&mut last))
            .map_err(Error::io("read", path))?;
    }
    if &first != b"PAR1" || &last != b"PAR1" {
        let what = "it is not a whole Parquet file".to_string();
        return Err(Error::Damaged { path: path.to_path_buf(), what });
    }
    Ok(())
}
