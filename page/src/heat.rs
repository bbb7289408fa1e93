//! Heat maps of how long things take: over time, and by what was done.

use std::collections::BTreeMap;

use analyzer::{Session, pictures};
use schema::human;
use serde::Serialize;

use crate::axis::{Axis, COARSE};
use crate::error::Error;
use crate::lanes::is_recorded;
use crate::names::{Names, Processes};
use crate::rows::{self, integer, text};

/// Kinds of work that a distribution has rows for.
const KINDS_MAX: usize = 24;

/// Shades of a heat map; the lightest is 1.
pub const SHADES: u32 = 9;

/// Lengths over time, by process.
#[derive(Debug, Serialize)]
pub struct Heat {
    /// Its id.
    pub id: String,
    /// Title.
    #[serde(skip)]
    pub title: String,
    /// How to read it.
    #[serde(skip)]
    pub doc: String,
    /// The job that it is of.
    #[serde(skip)]
    pub job: String,
    /// The shortest range of lengths: the exponent of two of its beginning.
    pub low: u32,
    /// How many ranges there are.
    pub ranges: u32,
    /// Coarse stretch, range, number of the name, events; again and again.
    pub cells: Vec<u64>,
}

impl Heat {
    /// Events of each stretch and range, of all names together.
    pub fn sums(&self) -> BTreeMap<(u64, u64), u64> {
        let mut sums = BTreeMap::new();
        for cell in self.cells.chunks_exact(4) {
            *sums.entry((cell[0], cell[1])).or_default() += cell[3];
        }
        sums
    }

    /// The beginnings of its ranges as people read them, the longest first.
    pub fn labels(&self) -> Vec<String> {
        (0..self.ranges).rev().map(|range| length(self.low + range)).collect()
    }
}

/// The length that a range begins with.
fn length(exponent: u32) -> String {
    human::duration(1i64.checked_shl(exponent).unwrap_or(i64::MAX))
}

/// The exponent of the power of two that a range begins with.
fn exponent(low: i64) -> u32 {
    low.max(1).ilog2()
}

/// How dark a cell is: in steps of powers, since a few events must be seen beside many.
pub fn shade(events: u64, most: u64) -> u32 {
    if events == 0 || most == 0 {
        return 0;
    }
    let part = ((events as f64).ln_1p() / (most as f64).ln_1p()).clamp(0.0, 1.0);
    1 + (part * f64::from(SHADES - 1)).round() as u32
}

/// Reads all heat maps for which there is anything.
pub fn read(
    session: &Session,
    axis: &Axis,
    processes: &Processes,
    names: &Names,
) -> Result<Vec<Heat>, Error> {
    let mut heats = Vec::new();
    for query in pictures::all() {
        let Some(job) = query.header.other("heat") else { continue };
        if !is_recorded(session, &query) {
            continue;
        }
        let mut cells: BTreeMap<(usize, u32, usize), u64> = BTreeMap::new();
        for row in rows::all(session, query.sql, axis)? {
            let [slot, host, upid, low, events] = row.as_slice() else { continue };
            let (Some(slot), Some(low)) = (integer(slot), integer(low)) else { continue };
            let name = names.series(processes.name(text(host), integer(upid)));
            let events = integer(events).and_then(|n| u64::try_from(n).ok()).unwrap_or(0);
            *cells.entry((axis.slot(slot) / COARSE, exponent(low), name)).or_default() += events;
        }
        let low = cells.keys().map(|(_, exponent, _)| *exponent).min();
        let high = cells.keys().map(|(_, exponent, _)| *exponent).max();
        let Some((low, high)) = low.zip(high) else { continue };
        let flat = cells.iter().flat_map(|((slot, exponent, name), events)| {
            [*slot as u64, u64::from(exponent - low), *name as u64, *events]
        });
        heats.push(Heat {
            id: query.name.to_string(),
            title: query.header.title.clone(),
            doc: query.header.doc.clone(),
            job: job.to_string(),
            low,
            ranges: high - low + 1,
            cells: flat.collect(),
        });
    }
    Ok(heats)
}

/// Lengths by what was done.
#[derive(Debug, Serialize)]
pub struct Distribution {
    /// Title.
    pub title: String,
    /// How to read it.
    pub doc: String,
    /// The job that it is of.
    pub job: String,
    /// The beginnings of the ranges.
    pub ranges: Vec<String>,
    /// Kinds of work, those that took most time first.
    pub kinds: Vec<Kind>,
    /// Kinds that are left out.
    pub more: usize,
}

/// One kind of work.
#[derive(Debug, Serialize)]
pub struct Kind {
    /// What it is called.
    pub name: String,
    /// How often it was done.
    pub events: u64,
    /// Events of each range, with the shade.
    pub cells: Vec<(u64, u32)>,
}

/// Reads all distributions for which there is anything.
pub fn distributions(session: &Session, axis: &Axis) -> Result<Vec<Distribution>, Error> {
    let mut found = Vec::new();
    for query in pictures::all() {
        let Some(job) = query.header.other("distribution") else { continue };
        if !is_recorded(session, &query) {
            continue;
        }
        let mut kinds: BTreeMap<String, (i64, BTreeMap<u32, u64>)> = BTreeMap::new();
        for row in rows::all(session, query.sql, axis)? {
            let [name, low, events, total] = row.as_slice() else { continue };
            let (Some(name), Some(low)) = (text(name), integer(low)) else { continue };
            let kind = kinds.entry(name.to_string()).or_default();
            kind.0 = kind.0.saturating_add(integer(total).unwrap_or(0));
            let events = integer(events).and_then(|n| u64::try_from(n).ok()).unwrap_or(0);
            *kind.1.entry(exponent(low)).or_default() += events;
        }
        let exponents = || kinds.values().flat_map(|(_, cells)| cells.keys().copied());
        let Some((low, high)) = exponents().min().zip(exponents().max()) else { continue };
        let mut ranked: Vec<_> = kinds.iter().collect();
        ranked.sort_by(|a, b| b.1.0.cmp(&a.1.0).then_with(|| a.0.cmp(b.0)));
        let kind = |(name, (_, cells)): &(&String, &(i64, BTreeMap<u32, u64>))| {
            // Of each kind the most common length is darkest: rare kinds can be read too.
            let most = cells.values().copied().max().unwrap_or(0);
            let cell = |exponent: u32| {
                let events = cells.get(&exponent).copied().unwrap_or(0);
                (events, shade(events, most))
            };
            Kind {
                name: (*name).clone(),
                events: cells.values().sum(),
                cells: (low..=high).map(cell).collect(),
            }
        };
        found.push(Distribution {
            title: query.header.title.clone(),
            doc: query.header.doc.clone(),
            job: job.to_string(),
            ranges: (low..=high).map(length).collect(),
            kinds: ranked.iter().take(KINDS_MAX).map(kind).collect(),
            more: ranked.len().saturating_sub(KINDS_MAX),
        });
    }
    Ok(found)
}
