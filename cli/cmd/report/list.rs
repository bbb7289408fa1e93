//! What reports there are, what each says about itself, and what is wrong with them.

use std::fmt::Write as _;
use std::io::Write;
use std::process::ExitCode;

use analyzer::{JOBS, Kind, Report, Reports, Session};
use anyhow::{Result, bail};
use serde_json::json;

use crate::output::{self, Column, Format, Long, write_table};
use crate::text;

/// Prints the list of reports.
pub fn print(reports: &Reports, format: Format) -> Result<ExitCode> {
    for error in &reports.broken {
        eprintln!("note: {}", text::escape(&error.to_string()));
    }
    let mut out = output::stdout();
    match format {
        Format::Table => {
            let columns = [Column::whole("job"), Column::whole("report"), Column::text("question")];
            let row = |report: &&Report| {
                [&report.job, &report.name, report.header.question()]
                    .map(|cell| text::escape(cell).into_owned())
                    .to_vec()
            };
            let rows: Vec<_> = reports.all().iter().map(row).collect();
            write_table(&columns, &rows, Long::Wrapped, output::terminal_width(), &mut *out)?;
        }
        Format::Json => writeln!(
            out,
            "{:#}",
            json!(reports.all().iter().map(|report| to_json(report)).collect::<Vec<_>>())
        )?,
        Format::Ndjson => {
            for report in reports.all() {
                writeln!(out, "{}", to_json(report))?;
            }
        }
        Format::Markdown => write!(out, "{}", markdown(reports))?,
        Format::Csv | Format::Parquet | Format::Arrow => {
            bail!("the list of reports is written as table, json, ndjson or markdown")
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// Prints what is wrong with the reports of the user's folders, or with all.
pub fn lint(reports: &Reports, is_own_only: bool) -> Result<ExitCode> {
    let session = Session::empty()?;
    let mut out = output::stdout();
    let mut wrong = 0;
    for error in &reports.broken {
        writeln!(out, "{}", text::escape(&error.to_string()))?;
        wrong += 1;
    }
    let all = reports.all();
    let chosen = all.iter().filter(|report| !is_own_only || report.path.is_some());
    let mut count = 0;
    for report in chosen {
        count += 1;
        for problem in report.lint(&session) {
            writeln!(out, "{}: {}", report.name, text::escape(&problem))?;
            wrong += 1;
        }
    }
    writeln!(out, "{count} reports, {wrong} problems")?;
    Ok(if wrong == 0 { ExitCode::SUCCESS } else { ExitCode::from(1) })
}

/// The prose of a report's help.
pub fn about(report: &Report) -> String {
    let header = &report.header;
    let mut about = format!("{}\n\n{}\n\n", header.title, header.doc);
    let _ = write!(about, "Needs the tables {}.", header.needs.join(", "));
    if !header.caveats.is_empty() {
        let _ = write!(about, " {}", header.caveats.join(" "));
    }
    about
}

/// What a missing event does to a column.
fn effect(kind: Kind) -> &'static str {
    match kind {
        Kind::Key => "key",
        Kind::Value => "",
        Kind::Total => "total",
        Kind::Max => "max",
        Kind::Min => "min",
        Kind::Mean => "mean",
    }
}

/// The columns of a report's help.
pub fn columns(report: &Report) -> String {
    let columns = &report.header.columns;
    let width = columns.iter().map(|column| column.name.len()).max().unwrap_or(0);
    let mut out = String::from("Columns:\n");
    for column in columns {
        let _ = writeln!(out, "  {:width$}  {}", column.name, column.doc);
    }
    out
}

fn to_json(report: &Report) -> serde_json::Value {
    let header = &report.header;
    let params: Vec<_> = header
        .params
        .iter()
        .map(|param| json!({"name": param.name, "type": param.kind.name(), "choices": param.choices, "default": param.default, "doc": param.doc}))
        .collect();
    let columns: Vec<_> = header
        .columns
        .iter()
        .map(|column| json!({"name": column.name, "kind": effect(column.kind), "doc": column.doc}))
        .collect();
    json!({
        "name": report.name, "job": report.job, "title": header.title, "doc": header.doc,
        "question": header.question(), "needs": header.needs, "datasets": header.datasets, "params": params, "columns": columns,
        "caveats": header.caveats, "path": report.path,
        "plot": header.plot.as_ref().map(|plot| json!({"kind": plot.kind, "columns": plot.columns})),
    })
}

/// The reference page.
fn markdown(reports: &Reports) -> String {
    let mut out = String::from(
        "# Reports\n\nGenerated from the headers of the SQL files in `queries/`. A column that is a `total` or a \
         `max` is a lower bound when events were lost, a `min` an upper bound, a `mean` an estimate; the footer \
         of each report says so. `key` columns tell the rows apart.\n",
    );
    let mut job = "";
    for report in reports.all() {
        if report.job != job {
            job = &report.job;
            let question =
                JOBS.iter().find(|(known, _)| *known == job).map_or("", |(_, question)| question);
            let _ = write!(out, "\n## {job}: {question}\n");
        }
        let header = &report.header;
        let _ = write!(out, "\n### {}\n\n**{}.** {}\n\n", report.name, header.title, header.doc);
        let needs: Vec<String> = header.needs.iter().map(|table| format!("`{table}`")).collect();
        let _ = write!(out, "Needs {}.", needs.join(", "));
        if let Some(plot) = &header.plot {
            let _ = write!(out, " Picture: {} of {}.", plot.kind, plot.columns.join(", "));
        }
        out.push('\n');
        if !header.caveats.is_empty() {
            let _ = write!(out, "\n{}\n", header.caveats.join(" "));
        }
        if !header.params.is_empty() {
            out.push_str("\n| option | type | default | meaning |\n|---|---|---|---|\n");
            for param in &header.params {
                let (name, default) =
                    (param.name.replace('_', "-"), param.default.as_deref().unwrap_or(""));
                let _ = writeln!(
                    out,
                    "| `--{name}` | {} | {default} | {} |",
                    param.kind.name(),
                    param.doc
                );
            }
        }
        out.push_str("\n| column | | meaning |\n|---|---|---|\n");
        for column in &header.columns {
            let _ =
                writeln!(out, "| `{}` | {} | {} |", column.name, effect(column.kind), column.doc);
        }
    }
    out
}
