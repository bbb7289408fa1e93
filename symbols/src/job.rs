//! What is asked about one module, and the answer: what passes between the processes.

use std::collections::HashMap;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::report::Outcome;

/// Places of one module to look up.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Job {
    /// The module, as the frame names it.
    pub module: String,
    /// Its build-id, where it is known.
    pub build_id: Option<String>,
    /// Where in it; in ascending order.
    pub offsets: Vec<u64>,
    /// A file that is known to be the module, under whatever name.
    pub held: Option<PathBuf>,
    /// The perf map of the process that made the code.
    pub perf_map: Option<PathBuf>,
    /// See [`crate::Options`].
    pub debug_dirs: Vec<PathBuf>,
    /// See [`crate::Options`].
    pub same_boot: bool,
    /// See [`crate::Options`].
    pub inlines: bool,
    /// See [`crate::Options`].
    pub lines: bool,
    /// Whether to read DWARF at all; not once reading it failed.
    pub dwarf: bool,
    /// Bytes of memory that reading may take.
    pub memory_bytes: u64,
}

/// What was found.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Answer {
    /// For each offset the functions it is in, innermost first; none if unknown. All but the last are
    /// inlined.
    pub places: Vec<Vec<Function>>,
    /// Each text once.
    pub texts: Vec<String>,
    /// What became of the module.
    pub outcome: Outcome,
}

/// A function that a place is in.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct Function {
    /// Its name, by its place in [`Answer::texts`].
    pub name: Option<u32>,
    /// Its source file, likewise.
    pub file: Option<u32>,
    /// Line in it.
    pub line: Option<u32>,
}

/// A function that a place is in, with its texts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Place {
    /// The name of the function, demangled.
    pub name: Option<String>,
    /// Source file.
    pub file: Option<String>,
    /// Line in it.
    pub line: Option<u32>,
    /// Whether the name is as it stands in the source, without what it is part of.
    pub is_plain: bool,
}

/// Texts, each once.
#[derive(Default)]
struct Texts {
    known: HashMap<String, u32>,
    list: Vec<String>,
}

impl Texts {
    fn index(&mut self, text: &str) -> u32 {
        if let Some(index) = self.known.get(text) {
            return *index;
        }
        let index = self.list.len() as u32;
        self.known.insert(text.to_string(), index);
        self.list.push(text.to_string());
        index
    }
}

impl Answer {
    /// What was found, in the form in which it is sent.
    pub fn new(places: &[Vec<Place>], outcome: Outcome) -> Answer {
        let mut texts = Texts::default();
        let mut function = |place: &Place| Function {
            name: place.name.as_deref().map(|name| texts.index(name)),
            file: place.file.as_deref().map(|file| texts.index(file)),
            line: place.line,
        };
        let places = places.iter().map(|place| place.iter().map(&mut function).collect());
        let places = places.collect();
        Answer { places, texts: texts.list, outcome }
    }

    /// Knows nothing of `places` places.
    pub fn none(places: usize, outcome: Outcome) -> Answer {
        Answer { places: vec![Vec::new(); places], texts: Vec::new(), outcome }
    }

    /// Whether it fits the question and itself: it comes from a process that read untrusted files.
    pub fn is_sound(&self, job: &Job) -> bool {
        let is_known = |index: u32| (index as usize) < self.texts.len();
        self.places.len() == job.offsets.len()
            && self.places.iter().flatten().all(|function| {
                function.name.is_none_or(is_known) && function.file.is_none_or(is_known)
            })
    }
}
