//! Tables for people: on a terminal, and in Markdown.

use std::io::Write;

use anyhow::Result;
use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;

use super::cell::{self, Style};
use super::grid::{self, Column, Long};
use super::rows::{Batches, Options, Written};
use crate::text;

/// Rows that are laid out at once. Those after them can have other widths; all of them at once
/// would have to be held in memory.
const ROWS_AT_ONCE: usize = 1000;

/// Writes aligned columns.
pub fn write(
    rows: Batches,
    schema: &SchemaRef,
    options: &Options,
    out: &mut dyn Write,
) -> Result<Written> {
    let (columns, styles) = layout(schema, options);
    let mut written = Written::default();
    let mut waiting = Vec::new();
    // Rows before those that wait.
    let mut before = 0;
    for batch in rows {
        let batch = batch?;
        let room = options.rows_max.map_or(usize::MAX, |max| max - written.rows);
        let shown = batch.num_rows().min(room);
        written.rows += shown;
        written.left_off += batch.num_rows() - shown;
        waiting.extend(cells(&batch.slice(0, shown), &styles)?);
        if waiting.len() >= ROWS_AT_ONCE {
            grid::write_more(&columns, &waiting, before, Long::Cut, options.width, out)?;
            before = written.rows;
            waiting.clear();
        }
    }
    if before == 0 || !waiting.is_empty() {
        grid::write_more(&columns, &waiting, before, Long::Cut, options.width, out)?;
    }
    Ok(written)
}

/// Writes a Markdown table.
pub fn write_markdown(
    rows: Batches,
    schema: &SchemaRef,
    options: &Options,
    out: &mut dyn Write,
) -> Result<Written> {
    let (columns, styles) = layout(schema, options);
    let names: Vec<String> = columns.iter().map(|column| text::markdown(&column.name)).collect();
    let rules: Vec<&str> =
        columns.iter().map(|column| if column.is_right { "---:" } else { "---" }).collect();
    writeln!(out, "| {} |\n|{}|", names.join(" | "), rules.join("|"))?;
    let mut written = Written::default();
    for batch in rows {
        for row in plain_cells(&batch?, &styles)? {
            let cells: Vec<String> = row.iter().map(|cell| text::markdown(cell)).collect();
            writeln!(out, "| {} |", cells.join(" | "))?;
            written.rows += 1;
        }
    }
    Ok(written)
}

fn layout(schema: &SchemaRef, options: &Options) -> (Vec<Column>, Vec<Style>) {
    let styles: Vec<Style> =
        schema.fields().iter().map(|field| Style::of(field, options.is_raw)).collect();
    let columns = schema.fields().iter().zip(&styles);
    let columns = columns.map(|(field, style)| Column {
        name: text::escape(field.name()).into_owned(),
        is_right: style.is_number(),
        is_whole: *style != Style::Text,
    });
    (columns.collect(), styles)
}

/// The cells of a batch, row by row, safe for a terminal.
fn cells(batch: &RecordBatch, styles: &[Style]) -> Result<Vec<Vec<String>>> {
    let mut rows = plain_cells(batch, styles)?;
    for cell in rows.iter_mut().flatten() {
        if let std::borrow::Cow::Owned(escaped) = text::escape(cell) {
            *cell = escaped;
        }
    }
    Ok(rows)
}

fn plain_cells(batch: &RecordBatch, styles: &[Style]) -> Result<Vec<Vec<String>>> {
    let mut rows = vec![Vec::with_capacity(styles.len()); batch.num_rows()];
    for (column, style) in batch.columns().iter().zip(styles) {
        for (row, text) in rows.iter_mut().zip(cell::texts(column, *style)?) {
            row.push(text);
        }
    }
    Ok(rows)
}
