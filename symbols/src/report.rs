//! What became of the names of a trace.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// What became of the names of one or more segments.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// Distinct stacks.
    pub stacks: u64,
    /// Their frames, inlined ones not counted.
    pub frames: u64,
    /// Frames that have the name of a function now.
    pub named: u64,
    /// The modules of those frames, by name and build-id.
    pub modules: BTreeMap<(String, Option<String>), Module>,
}

/// What became of the frames of one module.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Module {
    /// Its frames.
    pub frames: u64,
    /// Those that have a name now.
    pub named: u64,
    /// Why, or why not.
    pub outcome: Outcome,
}

/// What was found of a module.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Outcome {
    /// Symbols were read.
    Found {
        /// From which files, the one with most to say first.
        files: Vec<String>,
        /// Whether there was debug information: lines and inlined functions.
        debug: bool,
    },
    /// A file was found that says nothing about functions.
    NoSymbols {
        /// The file.
        file: String,
    },
    /// No file was found.
    NoFile,
    /// Only a file with another build-id was found.
    WrongBuildId {
        /// The file.
        file: String,
    },
    /// The build-id of the module is not known, and neither is whether its path means the same here.
    NoBuildId,
    /// No mapping was recorded that the address lies in.
    NoModule,
    /// Only known on the machine that was recorded, before it is restarted.
    OtherBoot,
    /// The kernel keeps its symbols from us: they are for root, or `kptr_restrict` hides them.
    Hidden,
    /// The process that made the code left no perf map.
    NoPerfMap,
    /// A perf map was read.
    PerfMap {
        /// The file.
        file: String,
        /// Lines in it that are none.
        wrong_lines: u64,
    },
    /// The file cannot be read as what it should be.
    Corrupt {
        /// The file, or the module's name.
        file: String,
        /// What is wrong with it.
        what: String,
    },
}

impl Report {
    /// Adds what became of another segment.
    pub fn add(&mut self, other: &Report) {
        self.stacks += other.stacks;
        self.frames += other.frames;
        self.named += other.named;
        for (key, module) in &other.modules {
            self.modules
                .entry(key.clone())
                .and_modify(|known| {
                    known.frames += module.frames;
                    known.named += module.named;
                    // What went wrong is what to tell.
                    if !module.outcome.is_found() {
                        known.outcome = module.outcome.clone();
                    }
                })
                .or_insert_with(|| module.clone());
        }
    }

    /// How many modules have an outcome.
    pub fn count(&self, which: impl Fn(&Outcome) -> bool) -> u64 {
        self.modules.values().filter(|module| which(&module.outcome)).count() as u64
    }

    /// Modules of which no file was found.
    pub fn without_file(&self) -> u64 {
        self.count(|outcome| matches!(outcome, Outcome::NoFile | Outcome::NoBuildId))
    }

    /// Modules of which only another version was found.
    pub fn wrong_build_id(&self) -> u64 {
        self.count(|outcome| matches!(outcome, Outcome::WrongBuildId { .. }))
    }

    /// Modules whose file cannot be read.
    pub fn corrupt(&self) -> u64 {
        self.count(|outcome| matches!(outcome, Outcome::Corrupt { .. }))
    }
}

impl Outcome {
    /// Whether there are symbols.
    pub fn is_found(&self) -> bool {
        matches!(self, Outcome::Found { .. } | Outcome::PerfMap { .. })
    }
}
