//! Baselines: what is normal for each program, learned from recordings in which all was well.
//!
//! `observe` asks the queries of `queries/baseline/` what each program did; `learn` counts it, `compare` tells what of
//! another recording is not among it, in the `words` of sentences. Paths become patterns (`patterns`, `tree`), addresses networks (`networks`),
//! rates distributions (`rates`), so that a baseline has a bounded size and fits what comes. `file` reads and writes it,
//! `merge` puts two together, `export` makes sandboxes of it.

mod compare;
mod diff;
mod export;
mod file;
mod functions;
mod items;
mod learn;
mod networks;
mod observe;
mod patterns;
mod rates;
mod severity;
mod tree;
mod words;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::error::Error;
use crate::names::closest;

pub use compare::{Comparison, Deviation, compare, comparison};
pub use diff::{Change, diff};
pub use export::{Sandbox, export};
pub(crate) use functions::all as functions;
pub use learn::{Learned, learn};
pub use observe::lint;
pub use rates::Rate;

/// What is normal.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Baseline {
    /// What it was learned from.
    pub recordings: Vec<Recording>,
    /// In how many of them each section could be seen, by its name; rates by theirs.
    pub recorded: BTreeMap<String, u64>,
    /// The programs, by their names.
    pub programs: BTreeMap<String, Program>,
}

/// A recording that a baseline was learned from.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Recording {
    /// When it began.
    pub created: String,
    /// Machine.
    pub host: String,
    /// Architecture, as `uname -m` has it.
    pub arch: String,
    /// What tells it from others.
    pub id: String,
    /// How long it was.
    pub seconds: u64,
}

/// What is normal for a program.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Program {
    /// Recordings that it ran in.
    pub traces: u64,
    /// Processes that ran it.
    pub processes: u64,
    /// What it did.
    pub sections: BTreeMap<Section, BTreeMap<String, Seen>>,
    /// How much it did in a second, by the name of the rate.
    pub rates: BTreeMap<String, Rate>,
}

impl Program {
    /// What is known of one section.
    pub fn section(&self, section: Section) -> impl Iterator<Item = (&str, Seen)> {
        let items = self.sections.get(&section).into_iter().flatten();
        items.map(|(item, seen)| (item.as_str(), *seen))
    }

    fn names(&self, section: Section) -> impl Iterator<Item = &str> {
        self.section(section).map(|(item, _)| item)
    }
}

/// How often something was seen.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Seen {
    /// How often.
    pub times: u64,
    /// By how many processes; of a folded pattern, at least.
    pub processes: u64,
    /// In how many recordings.
    pub traces: u64,
}

impl Seen {
    /// As seen in these recordings and in others.
    fn and(self, other: Seen) -> Seen {
        Seen {
            times: self.times.saturating_add(other.times),
            processes: self.processes.saturating_add(other.processes),
            traces: self.traces.saturating_add(other.traces),
        }
    }
}

impl tree::Fold for Seen {
    /// Of the same recordings, by processes that may be the same.
    fn fold(&mut self, other: Seen) {
        self.times = self.times.saturating_add(other.times);
        self.processes = self.processes.max(other.processes);
        self.traces = self.traces.max(other.traces);
    }
}

/// A kind of things that programs do. Its name is that of its part of the file, and what the queries call it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Section {
    /// System calls by their names; with `io_uring:` or `32-bit:` before it where it was made that way.
    Syscalls,
    /// Files that were opened to read.
    Reads,
    /// Files that were opened to write, or made, removed, renamed or changed otherwise.
    Writes,
    /// Files that were run.
    Executes,
    /// Files that were only looked at or looked for.
    Looks,
    /// Other ends of connections: `client tcp 10.0.0.2:443`.
    Peers,
    /// Where it listens: `tcp 0.0.0.0:80`.
    Ports,
    /// Kinds of sockets that it asked for: `inet stream`.
    Sockets,
    /// Programs that it started or became.
    Children,
    /// Users that it ran as, by number.
    Users,
    /// Capabilities that it was seen to have after a change of them.
    Capabilities,
}

