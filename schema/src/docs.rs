//! The reference page of tables and columns, from the same list.

use std::fmt::Write;

use crate::events::Stream;
use crate::gauges;
use crate::tables::{Column, ColumnType, FRAME, Source, TABLES, Table};

/// The text of `docs/tables.md`.
pub fn render() -> String {
    let mut out = format!(
        "# Tables\n\nGenerated from the list of events by `cargo test -p schema`. Trace format {}.\n\n\
         Times are UTC with nanoseconds; a unit is the last part of a name; NULL means unknown or not applicable.\n",
        crate::FORMAT
    );
    TABLES.iter().for_each(|table| table_page(table, &mut out));
    out
}

/// How a column type is written for people.
pub fn type_name(ty: ColumnType) -> &'static str {
    match ty {
        ColumnType::Timestamp => "timestamp",
        ColumnType::Int32 => "int32",
        ColumnType::Int64 => "int64",
        ColumnType::Float64 => "float64",
        ColumnType::Text => "text",
        ColumnType::Bool => "bool",
        ColumnType::Binary => "binary",
        ColumnType::Frames => "list of struct",
    }
}

/// Which `--sources` entry records a table.
pub fn source_name(table: &Table) -> &'static str {
    match table.source {
        Source::Stream(stream) => stream.name(),
        Source::Stacks => "stacks",
        Source::Identity => "processes",
        Source::Recorder => "always",
    }
}

fn table_page(table: &Table, out: &mut String) {
    let _ = writeln!(
        out,
        "\n## {}\n\nOne row per {}. Source: `{}`.\n",
        table.name,
        table.doc,
        source_name(table)
    );
    if table.is_shared() {
        out.push_str("| event | meaning |\n|---|---|\n");
        for event in table.events() {
            let _ = writeln!(out, "| `{}` | {} |", event.in_table(), event.doc);
        }
        out.push('\n');
    }
    out.push_str("| column | type | meaning |\n|---|---|---|\n");
    let mut row = |name: &str, column: &Column| {
        let _ = writeln!(out, "| `{name}` | {} | {} |", type_name(column.ty), column.doc);
    };
    for column in table.columns() {
        row(column.name, &column);
        if column.ty == ColumnType::Frames {
            FRAME
                .iter()
                .for_each(|member| row(&format!("{}[].{}", column.name, member.name), member));
        }
    }
    if table.source == Source::Stream(Stream::System) {
        gauges::render(out);
    }
}
