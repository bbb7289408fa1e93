//! `ebrec schema`: tables, columns, functions.

use std::io::Write;
use std::process::ExitCode;

use anyhow::{Result, bail};
use schema::docs;
use serde_json::json;

use crate::output::{self, Column, Long, write_table};

const EXAMPLES: &str = "\
Examples:
  ebrec schema                   all tables and views
  ebrec schema syscalls          the columns of one
  ebrec schema --views           only views, which other tables are asked through
  ebrec schema --functions       what SQL has on top of the usual
  ebrec schema --format markdown > schema.md";

/// Describe tables, columns and functions
///
/// Every trace has the same tables; those of a source that was not recorded are empty. The column
/// `source` says which source of `ebrec record` fills a table: `always` stands for every recording,
/// `view` for a query over other tables.
#[derive(clap::Args, Debug)]
#[command(after_long_help = EXAMPLES)]
pub struct Args {
    /// Describe the columns of this table or view
    #[arg(value_name = "TABLE")]
    table: Option<String>,

    /// Format of the description
    #[arg(long, value_enum, default_value_t = Format::Table)]
    format: Format,

    /// List views only: queries over other tables
    #[cfg(feature = "analyze")]
    #[arg(long, conflicts_with = "table")]
    views: bool,

    /// List the functions that ebrec adds to SQL
    #[cfg(feature = "analyze")]
    #[arg(long, conflicts_with_all = ["table", "views"])]
    functions: bool,
}

/// The source of what is a query over other tables.
#[cfg(feature = "analyze")]
const VIEW: &str = "view";

/// How the page of all views begins.
#[cfg(feature = "analyze")]
const VIEWS: &str = "\
# Views

Generated from the headers of the SQL files in `queries/views/`: tables for `ebrec query` and for reports that are made of
other tables ([tables](tables.md)). A view that has the name of a table takes its place, and the table is
`NAME_segments`. `ebrec schema NAME` says the same of one.
";

/// How the page of all functions begins.
#[cfg(feature = "analyze")]
const FUNCTIONS: &str = "\
# Functions

Generated from the list of the functions that ebrec adds to SQL, which `ebrec query` has as all reports have them; what
they cost beside what the engine has: [measurements](measurements.md).
";

/// A format of the description.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Format {
    /// Aligned columns for people
    Table,
    /// JSON
    Json,
    /// A reference page in Markdown
    Markdown,
}

/// A table or view.
struct Item {
    name: String,
    doc: String,
    source: String,
    /// Name, type and meaning; without the SQL engine, views have no types.
    columns: Vec<[String; 3]>,
}

/// Prints the description.
pub fn run(args: Args) -> Result<ExitCode> {
    let mut out = output::stdout();
    #[cfg(feature = "analyze")]
    if args.functions {
        functions(args.format, &mut *out)?;
        return Ok(ExitCode::SUCCESS);
    }
    let mut items = items()?;
    #[cfg(feature = "analyze")]
    if args.views {
        items.retain(|item| item.source == VIEW);
        if args.format == Format::Markdown {
            write!(out, "{VIEWS}")?;
            items.iter().try_for_each(|item| write_section(item, &mut *out))?;
            return Ok(ExitCode::SUCCESS);
        }
    }
    if let Some(name) = &args.table {
        if !items.iter().any(|item| item.name == *name) {
            bail!("no table \"{name}\"; {}", hint(name, &items));
        }
        items.retain(|item| item.name == *name);
    }
    match args.format {
        Format::Table if args.table.is_some() => {
            items.iter().try_for_each(|item| print_columns(item, &mut *out))?
        }
        Format::Table => {
            let columns =
                [Column::whole("table"), Column::whole("source"), Column::text("one row per")];
            let about = |item: &Item| {
                let doc = item.doc.trim_start_matches("One row per ");
                let first = doc.split_inclusive(". ").next().unwrap_or(doc).trim_end();
                match first.ends_with("...") {
                    true => first.to_string(),
                    false => first.trim_end_matches('.').to_string(),
                }
            };
            let rows: Vec<_> = items
                .iter()
                .map(|item| vec![item.name.clone(), item.source.clone(), about(item)])
                .collect();
            write_table(&columns, &rows, Long::Wrapped, output::terminal_width(), &mut *out)?;
        }
        Format::Json => {
            let items: Vec<_> = items.iter().map(to_json).collect();
            writeln!(
                out,
                "{:#}",
                json!({ "format": schema::FORMAT.to_string(), "tables": items })
            )?;
        }
        Format::Markdown if args.table.is_none() => write!(out, "{}", docs::render())?,
        Format::Markdown => items.iter().try_for_each(|item| write_section(item, &mut *out))?,
    }
    Ok(ExitCode::SUCCESS)
}

