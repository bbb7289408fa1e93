//! Names that were found already: the stacks of one segment are much those of the one before.

use std::collections::HashMap;
use std::sync::Arc;

/// Places that are kept; with their names, some 100 MB at most.
const PLACES_MAX: usize = 200_000;

/// A function that a place is in.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Named {
    /// Its name.
    pub name: Option<Arc<str>>,
    /// Source file.
    pub file: Option<Arc<str>>,
    /// Line in it.
    pub line: Option<u32>,
}

/// The functions of a place, innermost first.
pub type Place = Arc<[Named]>;

/// A module: its name and build-id, and of memory of no file the process.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key {
    /// As frames name it.
    pub module: Arc<str>,
    /// Where it is known.
    pub build_id: Option<Arc<str>>,
    /// Whose memory it is.
    pub pid: Option<u32>,
}

impl Key {
    /// Whether the same place is the same function for as long as the machine runs.
    fn is_fixed(&self) -> bool {
        self.build_id.is_some() || &*self.module == store::stacks::KERNEL
    }
}

/// Places of modules that are known.
#[derive(Default)]
pub struct Cache {
    modules: HashMap<Key, HashMap<u64, Place>>,
    places: usize,
}

impl Cache {
    /// What is known of a place.
    pub fn get(&self, key: &Key, offset: u64) -> Option<&Place> {
        self.modules.get(key)?.get(&offset)
    }

    /// Keeps what was found of a module.
    pub fn keep(&mut self, key: &Key, places: &HashMap<u64, Place>) {
        if !key.is_fixed() {
            return;
        }
        let named = places.iter().filter(|(_, place)| !place.is_empty());
        let named: Vec<(u64, Place)> =
            named.map(|(offset, place)| (*offset, place.clone())).collect();
        if self.places + named.len() > PLACES_MAX {
            // What is in use comes back with the next segment.
            *self = Cache::default();
        }
        if named.len() <= PLACES_MAX {
            self.places += named.len();
            self.modules.entry(key.clone()).or_default().extend(named);
        }
    }
}
