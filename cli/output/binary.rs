//! Parquet and Arrow files.

use std::io::Write;

use anyhow::Result;
use arrow::datatypes::SchemaRef;
use arrow::ipc::writer::FileWriter;
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_writer::ArrowWriterOptions;
use parquet::basic::{Compression, ZstdLevel};
use parquet::file::properties::WriterProperties;

use super::rows::{Batches, Written};

/// Writes a Parquet file that any engine reads, as the trace's own.
pub fn write_parquet(rows: Batches, schema: &SchemaRef, out: &mut dyn Write) -> Result<Written> {
    let properties = WriterProperties::builder()
        .set_compression(Compression::ZSTD(ZstdLevel::try_new(1)?))
        .build();
    let options =
        ArrowWriterOptions::new().with_properties(properties).with_skip_arrow_metadata(true);
    // The writer wants to own what it writes to and to send it between threads; a buffer in between
    // needs neither of our output.
    let mut writer = ArrowWriter::try_new_with_options(Vec::new(), schema.clone(), options)?;
    let mut written = Written::default();
    for batch in rows {
        let batch = batch?;
        writer.write(&batch)?;
        written.rows += batch.num_rows();
        let bytes = writer.inner_mut();
        out.write_all(bytes)?;
        bytes.clear();
    }
    out.write_all(&writer.into_inner()?)?;
    Ok(written)
}

/// Writes an Arrow IPC file.
pub fn write_arrow(rows: Batches, schema: &SchemaRef, out: &mut dyn Write) -> Result<Written> {
    let mut writer = FileWriter::try_new(out, schema)?;
    let mut written = Written::default();
    for batch in rows {
        let batch = batch?;
        writer.write(&batch)?;
        written.rows += batch.num_rows();
    }
    writer.finish()?;
    Ok(written)
}
