//! The comment that every SQL file of `queries/` begins with.
//!
//! `-- # Title`, then prose, then lines that begin with `-- @`. A line that is indented further goes on
//! with the one before it. `queries/README.md` is the grammar for those who write such files.

use crate::params::{Param, ParamKind};

/// What the header of a file says.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Header {
    /// Title.
    pub title: String,
    /// The question that is answered, the grain ("One row per ..."), how to read the answer.
    pub doc: String,
    /// Columns, in order.
    pub columns: Vec<Column>,
    /// Parameters, in order.
    pub params: Vec<Param>,
    /// Tables and views that must have been recorded for an answer.
    pub needs: Vec<String>,
    /// Tables that are read beyond a range of time, since what they tell depends on what came before or after.
    pub whole: Vec<String>,
    /// What the answer does not say, in sentences.
    pub caveats: Vec<String>,
    /// The picture that shows the answer best.
    pub plot: Option<Plot>,
    /// Data sets whose answer a test holds.
    pub datasets: Vec<String>,
    /// Words of other lines, with their names.
    pub others: Vec<(String, String)>,
}

/// A column of an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Column {
    /// Its name; the unit is its last part.
    pub name: String,
    /// What events that are missing do to it.
    pub kind: Kind,
    /// What it means.
    pub doc: String,
}

/// What the values of a column are made of, and so what it means when events are missing.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Kind {
    /// Says what the row is about.
    Key,
    /// As it was recorded.
    #[default]
    Value,
    /// Counts or adds up: too small when events are missing.
    Total,
    /// The largest: too small when events are missing.
    Max,
    /// The smallest: too large when events are missing.
    Min,
    /// A mean, a share or a quantile: missing events move it either way.
    Mean,
}

impl Kind {
    const NAMES: [(&'static str, Kind); 5] = [
        ("[key]", Kind::Key),
        ("[total]", Kind::Total),
        ("[max]", Kind::Max),
        ("[min]", Kind::Min),
        ("[mean]", Kind::Mean),
    ];
}

/// A picture: its kind and the columns that it draws.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plot {
    /// `bar`, `line`, `heatmap`, `flame`, `tree` or `timeline`.
    pub kind: String,
    /// Columns.
    pub columns: Vec<String>,
}

/// The pictures there are.
pub const PLOTS: [&str; 6] = ["bar", "line", "heatmap", "flame", "tree", "timeline"];

/// Reads the header of `sql`. An error says which line is wrong.
pub fn parse(sql: &str) -> Result<Header, String> {
    let mut header = Header::default();
    for line in logical_lines(sql) {
        match line.strip_prefix('@') {
            None => match line.strip_prefix("# ") {
                Some(title) => header.title = title.to_string(),
                None => {
                    if !header.doc.is_empty() && !line.is_empty() {
                        header.doc.push(' ');
                    }
                    header.doc.push_str(&line);
                }
            },
            Some(tagged) => {
                let (tag, words) = word(tagged);
                header.take(tag, words).map_err(|reason| format!("`@{tag}`: {reason}"))?;
            }
        }
    }
    Ok(header)
}

/// The lines of the leading comment, with those that go on put together.
fn logical_lines(sql: &str) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for line in sql.lines().map_while(|line| line.strip_prefix("--")) {
        match lines.last_mut() {
            Some(last) if last.starts_with('@') && line.starts_with("   ") => {
                last.push(' ');
                last.push_str(line.trim());
            }
            _ => lines.push(line.trim().to_string()),
        }
    }
    lines
}

/// The first word, and what follows it.
fn word(text: &str) -> (&str, &str) {
    let (word, rest) = text.split_once(char::is_whitespace).unwrap_or((text, ""));
    (word, rest.trim())
}

