//! Tables for people: on a terminal, and in Markdown.

use std::io::Write;

use anyhow::Result;
use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;

use super::cell::{self, Style};
use super::grid::{self, Column, Grid};
use super::rows::{Batches, Options, Written};
use crate::text;

/// Rows that the widths of columns are chosen for; later ones follow.
const ROWS_MEASURED: usize = 1000;

/// Writes aligned columns.
pub fn write(
    rows: Batches,
    schema: &SchemaRef,
    options: &Options,
    out: &mut dyn Write,
) -> Result<Written> {
    let (columns, styles) = layout(schema, options);
    let mut written = Written::default();
    let mut sample: Vec<Vec<String>> = Vec::new();
    // None until the widths are known.
    let mut style: Option<Option<Grid>> = None;
    for batch in rows {
        let batch = batch?;
        let room = options.rows_max.map_or(usize::MAX, |max| max - written.rows);
        let shown = batch.num_rows().min(room);
        written.rows += shown;
        written.left_off += batch.num_rows() - shown;
        let lines = cells(&batch.slice(0, shown), &styles)?;
        match &style {
            None => {
                sample.extend(lines);
                if sample.len() >= ROWS_MEASURED {
                    style = Some(start(&columns, &sample, options, out)?);
                }
            }
            Some(grid) => {
                let first = written.rows - lines.len();
                write_lines(grid.as_ref(), &columns, &lines, first, options, out)?;
            }
        }
    }
    if style.is_none() {
        start(&columns, &sample, options, out)?;
    }
    Ok(written)
}

/// Chooses the layout for the first rows and writes them.
fn start(
    columns: &[Column],
    rows: &[Vec<String>],
    options: &Options,
    out: &mut dyn Write,
) -> Result<Option<Grid>> {
    let grid = Grid::fit(columns, rows, options.width);
    if let Some(grid) = &grid {
        grid.write_header(out)?;
    }
    write_lines(grid.as_ref(), columns, rows, 0, options, out)?;
    Ok(grid)
}

fn write_lines(
    grid: Option<&Grid>,
    columns: &[Column],
    rows: &[Vec<String>],
    first: usize,
    options: &Options,
    out: &mut dyn Write,
) -> Result<()> {
    for (index, row) in rows.iter().enumerate() {
        match grid {
            Some(grid) => grid.write_row(row, out)?,
            None => grid::write_record(columns, row, first + index + 1, options.width, out)?,
        }
    }
    Ok(())
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
        columns.iter().map(|column| if column.is_number { "---:" } else { "---" }).collect();
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
        is_number: style.is_number(),
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
