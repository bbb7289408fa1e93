//! The lanes of the time line: what each process did in each stretch of time.
//!
//! What is said of a stretch is a sum over it, or the highest value in it, never a sample: extremes stay.

use std::collections::BTreeMap;

use analyzer::{Session, View, pictures};
use serde::Serialize;

use crate::axis::Axis;
use crate::error::Error;
use crate::names::{MACHINE, Names, Processes, UNKNOWN};
use crate::rows::{self, integer, text};

/// The lanes in the order in which they stand.
const ORDER: [&str; 11] = [
    "cpu",
    "runqueue",
    "locks",
    "memory",
    "heap",
    "disk",
    "network",
    "names",
    "syscalls",
    "processes",
    "lost",
];

/// The value, and the largest single one, of each stretch in which there is any.
pub type Points = BTreeMap<usize, (i64, i64)>;

/// A lane as it was read: by the names of processes.
#[derive(Debug)]
pub struct Raw {
    /// Its id.
    pub id: String,
    /// The query.
    pub query: View,
    /// By name of the process.
    pub series: BTreeMap<String, Points>,
    /// Of the machine as a whole.
    pub machine: Points,
    /// A part of it that is told besides, such as what failed; by name of the process.
    pub minor: BTreeMap<String, Points>,
}

impl Raw {
    /// How its values add up over stretches.
    pub fn is_level(&self) -> bool {
        self.query.header.other("shape") == Some("level")
    }

    /// The unit of its values.
    pub fn unit(&self) -> &str {
        self.query.header.other("unit").unwrap_or("count")
    }

    /// What each name has of it: a sum, or the highest level.
    pub fn totals(&self) -> BTreeMap<&str, i64> {
        let total = |points: &Points| match self.is_level() {
            true => points.values().map(|(value, _)| *value).max().unwrap_or(0),
            false => points.values().fold(0i64, |sum, (value, _)| sum.saturating_add(*value)),
        };
        self.series.iter().map(|(name, points)| (name.as_str(), total(points))).collect()
    }
}

/// Whether a trace has all that a query needs.
pub fn is_recorded(session: &Session, query: &View) -> bool {
    query.header.needs.iter().all(|table| session.is_recorded(table))
}

/// A lane that is not there: its title, and the tables that it lacks.
pub type Missing = (String, Vec<String>);

/// Whose a level is: machine, process, and its name unless it is of the machine as a whole.
type Owner = (String, Option<i64>, Option<String>);

/// A level: the stretch in which it was read, what it ended with there, and the highest there.
type Level = (usize, i64, i64);

/// Reads all lanes for which there is anything; the others by name, with the tables that they lack.
pub fn read(
    session: &Session,
    axis: &Axis,
    processes: &Processes,
) -> Result<(Vec<Raw>, Vec<Missing>), Error> {
    let queries = pictures::all();
    let (mut lanes, mut missing) = (Vec::new(), Vec::new());
    for id in ORDER {
        let of_lane = |query: &&View| query.header.other("lane") == Some(id);
        let mut lacks: Option<(String, Vec<String>)> = None;
        let mut found = None;
        for query in queries.iter().filter(of_lane) {
            if !is_recorded(session, query) {
                lacks.get_or_insert((query.header.title.clone(), query.header.needs.clone()));
                continue;
            }
            let lane = one(session, axis, processes, id, query)?;
            if !lane.series.is_empty() || !lane.machine.is_empty() {
                found = Some(lane);
                break;
            }
        }
        match (found, lacks) {
            (Some(lane), _) => lanes.push(lane),
            (None, Some(lacks)) => missing.push(lacks),
            (None, None) => {}
        }
    }
    Ok((lanes, missing))
}

