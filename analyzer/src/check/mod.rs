//! Checks: queries whose rows are findings, one SQL file each in `queries/checks/`.
//!
//! This file is what a check says about itself; `run` lets checks look at a session and gives each a
//! verdict, `normal` does so with a baseline, `finding` is what they find, `suppress` what somebody has decided to live with, and `state` what
//! an earlier call has told already.

mod finding;
mod normal;
mod run;
mod state;
mod suppress;
mod unseen;

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use crate::error::Error;
use crate::header;
use crate::library;
use crate::names::closest;
use crate::report::{Report, entries, unreadable};
use crate::session::Session;

pub use finding::{Cell, Finding, Subject, cells, shell_word};
pub use normal::Normal;
pub use run::{FINDINGS_MAX, Result as CheckResult, Verdict, run};
pub use state::{Seen, StateError};
pub use suppress::{Suppressed, Suppression, Suppressions};

/// The folder of `queries/` and of a user's folder that has checks.
pub(crate) const FOLDER: &str = "checks";

/// The columns that every check begins with.
const COLUMNS: [&str; 5] = ["ts", "host", "upid", "pid", "sentence"];

/// What to type next, where a check does not say.
const NEXT: &str = "ebrec explain --pid {pid} --at {ts}";

/// How much a finding matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Severity {
    /// Worth knowing.
    Info,
    /// Unusual; mostly harmless.
    Low,
    /// To be looked at.
    Medium,
    /// Probably an attack or a fault.
    High,
    /// Hardly anything harmless does this.
    Critical,
}

impl Severity {
    /// All, the least first.
    pub const ALL: [Severity; 5] =
        [Severity::Info, Severity::Low, Severity::Medium, Severity::High, Severity::Critical];

    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Severity::Info => "info",
            Severity::Low => "low",
            Severity::Medium => "medium",
            Severity::High => "high",
            Severity::Critical => "critical",
        }
    }
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for Severity {
    type Err = String;

    fn from_str(text: &str) -> Result<Severity, String> {
        let known = Severity::ALL.into_iter().find(|severity| severity.name() == text);
        known.ok_or_else(|| {
            let names = Severity::ALL.map(Severity::name);
            format!("expected {}, not \"{text}\"", names.join(", "))
        })
    }
}

/// How far before a finding the events lie that decide it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Window {
    /// So many nanoseconds.
    Ns(i64),
    /// Anywhere in the recording.
    All,
}

/// A check.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Check {
    /// Its query, and what all queries say about themselves.
    pub report: Report,
    /// How much its findings matter.
    pub severity: Severity,
    /// Techniques of MITRE ATT&CK.
    pub techniques: Vec<String>,
    /// Why it matters.
    pub rationale: String,
    /// What harmless things look the same.
    pub false_positives: Vec<String>,
    /// SQL for the rows that prove a finding; `{column}` stands for its values.
    pub evidence: String,
    /// What to type next; `{column}` as above.
    pub next: String,
    /// How far back it looks.
    pub window: Window,
    /// Data sets and scenarios in which it finds something.
    pub fires: Vec<String>,
    /// Those in which it finds nothing.
    pub silent: Vec<String>,
}

impl Check {
    /// Its name: that of its file.
    pub fn name(&self) -> &str {
        &self.report.name
    }

    fn new(report: Report) -> Result<Check, String> {
        let header = &report.header;
        let tags = |tag: &str| -> Vec<String> {
            let tagged = header.others.iter().filter(|(known, _)| known == tag);
            tagged.map(|(_, words)| words.clone()).collect()
        };
        let one = |tag: &str| {
            let words = header.other(tag).map(str::to_string);
            words.ok_or_else(|| format!("`-- @{tag}` is missing"))
        };
        let list = |tag: &str| -> Vec<String> {
            let words = tags(tag);
            let words = words.iter().flat_map(|words| words.split([',', ' ']));
            words.filter(|word| !word.is_empty()).map(str::to_string).collect()
        };
        let severity = one("severity")?.parse().map_err(|error| format!("`@severity`: {error}"))?;
        let window = match one("window")?.as_str() {
            "all" => Window::All,
            text => {
                let span = humantime::parse_duration(text).ok();
                let ns = span.and_then(|span| i64::try_from(span.as_nanos()).ok());
                Window::Ns(ns.ok_or_else(|| {
                    format!("`@window`: expected a span of time or `all`, not \"{text}\"")
                })?)
            }
        };
        let techniques = list("technique");
        let is_technique = |id: &String| {
            id.strip_prefix('T').is_some_and(|rest| {
                rest.len() >= 4 && rest.chars().all(|c| c.is_ascii_digit() || c == '.')
            })
        };
        if let Some(wrong) = techniques.iter().find(|id| !is_technique(id)) {
            return Err(format!("`@technique`: expected an id such as T1059.004, not \"{wrong}\""));
        }
        Ok(Check {
            severity,
            techniques,
            rationale: one("rationale")?,
            false_positives: tags("false-positive"),
            evidence: one("evidence")?,
            next: one("next").unwrap_or_else(|_| NEXT.to_string()),
            window,
            fires: list("fires"),
            silent: list("silent"),
            report,
        })
    }

