//! What is put into the page beside its markup: style, script, and data for the script; and the policy that lets
//! nothing else run.

use std::collections::BTreeMap;

use base64::Engine;
use serde::Serialize;
use sha2::{Digest, Sha256};

use crate::axis::{Axis, COARSE};
use crate::error::Error;
use crate::flames::Graph;
use crate::heat::Heat;
use crate::lanes::Lane;
use crate::names::SERIES_MAX;
use crate::tables::TableData;
use crate::views::COLOURS;

/// The style.
pub const STYLE: &str = include_str!("../assets/page.css");

/// The script: its parts share one scope, in this order.
pub const SCRIPT: &str = concat!(
    include_str!("../assets/format.js"),
    include_str!("../assets/state.js"),
    include_str!("../assets/lanes.js"),
    include_str!("../assets/flames.js"),
    include_str!("../assets/heat.js"),
    include_str!("../assets/tables.js"),
    include_str!("../assets/main.js"),
);

/// The data of the script.
#[derive(Serialize)]
pub struct Data<'a> {
    /// Beginning of the axis, ns since 1970; a text, since JavaScript has no room for it as a number.
    pub first: String,
    /// How much later than the first event that is, ns; commands count from there.
    pub shift: i64,
    /// Length of a stretch, ns.
    pub width: i64,
    /// Number of stretches.
    pub slots: usize,
    /// Stretches in a coarse one.
    pub coarse: usize,
    /// Names with a colour.
    pub colours: usize,
    /// Names with a series of their own.
    pub series: usize,
    /// Names of processes.
    pub names: &'a [String],
    /// The time line.
    pub lanes: &'a [Lane],
    /// Flame graphs.
    pub flames: &'a [Graph],
    /// Heat maps.
    pub heats: &'a [Heat],
    /// Reports, by name.
    pub tables: BTreeMap<&'a str, TableData>,
}

impl<'a> Data<'a> {
    /// Data without reports.
    pub fn new(axis: &Axis, names: &'a [String], lanes: &'a [Lane]) -> Data<'a> {
        Data {
            first: axis.first.to_string(),
            shift: axis.shift(),
            width: axis.width,
            slots: axis.slots,
            coarse: COARSE,
            colours: COLOURS,
            series: SERIES_MAX,
            names,
            lanes,
            flames: &[],
            heats: &[],
            tables: BTreeMap::new(),
        }
    }
}

/// JSON that can stand in an element of HTML: nothing in it ends the element or begins another.
pub fn json<T: Serialize>(value: &T) -> Result<String, Error> {
    let plain = serde_json::to_string(value)?;
    let mut safe = String::with_capacity(plain.len());
    // Outside of texts JSON has none of these letters.
    for letter in plain.chars() {
        match letter {
            '<' | '>' | '&' | '\u{2028}' | '\u{2029}' => {
                safe.push_str(&format!("\\u{:04x}", u32::from(letter)));
            }
            letter => safe.push(letter),
        }
    }
    Ok(safe)
}

/// Nothing is loaded from anywhere, and no script or style runs but the page's own.
pub fn policy() -> String {
    format!(
        "default-src 'none'; script-src 'sha256-{}'; style-src 'sha256-{}'; img-src data:; base-uri 'none'; \
         form-action 'none'",
        hash(SCRIPT),
        hash(STYLE)
    )
}

fn hash(text: &str) -> String {
    base64::engine::general_purpose::STANDARD.encode(Sha256::digest(text.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_in_data_ends_its_element() {
        let text = json(&"</script><!--\u{2028}&").unwrap();
        assert_eq!(text, r#""\u003c/script\u003e\u003c!--\u2028\u0026""#);
        let back: String = serde_json::from_str(&text).unwrap();
        assert_eq!(back, "</script><!--\u{2028}&");
    }

    #[test]
    fn own_parts_do_not_end_their_elements() {
        assert!(!SCRIPT.contains("</script") && !STYLE.contains("</style"));
        // A policy by hash allows no style in attributes; nor does the script set any.
        assert!(!SCRIPT.contains("setAttribute(\"style\"") && !SCRIPT.contains("innerHTML"));
    }
}
