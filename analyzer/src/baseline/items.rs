//! What was seen of one section of one program, put together as its kind wants it: paths as a tree, peers by
//! networks, all else by name.

use std::collections::BTreeMap;

use super::networks::Peers;
use super::tree::{Fold, Tree};
use super::{Section, Seen};

/// Patterns of paths that a section of a program may have.
pub const PATTERNS_MAX: usize = 4096;

/// Names that a section of a program may have; what comes later is put together.
const NAMES_MAX: usize = 4096;

/// What names beyond [`NAMES_MAX`] are put together as.
const OTHERS: &str = "*";

/// The items of a section.
#[derive(Debug, Clone)]
pub enum Items<T> {
    /// Files.
    Paths(Tree<T>),
    /// Peers.
    Peers(Peers<T>),
    /// Everything else.
    Names(BTreeMap<String, T>),
}

impl<T: Fold> Items<T> {
    /// Those of a section, of which there are none yet.
    pub fn of(section: Section) -> Items<T> {
        match section {
            Section::Reads | Section::Writes | Section::Looks => {
                Items::Paths(Tree::new(PATTERNS_MAX))
            }
            // Which programs are run matters by name, even if they are many.
            Section::Executes | Section::Children => Items::Paths(Tree::of_names(PATTERNS_MAX)),
            Section::Peers => Items::Peers(Peers::default()),
            _ => Items::Names(BTreeMap::new()),
        }
    }

    /// Adds one.
    pub fn insert(&mut self, item: &str, value: T) {
        match self {
            Items::Paths(tree) => tree.insert(item, value),
            Items::Peers(peers) => peers.insert(item, value),
            Items::Names(names) => {
                let is_full = names.len() >= NAMES_MAX && !names.contains_key(item);
                let name = if is_full { OTHERS } else { item };
                match names.get_mut(name) {
                    Some(known) => known.fold(value),
                    None => _ = names.insert(name.to_string(), value),
                }
            }
        }
    }

    /// The item that one is, or is part of.
    pub fn find(&self, item: &str) -> Option<(String, &T)> {
        match self {
            Items::Paths(tree) => tree.find(item),
            Items::Peers(peers) => peers.find(item),
            Items::Names(names) => {
                let found = names.get_key_value(item).or_else(|| names.get_key_value(OTHERS));
                found.map(|(name, value)| (name.clone(), value))
            }
        }
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        match self {
            Items::Paths(tree) => tree.len(),
            Items::Peers(peers) => peers.len(),
            Items::Names(names) => names.len(),
        }
    }

    /// Lowers how many patterns there may be.
    pub fn narrow(&mut self, most: usize) {
        if let Items::Paths(tree) = self {
            tree.narrow(most);
        }
    }

    /// All of them.
    pub fn into_items(self) -> Vec<(String, T)> {
        match self {
            Items::Paths(tree) => tree.into_items(),
            Items::Peers(peers) => peers.into_items(),
            Items::Names(names) => names.into_iter().collect(),
        }
    }
}

/// What two baselines know of a section. What is one item in the whole is one in each before counts are added.
pub fn merge(
    section: Section,
    one: BTreeMap<String, Seen>,
    other: BTreeMap<String, Seen>,
) -> BTreeMap<String, Seen> {
    let mut shape = Items::of(section);
    for item in one.keys().chain(other.keys()) {
        shape.insert(item, Seen::default());
    }
    let shape = {
        // Peers are put together when they are taken out.
        let mut whole = Items::of(section);
        shape.into_items().into_iter().for_each(|(item, seen)| whole.insert(&item, seen));
        whole
    };
    let mut merged: BTreeMap<String, Seen> = BTreeMap::new();
    for side in [one, other] {
        let mut shaped: BTreeMap<String, Seen> = BTreeMap::new();
        for (item, seen) in side {
            let item = shape.find(&item).map_or(item, |(found, _)| found);
            match shaped.get_mut(&item) {
                Some(known) => known.fold(seen),
                None => _ = shaped.insert(item, seen),
            }
        }
        for (item, seen) in shaped {
            let known = merged.entry(item).or_default();
            *known = known.and(seen);
        }
    }
    merged
}

#[cfg(test)]
mod tests {
    use super::*;

    fn files(range: std::ops::Range<u64>) -> BTreeMap<String, Seen> {
        let seen = Seen { times: 1, processes: 1, traces: 1 };
        range.map(|n| (format!("/srv/f{n}"), seen)).collect()
    }

    #[test]
    fn what_is_folded_in_the_whole_is_one_in_each() {
        let merged = merge(Section::Reads, files(0..10), files(10..20));
        let seen = Seen { times: 20, processes: 2, traces: 2 };
        assert_eq!(merged, BTreeMap::from([("/srv/*".to_string(), seen)]));
    }

    #[test]
    fn merging_is_the_same_either_way() {
        let one = merge(Section::Reads, files(0..17), files(3..6));
        let other = merge(Section::Reads, files(3..6), files(0..17));
        assert_eq!(one, other);
        let peers = |range: std::ops::Range<u64>| {
            let seen = Seen { times: 1, processes: 1, traces: 1 };
            range.map(|n| (format!("client tcp 10.0.0.{n}:443"), seen)).collect()
        };
        let merged = merge(Section::Peers, peers(0..10), peers(10..20));
        assert_eq!(merged.keys().collect::<Vec<_>>(), ["client tcp 10.0.0.0/24:443"]);
        assert_eq!(merged, merge(Section::Peers, peers(10..20), peers(0..10)));
    }

    #[test]
    fn names_have_a_bound() {
        let mut items = Items::of(Section::Users);
        (0..10_000).for_each(|n| items.insert(&n.to_string(), Seen::default()));
        assert_eq!(items.len(), NAMES_MAX + 1);
        assert!(items.find("9999").is_some());
    }
}
