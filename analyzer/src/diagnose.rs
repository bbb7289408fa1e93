//! Turns errors of the SQL engine into one sentence with a place and, for a misspelt name, the
//! name that was probably meant.

use datafusion::common::{Diagnostic, SchemaError};
use datafusion::error::DataFusionError;

use crate::error::Error;

/// A stretch of one line of SQL; both numbers count from one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    /// Line.
    pub line: usize,
    /// Column of its first character.
    pub column: usize,
    /// Number of characters, at least one.
    pub width: usize,
}

/// Names that a misspelt one is compared with.
pub struct Names {
    /// Tables and views.
    pub tables: Vec<String>,
    /// Columns of all tables.
    pub columns: Vec<String>,
    /// Functions.
    pub functions: Vec<String>,
}

/// The error for people, for an error that came up while SQL was parsed or planned.
pub fn planning(error: &DataFusionError, names: &Names) -> Error {
    let diagnostic = find_diagnostic(error);
    let root = error.find_root();
    let text = root.strip_backtrace();
    let span = diagnostic.and_then(|diagnostic| diagnostic.span);
    let place = span.map(|span| Place {
        line: span.start.line as usize,
        column: span.start.column as usize,
        width: if span.end.line == span.start.line {
            (span.end.column.saturating_sub(span.start.column) as usize).max(1)
        } else {
            1
        },
    });
    match root {
        DataFusionError::External(error) if error.is::<Error>() => own(error.as_ref()),
        DataFusionError::SQL(parser, _) => parse_error(&parser.to_string()),
        DataFusionError::SchemaError(schema, _) => schema_error(schema, place, names),
        _ => {
            if let Some(what) = text.split("not supported: ").nth(1).filter(|_| is_refused(&text)) {
                return Error::NotAllowed(what.trim().to_uppercase());
            }
            let (message, known) = plan_message(&text, names);
            sql(message, place, known)
        }
    }
}

/// The error for people, for an error that came up while a query ran.
pub fn running(error: &DataFusionError) -> Error {
    let root = error.find_root();
    let text = first_sentence(&root.strip_backtrace());
    match root {
        DataFusionError::External(error) if error.is::<Error>() => own(error.as_ref()),
        DataFusionError::ResourcesExhausted(_) => Error::Run(format!(
            "the query needs more memory than it may use; raise --memory or narrow it ({text})"
        )),
        DataFusionError::ParquetError(_) => {
            Error::Run(format!("a file of the trace is damaged: {text}"))
        }
        DataFusionError::ObjectStore(_) | DataFusionError::IoError(_) => {
            Error::Run(format!("a file of the trace cannot be read: {text}"))
        }
        _ => Error::Run(strip_prefixes(&text).to_string()),
    }
}

