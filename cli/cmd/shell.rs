//! The interactive SQL shell.

use std::borrow::Cow;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use analyzer::Session;
use anyhow::{Context, Result};
use rustyline::completion::Completer;
use rustyline::error::ReadlineError;
use rustyline::highlight::Highlighter;
use rustyline::history::FileHistory;
use rustyline::validate::{ValidationContext, ValidationResult, Validator};
use rustyline::{Config, Editor, Helper, Hinter};

use super::query::{Target, run_all};
use crate::output::{Column, Long, stdout, terminal_width, write_table};
use crate::text;

const HELP: &str = "\
SQL ends with a semicolon and may take several lines.
  \\d            tables
  \\d TABLE      columns of a table
  \\df           functions of ebrec
  \\timing       row count and time, on or off
  \\q            quit";

const KEYWORDS: &[&str] = &[
    "ALL",
    "AND",
    "ANTI",
    "AS",
    "ASC",
    "BETWEEN",
    "BY",
    "CASE",
    "CAST",
    "DESC",
    "DESCRIBE",
    "DISTINCT",
    "ELSE",
    "END",
    "EXISTS",
    "EXPLAIN",
    "FALSE",
    "FILTER",
    "FROM",
    "FULL",
    "GROUP",
    "HAVING",
    "ILIKE",
    "IN",
    "INNER",
    "INTERVAL",
    "IS",
    "JOIN",
    "LEFT",
    "LIKE",
    "LIMIT",
    "NOT",
    "NULL",
    "NULLS",
    "OFFSET",
    "ON",
    "OR",
    "ORDER",
    "OVER",
    "PARTITION",
    "RECURSIVE",
    "RIGHT",
    "SELECT",
    "SEMI",
    "SHOW",
    "TABLES",
    "THEN",
    "TRUE",
    "UNION",
    "USING",
    "VALUES",
    "WHEN",
    "WHERE",
    "WITH",
    "WITHIN",
];

/// Reads and runs statements until the end of input.
pub fn run(session: &Session, mut target: Target, interrupt: &Arc<AtomicBool>) -> Result<()> {
    let config = Config::builder().auto_add_history(true).max_history_size(10_000)?.build();
    let mut editor: Editor<Assistant, FileHistory> = Editor::with_config(config)?;
    // While a query runs, Ctrl-C ends the query; while a line is typed, the editor takes it. After the
    // editor, which replaces what was there.
    signal_hook::flag::register(signal_hook::consts::SIGINT, interrupt.clone())
        .context("cannot watch for Ctrl-C")?;
    editor.set_helper(Some(Assistant::new(session)?));
    let history = history_file();
    if let Some(path) = &history {
        // There is none the first time.
        let _ = editor.load_history(path);
    }
    eprintln!("SQL ends with a semicolon; .help for help, \\q to quit.");
    loop {
        match editor.readline("ebrec> ") {
            Ok(line) => match line.trim() {
                "" => {}
                "\\q" | ".quit" | ".exit" | "exit" | "quit" => break,
                line => {
                    if let Err(error) = enter(session, line, &mut target) {
                        let lines: Vec<_> = format!("{error:#}")
                            .lines()
                            .map(|line| text::escape(line).into_owned())
                            .collect();
                        eprintln!("{}", lines.join("\n"));
                    }
                }
            },
            Err(ReadlineError::Interrupted) => {}
            Err(ReadlineError::Eof) => break,
            Err(error) => return Err(error).context("cannot read a line"),
        }
    }
    if let Some(path) = &history {
        // A shell that cannot keep its history is still of use.
        let _ = path.parent().map(std::fs::create_dir_all);
        let _ = editor.save_history(path);
    }
    Ok(())
}

fn enter(session: &Session, line: &str, target: &mut Target) -> Result<()> {
    let (word, rest) = line.split_once(char::is_whitespace).unwrap_or((line, ""));
    match (word, rest.trim().trim_end_matches(';')) {
        (".help" | "\\?" | "help", _) => eprintln!("{HELP}"),
        ("\\timing", _) => {
            target.is_timed = !target.is_timed;
            eprintln!("timing is {}", if target.is_timed { "on" } else { "off" });
        }
        ("\\df", _) => functions()?,
        ("\\d", "") | ("\\dt", _) => tables(session)?,
        ("\\d", table) => columns(session, table)?,
        _ if line.starts_with(['\\', '.']) => anyhow::bail!("no command {word}; .help lists them"),
        _ => {
            // The editor can be asked for a new width only between lines.
            target.options.width = terminal_width();
            run_all(session, line, target)?;
        }
    }
    Ok(())
}

fn tables(session: &Session) -> Result<()> {
    let columns = [Column::whole("table"), Column::text("about")];
    let rows: Vec<Vec<String>> =
        session.tables()?.iter().map(|table| vec![table.name.clone(), table.doc.clone()]).collect();
    Ok(write_table(&columns, &rows, Long::Wrapped, terminal_width(), &mut *stdout())?)
}

