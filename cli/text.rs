//! Text from a trace made safe for Markdown; of terminals, `schema::text`.

pub use schema::text::escape;
#[cfg(feature = "analyze")]
pub use schema::text::{is_formula, is_harmful};

/// `text` for a cell of a Markdown table: shown as it is, no markup, no HTML.
#[cfg(feature = "analyze")]
pub fn markdown(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 8);
    for c in escape(text).chars() {
        match c {
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '&' => out.push_str("&amp;"),
            '\\' | '|' | '`' | '*' | '[' | ']' | '!' | '~' | '$' => {
                out.push('\\');
                out.push(c);
            }
            c => out.push(c),
        }
    }
    out
}

#[cfg(all(test, feature = "analyze"))]
mod tests {
    use super::*;

    #[test]
    fn markup_is_text() {
        assert_eq!(markdown("<b>|`x`|</b>"), "&lt;b&gt;\\|\\`x\\`\\|&lt;/b&gt;");
        assert_eq!(markdown("![x](http://y)"), "\\!\\[x\\](http://y)");
    }
}