fn one(
    session: &Session,
    axis: &Axis,
    processes: &Processes,
    id: &str,
    query: &View,
) -> Result<Raw, Error> {
    let mut lane = Raw {
        id: id.to_string(),
        query: query.clone(),
        series: BTreeMap::new(),
        machine: Points::new(),
        minor: BTreeMap::new(),
    };
    let minor = query.header.other("minor");
    // Levels of a process hold until the next is read, so that they are put together by process first.
    let mut levels: BTreeMap<Owner, Vec<Level>> = BTreeMap::new();
    for row in rows::all(session, query.sql, axis)? {
        let [slot, host, upid, label, value, peak] = row.as_slice() else { continue };
        let (Some(slot), Some(value)) = (integer(slot), integer(value)) else { continue };
        // What began in the part that is looked at may go on after it.
        let Some(slot) = axis.known(slot) else { continue };
        let peak = integer(peak).unwrap_or(value);
        let (host, upid, label) = (text(host), integer(upid), text(label));
        let is_minor = label.is_some() && label == minor;
        let name = match label {
            Some(_) if !is_minor => None,
            _ => Some(processes.name(host, upid).to_string()),
        };
        if lane.is_level() {
            let key = (host.unwrap_or_default().to_string(), upid, name);
            levels.entry(key).or_default().push((slot, value, peak));
            continue;
        }
        let points = match name {
            Some(name) if is_minor => lane.minor.entry(name).or_default(),
            Some(name) => lane.series.entry(name).or_default(),
            None => &mut lane.machine,
        };
        let point = points.entry(slot).or_default();
        *point = (point.0.saturating_add(value), point.1.max(peak));
    }
    for ((host, upid, name), points) in levels {
        let end = processes.end_slot(Some(&host), upid).unwrap_or(axis.slots.saturating_sub(1));
        let series = match name {
            Some(name) => lane.series.entry(name).or_default(),
            None => &mut lane.machine,
        };
        for (index, (begin, value, peak)) in points.iter().enumerate() {
            let until = points.get(index + 1).map_or(end + 1, |(next, _, _)| *next);
            for slot in *begin..until.max(begin + 1) {
                // The highest where it was read, and what it ended with from there on.
                let level = if slot == *begin { *value.max(peak) } else { *value };
                let point = series.entry(slot).or_default();
                *point = (point.0.saturating_add(level), point.1.max(level));
            }
        }
    }
    Ok(lane)
}

/// The share of each name in each lane, added up: what names are ranked by.
pub fn shares(lanes: &[Raw]) -> BTreeMap<String, f64> {
    let mut shares: BTreeMap<String, f64> = BTreeMap::new();
    for lane in lanes.iter().filter(|lane| lane.id != "lost") {
        let totals = lane.totals();
        let sum: f64 = totals.values().map(|total| *total as f64).sum();
        for (name, total) in totals {
            // Who did next to nothing can still be chosen, and nobody is chosen for not being known.
            let share = if name == UNKNOWN { 0.0 } else { total as f64 / sum.max(1.0) };
            *shares.entry(name.to_string()).or_default() += share;
        }
    }
    shares
}

/// A lane as the page has it.
#[derive(Debug, Serialize)]
pub struct Lane {
    /// Its id.
    pub id: String,
    /// Title.
    pub title: String,
    /// The unit of its values.
    pub unit: String,
    /// Whether values are levels rather than sums.
    pub level: bool,
    /// What the part is called that is told besides.
    pub minor: Option<String>,
    /// What its values are called as a rate: of time in time.
    pub rate: String,
    /// How to read it.
    #[serde(skip)]
    pub doc: String,
    /// The highest sum of all names in a stretch.
    pub top: i64,
    /// The series of names: stretch, value and largest single value, one after the other.
    pub series: Vec<Series>,
}

/// What one name has of a lane.
#[derive(Debug, Serialize)]
pub struct Series {
    /// Number of the name; that of all others together is the number of names with a series.
    pub name: usize,
    /// Whether it is the part that is told besides.
    pub minor: bool,
    /// Stretch, value, largest single value; again and again.
    pub points: Vec<i64>,
}

/// Puts the names together that have no series of their own.
pub fn finish(raw: &Raw, names: &Names) -> Lane {
    let mut sums: BTreeMap<(bool, usize), Points> = BTreeMap::new();
    let mut all = raw.machine.clone();
    if !raw.machine.is_empty() {
        sums.insert((false, MACHINE), raw.machine.clone());
    }
    for (is_minor, series) in [(false, &raw.series), (true, &raw.minor)] {
        for (name, points) in series {
            let sum = sums.entry((is_minor, names.series(name))).or_default();
            for (slot, (value, peak)) in points {
                let point = sum.entry(*slot).or_default();
                *point = (point.0.saturating_add(*value), point.1.max(*peak));
                if !is_minor {
                    let point = all.entry(*slot).or_default();
                    *point = (point.0.saturating_add(*value), point.1.max(*peak));
                }
            }
        }
    }
    let flat = |points: &Points| {
        let flat = points.iter().filter(|(_, (value, _))| *value != 0);
        flat.flat_map(|(slot, (value, peak))| [i64::try_from(*slot).unwrap_or(0), *value, *peak])
            .collect()
    };
    let header = &raw.query.header;
    Lane {
        id: raw.id.clone(),
        title: header.title.clone(),
        unit: raw.unit().to_string(),
        level: raw.is_level(),
        minor: header.other("minor").map(str::to_string),
        rate: header.other("rate").unwrap_or_default().to_string(),
        doc: header.doc.clone(),
        top: all.values().map(|(value, _)| *value).max().unwrap_or(0),
        series: sums
            .iter()
            .map(|((minor, name), points)| Series {
                name: *name,
                minor: *minor,
                points: flat(points),
            })
            .collect(),
    }
}
