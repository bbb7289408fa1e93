//! Traces that nobody recorded: a scenario is played on a machine that does not exist, and what was
//! planted in it is written down in the table `truth`, so that reports can be held against it.
//!
//! `scenarios` has one file for each scenario; each makes rows (`rows`) of the processes, threads and
//! stacks of a `world` that is known beforehand, in the order of time, and sums up what it plants
//! (`truth`). This file cuts them into segments; `columns` and `state` make tables of them, `loss`
//! takes some away. Nothing here needs a kernel, root or Linux.
//!
//! The same options give the same bytes, on any machine: all numbers come from `random`.

mod columns;
mod loss;
mod random;
mod rows;
mod scenarios;
mod state;
mod truth;
mod world;

use std::path::Path;

use schema::tables::{Source, TABLES, Table, by_name};
use store::manifest::{FormatVersion, State};
use store::{Folder, Manifest, SegmentWriter};

use crate::loss::{Counts, Loss};
use crate::rows::Rows;
use crate::scenarios::Play;
use crate::state::About;
use crate::truth::Truth;
use crate::world::{BEGIN_NS, Span, World};

pub use scenarios::{SCENARIOS, Scenario};
pub use truth::Fact;

const SECOND: i64 = 1_000_000_000;
/// Events in a second of a long trace.
const EVENTS_PER_SECOND: i64 = 100_000;
/// Fewer events than these are not enough for what is planted.
const EVENTS_MIN: u64 = 2_000;
/// How finely time is cut before segments are made of it.
const STEPS_PER_SEGMENT: i64 = 16;

/// What to write.
#[derive(Clone, Debug, PartialEq)]
pub struct Options {
    /// Name of a scenario, see [`SCENARIOS`].
    pub scenario: String,
    /// What all random numbers depend on.
    pub seed: u64,
    /// About how many events.
    pub events: u64,
    /// About how many events a segment has.
    pub segment_events: u64,
    /// How many percent of the events are lost.
    pub loss_percent: f64,
    /// Whether an earlier trace in the folder is replaced.
    pub force: bool,
}

impl Options {
    /// A million events of a scenario, none of them lost.
    pub fn new(scenario: &str) -> Options {
        Options {
            scenario: scenario.to_string(),
            seed: 1,
            events: 1_000_000,
            segment_events: 2_000_000,
            loss_percent: 0.0,
            force: false,
        }
    }
}

/// What was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Written {
    /// Segments.
    pub segments: u64,
    /// Events that are stored.
    pub stored: u64,
    /// Events that were lost.
    pub lost: u64,
    /// Bytes of all tables.
    pub bytes: u64,
    /// What was planted, as the table `truth` has it.
    pub facts: Vec<Fact>,
}

/// What can go wrong.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// There is no such scenario.
    #[error("there is no scenario `{name}`: choose one of {}", scenarios::names())]
    Scenario {
        /// What was asked for.
        name: String,
    },
    /// Too few events, or segments of nothing.
    #[error("{what} cannot be {value}: choose at least {least}")]
    TooFew {
        /// Which of the options.
        what: &'static str,
        /// Its value.
        value: u64,
        /// The least that it can be.
        least: u64,
    },
    /// More than all, or less than nothing.
    #[error("{percent} percent cannot be lost: choose a number from 0 to 100")]
    Loss {
        /// What was asked for.
        percent: f64,
    },
    /// The trace folder could not be written.
    #[error(transparent)]
    Store(#[from] store::Error),
}

/// Writes a trace to the folder `path`.
pub fn write(path: &Path, options: &Options) -> Result<Written, Error> {
    let scenario = check(options)?;
    let folder = Folder::create(path, options.force)?;
    let _lock = folder.lock()?;
    let mut source = Segments::new(scenario, options);
    let manifest = manifest(scenario, options, &source.world);
    folder.write_manifest(&Manifest { state: State::Recording, ..manifest.clone() })?;
    let mut written = Written { segments: 0, stored: 0, lost: 0, bytes: 0, facts: Vec::new() };
    let mut next = source.next();
    while let Some(segment) = next {
        let (world, is_recorded) = (&source.world, |table: &Table| is_recorded(table, scenario));
        // While one is written the next is made.
        let (sizes, following) = rayon::join(
            || segment.write(&folder, world, is_recorded),
            || source.timeline.next(&source.world),
        );
        written.bytes += sizes?;
        written.segments += 1;
        written.stored += segment.rows.len() as u64;
        written.lost = segment.about.counts.lost_all() as u64;
        written.facts.extend(segment.facts);
        next = following;
    }
    folder.write_manifest(&manifest)?;
    Ok(written)
}

/// The scenario, if the options make sense.
fn check(options: &Options) -> Result<&'static Scenario, Error> {
    let few = |what, value, least| Err(Error::TooFew { what, value, least });
    if options.events < EVENTS_MIN {
        return few("the number of events", options.events, EVENTS_MIN);
    }
    if options.segment_events == 0 {
        return few("the number of events of a segment", 0, 1);
    }
    if !(0.0..=100.0).contains(&options.loss_percent) {
        return Err(Error::Loss { percent: options.loss_percent });
    }
    let known = SCENARIOS.iter().find(|scenario| scenario.name == options.scenario);
    known.ok_or_else(|| Error::Scenario { name: options.scenario.clone() })
}

