//! Folded stacks: what flame graphs are made of.

use std::collections::BTreeMap;

use super::profile::Profile;
use crate::text;

/// Lines `comm;outermost;...;innermost WEIGHT`, sorted, each stack once.
pub fn write(profile: &Profile) -> Vec<u8> {
    let mut lines: BTreeMap<String, i64> = BTreeMap::new();
    for (owner, weights) in &profile.samples {
        // These end a part and a line.
        let comm = owner.comm.replace(';', ":").replace(['\n', '\r'], " ");
        let line = match profile.stack(owner).map(|stack| stack.folded()) {
            Some(folded) if folded.is_empty() => comm,
            Some(folded) => format!("{comm};{folded}"),
            None => format!("{comm};[unknown]"),
        };
        let sum = lines.entry(text::escape(&line).into_owned()).or_default();
        *sum = sum.saturating_add(weights[0]);
    }
    let lines = lines.iter().map(|(line, weight)| format!("{line} {weight}\n"));
    lines.collect::<String>().into_bytes()
}
