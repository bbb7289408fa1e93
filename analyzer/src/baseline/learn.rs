//! Learning: what programs did in a recording in which all was well becomes a baseline.

use std::collections::BTreeMap;

use super::items::{Items, PATTERNS_MAX};
use super::observe::{self, Observation, PROGRAMS};
use super::{Baseline, Program, Rate, Recording, Section, Seen};
use crate::completeness::{Limit, Note};
use crate::error::Error;
use crate::session::Session;

/// Programs that a baseline may have. A machine has hundreds; builds and tests make more, under names that patterns
/// mostly put together.
pub const PROGRAMS_MAX: usize = 20_000;

/// Patterns that a baseline may have before each section of each program gets fewer.
const ALL_PATTERNS_MAX: usize = 300_000;

/// Patterns of a section of a program from then on.
const PATTERNS_MIN: usize = 64;

/// What was learned of a recording, and what it could not show.
#[derive(Debug, Clone, Default)]
pub struct Learned {
    /// The baseline.
    pub baseline: Baseline,
    /// What was lost: a baseline that was learned without it takes normal things for new ones.
    pub notes: Vec<Note>,
    /// What the recording was asked to leave out.
    pub limits: Vec<Limit>,
    /// Programs that found no room.
    pub left_out: usize,
}

/// A program that is being learned.
#[derive(Default)]
struct Pupil {
    processes: u64,
    sections: BTreeMap<Section, Items<Seen>>,
    rates: BTreeMap<String, Rate>,
}

/// Learns from a session, which counts as one recording.
pub fn learn(session: &Session) -> Result<Learned, Error> {
    let mut pupils: BTreeMap<String, Pupil> = BTreeMap::new();
    let (mut left_out, mut patterns, mut most) = (0, 0, PATTERNS_MAX);
    let seen = observe::observe(session, &|_| true, &mut |observation| {
        match observation {
            Observation::Program { program, processes, .. } => {
                // Programs come first, and in the order of their names.
                if pupils.len() < PROGRAMS_MAX {
                    pupils.entry(program).or_default().processes = processes;
                } else {
                    left_out += 1;
                }
            }
            Observation::Thing { section, program, item, times, processes, .. } => {
                let Some(pupil) = pupils.get_mut(&program) else { return Ok(()) };
                let items = pupil.sections.entry(section).or_insert_with(|| {
                    let mut items = Items::of(section);
                    items.narrow(most);
                    items
                });
                let before = items.len();
                items.insert(&item, Seen { times, processes, traces: 1 });
                patterns = patterns + items.len() - before;
                if patterns > ALL_PATTERNS_MAX && most > PATTERNS_MIN {
                    most = PATTERNS_MIN;
                    let all = pupils.values_mut().flat_map(|pupil| pupil.sections.values_mut());
                    patterns = all
                        .map(|items| {
                            items.narrow(most);
                            items.len()
                        })
                        .sum();
                }
            }
            Observation::Second { rate, program, value, .. } => {
                if let Some(pupil) = pupils.get_mut(&program) {
                    pupil.rates.entry(rate).or_default().add(value);
                }
            }
        }
        Ok(())
    })?;
    let programs = pupils.into_iter().map(|(name, pupil)| (name, pupil.program())).collect();
    let recorded = seen.recorded.into_iter().filter(|name| name != PROGRAMS);
    let baseline = Baseline {
        recordings: recordings(session)?,
        recorded: recorded.map(|name| (name, 1)).collect(),
        programs,
    };
    Ok(Learned { baseline, notes: seen.notes, limits: seen.limits, left_out })
}

impl Pupil {
    fn program(self) -> Program {
        let sections = self.sections.into_iter().map(|(section, items)| {
            (section, items.into_items().into_iter().collect::<BTreeMap<_, _>>())
        });
        Program {
            traces: 1,
            processes: self.processes,
            sections: sections.collect(),
            rates: self.rates,
        }
    }
}

fn recordings(session: &Session) -> Result<Vec<Recording>, Error> {
    let seconds = session.bounds()?.map_or(0, |(first, last)| (last - first) / 1_000_000_000);
    let recording = |trace: &store::Trace| {
        let manifest = trace.manifest();
        Recording {
            created: manifest.created.clone(),
            host: manifest.host.clone(),
            arch: manifest.arch.clone(),
            id: manifest.id.clone(),
            seconds: u64::try_from(seconds).unwrap_or(0),
        }
    };
    let mut recordings: Vec<Recording> = session.traces().iter().map(recording).collect();
    recordings.sort();
    Ok(recordings)
}
