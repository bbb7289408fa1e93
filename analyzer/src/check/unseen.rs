//! What a check looks for and a recording was asked to leave out: nobody can say that it is not there.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;

use arrow::array::AsArray;
use arrow::compute::cast;
use arrow::datatypes::{DataType, Int64Type};
use regex::Regex;

use super::Check;
use crate::error::Error;
use crate::session::Session;

/// Functions that look into a text. Where arguments are only shown, they may be missing.
static LOOKS_AT_ARGUMENTS: LazyLock<Regex> = LazyLock::new(|| {
    let call = concat!(
        r"(?-u:\b)(regexp_like|regexp_replace|regexp_match|concat|strpos)\(([^()]|\([^()]*\))*",
        r"((coalesce|lower|trim)\(([^()]|\([^()]*\))*)?(?-u:\bargv\b)"
    );
    Regex::new(call).expect("it is valid")
});

/// What depends on where a file lies.
static LOOKS_AT_PATHS: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"(?-u:\b(file_accesses|files|path2?|exe|parent_exe|cwd)\b)").expect("it is valid")
});

/// What depends on which address it is, and not on whether two are the same.
static LOOKS_AT_ADDRESSES: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"'[^']*(?-u:\b)(169\.254|127|10|192\.168)\.").expect("it is valid")
});

/// System calls that a check looks for and that a recording was asked to leave out.
pub fn left_out(session: &Session, check: &Check, scans: &[(usize, String)]) -> Vec<String> {
    let mut reasons = Vec::new();
    for (index, trace) in session.traces().iter().enumerate() {
        let reads = scans.iter().any(|(scanned, table)| *scanned == index && table == "syscalls");
        let recorded = trace.manifest().options.get("syscalls").and_then(|list| list.as_array());
        let Some(recorded) = recorded.filter(|list| reads && !list.is_empty()) else { continue };
        let recorded: BTreeSet<&str> = recorded.iter().filter_map(|name| name.as_str()).collect();
        let missing: Vec<&str> =
            wanted(&check.report.sql).into_iter().filter(|name| !recorded.contains(name)).collect();
        if !missing.is_empty() {
            reasons.push(format!("the system calls {} were not recorded", missing.join(", ")));
        }
    }
    reasons
}

/// The system calls that SQL names; what it does with files stands for the calls that do it.
fn wanted(sql: &str) -> BTreeSet<&'static str> {
    let mut wanted = BTreeSet::new();
    for literal in body(sql).split('\'').skip(1).step_by(2) {
        // Those that every program makes rather than an older call of the same meaning.
        let calls = match literal {
            "read" | "write" | "open" | "create" if sql.contains("file_accesses") => "openat",
            "unlink" => "unlinkat",
            "rename" => "renameat2",
            "symlink" => "symlinkat",
            "link" => "linkat",
            "utime" => "utimensat",
            "chmod" => "fchmodat",
            other => other,
        };
        if let Some(signature) = schema::syscalls::signature(calls) {
            wanted.insert(signature.name);
        }
    }
    wanted
}

/// What was left out or replaced as it was recorded, and a check has conditions on.
pub fn redacted(session: &Session, check: &Check, scans: &[(usize, String)]) -> Vec<String> {
    let body = body(&check.report.sql);
    let mut reasons = Vec::new();
    for (index, trace) in session.traces().iter().enumerate() {
        if !scans.iter().any(|(scanned, _)| *scanned == index) {
            continue;
        }
        for word in trace.manifest().redaction.split(", ") {
            let (looks_at, reason) = match word {
                "no-args" => (&LOOKS_AT_ARGUMENTS, "arguments of programs were left out"),
                "own-args" => {
                    (&LOOKS_AT_ARGUMENTS, "arguments of other users' programs were left out")
                }
                "no-paths" => (&LOOKS_AT_PATHS, "paths were left out"),
                "hash-addresses" => (&LOOKS_AT_ADDRESSES, "addresses were replaced"),
                _ => continue,
            };
            if looks_at.is_match(&body) {
                reasons.push(format!("{reason} (--{word})").replace(" (--own-args)", ""));
            }
        }
    }
    reasons.dedup();
    reasons
}

/// Operations on files whose paths begin where nobody knows, of what the session is narrowed to: how many of each kind
/// there are that did not fail.
#[derive(Debug)]
pub struct Unplaced(BTreeMap<String, i64>);

impl Unplaced {
    /// The view that tells of them.
    const VIEW: &str = "file_accesses";

    /// Counts them.
    pub fn of(session: &Session) -> Result<Unplaced, Error> {
        // The text of a symbolic link is no path, and neither is the device of a mount.
        let sql = format!(
            "SELECT CAST(operation AS VARCHAR), CAST(sum(calls - failures) AS BIGINT) FROM {} WHERE \
             (operation NOT IN ('symlink', 'mount') AND path NOT LIKE '/%' AND path <> '' \
             OR path2 NOT LIKE '/%' AND path2 <> '') \
             AND calls > failures GROUP BY 1",
            Unplaced::VIEW
        );
        let mut kinds = BTreeMap::new();
        for batch in session.sql(&sql)? {
            let batch = batch?;
            let column = |index: usize, ty| {
                cast(batch.column(index), &ty).map_err(|error| Error::Run(error.to_string()))
            };
            let (names, counts) = (column(0, DataType::Utf8)?, column(1, DataType::Int64)?);
            let names = names.as_string::<i32>().iter().flatten().map(str::to_string);
            kinds.extend(names.zip(counts.as_primitive::<Int64Type>().values().iter().copied()));
        }
        Ok(Unplaced(kinds))
    }

    /// Whether a check looks at such operations at all.
    pub fn concerns(check: &Check) -> bool {
        body(&check.report.sql).contains(Unplaced::VIEW)
    }

    /// Why a check cannot tell, if it looks for operations of these kinds.
    pub fn reason(&self, check: &Check) -> Option<String> {
        let body = body(&check.report.sql);
        let is_named = |kind: &str| body.split('\'').skip(1).step_by(2).any(|text| text == kind);
        let named: i64 =
            self.0.iter().filter(|(kind, _)| is_named(kind)).map(|(_, count)| count).sum();
        (named > 0).then(|| match named {
            1 => "of one path it is not known in which directory it begins".to_string(),
            _ => format!("of {named} paths it is not known in which directory they begin"),
        })
    }
}

/// SQL without its comments.
fn body(sql: &str) -> String {
    let lines = sql.lines().filter(|line| !line.trim_start().starts_with("--"));
    lines.collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_check_looks_for_is_in_its_text() {
        let wanted = wanted(
            "-- 'ptrace' in a comment\nSELECT 1 FROM file_accesses WHERE operation IN ('write', 'rename') \
             AND syscall = 'bpf' AND x = 'nonsense'",
        );
        assert_eq!(wanted.into_iter().collect::<Vec<_>>(), ["bpf", "openat", "renameat2"]);
    }

    #[test]
    fn arguments_that_are_only_shown_are_not_looked_at() {
        let looks = |sql: &str| LOOKS_AT_ARGUMENTS.is_match(&body(sql));
        assert!(looks(
            "SELECT 1 FROM execs WHERE regexp_like(concat(base_name(exe), ' ', argv), 'x')"
        ));
        assert!(looks("WHERE strpos(coalesce(argv, ''), path) > 0"));
        assert!(!looks(
            "-- regexp_like(argv, 'x')\nSELECT argv, concat(comm, ' ran'), left(argv, 200) FROM execs"
        ));
    }
}