fn manifest(scenario: &Scenario, options: &Options, world: &World) -> Manifest {
    let seconds = world.span.duration_ns() / SECOND;
    Manifest {
        format: FormatVersion::CURRENT,
        id: format!("synth-{}-{}", scenario.name, options.seed),
        host: columns::HOST.to_string(),
        kernel: state::KERNEL.to_string(),
        arch: "x86_64".to_string(),
        created: "2026-11-24T09:00:00Z".to_string(),
        recorder_version: env!("CARGO_PKG_VERSION").to_string(),
        state: State::Finished,
        command: None,
        sources: scenario.streams().map(|stream| stream.name().to_string()).collect(),
        options: serde_json::json!({
            "synth": scenario.name,
            "seed": options.seed,
            "events": options.events,
            "segment_events": options.segment_events,
            "loss_percent": options.loss_percent,
            "seconds": seconds,
        }),
        redaction: "none".to_string(),
    }
}

fn is_recorded(table: &Table, scenario: &Scenario) -> bool {
    matches!(table.source, Source::Stream(stream) if scenario.streams().any(|other| other == stream))
}

/// A segment that is ready to be written.
struct Segment {
    about: About,
    rows: Rows,
    facts: Vec<Fact>,
}

impl Segment {
    /// Writes its files; returns their bytes.
    fn write(
        &self,
        folder: &Folder,
        world: &World,
        is_recorded: impl Fn(&Table) -> bool + Sync,
    ) -> store::Result<u64> {
        let writer = SegmentWriter::new(folder, self.about.number);
        let mut files = self.rows.write(world, &writer, &is_recorded)?;
        // Of what was recorded and did not happen there are tables without rows.
        let rest =
            TABLES.iter().filter(|table| is_recorded(table) && !rows::TABLES.contains(&table.name));
        for table in rest {
            files.push(writer.write(table, [])?);
        }
        files.extend(state::write(&self.about, world, &writer)?);
        if self.about.is_last {
            let table = by_name("truth").expect("the schema declares the table");
            files.push(writer.write(table, [truth::batch(&self.facts)])?);
        }
        let segments = state::segments(&self.about).expect("the columns are of the table");
        let sizes = writer.seal(files, &segments)?;
        Ok(sizes.iter().map(|size| size.bytes).sum())
    }
}

/// The machine, and what happens on it.
struct Segments {
    world: World,
    timeline: Timeline,
}

impl Segments {
    fn new(scenario: &Scenario, options: &Options) -> Segments {
        let events = i64::try_from(options.events).unwrap_or(i64::MAX);
        let seconds = (events / EVENTS_PER_SECOND).max(scenario.seconds);
        let span = Span { begin: BEGIN_NS, end: BEGIN_NS + seconds * SECOND };
        let mut world = World::new(span, options.seed);
        let plays = scenarios::begin(scenario, &mut world, options.seed, events);
        let mut rows = Rows::default();
        world.lives(&mut rows);
        let segment_events = i64::try_from(options.segment_events).unwrap_or(i64::MAX);
        let segments = events / segment_events + 1;
        let timeline = Timeline {
            plays,
            rows,
            loss: Loss::new(options.seed, options.loss_percent),
            counts: Counts::default(),
            number: 0,
            begin: span.begin,
            now: span.begin,
            step: (span.duration_ns() / (segments * STEPS_PER_SEGMENT)).max(1),
            segment_events: segment_events as usize,
        };
        Segments { world, timeline }
    }

    fn next(&mut self) -> Option<Segment> {
        self.timeline.next(&self.world)
    }
}

/// What happens, cut into segments.
struct Timeline {
    plays: Vec<(&'static str, Box<dyn Play>)>,
    /// What has been made and is in no segment yet.
    rows: Rows,
    loss: Loss,
    counts: Counts,
    /// Segments that have been made.
    number: u64,
    /// Where the next one begins.
    begin: i64,
    now: i64,
    step: i64,
    segment_events: usize,
}

impl Timeline {
    fn next(&mut self, world: &World) -> Option<Segment> {
        let end = world.span.end;
        if self.begin >= end {
            return None;
        }
        while self.now < end && self.rows.len() < self.segment_events {
            self.now = (self.now + self.step).min(end);
            for (_, play) in &mut self.plays {
                play.advance(self.now, world, &mut self.rows);
            }
        }
        let is_last = self.now >= end;
        let mut rows = self.rows.take(if is_last { i64::MAX } else { self.now });
        let mut counts = self.counts.next();
        rows.lose(&mut counts, &mut self.loss);
        self.counts = counts.clone();
        self.number += 1;
        let span = Span { begin: self.begin, end: self.now };
        self.begin = self.now;
        let mut truth = Truth::default();
        if is_last {
            for (name, play) in self.plays.drain(..) {
                truth.of(name);
                play.finish(world, &mut truth);
            }
        }
        let about = About { number: self.number, span, counts, is_last };
        Some(Segment { about, rows, facts: truth.facts })
    }
}
