//! Findings that somebody has decided to live with: a file that says which, why, and until when.

use std::collections::BTreeMap;
use std::path::Path;

use arrow::compute::kernels::cast_utils::Parser;
use arrow::datatypes::Date32Type;
use arrow::temporal_conversions::timestamp_ns_to_datetime;
use serde::Deserialize;

use crate::check::normal::NAME;
use crate::check::{Checks, Finding};
use crate::error::Error;

/// A file is not read further than this.
const BYTES_MAX: u64 = 4 << 20;

/// A rule of the file.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Suppression {
    /// The check whose findings it is about.
    pub check: String,
    /// Columns of a finding, or `comm`, `exe`, `argv`, `container` of its process, each with what it must be like: `*`
    /// stands for any text. None: all findings of the check.
    #[serde(default, rename = "where")]
    pub columns: BTreeMap<String, String>,
    /// Why.
    pub reason: String,
    /// The first day on which it holds no more: `2027-01-31`.
    pub expires: String,
}

/// Why a finding does not count.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Suppressed {
    /// The reason that the file gives.
    pub reason: String,
    /// When it ends.
    pub expires: String,
}

/// The rules of a file.
#[derive(Debug, Clone, Default)]
pub struct Suppressions {
    rules: Vec<(Suppression, usize)>,
    today: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    suppress: Vec<Suppression>,
}

impl Suppressions {
    /// Reads a file; `now` is in nanoseconds since 1970.
    pub fn read(path: &Path, checks: &Checks, now: i64) -> Result<Suppressions, Error> {
        let wrong = |reason: String| Error::File { path: path.display().to_string(), reason };
        let size = std::fs::metadata(path).map_err(|error| wrong(error.to_string()))?.len();
        if size > BYTES_MAX {
            return Err(wrong(format!("{size} bytes are too many for a file of suppressions")));
        }
        let text = std::fs::read_to_string(path).map_err(|error| wrong(error.to_string()))?;
        let file: File = toml::from_str(&text).map_err(|error| {
            let before = text.get(..error.span().map_or(0, |span| span.start)).unwrap_or_default();
            wrong(format!("line {}: {}", before.matches('\n').count() + 1, error.message()))
        })?;
        for rule in &file.suppress {
            if rule.check != NAME {
                checks.get(&rule.check).map_err(|error| wrong(error.to_string()))?;
            }
            if rule.reason.trim().is_empty() {
                return Err(wrong(format!("the rule for {} gives no reason", rule.check)));
            }
            if !is_day(&rule.expires) {
                return Err(wrong(format!(
                    "the rule for {} expires on \"{}\"; expected a day such as 2027-01-31",
                    rule.check, rule.expires
                )));
            }
        }
        let today = timestamp_ns_to_datetime(now);
        Ok(Suppressions {
            rules: file.suppress.into_iter().map(|rule| (rule, 0)).collect(),
            today: today.map(|now| now.format("%F").to_string()).unwrap_or_default(),
        })
    }

    /// Marks a finding of `check` if a rule is for it.
    pub(super) fn apply(&mut self, check: &str, finding: &mut Finding) {
        let today = &self.today;
        for (rule, uses) in &mut self.rules {
            let is_for = |(name, pattern): (&String, &String)| {
                finding.cell(name).is_some_and(|cell| is_like(&cell.text(), pattern))
            };
            if rule.check == check
                && rule.expires.as_str() > today.as_str()
                && rule.columns.iter().all(is_for)
            {
                *uses += 1;
                let (reason, expires) = (rule.reason.clone(), rule.expires.clone());
                finding.suppressed = Some(Suppressed { reason, expires });
                return;
            }
        }
    }

    /// Rules that hold no more, and rules that no finding needed, in sentences.
    pub fn remarks(&self) -> Vec<String> {
        let remark = |(rule, uses): &(Suppression, usize)| {
            let what = format!("the suppression of {} ({})", rule.check, rule.reason);
            match rule.expires.as_str() <= self.today.as_str() {
                true => Some(format!("{what} expired on {}", rule.expires)),
                false => (*uses == 0).then(|| format!("{what} was not needed")),
            }
        };
        self.rules.iter().filter_map(remark).collect()
    }
}

/// Whether a text is a day: `2027-01-31`.
fn is_day(text: &str) -> bool {
    text.len() == "2027-01-31".len() && Date32Type::parse(text).is_some()
}

/// Whether `text` is like `pattern`, in which `*` stands for any text.
fn is_like(text: &str, pattern: &str) -> bool {
    let mut parts = pattern.split('*');
    let Some(mut rest) = text.strip_prefix(parts.next().unwrap_or_default()) else { return false };
    let mut parts: Vec<&str> = parts.collect();
    let Some(last) = parts.pop() else { return rest.is_empty() };
    for part in parts {
        let Some(at) = rest.find(part) else { return false };
        rest = &rest[at + part.len()..];
    }
    rest.ends_with(last)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_stands_for_any_text() {
        let check = |text: &str, pattern: &str, expected: bool| {
            assert_eq!(is_like(text, pattern), expected, "{text} like {pattern}");
        };
        check("/usr/bin/x", "/usr/bin/x", true);
        check("/usr/bin/x", "/usr/bin/*", true);
        check("/usr/bin/x", "*x", true);
        check("/usr/bin/x", "/usr/*/x", true);
        check("/usr/bin/x", "/usr/bin", false);
        check("/usr/bin/x", "*y", false);
        check("abab", "ab*ab", true);
        check("ab", "ab*ab", false);
        check("", "*", true);
        check("", "", true);
        check("a", "", false);
        check("x", "**", true);
    }

    #[test]
    fn days_are_days() {
        assert!(is_day("2027-01-31"));
        assert!(!is_day("2027-13-31"));
        assert!(!is_day("soon"));
        assert!(!is_day("2027-01-31 10:00:00"));
    }
}
