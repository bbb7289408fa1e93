//! Turns errors of the SQL engine into one sentence with a place and, for a misspelt name, the
//! name that was probably meant.

use datafusion::common::{Column, Diagnostic, SchemaError};
use datafusion::error::DataFusionError;

use crate::error::Error;
use crate::functions::FUNCTIONS;
use crate::names::{Names, closest};
use crate::place::Place;

/// What a statement can begin with.
const VERBS: [&str; 6] = ["SELECT", "WITH", "VALUES", "EXPLAIN", "DESCRIBE", "SHOW"];

/// Columns that are listed when none is like the one that there is not.
const COLUMNS_LISTED: usize = 12;

/// How the names of files end that SQL could read.
const FILE_ENDINGS: [&str; 5] = [".parquet", ".csv", ".json", ".ndjson", ".arrow"];

/// The error for people, for an error that came up while SQL was parsed or planned.
pub fn planning(error: &DataFusionError, text: &str, names: &Names) -> Error {
    let root = error.find_root();
    let message = root.strip_backtrace();
    let place = find_diagnostic(error).and_then(|diagnostic| diagnostic.span).map(|span| Place {
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
        DataFusionError::SQL(parser, _) => parse_error(&parser.to_string(), text),
        DataFusionError::SchemaError(schema, _) => schema_error(schema, place, text, names),
        _ => {
            let refused = message.split("not supported: ").nth(1);
            if let Some(what) = refused.filter(|_| is_refused(&message)) {
                return Error::NotAllowed(what.trim().to_uppercase());
            }
            let told = plan_message(&message, names);
            let place = place.or_else(|| Place::of_word(text, &told.about?));
            sql(told.message, place, told.hint)
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
        _ => Error::Run(reworded(&root.strip_backtrace()).message),
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

/// What goes behind the place when a name was probably meant.
fn did_you_mean(name: &str) -> String {
    format!("did you mean \"{name}\"?")
}

fn sql(message: String, place: Option<Place>, hint: Option<String>) -> Error {
    let place_text = place.map(|place| format!(" at line {}, column {}", place.line, place.column));
    let hint = hint.map(|hint| format!("; {hint}"));
    Error::Sql {
        message: format!("{message}{}{}", place_text.unwrap_or_default(), hint.unwrap_or_default()),
        place,
    }
}

/// The parser writes the place into its message: `...at Line: 1, Column: 8`, unless it is the end.
fn parse_error(message: &str, text: &str) -> Error {
    let message =
        message.trim_start_matches("sql parser error: ").trim_start_matches("ParserError(\"");
    let message = message.trim_end_matches("\")");
    let (message, place) = match message.rsplit_once(" at Line: ") {
        Some((message, place)) => (message, parse_place(place)),
        None => (message, None),
    };
    let Some((expected, found)) =
        message.strip_prefix("Expected: ").and_then(|rest| rest.split_once(", found: "))
    else {
        let message = message.trim_end_matches('.').replace("EOF", "the end");
        return sql(format!("SQL syntax: {}", lower_first(&message)), place, None);
    };
    if found == "EOF" {
        let message = format!("SQL syntax: expected {expected}, found the end");
        return sql(message, Some(Place::of_end(text)), None);
    }
    let width = found.chars().count().max(1);
    let meant = Some(found).filter(|_| expected == "an SQL statement");
    sql(
        format!("SQL syntax: expected {expected}, found {found}"),
        place.map(|place| Place { width, ..place }),
        meant.and_then(|found| closest(found, VERBS.into_iter())).map(|verb| did_you_mean(&verb)),
    )
}

fn parse_place(text: &str) -> Option<Place> {
    let (line, column) = text.split_once(", Column: ")?;
    let digits =
        |text: &str| text.chars().take_while(char::is_ascii_digit).collect::<String>().parse().ok();
    Some(Place { line: digits(line)?, column: digits(column)?, width: 1 })
}

fn schema_error(error: &SchemaError, place: Option<Place>, text: &str, names: &Names) -> Error {
    match error {
        SchemaError::FieldNotFound { field, valid_fields } => {
            let name = &field.name;
            let place = place.or_else(|| Place::of_word(text, name));
            // Without a FROM clause nothing is valid; then say what is missing.
            if valid_fields.is_empty() && names.columns.contains(name) {
                return sql(format!("no column \"{name}\" without a FROM clause"), place, None);
            }
            let Some(table) = field.relation.as_ref().map(|relation| relation.table()) else {
                let valid: Vec<&str> =
                    valid_fields.iter().map(|column| column.name.as_str()).collect();
                return sql(
                    format!("no column \"{name}\""),
                    place,
                    column_hint(name, &valid, place, text),
                );
            };
            let known =
                valid_fields.iter().filter_map(|column| Some(column.relation.as_ref()?.table()));
            if !known.clone().any(|known| known == table) {
                let meant = closest(table, known).map(|known| did_you_mean(&known));
                return sql(format!("no table \"{table}\" in the FROM clause"), place, meant);
            }
            let is_of_table = |column: &&Column| {
                column.relation.as_ref().is_some_and(|relation| relation.table() == table)
            };
            let valid: Vec<&str> = valid_fields
                .iter()
                .filter(is_of_table)
                .map(|column| column.name.as_str())
                .collect();
            let hint = column_hint(name, &valid, place, text);
            sql(format!("no column \"{name}\" in {table}"), place, hint)
        }
        SchemaError::AmbiguousReference { field } => sql(
            format!("column \"{}\" is in several tables; write table.{}", field.name, field.name),
            place.or_else(|| Place::of_word(text, &field.name)),
            None,
        ),
        other => sql(lower_first(&first_sentence(&other.to_string())), place, None),
    }
}

/// What to do about a column that is not among the `valid` ones: it was misspelt, or it is a text
/// that lacks its quotes.
fn column_hint(name: &str, valid: &[&str], place: Option<Place>, text: &str) -> Option<String> {
    let before = place.map(|place| place.before(text)).unwrap_or_default();
    let at = &text[before.len()..];
    let is_quoted = place.is_some() && (before.ends_with('"') || at.starts_with('"'));
    let before = before.trim_end_matches('"').trim_end().to_lowercase();
    let is_compared = before.ends_with(['=', '<', '>'])
        || before.ends_with("like")
        || before.strip_suffix('(').is_some_and(|before| before.trim_end().ends_with(" in"));
    let quotes = || Some(format!("text needs single quotes: '{name}'"));
    if is_quoted && is_compared {
        return quotes();
    }
    if let Some(meant) = closest(name, valid.iter().copied()) {
        return Some(did_you_mean(&meant));
    }
    if is_quoted || is_compared {
        return quotes();
    }
    let mut listed: Vec<&str> = Vec::new();
    for name in valid {
        if !listed.contains(name) {
            listed.push(name);
        }
    }
    let more = if listed.len() > COLUMNS_LISTED { ", ..." } else { "" };
    listed.truncate(COLUMNS_LISTED);
    (!listed.is_empty()).then(|| format!("the columns are {}{more}", listed.join(", ")))
}

/// Whether the name of a table looks like that of a file.
fn is_file_name(name: &str) -> bool {
    let name = name.to_lowercase();
    name.contains('/') || FILE_ENDINGS.iter().any(|ending| name.ends_with(ending))
}

/// What an error says.
struct Told {
    message: String,
    /// The word of the SQL that it is about.
    about: Option<String>,
    /// What to do about it.
    hint: Option<String>,
}

fn plan_message(text: &str, names: &Names) -> Told {
    let text = strip_prefixes(text);
    if let Some(table) = between(text, "table '", "' not found") {
        let table = table.strip_prefix("ebrec.").unwrap_or(table);
        let table = table.strip_prefix("public.").unwrap_or(table);
        let last = table.rsplit('.').next().unwrap_or(table);
        let hint = if is_file_name(table) && !names.are_files_allowed {
            Some("query reads only the trace, and --allow-files allows other files".to_string())
        } else {
            closest(last, names.tables.iter().map(String::as_str)).map(|name| did_you_mean(&name))
        };
        return Told {
            message: format!("no table \"{table}\""),
            about: Some(table.to_string()),
            hint,
        };
    }
    if let Some(function) = between(text, "Invalid function '", "'") {
        return Told {
            message: format!("no function \"{function}\""),
            about: Some(function.to_string()),
            hint: closest(function, names.functions.iter().map(String::as_str))
                .map(|name| did_you_mean(&name)),
        };
    }
    reworded(text)
}

/// An error in the words of this program, where the engine's own would not be understood.
fn reworded(text: &str) -> Told {
    let told = |message: String, about: String| Told { message, about: Some(about), hint: None };
    let text = strip_prefixes(text);
    if let Some((value, rest)) =
        text.strip_prefix("Cannot cast string '").and_then(|rest| rest.split_once("' to value of "))
    {
        let ty = type_words(rest.split(" type").next().unwrap_or(rest));
        return told(format!("'{value}' is not a value of type {ty}"), format!("'{value}'"));
    }
    if let Some((value, rest)) =
        text.strip_prefix("Error parsing timestamp from '").and_then(|rest| rest.split_once("': "))
    {
        let message = format!("'{value}' is not a timestamp: {}", first_sentence(rest));
        return told(message, format!("'{value}'"));
    }
    if text.starts_with("Column in SELECT must be in GROUP BY")
        && let Some(column) = between(text, "column \"", "\"")
    {
        let column = column.rsplit('.').next().unwrap_or(column);
        let message =
            format!("column \"{column}\" must be in GROUP BY or in an aggregate function");
        return told(message, column.to_string());
    }
    let wrong_call = || {
        if let Some(call) = between(text, "the given name and argument types '", "'") {
            return Some((call.split('(').next()?, type_words(call)));
        }
        let function = between(text, "Function '", "' failed to match any signature")?;
        let given = between(text, "(DataType: ", ").").unwrap_or("these arguments");
        Some((function, format!("{function}({})", type_words(given))))
    };
    if let Some((function, call)) = wrong_call() {
        let own = FUNCTIONS.iter().find(|known| known.name == function);
        return Told {
            message: format!("no function {call}"),
            about: Some(function.to_string()),
            hint: own.map(|own| did_you_mean(own.usage)),
        };
    }
    Told { message: lower_first(&first_sentence(text)), about: None, hint: None }
}

/// The engine's names of types as `ebrec schema` writes them.
fn type_words(text: &str) -> String {
    text.replace("Utf8View", "text").replace("Utf8", "text").to_lowercase()
}

fn between<'a>(text: &'a str, start: &str, end: &str) -> Option<&'a str> {
    Some(text.split_once(start)?.1.split_once(end)?.0)
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
    const PREFIXES: [&str; 10] = [
        "Error during planning: ",
        "Execution error: ",
        "Arrow error: ",
        "Cast error: ",
        "Parser error: ",
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
    let line = line.replace(". Consider", "; consider").replace("Utf8View", "text");
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parse_errors_keep_their_place() {
        let Error::Sql { message, place } = parse_error(
            "sql parser error: Expected: an expression, found: FROM at Line: 1, Column: 8",
            "SELECT FROM x",
        ) else {
            panic!("an SQL error");
        };
        assert_eq!(message, "SQL syntax: expected an expression, found FROM at line 1, column 8");
        assert_eq!(place, Some(Place { line: 1, column: 8, width: 4 }));
    }
}