impl Section {
    /// All, in the order of the file.
    pub const ALL: [Section; 11] = [
        Section::Syscalls,
        Section::Reads,
        Section::Writes,
        Section::Executes,
        Section::Looks,
        Section::Peers,
        Section::Ports,
        Section::Sockets,
        Section::Children,
        Section::Users,
        Section::Capabilities,
    ];

    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Section::Syscalls => "syscalls",
            Section::Reads => "reads",
            Section::Writes => "writes",
            Section::Executes => "executes",
            Section::Looks => "looks",
            Section::Peers => "peers",
            Section::Ports => "ports",
            Section::Sockets => "sockets",
            Section::Children => "children",
            Section::Users => "users",
            Section::Capabilities => "capabilities",
        }
    }

    /// The section of this name.
    pub fn by_name(name: &str) -> Option<Section> {
        Section::ALL.into_iter().find(|section| section.name() == name)
    }
}

impl Baseline {
    /// Adds what was learned from other recordings.
    pub fn merge(self, other: Baseline) -> Baseline {
        let mut recordings = [self.recordings, other.recordings].concat();
        recordings.sort();
        let mut recorded = self.recorded;
        for (name, count) in other.recorded {
            let known = recorded.entry(name).or_default();
            *known = known.saturating_add(count);
        }
        let mut programs = self.programs;
        for (name, program) in other.programs {
            let known = programs.remove(&name).unwrap_or_default();
            programs.insert(name, known.merge(program));
        }
        Baseline { recordings, recorded, programs }
    }

    /// The programs that are called so: by the name that the baseline has for them, or by the last part of it. There
    /// is at least one.
    pub fn programs_called(&self, name: &str) -> Result<Vec<&str>, Error> {
        if let Some((name, _)) = self.programs.get_key_value(name) {
            return Ok(vec![name]);
        }
        let base = |program: &'_ str| program.rsplit('/').next().unwrap_or_default().to_string();
        let names = || self.programs.keys().map(String::as_str);
        let called: Vec<&str> = names().filter(|program| base(program) == name).collect();
        if !called.is_empty() {
            return Ok(called);
        }
        let bases: Vec<String> = names().map(base).collect();
        let near = closest(name, names().chain(bases.iter().map(String::as_str)));
        let hint = near.map_or(String::new(), |near| format!("; did you mean `{near}`?"));
        Err(Error::Report(format!("the baseline has no program `{name}`{hint}")))
    }

    /// Whether a section or rate could be seen in any recording.
    fn knows(&self, name: &str) -> bool {
        self.recorded.get(name).is_some_and(|count| *count > 0)
    }
}

impl Program {
    fn merge(self, other: Program) -> Program {
        let Program { traces, processes, mut sections, mut rates } = self;
        for (section, items) in other.sections {
            let known = sections.remove(&section).unwrap_or_default();
            sections.insert(section, items::merge(section, known, items));
        }
        for (name, rate) in other.rates {
            rates.entry(name).or_default().merge(&rate);
        }
        Program {
            traces: traces.saturating_add(other.traces),
            processes: processes.saturating_add(other.processes),
            sections,
            rates,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_add_up() {
        let program = |path: &str, times| Program {
            traces: 1,
            processes: 2,
            sections: BTreeMap::from([(
                Section::Reads,
                BTreeMap::from([(path.to_string(), Seen { times, processes: 2, traces: 1 })]),
            )]),
            rates: BTreeMap::new(),
        };
        let baseline = |path: &str, times| Baseline {
            recordings: Vec::new(),
            recorded: BTreeMap::from([("reads".to_string(), 1)]),
            programs: BTreeMap::from([("/bin/cat".to_string(), program(path, times))]),
        };
        let merged = baseline("/etc/hosts", 3).merge(baseline("/etc/hosts", 4));
        assert_eq!(merged.recorded["reads"], 2);
        let cat = &merged.programs["/bin/cat"];
        assert_eq!((cat.traces, cat.processes), (2, 4));
        let seen = cat.sections[&Section::Reads]["/etc/hosts"];
        assert_eq!(seen, Seen { times: 7, processes: 4, traces: 2 });
        let merged = merged.merge(baseline("/etc/passwd", 1));
        assert_eq!(merged.programs["/bin/cat"].sections[&Section::Reads].len(), 2);
    }

    #[test]
    fn names_of_sections_are_those_of_the_file() {
        for section in Section::ALL {
            let written = serde_json::to_value(section).unwrap();
            assert_eq!(written, section.name());
            assert_eq!(Section::by_name(section.name()), Some(section));
        }
    }
}
