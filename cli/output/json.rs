//! JSON: numbers as numbers, times as RFC 3339 with nanoseconds, NULL as `null`.

use std::io::{self, Write};

use anyhow::Result;
use arrow::json::writer::{JsonArray, LineDelimited, WriterBuilder};

use super::rows::{Batches, Written};
use crate::text;

/// Writes one array of objects, or one object a line.
pub fn write(
    rows: Batches,
    is_array: bool,
    is_terminal: bool,
    out: &mut dyn Write,
) -> Result<Written> {
    let mut out = Shown { out, is_terminal, rest: Vec::new() };
    let builder = WriterBuilder::new().with_explicit_nulls(true);
    let mut written = Written::default();
    if is_array {
        let mut writer = builder.build::<_, JsonArray>(&mut out);
        for batch in rows {
            let batch = batch?;
            writer.write(&batch)?;
            written.rows += batch.num_rows();
        }
        writer.finish()?;
        drop(writer);
        out.write_all(b"\n")?;
    } else {
        let mut writer = builder.build::<_, LineDelimited>(&mut out);
        for batch in rows {
            let batch = batch?;
            writer.write(&batch)?;
            written.rows += batch.num_rows();
        }
        writer.finish()?;
    }
    Ok(written)
}

/// Writes what a terminal would act on as `\u` escapes, which mean the same in JSON.
struct Shown<'a> {
    out: &'a mut dyn Write,
    is_terminal: bool,
    /// The beginning of a character whose other bytes come with the next write.
    rest: Vec<u8>,
}

impl Write for Shown<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if !self.is_terminal {
            return self.out.write(bytes);
        }
        self.rest.extend_from_slice(bytes);
        let end = match std::str::from_utf8(&self.rest) {
            Ok(text) => text.len(),
            Err(error) => error.valid_up_to(),
        };
        let text = String::from_utf8_lossy(&self.rest[..end]).into_owned();
        self.rest.drain(..end);
        let mut shown = String::with_capacity(text.len());
        for c in text.chars() {
            if c == '\n' || !text::is_harmful(c) {
                shown.push(c);
                continue;
            }
            let mut units = [0; 2];
            c.encode_utf16(&mut units)
                .iter()
                .for_each(|unit| shown.push_str(&format!("\\u{unit:04x}")));
        }
        self.out.write_all(shown.as_bytes())?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_terminal_gets_no_control_characters_even_when_a_character_is_split() {
        let mut bytes = Vec::new();
        let mut shown = Shown { out: &mut bytes, is_terminal: true, rest: Vec::new() };
        let text = "\"é\u{9b}2J\u{202e}\"\n".as_bytes();
        text.iter().for_each(|byte| shown.write_all(&[*byte]).unwrap());
        assert_eq!(String::from_utf8(bytes).unwrap(), "\"é\\u009b2J\\u202e\"\n");
    }
}
