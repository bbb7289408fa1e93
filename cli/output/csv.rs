//! Comma-separated values.
//!
//! A text that a spreadsheet would take for a formula gets an apostrophe in front. Lists and
//! structures are written as text. On a terminal control characters are escaped.

use std::io::Write;
use std::sync::Arc;

use anyhow::Result;
use arrow::array::{
    Array, ArrayRef, AsArray, RecordBatch, RecordBatchOptions, StringArray, StringBuilder,
};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use arrow::util::display::{ArrayFormatter, FormatOptions};

use super::rows::{Batches, Written};
use crate::text;

/// Writes a header line and the rows.
pub fn write(
    rows: Batches,
    schema: &SchemaRef,
    is_terminal: bool,
    out: &mut dyn Write,
) -> Result<Written> {
    let fields = schema.fields().iter().map(|field| match field.data_type().is_nested() {
        true => Arc::new(Field::new(field.name(), DataType::Utf8, true)),
        false => field.clone(),
    });
    let schema = Arc::new(Schema::new(fields.collect::<Vec<_>>()));
    let mut writer = arrow::csv::WriterBuilder::new().with_header(true).build(out);
    let mut written = Written::default();
    // The header is written with the first batch; an empty one makes sure that there is one.
    writer.write(&RecordBatch::new_empty(schema.clone()))?;
    for batch in rows {
        let batch = batch?;
        let columns = batch
            .columns()
            .iter()
            .map(|column| safe(column, is_terminal))
            .collect::<Result<Vec<_>>>()?;
        let options = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
        writer.write(&RecordBatch::try_new_with_options(schema.clone(), columns, &options)?)?;
        written.rows += batch.num_rows();
    }
    Ok(written)
}

fn safe(column: &ArrayRef, is_terminal: bool) -> Result<ArrayRef> {
    let column = match column.data_type() {
        DataType::Utf8 => column.clone(),
        ty if ty.is_nested() => as_text(column)?,
        _ => return Ok(column.clone()),
    };
    let texts: &StringArray = column.as_string();
    let is_harmful =
        |text: &str| text::is_formula(text) || (is_terminal && text.chars().any(text::is_harmful));
    if !texts.iter().flatten().any(is_harmful) {
        return Ok(column);
    }
    let mut safe = StringBuilder::with_capacity(texts.len(), texts.value_data().len());
    for text in texts {
        safe.append_option(text.map(|text| {
            let quote = if text::is_formula(text) { "'" } else { "" };
            match is_terminal {
                true => format!("{quote}{}", text::escape(text)),
                false => format!("{quote}{text}"),
            }
        }));
    }
    Ok(Arc::new(safe.finish()))
}

fn as_text(column: &ArrayRef) -> Result<ArrayRef> {
    let options = FormatOptions::default();
    let formatter = ArrayFormatter::try_new(column, &options)?;
    let text = |row| column.is_valid(row).then(|| formatter.value(row).try_to_string()).transpose();
    let texts = (0..column.len()).map(text).collect::<Result<StringArray, _>>()?;
    Ok(Arc::new(texts))
}
