//! What many allocations have in common, each once: who made them, and where in the program.

use std::hash::Hash;

use datafusion::common::HashMap;

/// Values that occur often, by the number of each.
pub struct Numbered<T> {
    numbers: HashMap<T, u32>,
    values: Vec<T>,
    last: u32,
}

impl<T> Default for Numbered<T> {
    fn default() -> Numbered<T> {
        Numbered { numbers: HashMap::default(), values: Vec::new(), last: 0 }
    }
}

impl<T: Hash + Eq + Clone> Numbered<T> {
    /// The number of a value. What came last mostly comes again.
    pub fn number<Q>(&mut self, value: &Q) -> u32
    where
        Q: Hash + Eq + ToOwned<Owned = T> + ?Sized,
        T: std::borrow::Borrow<Q>,
    {
        if self.values.get(self.last as usize).is_some_and(|last| last.borrow() == value) {
            return self.last;
        }
        self.last = self.numbers.get(value).copied().unwrap_or_else(|| {
            let number = self.values.len() as u32;
            self.numbers.insert(value.to_owned(), number);
            self.values.push(value.to_owned());
            number
        });
        self.last
    }

    /// The value with a number.
    pub fn value(&self, number: u32) -> &T {
        &self.values[number as usize]
    }
}

/// Who made a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Who {
    pub host: u32,
    pub comm: u32,
    pub pid: i32,
    pub tid: i32,
    pub upid: i64,
    pub cgroup_id: i64,
}

/// Who made an allocation, and how.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Site {
    pub who: u32,
    pub operation: u32,
    pub one_in: i32,
    pub stack: Option<i64>,
}

/// A thread, whatever it is called at the moment.
pub type Thread = (u32, i32);
