//! The Parquet files of a segment: how they are written, and that they appear whole.

use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};

use arrow::array::RecordBatch;
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_writer::ArrowWriterOptions;
use parquet::basic::{Compression, Encoding, ZstdLevel};
use parquet::file::metadata::{KeyValue, SortingColumn};
use parquet::file::properties::{EnabledStatistics, WriterProperties};
use parquet::schema::types::ColumnPath;
use schema::tables::{ColumnType, Source, Table};

use crate::error::{Error, Result};
use crate::files;
use crate::folder::segment_file_name;

/// Rows of a row group: the unit in which a reader skips and a writer buffers.
const ROW_GROUP_ROWS: usize = 131_072;
/// A row group ends early when it has so many bytes: bounds memory when rows are long.
const ROW_GROUP_BYTES_MAX: usize = 16 << 20;
/// Begins the names under which a `segments` file keeps the checksums (CRC-32) of the other files.
pub(crate) const CHECKSUM: &str = "ebrec.crc32.";
/// Columns by which rows are looked up one by one.
const BLOOM: [&str; 3] = ["pid", "tid", "upid"];
/// Numbers with hardly any repetition, whose high bytes are alike.
const SPLIT: [&str; 2] = ["duration_ns", "wait_ns"];

/// A Parquet file in the making.
pub(crate) struct TableFile {
    table: &'static Table,
    writer: ArrowWriter<Hashed>,
    partial: Partial,
    rows: u64,
}

/// A file that is not yet visible to readers; it is removed if it never becomes so.
pub(crate) struct Partial {
    path: PathBuf,
    target: PathBuf,
    published: bool,
    /// The table.
    pub table: &'static str,
    /// Its rows.
    pub rows: u64,
    /// Its bytes.
    pub bytes: u64,
    /// CRC-32 of the whole file.
    pub crc: u32,
}

/// A file, and the checksum of what is in it.
struct Hashed {
    file: File,
    hasher: crc32fast::Hasher,
}

impl Write for Hashed {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        let written = self.file.write(bytes)?;
        self.hasher.update(&bytes[..written]);
        Ok(written)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        self.file.flush()
    }
}

impl TableFile {
    /// Begins the file of `table` for `segment` in the trace folder `out`.
    pub fn create(out: &Path, table: &'static Table, segment: u64) -> Result<TableFile> {
        let folder = out.join(table.name);
        files::create_dir(&folder)?;
        let name = segment_file_name(segment);
        let (path, target) = (folder.join(format!(".{name}.tmp")), folder.join(name));
        let file = Hashed { file: files::create_file(&path)?, hasher: crc32fast::Hasher::new() };
        let partial = Partial {
            path,
            target,
            published: false,
            table: table.name,
            rows: 0,
            bytes: 0,
            crc: 0,
        };
        let options = ArrowWriterOptions::new()
            .with_properties(properties(table))
            .with_skip_arrow_metadata(true);
        let writer = ArrowWriter::try_new_with_options(file, schema::arrow::schema(table), options)
            .map_err(|source| Error::Parquet { path: partial.path.clone(), source })?;
        Ok(TableFile { table, writer, partial, rows: 0 })
    }

    /// Which table it is of.
    pub fn table(&self) -> &'static Table {
        self.table
    }

    /// Appends rows.
    pub fn write(&mut self, batch: &RecordBatch) -> Result<()> {
        let written = self.writer.write(batch);
        self.rows += batch.num_rows() as u64;
        let flushed =
            written.and_then(|()| match self.writer.in_progress_size() > ROW_GROUP_BYTES_MAX {
                true => self.writer.flush(),
                false => Ok(()),
            });
        flushed.map_err(|source| Error::Parquet { path: self.partial.path.clone(), source })
    }

    /// Puts the checksums of the segment's other files, by table, into this one's metadata.
    pub fn seal<'a>(&mut self, sums: impl IntoIterator<Item = (&'a str, u32)>) {
        for (table, crc) in sums {
            let pair = KeyValue::new(format!("{CHECKSUM}{table}"), format!("{crc:08x}"));
            self.writer.append_key_value_metadata(pair);
        }
    }

    /// Ends the file and puts it on the disk.
    pub fn finish(mut self) -> Result<Partial> {
        let path = self.partial.path.clone();
        self.writer.finish().map_err(|source| Error::Parquet { path: path.clone(), source })?;
        self.writer.inner().file.sync_data().map_err(Error::io("sync", &path))?;
        self.partial.rows = self.rows;
        self.partial.bytes = self.writer.bytes_written() as u64;
        self.partial.crc = self.writer.inner().hasher.clone().finalize();
        Ok(self.partial)
    }
}

impl Partial {
    /// Makes the file visible to readers.
    pub fn publish(mut self) -> Result<()> {
        std::fs::rename(&self.path, &self.target).map_err(Error::io("rename", &self.path))?;
        self.published = true;
        Ok(())
    }
}

impl Drop for Partial {
    fn drop(&mut self) {
        if !self.published {
            // What cannot be removed has a name that readers pass over.
            let _ = std::fs::remove_file(&self.path);
        }
    }
}

fn properties(table: &Table) -> WriterProperties {
    let mut properties = WriterProperties::builder()
        // The same bytes from whichever version of the library.
        .set_created_by("ebrec".to_string())
        .set_compression(Compression::ZSTD(ZstdLevel::default()))
        .set_statistics_enabled(EnabledStatistics::Page)
        .set_max_row_group_row_count(Some(ROW_GROUP_ROWS));
    for (index, column) in table.columns().iter().enumerate() {
        let path = ColumnPath::from(column.name);
        if column.ty == ColumnType::Timestamp {
            properties = properties
                .set_column_dictionary_enabled(path.clone(), false)
                .set_column_encoding(path.clone(), Encoding::DELTA_BINARY_PACKED);
        }
        if SPLIT.contains(&column.name) {
            properties = properties
                .set_column_dictionary_enabled(path.clone(), false)
                .set_column_encoding(path.clone(), Encoding::BYTE_STREAM_SPLIT);
        }
        if BLOOM.contains(&column.name) {
            properties = properties.set_column_bloom_filter_enabled(path, true);
        }
        if column.name == "ts" && matches!(table.source, Source::Stream(_)) {
            let ascending =
                SortingColumn { column_idx: index as i32, descending: false, nulls_first: false };
            properties = properties.set_sorting_columns(Some(vec![ascending]));
        }
    }
    properties.build()
}