/// An error of this crate that came back through the engine.
fn own(error: &(dyn std::error::Error + Send + Sync + 'static)) -> Error {
    error.downcast_ref::<Error>().cloned().unwrap_or_else(|| Error::Run(error.to_string()))
}

fn is_refused(text: &str) -> bool {
    ["DDL not supported", "DML not supported", "Statement not supported"]
        .iter()
        .any(|known| text.contains(known))
}

fn sql(message: String, place: Option<Place>, suggestion: Option<String>) -> Error {
    let place_text = place.map(|place| format!(" at line {}, column {}", place.line, place.column));
    let suggestion = suggestion.map(|name| format!("; did you mean \"{name}\"?"));
    Error::Sql {
        message: format!(
            "{message}{}{}",
            place_text.unwrap_or_default(),
            suggestion.unwrap_or_default()
        ),
        place,
    }
}

/// The parser writes the place into its text: `...at Line: 1, Column: 8`.
fn parse_error(text: &str) -> Error {
    let text = text.trim_start_matches("sql parser error: ").trim_start_matches("ParserError(\"");
    let text = text.trim_end_matches("\")");
    let (message, place) = match text.rsplit_once(" at Line: ") {
        Some((message, place)) => (message, parse_place(place)),
        None => (text, None),
    };
    let width = message.rsplit_once("found: ").map_or(1, |(_, found)| match found.trim() {
        "EOF" => 1,
        found => found.chars().count().max(1),
    });
    let message = message.replace("found: EOF", "found: the end");
    sql(
        format!("SQL syntax: {}", lower_first(&message)),
        place.map(|place| Place { width, ..place }),
        None,
    )
}

fn parse_place(text: &str) -> Option<Place> {
    let (line, column) = text.split_once(", Column: ")?;
    let digits =
        |text: &str| text.chars().take_while(char::is_ascii_digit).collect::<String>().parse().ok();
    Some(Place { line: digits(line)?, column: digits(column)?, width: 1 })
}

fn schema_error(error: &SchemaError, place: Option<Place>, names: &Names) -> Error {
    match error {
        SchemaError::FieldNotFound { field, valid_fields } => {
            let valid: Vec<String> =
                valid_fields.iter().map(|column| column.name.clone()).collect();
            // Without a FROM clause nothing is valid; then say what is missing.
            if valid.is_empty() && names.columns.contains(&field.name) {
                return sql(
                    format!("no column \"{}\" without a FROM clause", field.name),
                    place,
                    None,
                );
            }
            let relation =
                field.relation.as_ref().map(|relation| format!(" in {}", relation.table()));
            let message = format!("no column \"{}\"{}", field.name, relation.unwrap_or_default());
            sql(message, place, closest(&field.name, valid.iter().map(String::as_str)))
        }
        SchemaError::AmbiguousReference { field } => sql(
            format!("column \"{}\" is in several tables; write table.{}", field.name, field.name),
            place,
            None,
        ),
        other => sql(lower_first(&first_sentence(&other.to_string())), place, None),
    }
}

fn plan_message(text: &str, names: &Names) -> (String, Option<String>) {
    let text = strip_prefixes(text);
    if let Some(table) =
        text.strip_prefix("table '").and_then(|rest| rest.strip_suffix("' not found"))
    {
        let table = table.rsplit('.').next().unwrap_or(table);
        return (
            format!("no table \"{table}\""),
            closest(table, names.tables.iter().map(String::as_str)),
        );
    }
    if let Some(rest) = text.strip_prefix("Invalid function '") {
        let function = rest.split('\'').next().unwrap_or(rest);
        return (
            format!("no function \"{function}\""),
            closest(function, names.functions.iter().map(String::as_str)),
        );
    }
    (lower_first(&first_sentence(text)), None)
}

fn find_diagnostic(error: &DataFusionError) -> Option<&Diagnostic> {
    match error {
        DataFusionError::Diagnostic(diagnostic, _) => Some(diagnostic),
        DataFusionError::Context(_, inner) => find_diagnostic(inner),
        DataFusionError::Shared(inner) => find_diagnostic(inner),
        DataFusionError::Collection(all) => all.first().and_then(find_diagnostic),
        _ => None,
    }
}

fn strip_prefixes(mut text: &str) -> &str {
    const PREFIXES: [&str; 8] = [
        "Error during planning: ",
        "Execution error: ",
        "Arrow error: ",
        "External error: ",
        "This feature is not implemented: ",
        "Optimizer rule 'simplify_expressions' failed: ",
        "type_coercion\ncaused by\n",
        "Internal error: ",
    ];
    while let Some(rest) = PREFIXES.iter().find_map(|prefix| text.strip_prefix(prefix)) {
        text = rest;
    }
    text
}

/// One line, without a full stop at its end.
fn first_sentence(text: &str) -> String {
    let line = strip_prefixes(text).lines().next().unwrap_or_default();
    let line = line.split(". This issue was likely caused").next().unwrap_or(line);
    line.trim().trim_end_matches('.').to_string()
}

/// Lower case at the start, unless it is a word in capitals.
fn lower_first(text: &str) -> String {
    let mut chars = text.chars();
    match (chars.next(), chars.next()) {
        (Some(first), Some(second)) if second.is_lowercase() => {
            first.to_lowercase().chain(text.chars().skip(1)).collect()
        }
        _ => text.to_string(),
    }
}

/// The candidate that `name` was probably meant to be.
fn closest<'a>(name: &str, candidates: impl Iterator<Item = &'a str>) -> Option<String> {
    let name = name.to_lowercase();
    let limit = (name.chars().count() / 3).clamp(1, 3);
    candidates
        .map(|candidate| (distance(&name, &candidate.to_lowercase()), candidate))
        .filter(|(distance, candidate)| {
            *distance <= limit || (name.len() >= 3 && candidate.starts_with(name.as_str()))
        })
        .min()
        .map(|(_, candidate)| candidate.to_string())
}

/// Number of characters to insert, remove or replace; two swapped neighbours count as one.
fn distance(a: &str, b: &str) -> usize {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    let mut rows = vec![vec![0; b.len() + 1]; a.len() + 1];
    rows[0] = (0..=b.len()).collect();
    for i in 1..=a.len() {
        rows[i][0] = i;
        for j in 1..=b.len() {
            let replace = rows[i - 1][j - 1] + usize::from(a[i - 1] != b[j - 1]);
            let mut best = replace.min(rows[i - 1][j] + 1).min(rows[i][j - 1] + 1);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                best = best.min(rows[i - 2][j - 2] + 1);
            }
            rows[i][j] = best;
        }
    }
    rows[a.len()][b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_of_the_finger_finds_its_name_and_noise_does_not() {
        let names = ["comm", "syscall", "duration_ns", "pid"];
        let check = |typed: &str, expected: Option<&str>| {
            assert_eq!(closest(typed, names.into_iter()).as_deref(), expected, "{typed}");
        };
        check("com", Some("comm"));
        check("sycsall", Some("syscall"));
        check("duration", Some("duration_ns"));
        check("COMM", Some("comm"));
        check("zebra", None);
    }

    #[test]
    fn parse_errors_keep_their_place() {
        let Error::Sql { message, place } = parse_error(
            "sql parser error: Expected: an expression, found: FROM at Line: 1, Column: 8",
        ) else {
            panic!("an SQL error");
        };
        assert_eq!(message, "SQL syntax: expected: an expression, found: FROM at line 1, column 8");
        assert_eq!(place, Some(Place { line: 1, column: 8, width: 4 }));
    }
}
