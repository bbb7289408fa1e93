//! Results on their way out: one function over batches, with a writer for each format behind it.

#[cfg(feature = "analyze")]
mod binary;
#[cfg(feature = "analyze")]
mod cell;
#[cfg(feature = "analyze")]
mod csv;
mod grid;
#[cfg(feature = "analyze")]
mod json;
mod moment;
#[cfg(feature = "analyze")]
mod table;
#[cfg(feature = "analyze")]
mod target;
#[cfg(feature = "analyze")]
mod wrap;

pub use grid::{Column, Long, write_table};
pub use moment::moment;
#[cfg(feature = "analyze")]
pub use rows::{Format, Options, Written, write};
#[cfg(feature = "analyze")]
pub use target::Target;
#[cfg(feature = "analyze")]
pub use wrap::wrapped;

use std::io::{self, IsTerminal, Write};
use std::sync::atomic::{AtomicBool, Ordering};

static PIPE_BROKEN: AtomicBool = AtomicBool::new(false);

/// The formats of the verbs that tell about a trace rather than print its rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum TableOrJson {
    /// Lines and columns for people
    Table,
    /// JSON
    Json,
}

/// Whether the reader of our output went away.
pub fn is_pipe_broken() -> bool {
    PIPE_BROKEN.load(Ordering::Relaxed)
}

/// Standard output, buffered; it remembers that its reader went away.
pub fn stdout() -> Box<dyn Write> {
    Box::new(io::LineWriter::with_capacity(1 << 16, Stdout))
}

/// Standard output for results too large to be written line by line.
#[cfg(feature = "analyze")]
pub fn stdout_in_blocks() -> Box<dyn Write> {
    Box::new(io::BufWriter::with_capacity(1 << 16, Stdout))
}

/// Makes a file for results.
#[cfg(feature = "analyze")]
pub fn create(path: &std::path::Path) -> anyhow::Result<io::BufWriter<std::fs::File>> {
    use anyhow::Context;
    let file =
        std::fs::File::create(path).with_context(|| format!("cannot write {}", path.display()))?;
    Ok(io::BufWriter::with_capacity(1 << 20, file))
}

/// Removes a file that could not be finished; a device stays.
#[cfg(feature = "analyze")]
pub fn remove(path: &std::path::Path) {
    if path.is_file() {
        // The error that is on its way says more than another one here.
        let _ = std::fs::remove_file(path);
    }
}

/// Whether standard output is a terminal.
#[cfg(feature = "analyze")]
pub fn is_terminal() -> bool {
    io::stdout().is_terminal()
}

struct Stdout;

impl Write for Stdout {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        remember(io::stdout().write(bytes))
    }

    fn flush(&mut self) -> io::Result<()> {
        remember(io::stdout().flush())
    }
}

fn remember<T>(result: io::Result<T>) -> io::Result<T> {
    if let Err(error) = &result
        && error.kind() == io::ErrorKind::BrokenPipe
    {
        PIPE_BROKEN.store(true, Ordering::Relaxed);
    }
    result
}

/// Columns of the terminal; none when standard output is not one, so that nothing is cut.
pub fn terminal_width() -> Option<usize> {
    if !io::stdout().is_terminal() {
        return None;
    }
    let stated = std::env::var("COLUMNS").ok().and_then(|columns| columns.parse().ok());
    let asked = || terminal_size::terminal_size().map(|(width, _)| usize::from(width.0));
    Some(stated.or_else(asked).filter(|width| *width > 0).unwrap_or(80))
}

#[cfg(feature = "analyze")]
mod rows {
    use std::io::Write;

    use anyhow::Result;
    use arrow::array::RecordBatch;
    use arrow::datatypes::SchemaRef;

    use super::{binary, csv, json, table};

    /// A format of results.
    #[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
    pub enum Format {
        /// Aligned columns for people
        Table,
        /// Comma-separated values with a header line
        Csv,
        /// One JSON array of objects
        Json,
        /// One JSON object a line
        Ndjson,
        /// A Parquet file
        Parquet,
        /// An Arrow IPC file
        Arrow,
        /// A Markdown table
        Markdown,
    }

    impl Format {
        /// Whether people cannot read it.
        pub fn is_binary(self) -> bool {
            matches!(self, Format::Parquet | Format::Arrow)
        }
    }

    /// How to write results.
    #[derive(Clone, Copy, Debug)]
    pub struct Options {
        /// The format.
        pub format: Format,
        /// Numbers as they are also where people read them.
        pub is_raw: bool,
        /// Most rows of a table; none for all.
        pub rows_max: Option<usize>,
        /// Columns that a line may have, if it has an end.
        pub width: Option<usize>,
    }

    /// What was written.
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
    pub struct Written {
        /// Rows written.
        pub rows: usize,
        /// Rows that were there beyond the limit.
        pub left_off: usize,
    }

    /// Batches of rows, or what went wrong on the way.
    pub type Batches<'a> = &'a mut dyn Iterator<Item = Result<RecordBatch>>;

    /// Writes all rows.
    pub fn write(
        rows: Batches,
        schema: &SchemaRef,
        options: &Options,
        out: &mut dyn Write,
    ) -> Result<Written> {
        let written = match options.format {
            Format::Table => table::write(rows, schema, options, out),
            Format::Markdown => table::write_markdown(rows, schema, options, out),
            Format::Csv => csv::write(rows, schema, options.width.is_some(), out),
            Format::Json => json::write(rows, true, options.width.is_some(), out),
            Format::Ndjson => json::write(rows, false, options.width.is_some(), out),
            Format::Parquet => binary::write_parquet(rows, schema, out),
            Format::Arrow => binary::write_arrow(rows, schema, out),
        }?;
        out.flush()?;
        Ok(written)
    }
}
