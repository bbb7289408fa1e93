//! `ebrec info`: what is in a trace.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result};
use arrow::array::{Array, AsArray, RecordBatch};
use arrow::datatypes::Int64Type;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use parquet::file::reader::{FileReader, SerializedFileReader};
use parquet::file::statistics::Statistics;
use schema::{Source, human};
use serde_json::json;
use store::Trace;
use store::trace::Ending;

use crate::output::{self, Column, Long, TableOrJson, moment};
use crate::text;
use crate::traces::Traces;

const EXAMPLES: &str = "\
Examples:
  ebrec info                     the trace in the folder `trace`
  ebrec info /tmp/build --format json";

/// Say what is in a trace, how complete it is and what recording it cost
///
/// Where and when it was recorded, how the recording ended, rows and bytes of each table. Only what
/// files say about themselves is read, which is fast; `ebrec verify` reads everything.
#[derive(clap::Args, Debug)]
#[command(after_long_help = EXAMPLES)]
pub struct Args {
    /// Trace to read; the same as -t
    #[arg(value_name = "FOLDER", conflicts_with = "traces")]
    trace: Option<PathBuf>,

    #[command(flatten)]
    traces: Traces,

    /// Format of the result
    #[arg(long, value_enum, default_value_t = TableOrJson::Table)]
    format: TableOrJson,
}

/// What the footers of a table's files say.
struct TableSize {
    name: &'static str,
    rows: u64,
    bytes: u64,
    /// Earliest and latest `ts`, ns since 1970.
    span: Option<(i64, i64)>,
    is_of_events: bool,
}

/// What recording cost.
#[derive(Default)]
struct Cost {
    cpu_ns: i64,
    duration_ns: i64,
    memory_bytes: i64,
    /// CPU time of what is for one source: in the kernel, as far as it was measured, and of its drain.
    sources: BTreeMap<String, (i64, i64)>,
}