fn columns(session: &Session, name: &str) -> Result<()> {
    let Some(table) = session.tables()?.iter().find(|table| table.name == name) else {
        let names = session.tables()?.iter().map(|table| table.name.as_str());
        match analyzer::closest(name, names) {
            Some(meant) => anyhow::bail!("no table \"{name}\"; did you mean \"{meant}\"?"),
            None => anyhow::bail!("no table \"{name}\"; \\d lists them"),
        }
    };
    let columns = [Column::whole("column"), Column::whole("type"), Column::text("meaning")];
    let row = |column: &analyzer::ColumnInfo| {
        vec![column.name.clone(), column.ty.clone(), column.doc.clone()]
    };
    let rows: Vec<Vec<String>> = table.columns.iter().map(row).collect();
    Ok(write_table(&columns, &rows, Long::Wrapped, terminal_width(), &mut *stdout())?)
}

fn functions() -> Result<()> {
    let columns = [Column::text("function"), Column::text("returns")];
    let rows: Vec<Vec<String>> = analyzer::FUNCTIONS
        .iter()
        .map(|function| vec![function.usage.into(), function.doc.into()])
        .collect();
    Ok(write_table(&columns, &rows, Long::Wrapped, terminal_width(), &mut *stdout())?)
}

/// In the folder for what programs remember between runs.
fn history_file() -> Option<PathBuf> {
    let state =
        std::env::var_os("XDG_STATE_HOME").map(PathBuf::from).filter(|path| path.is_absolute());
    let home = || Some(PathBuf::from(std::env::var_os("HOME")?).join(".local/state"));
    Some(state.or_else(home)?.join("ebrec/history"))
}

/// Completes names, and knows when a statement is complete.
#[derive(Helper, Hinter)]
struct Assistant {
    names: Vec<String>,
}

impl Assistant {
    fn new(session: &Session) -> Result<Assistant> {
        let mut names: Vec<String> = KEYWORDS.iter().map(ToString::to_string).collect();
        for table in session.tables()? {
            names.push(table.name.clone());
            names.extend(table.columns.iter().map(|column| column.name.clone()));
        }
        names.extend(session.functions().iter().cloned());
        names.sort();
        names.dedup();
        Ok(Assistant { names })
    }
}

impl Highlighter for Assistant {
    fn highlight_prompt<'b, 's: 'b, 'p: 'b>(&'s self, prompt: &'p str, _: bool) -> Cow<'b, str> {
        Cow::Borrowed(prompt)
    }
}

impl Completer for Assistant {
    type Candidate = String;

    fn complete(
        &self,
        line: &str,
        at: usize,
        _: &rustyline::Context<'_>,
    ) -> rustyline::Result<(usize, Vec<String>)> {
        let typed = &line[..at];
        let start = typed
            .rfind(|c: char| !c.is_alphanumeric() && c != '_')
            .map_or(0, |index| index + typed[index..].chars().next().map_or(1, char::len_utf8));
        let word = typed[start..].to_lowercase();
        if word.is_empty() {
            return Ok((at, Vec::new()));
        }
        let fits = |name: &&String| name.to_lowercase().starts_with(&word);
        Ok((start, self.names.iter().filter(fits).cloned().collect()))
    }
}

impl Validator for Assistant {
    fn validate(&self, input: &mut ValidationContext) -> rustyline::Result<ValidationResult> {
        Ok(match is_complete(input.input()) {
            true => ValidationResult::Valid(None),
            false => ValidationResult::Incomplete,
        })
    }
}

/// Whether Enter ends the input: a command, nothing, or SQL that ends with a semicolon.
fn is_complete(input: &str) -> bool {
    let input = input.trim();
    let is_command =
        input.starts_with(['\\', '.']) || ["", "exit", "quit", "help"].contains(&input);
    if is_command {
        return true;
    }
    // A semicolon within quotes or a comment does not end anything.
    let (mut quote, mut is_comment) = (None, false);
    // The last character that counts, the one before it, and the last of all.
    let (mut last, mut last_but_one, mut before) = (' ', ' ', ' ');
    for c in input.chars() {
        match (quote, c) {
            _ if is_comment => is_comment = c != '\n',
            (Some(open), c) if c == open => quote = None,
            (Some(_), _) => {}
            (None, '\'' | '"') => quote = Some(c),
            (None, '-') if before == '-' => (is_comment, last) = (true, last_but_one),
            (None, c) if !c.is_whitespace() => (last_but_one, last) = (last, c),
            _ => {}
        }
        before = c;
    }
    quote.is_none() && last == ';'
}

#[cfg(test)]
mod tests {
    use super::is_complete;

    #[test]
    fn a_statement_ends_with_a_semicolon_outside_of_quotes() {
        assert!(is_complete("SELECT 1;"));
        assert!(is_complete("SELECT ';';"));
        assert!(is_complete("\\d syscalls"));
        assert!(!is_complete("SELECT 1"));
        assert!(!is_complete("SELECT ';"));
        assert!(!is_complete("SELECT 1 -- ;"));
        assert!(is_complete("SELECT 1; -- done"));
    }
}