impl Header {
    fn take(&mut self, tag: &str, words: &str) -> Result<(), String> {
        if words.is_empty() {
            return Err("nothing follows".to_string());
        }
        let listed = || words.split([',', ' ']).filter(|word| !word.is_empty()).map(str::to_string);
        match tag {
            "column" => self.columns.push(column(words)),
            "param" => self.params.push(param(words)?),
            "needs" => self.needs.extend(listed()),
            "whole" => self.whole.extend(listed()),
            "dataset" => self.datasets.extend(listed()),
            "caveat" => self.caveats.push(words.to_string()),
            "plot" => {
                let mut words = listed();
                let kind = words.next().unwrap_or_default();
                if !PLOTS.contains(&kind.as_str()) {
                    return Err(format!("no picture `{kind}`; there are {}", PLOTS.join(", ")));
                }
                self.plot = Some(Plot { kind, columns: words.collect() });
            }
            _ => self.others.push((tag.to_string(), words.to_string())),
        }
        Ok(())
    }

    /// The question that is answered: the prose up to its first question mark.
    pub fn question(&self) -> &str {
        self.doc.split_inclusive('?').next().unwrap_or_default()
    }

    /// What one row is: "One row per ...", without its full stop.
    pub fn grain(&self) -> Option<&str> {
        let at = self.doc.find("One row per ")?;
        let text = &self.doc[at..];
        Some(text.split(". ").next().unwrap_or(text).trim_end_matches('.'))
    }

    /// The words of a line `-- @TAG words` that this module does not know.
    pub fn other(&self, tag: &str) -> Option<&str> {
        self.others.iter().find(|(known, _)| known == tag).map(|(_, words)| words.as_str())
    }
}

fn column(words: &str) -> Column {
    let (name, rest) = word(words);
    let (first, after) = word(rest);
    let kind = Kind::NAMES.iter().find(|(name, _)| *name == first);
    let (kind, doc) = kind.map_or((Kind::Value, rest), |(_, kind)| (*kind, after));
    Column { name: name.to_string(), kind, doc: doc.to_string() }
}

fn param(words: &str) -> Result<Param, String> {
    let (name, rest) = word(words);
    let (kind, rest) = word(rest);
    let (default, doc) = word(rest);
    let choices: Vec<String> = match kind.contains('|') {
        true => kind.split('|').map(str::to_string).collect(),
        false => Vec::new(),
    };
    let known = match choices.is_empty() {
        true => ParamKind::by_name(kind),
        false => Some(ParamKind::Text),
    };
    let known =
        known.ok_or_else(|| format!("no type `{kind}`; there are {}", ParamKind::names()))?;
    let param = Param {
        choices,
        name: name.to_string(),
        kind: known,
        default: Some(default.to_string()).filter(|text| text != "-"),
        doc: doc.to_string(),
    };
    if let Some(default) = &param.default {
        param.value(default)?;
    }
    Ok(param)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_is_taken_apart() {
        let header = parse(
            "-- # Slow calls\n-- Which calls are slow? One row per call. Look at\n-- the top.\n\
             -- @needs syscalls\n-- @param above duration 1ms  Leaves out\n--   shorter ones.\n\
             -- @column syscall [key]  Name.\n-- @column calls [total]  How many.\n\
             -- @column note  Text.\n-- @severity high\nSELECT 1\n-- @column no",
        )
        .unwrap();
        assert_eq!(header.title, "Slow calls");
        assert_eq!(header.question(), "Which calls are slow?");
        assert_eq!(header.grain(), Some("One row per call"));
        assert_eq!(header.doc, "Which calls are slow? One row per call. Look at the top.");
        assert_eq!(header.needs, ["syscalls"]);
        assert_eq!(header.params[0].doc, "Leaves out shorter ones.");
        let kinds: Vec<Kind> = header.columns.iter().map(|column| column.kind).collect();
        assert_eq!(kinds, [Kind::Key, Kind::Total, Kind::Value]);
        assert_eq!(header.columns[2].doc, "Text.");
        assert_eq!(header.other("severity"), Some("high"));
    }

    #[test]
    fn what_is_wrong_is_said() {
        let check = |line: &str, expected: &str| assert_eq!(parse(line).unwrap_err(), expected);
        check(
            "-- @param x bytes many  Text",
            "`@param`: expected a size such as 64KiB, not \"many\"",
        );
        check(
            "-- @plot pie a",
            "`@plot`: no picture `pie`; there are bar, line, heatmap, flame, tree, timeline",
        );
        check("-- @needs", "`@needs`: nothing follows");
        check("-- @param by a|b c  Text", "`@param`: expected a, b, not \"c\"");
    }
}
