//! Makes the Parquet files of a segment without a spool, from columns that the caller has: for traces
//! that nobody recorded. They are written as those of encoded segments are.

use std::path::PathBuf;

use arrow::array::RecordBatch;
use arrow::error::ArrowError;
use schema::Table;

use crate::encode::TableSize;
use crate::error::{Error, Result};
use crate::folder::Folder;
use crate::output::{Partial, TableFile};

/// Writes the files of one segment; none of them can be seen before [`SegmentWriter::seal`].
#[derive(Debug)]
pub struct SegmentWriter {
    out: PathBuf,
    segment: u64,
}

/// A file of a segment that is not sealed yet; it is removed if the segment never is.
pub struct Written(Partial);

impl SegmentWriter {
    /// Begins `segment` of the trace in `folder`.
    pub fn new(folder: &Folder, segment: u64) -> SegmentWriter {
        SegmentWriter { out: folder.path().to_path_buf(), segment }
    }

    /// Its number.
    pub fn segment(&self) -> u64 {
        self.segment
    }

    /// Writes the file of a table, whose rows the batches have in order. Tables can be written at once.
    pub fn write(
        &self,
        table: &'static Table,
        batches: impl IntoIterator<Item = std::result::Result<RecordBatch, ArrowError>>,
    ) -> Result<Written> {
        let mut file = TableFile::create(&self.out, table, self.segment)?;
        for batch in batches {
            let batch = batch.map_err(|source| Error::Parquet {
                path: table.name.into(),
                source: source.into(),
            })?;
            file.write(&batch)?;
        }
        Ok(Written(file.finish()?))
    }

    /// Makes all files of the segment visible, that of `segments` last, whose rows `segments` has.
    pub fn seal(self, files: Vec<Written>, segments: &RecordBatch) -> Result<Vec<TableSize>> {
        let table = schema::tables::by_name("segments").expect("the schema declares the table");
        let mut seal = TableFile::create(&self.out, table, self.segment)?;
        seal.seal(files.iter().map(|Written(file)| (file.table, file.crc)));
        seal.write(segments)?;
        let files: Vec<Partial> =
            files.into_iter().map(|Written(file)| file).chain(Some(seal.finish()?)).collect();
        let size =
            |file: &Partial| TableSize { table: file.table, rows: file.rows, bytes: file.bytes };
        let sizes = files.iter().map(size).collect();
        files.into_iter().try_for_each(Partial::publish)?;
        Ok(sizes)
    }
}