    /// Columns that tell its findings apart: those marked `[key]`.
    fn keys(&self) -> Vec<&str> {
        self.report.columns(header::Kind::Key)
    }

    /// What is wrong with it: its header against its query, planned over tables without rows.
    pub fn lint(&self, session: &Session) -> Vec<String> {
        const TAGS: [&str; 9] = [
            "severity",
            "technique",
            "rationale",
            "false-positive",
            "evidence",
            "next",
            "window",
            "fires",
            "silent",
        ];
        let mut wrong = self.report.lint_header(session, &TAGS);
        let mut check = |is_good: bool, what: String| {
            if !is_good {
                wrong.push(what);
            }
        };
        let columns: Vec<&str> =
            self.report.header.columns.iter().map(|column| column.name.as_str()).collect();
        check(
            columns.starts_with(&COLUMNS),
            format!("its first columns are not {}", COLUMNS.join(", ")),
        );
        check(!self.techniques.is_empty(), "it names no technique".into());
        check(!self.false_positives.is_empty(), "it names no false positive".into());
        for (what, template) in [("evidence", &self.evidence), ("next", &self.next)] {
            for name in finding::placeholders(template) {
                check(
                    columns.contains(&name),
                    format!("`@{what}` has {{{name}}}, which is no column"),
                );
            }
        }
        let evidence = finding::filled(&self.evidence, |_| Some("NULL".to_string()));
        let planned = session.parse(&evidence).and_then(|queries| match queries.as_slice() {
            [query] => session.plan(query).map(|_| ()),
            _ => Err(Error::Report("it is not one statement".into())),
        });
        if let Err(error) = planned {
            check(false, format!("`@evidence`: {error}"));
        }
        wrong
    }
}

/// Every check there is.
#[derive(Debug, Clone, Default)]
pub struct Checks {
    checks: BTreeMap<String, Check>,
    /// Files that cannot be used, and why.
    pub broken: Vec<Error>,
}

impl Checks {
    /// The embedded checks, and those of `folders`: in them, or in their folder `checks`.
    pub fn load(folders: &[PathBuf]) -> Result<Checks, Error> {
        let mut checks = Checks::default();
        for (_, name, sql) in library::folder(FOLDER) {
            checks.add(name, sql.to_string(), None);
        }
        for folder in folders {
            let inner = folder.join(FOLDER);
            let folder = if inner.is_dir() { &inner } else { folder };
            for path in entries(folder)? {
                if path.extension().is_some_and(|extension| extension == "sql") {
                    let name = path.file_stem().unwrap_or_default().to_string_lossy();
                    let sql = std::fs::read_to_string(&path)
                        .map_err(|error| unreadable(&path, &error))?;
                    checks.add(&name, sql, Some(&path));
                }
            }
        }
        Ok(checks)
    }

    /// A file that is wrong does not keep the others from being used.
    fn add(&mut self, name: &str, sql: String, path: Option<&Path>) {
        let check = header::parse(&sql).and_then(|header| {
            Check::new(Report {
                name: name.to_string(),
                job: FOLDER.to_string(),
                header,
                sql,
                path: path.map(Path::to_path_buf),
            })
        });
        match check {
            Ok(check) => _ = self.checks.insert(name.to_string(), check),
            Err(reason) => {
                let place =
                    path.map_or_else(|| name.to_string(), |path| path.display().to_string());
                self.broken.push(Error::Report(format!("{place}: {reason}")));
            }
        }
    }

    /// All of them, by name.
    pub fn all(&self) -> impl Iterator<Item = &Check> {
        self.checks.values()
    }

    /// The check called `name`.
    pub fn get(&self, name: &str) -> Result<&Check, Error> {
        self.checks.get(name).ok_or_else(|| {
            let hint = match closest(name, self.checks.keys().map(String::as_str)) {
                Some(near) => format!("did you mean `{near}`?"),
                None => "`ebrec check --list` lists them".to_string(),
            };
            Error::Report(format!("there is no check `{name}`; {hint}"))
        })
    }
}
