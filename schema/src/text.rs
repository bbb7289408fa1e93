//! Text from a trace made safe to show.
//!
//! Names, paths and arguments come from whoever ran on the recorded machine. What a terminal, a
//! spreadsheet or a page would obey instead of show is written in another way.

use std::borrow::Cow;
use std::fmt::Write;

/// `text` with control characters and what reverses or hides text written as in C: `\n`, `\x1b`,
/// `\u{202e}`.
pub fn escape(text: &str) -> Cow<'_, str> {
    if !text.chars().any(is_harmful) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len() + 8);
    for c in text.chars() {
        match c {
            '\n' => out.push_str("\\n"),
            '\t' => out.push_str("\\t"),
            '\r' => out.push_str("\\r"),
            c if !is_harmful(c) => out.push(c),
            c if (c as u32) < 0x100 => drop(write!(out, "\\x{:02x}", c as u32)),
            c => drop(write!(out, "\\u{{{:x}}}", c as u32)),
        }
    }
    Cow::Owned(out)
}

/// Whether a terminal would act on a character, or show other text than what is there.
pub fn is_harmful(c: char) -> bool {
    c.is_control()
        || matches!(c,
            // Direction of writing, and what has no width.
            '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}'
            // Ends of lines and paragraphs.
            | '\u{2028}' | '\u{2029}'
            // Invisible tags.
            | '\u{e0000}'..='\u{e007f}')
}

/// Whether a spreadsheet would take a cell with this text for a formula.
pub fn is_formula(text: &str) -> bool {
    text.starts_with(['=', '+', '-', '@', '\t', '\r'])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_terminal_obeys_is_escaped() {
        let check = |text: &str, expected: &str| assert_eq!(escape(text), expected);
        check("plain ünïcode 漢字", "plain ünïcode 漢字");
        check("a\x1b[31mb\n", "a\\x1b[31mb\\n");
        check("\u{9b}2J", "\\x9b2J");
        check("abc\u{202e}def", "abc\\u{202e}def");
        check("a\u{200b}b", "a\\u{200b}b");
    }
}
