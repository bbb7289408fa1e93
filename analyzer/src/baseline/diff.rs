//! What is in one baseline and not in another.

use super::{Baseline, Program, Section};

/// A difference between two baselines.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// The program.
    pub program: String,
    /// What kind of thing; none when it is the program itself.
    pub section: Option<Section>,
    /// The thing.
    pub item: String,
    /// Whether it is in the second one only, rather than in the first one only.
    pub is_new: bool,
}

/// What is in one of two baselines only, sorted. Counts are not compared: they depend on how long was learned. What a
/// pattern of the other covers is in it.
pub fn diff(one: &Baseline, other: &Baseline) -> Vec<Change> {
    let mut changes = Vec::new();
    for (is_new, (from, to)) in [(false, (one, other)), (true, (other, one))] {
        for (name, program) in &from.programs {
            match to.programs.get(name) {
                None => changes.push(Change {
                    program: name.clone(),
                    section: None,
                    item: name.clone(),
                    is_new,
                }),
                Some(known) => changes.extend(only_in(name, program, known, is_new)),
            }
        }
    }
    changes.sort_by(|one, other| {
        (&one.program, one.section, &one.item, one.is_new).cmp(&(
            &other.program,
            other.section,
            &other.item,
            other.is_new,
        ))
    });
    changes
}

fn only_in(name: &str, program: &Program, known: &Program, is_new: bool) -> Vec<Change> {
    let mut changes = Vec::new();
    for section in Section::ALL {
        let mut items = super::items::Items::of(section);
        known.section(section).for_each(|(item, seen)| items.insert(item, seen));
        for item in program.names(section).filter(|item| items.find(item).is_none()) {
            changes.push(Change {
                program: name.to_string(),
                section: Some(section),
                item: item.to_string(),
                is_new,
            });
        }
    }
    changes
}
