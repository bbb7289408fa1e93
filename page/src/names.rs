//! Who is who: processes by the names that the page shows, those that did most first.

use std::collections::{BTreeMap, HashMap, HashSet};

use analyzer::Session;

use crate::axis::Axis;
use crate::error::Error;
use crate::rows;

/// Names that have a line of their own in every lane.
pub const SERIES_MAX: usize = 24;

/// The number of the series of all names without one of their own, and that of what is of the machine as a whole.
pub const OTHERS: usize = SERIES_MAX;
/// See [`OTHERS`].
pub const MACHINE: usize = SERIES_MAX + 1;

/// Names that can be chosen.
pub const NAMES_MAX: usize = 400;

/// What stands for processes that are not known.
pub const UNKNOWN: &str = "(unknown)";

/// A process as it was recorded.
#[derive(Debug, Clone)]
struct Process {
    name: String,
    end_slot: Option<usize>,
}

/// All processes of a trace, by machine and id for good.
#[derive(Debug, Default)]
pub struct Processes {
    known: HashMap<String, HashMap<i64, Process>>,
    by_pid: HashMap<i64, String>,
    names: HashSet<String>,
    /// Names of threads that are of one name of processes only.
    threads: HashMap<String, Option<String>>,
    /// How many there are.
    pub count: usize,
}

impl Processes {
    /// Reads them.
    pub fn read(session: &Session, axis: &Axis) -> Result<Processes, Error> {
        let mut processes = Processes::default();
        let sql = "SELECT host, upid, pid, coalesce(comm, base_name(exe)), CAST(end_ts AS BIGINT) FROM processes \
                   ORDER BY host, upid";
        for row in rows::all(session, sql, axis)? {
            let [host, upid, pid, name, end] = row.as_slice() else { continue };
            let (Some(host), Some(upid)) = (rows::text(host), rows::integer(upid)) else {
                continue;
            };
            let name = rows::text(name).unwrap_or(UNKNOWN).to_string();
            if let Some(pid) = rows::integer(pid) {
                processes.by_pid.insert(pid, name.clone());
            }
            processes.names.insert(name.clone());
            let end_slot = rows::integer(end).map(|end| axis.slot_of(end));
            let of_host = processes.known.entry(host.to_string()).or_default();
            of_host.insert(upid, Process { name, end_slot });
            processes.count += 1;
        }
        let sql = "SELECT DISTINCT host, upid, comm FROM threads ORDER BY host, upid, comm";
        for row in rows::all(session, sql, axis)? {
            let [host, upid, thread] = row.as_slice() else { continue };
            let Some(thread) = rows::text(thread) else { continue };
            let name = processes.name(rows::text(host), rows::integer(upid)).to_string();
            let known = processes.threads.entry(thread.to_string()).or_insert(Some(name.clone()));
            if known.as_deref() != Some(&name) {
                *known = None;
            }
        }
        Ok(processes)
    }

    fn process(&self, host: Option<&str>, upid: Option<i64>) -> Option<&Process> {
        self.known.get(host?)?.get(&upid?)
    }

    /// The name of a process.
    pub fn name(&self, host: Option<&str>, upid: Option<i64>) -> &str {
        self.process(host, upid).map_or(UNKNOWN, |process| process.name.as_str())
    }

    /// The stretch in which it ended.
    pub fn end_slot(&self, host: Option<&str>, upid: Option<i64>) -> Option<usize> {
        self.process(host, upid)?.end_slot
    }

    /// The name of the process that a row of a report is about: by its number if it has one, else by what it
    /// calls it, which may be a thread's name or have a number behind it.
    pub fn of_row(&self, pid: Option<i64>, called: Option<&str>) -> Option<&str> {
        if let Some(name) = pid.and_then(|pid| self.by_pid.get(&pid)) {
            return Some(name);
        }
        let called = called?;
        let (name, number) = match called.strip_suffix(']').and_then(|text| text.rsplit_once('[')) {
            Some((name, number)) => (name, number.parse::<i64>().ok()),
            None => (called, None),
        };
        if let Some(known) = number.and_then(|number| self.by_pid.get(&number)) {
            return Some(known);
        }
        self.names.get(name).or_else(|| self.threads.get(name)?.as_ref()).map(String::as_str)
    }
}

/// The names that can be chosen: those that did most first.
#[derive(Debug, Default)]
pub struct Names {
    /// The names.
    pub list: Vec<String>,
    index: HashMap<String, usize>,
}

impl Names {
    /// Ranks names by what they did: each gives its share in each lane.
    pub fn rank(shares: &BTreeMap<String, f64>) -> Names {
        let mut list: Vec<(&String, f64)> =
            shares.iter().map(|(name, share)| (name, *share)).collect();
        list.sort_by(|a, b| b.1.total_cmp(&a.1).then_with(|| a.0.cmp(b.0)));
        let list: Vec<String> =
            list.into_iter().take(NAMES_MAX).map(|(name, _)| name.clone()).collect();
        let index = list.iter().enumerate().map(|(index, name)| (name.clone(), index)).collect();
        Names { list, index }
    }

    /// The number of a name, if it can be chosen.
    pub fn index(&self, name: &str) -> Option<usize> {
        self.index.get(name).copied()
    }

    /// Where a name's values are added up: its own series, or that of all others.
    pub fn series(&self, name: &str) -> usize {
        self.index(name).map_or(SERIES_MAX, |index| index.min(SERIES_MAX))
    }
}
