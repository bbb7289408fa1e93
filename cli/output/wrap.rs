//! Sentences in lines of a width.

use std::io::Write;

use anyhow::Result;

/// Writes `line` behind `start`, and what does not fit below it.
pub fn wrapped(start: &str, line: &str, width: usize, out: &mut dyn Write) -> Result<()> {
    let indent = start.chars().count();
    let mut length = indent;
    write!(out, "{start}")?;
    for (index, word) in line.split(' ').enumerate() {
        let word_length = word.chars().count();
        if index > 0 && length + 1 + word_length > width {
            write!(out, "\n{:indent$}", "")?;
            length = indent;
        } else if index > 0 {
            write!(out, " ")?;
            length += 1;
        }
        write!(out, "{word}")?;
        length += word_length;
    }
    Ok(writeln!(out)?)
}