/// Describes every trace.
pub fn run(args: Args, before: &Traces) -> Result<ExitCode> {
    let paths = args.trace.map_or_else(|| args.traces.paths(before), |path| vec![path]);
    let mut out = output::stdout();
    for (index, path) in paths.iter().enumerate() {
        // Its notes are part of the description here.
        let trace = Trace::open(path)?;
        let tables = schema::tables::TABLES
            .iter()
            .map(|table| size(&trace, table))
            .collect::<Result<Vec<_>>>()?;
        let (cost, lost) = (cost(&trace)?, lost(&trace)?);
        match args.format {
            TableOrJson::Table => {
                if index > 0 {
                    writeln!(out)?;
                }
                print(&trace, &tables, &cost, lost, &mut *out)?;
            }
            TableOrJson::Json => writeln!(out, "{:#}", to_json(&trace, &tables, &cost, lost))?,
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn size(trace: &Trace, table: &'static schema::Table) -> Result<TableSize> {
    let is_of_events = matches!(table.source, Source::Stream(_));
    let mut size = TableSize { name: table.name, rows: 0, bytes: 0, span: None, is_of_events };
    for path in trace.files(table.name) {
        let unreadable = || format!("cannot read {}", path.display());
        let file = File::open(path).with_context(unreadable)?;
        size.bytes += file.metadata().with_context(unreadable)?.len();
        let reader = SerializedFileReader::new(file).with_context(unreadable)?;
        for group in reader.metadata().row_groups() {
            size.rows += u64::try_from(group.num_rows()).unwrap_or(0);
            let ts = group.columns().iter().find(|column| column.column_path().string() == "ts");
            if let Some(Statistics::Int64(statistics)) = ts.and_then(|ts| ts.statistics())
                && let (Some(first), Some(last)) = (statistics.min_opt(), statistics.max_opt())
            {
                let (earliest, latest) = size.span.unwrap_or((*first, *last));
                size.span = Some((earliest.min(*first), latest.max(*last)));
            }
        }
    }
    Ok(size)
}

fn cost(trace: &Trace) -> Result<Cost> {
    let mut cost = Cost::default();
    for_each_batch(trace.files("cost"), |batch| {
        let component =
            batch.column_by_name("component").and_then(|column| column.as_string_opt::<i32>());
        let sources =
            batch.column_by_name("source").and_then(|column| column.as_string_opt::<i32>());
        let number = |name: &str, row: usize| {
            let column = batch.column_by_name(name)?.as_primitive_opt::<Int64Type>()?;
            column.is_valid(row).then(|| column.value(row))
        };
        for (row, component) in
            component.iter().flat_map(|components| components.iter().enumerate())
        {
            if component == Some("recorder") {
                cost.cpu_ns = cost.cpu_ns.saturating_add(number("cpu_ns", row).unwrap_or(0));
                cost.duration_ns =
                    cost.duration_ns.saturating_add(number("duration_ns", row).unwrap_or(0));
                cost.memory_bytes = cost.memory_bytes.max(number("memory_bytes", row).unwrap_or(0));
            }
            let source = sources.filter(|sources| sources.is_valid(row));
            if let (Some(source), Some(component)) = (source, component) {
                let (hooks, drain) = cost.sources.entry(source.value(row).to_string()).or_default();
                let sum = if component.starts_with("bpf:") { hooks } else { drain };
                *sum = sum.saturating_add(number("cpu_ns", row).unwrap_or(0));
            }
        }
    })?;
    Ok(cost)
}

fn lost(trace: &Trace) -> Result<i64> {
    let mut lost = 0i64;
    for_each_batch(trace.files("loss"), |batch| {
        let column =
            batch.column_by_name("lost").and_then(|column| column.as_primitive_opt::<Int64Type>());
        lost = lost.saturating_add(column.and_then(arrow::compute::sum).unwrap_or(0));
    })?;
    Ok(lost)
}

fn for_each_batch(paths: &[PathBuf], mut each: impl FnMut(&RecordBatch)) -> Result<()> {
    let mut read = |path: &Path| -> Result<()> {
        let reader = ParquetRecordBatchReaderBuilder::try_new(File::open(path)?)?.build()?;
        for batch in reader {
            each(&batch?);
        }
        Ok(())
    };
    paths
        .iter()
        .try_for_each(|path| read(path).with_context(|| format!("cannot read {}", path.display())))
}

/// Earliest and latest event.
fn span(tables: &[TableSize]) -> Option<(i64, i64)> {
    let spans = tables.iter().filter(|table| table.is_of_events).filter_map(|table| table.span);
    spans.reduce(|one, other| (one.0.min(other.0), one.1.max(other.1)))
}

fn print(
    trace: &Trace,
    tables: &[TableSize],
    cost: &Cost,
    lost: i64,
    out: &mut dyn Write,
) -> Result<()> {
    let manifest = trace.manifest();
    let mut lines = vec![
        ("trace", trace.name()),
        ("host", format!("{}, Linux {}, {}", manifest.host, manifest.kernel, manifest.arch)),
        ("recorded", format!("{} by ebrec {}", manifest.created, manifest.recorder_version)),
        ("state", ending(trace).to_string()),
    ];
    if let Some(command) = &manifest.command {
        lines.push(("command", command.join(" ")));
    }
    lines.push(("sources", manifest.sources.join(", ")));
    if let Some((first, last)) = span(tables) {
        lines.push(("events", format!("{} to {} UTC", moment(first), moment(last))));
        lines.push(("length", human::duration(last.saturating_sub(first))));
    }
    lines.push(("segments", trace.segments().len().to_string()));
    lines.push((
        "lost",
        if lost == 0 { "nothing".to_string() } else { format!("{lost} events (ebrec verify)") },
    ));
    if cost.duration_ns > 0 {
        let percent = cost.cpu_ns as f64 * 100.0 / cost.duration_ns as f64;
        lines.push((
            "cost",
            format!("{percent:.1}% of a CPU, {} of memory", human::bytes(cost.memory_bytes)),
        ));
    }
    if manifest.redaction != "none" {
        lines.push(("redaction", manifest.redaction.clone()));
    }
    lines.extend(trace.notes().iter().map(|note| ("note", note.clone())));
    for (label, value) in lines {
        writeln!(out, "{label:<10}{}", text::escape(&value))?;
    }
    writeln!(out)?;
    print_tables(tables, out)?;
    print_costs(cost, out)
}

/// What each source cost, in shares of one CPU.
fn print_costs(cost: &Cost, out: &mut dyn Write) -> Result<()> {
    if cost.sources.is_empty() || cost.duration_ns == 0 {
        return Ok(());
    }
    writeln!(
        out,
        "\nCost in percent of a CPU: in hooks, by samples of 20 ms, which what is recorded pays; and to drain them.\n"
    )?;
    let columns = ["hooks", "drain"].map(Column::number);
    let columns: Vec<Column> = std::iter::once(Column::text("source")).chain(columns).collect();
    let percent = |ns: i64| format!("{:.2}", ns as f64 * 100.0 / cost.duration_ns as f64);
    let rows: Vec<Vec<String>> = cost
        .sources
        .iter()
        .map(|(name, (hooks, drain))| {
            vec![text::escape(name).into_owned(), percent(*hooks), percent(*drain)]
        })
        .collect();
    Ok(output::write_table(&columns, &rows, Long::Cut, output::terminal_width(), out)?)
}

fn print_tables(tables: &[TableSize], out: &mut dyn Write) -> Result<()> {
    let columns = ["rows", "bytes", "bytes/row"].map(Column::number);
    let columns: Vec<Column> = std::iter::once(Column::text("table")).chain(columns).collect();
    let row = |name: &str, rows: u64, bytes: u64| {
        let each =
            if rows == 0 { "-".to_string() } else { format!("{:.1}", bytes as f64 / rows as f64) };
        vec![name.to_string(), rows.to_string(), human::bytes(bytes as i64), each]
    };
    let mut rows: Vec<Vec<String>> = tables
        .iter()
        .filter(|table| table.bytes > 0)
        .map(|table| row(table.name, table.rows, table.bytes))
        .collect();
    let total = |count: fn(&TableSize) -> u64| tables.iter().map(count).sum();
    rows.push(row("total", total(|table| table.rows), total(|table| table.bytes)));
    Ok(output::write_table(&columns, &rows, Long::Cut, output::terminal_width(), out)?)
}

fn ending(trace: &Trace) -> &'static str {
    match trace.ending() {
        Ending::Finished => "finished",
        Ending::Recording => "being recorded",
        Ending::Crashed => "the recorder died; what it had recorded is here",
    }
}

fn to_json(trace: &Trace, tables: &[TableSize], cost: &Cost, lost: i64) -> serde_json::Value {
    let sizes: Vec<_> = tables
        .iter()
        .filter(|table| table.bytes > 0)
        .map(|table| json!({ "name": table.name, "rows": table.rows, "bytes": table.bytes }))
        .collect();
    let moments = span(tables).map(|(first, last)| json!({ "first": moment(first), "last": moment(last), "duration_ns": last.saturating_sub(first) }));
    json!({
        "name": trace.name(), "manifest": trace.manifest(), "segments": trace.segments().len(), "events": moments,
        "lost": lost, "tables": sizes, "notes": trace.notes(),
        "cost": {
            "cpu_ns": cost.cpu_ns, "duration_ns": cost.duration_ns, "memory_bytes": cost.memory_bytes,
            "sources": cost.sources.iter().map(|(name, (hooks, drain))| {
                json!({ "source": name, "hooks_cpu_ns": hooks, "drain_cpu_ns": drain })
            }).collect::<Vec<_>>(),
        },
    })
}