/// A table or view as a part of a page.
fn write_section(item: &Item, out: &mut dyn Write) -> Result<()> {
    writeln!(out, "\n## {}\n\n{}\n", item.name, item.doc)?;
    writeln!(out, "| column | type | meaning |\n|---|---|---|")?;
    for [name, ty, doc] in &item.columns {
        writeln!(out, "| `{name}` | {ty} | {doc} |")?;
    }
    Ok(())
}

/// What to do about the name of a table that there is not.
fn hint(name: &str, items: &[Item]) -> String {
    #[cfg(feature = "analyze")]
    if let Some(meant) = analyzer::closest(name, items.iter().map(|item| item.name.as_str())) {
        return format!("did you mean \"{meant}\"?");
    }
    // Without the SQL engine nothing is compared.
    let _ = (name, items);
    "`ebrec schema` lists them".to_string()
}

fn items() -> Result<Vec<Item>> {
    let mut items = Vec::new();
    #[cfg(feature = "analyze")]
    for view in analyzer::tables_of_any_trace()?.into_iter().filter(|table| table.is_view) {
        let columns = view.columns.into_iter().map(|column| [column.name, column.ty, column.doc]);
        items.push(Item {
            name: view.name,
            doc: view.doc,
            source: VIEW.to_string(),
            columns: columns.collect(),
        });
    }
    for table in schema::tables::TABLES {
        let is_hidden = items.iter().any(|item: &Item| item.name == table.name);
        let name =
            if is_hidden { format!("{}_segments", table.name) } else { table.name.to_string() };
        let column = |column: schema::Column| {
            [column.name.into(), docs::type_name(column.ty).into(), column.doc.into()]
        };
        let columns = table.columns().into_iter().map(column).collect();
        let source = docs::source_name(table).to_string();
        items.push(Item { name, doc: format!("One row per {}.", table.doc), source, columns });
    }
    items.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(items)
}

fn print_columns(item: &Item, out: &mut dyn Write) -> Result<()> {
    writeln!(out, "{}: {}\n", item.name, item.doc)?;
    let columns = [Column::whole("column"), Column::whole("type"), Column::text("meaning")];
    let rows: Vec<Vec<String>> = item.columns.iter().map(|column| column.to_vec()).collect();
    Ok(write_table(&columns, &rows, Long::Wrapped, output::terminal_width(), out)?)
}

fn to_json(item: &Item) -> serde_json::Value {
    let columns: Vec<_> = item
        .columns
        .iter()
        .map(|[name, ty, doc]| json!({ "name": name, "type": ty, "doc": doc }))
        .collect();
    json!({ "name": item.name, "doc": item.doc, "source": item.source, "columns": columns })
}

#[cfg(feature = "analyze")]
fn functions(format: Format, out: &mut dyn Write) -> Result<()> {
    let functions = analyzer::FUNCTIONS;
    match format {
        Format::Table => {
            let columns = [Column::text("function"), Column::text("returns")];
            let rows: Vec<Vec<String>> = functions
                .iter()
                .map(|function| vec![function.usage.into(), function.doc.into()])
                .collect();
            write_table(&columns, &rows, Long::Wrapped, output::terminal_width(), out)?;
        }
        Format::Json => {
            let list: Vec<_> = functions
                .iter()
                .map(|function| json!({ "name": function.name, "usage": function.usage, "doc": function.doc }))
                .collect();
            writeln!(out, "{:#}", json!({ "functions": list }))?;
        }
        Format::Markdown => {
            write!(out, "{FUNCTIONS}")?;
            writeln!(out, "\n| function | returns |\n|---|---|")?;
            for function in functions {
                writeln!(out, "| `{}` | {} |", function.usage, function.doc)?;
            }
        }
    }
    Ok(())
}
