//! What the descriptors of each process are, from one moment to the next.

use std::cmp::{Ordering, Reverse};
use std::collections::BinaryHeap;
use std::sync::Arc;

use datafusion::common::HashMap;

/// A file or socket that descriptors stand for, by its place in [`Descriptors::opened`].
pub type File = usize;

/// The place of what all sockets are told as.
pub const SOCKET: File = 0;

/// What a descriptor is that was seen to be made.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Opened {
    /// The path as it was given.
    pub path: Box<str>,
    /// The process whose working directory the path begins at.
    pub relative_to: Option<i64>,
}

/// What happens to descriptors, in the order in which it counts at one moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Change {
    /// A child begins with those of its parent.
    Fork { parent: i64, child: i64 },
    /// From now on it is nothing that is known.
    Close { upid: i64, fd: i64 },
    /// It becomes what another one of the process is.
    Copy { upid: i64, from: i64, to: i64 },
    /// It is a file now.
    Open { upid: i64, fd: i64, file: File },
    /// The process ends.
    Exit { upid: i64 },
}

/// A change that counts from a moment on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct At(i64, Change);

impl PartialOrd for At {
    fn partial_cmp(&self, other: &At) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for At {
    fn cmp(&self, other: &At) -> Ordering {
        (self.0, self.1).cmp(&(other.0, other.1))
    }
}

/// The known descriptors of a process.
type Known = HashMap<i64, File>;

/// What descriptors are now, and what will change.
pub struct Descriptors {
    opened: Vec<Opened>,
    places: HashMap<Opened, File>,
    /// By process; a child shares those of its parent until one of them changes.
    processes: HashMap<i64, Arc<Known>>,
    changes: BinaryHeap<Reverse<At>>,
}

impl Descriptors {
    /// Nothing is known but when processes begin and end.
    pub fn new(changes: impl IntoIterator<Item = (i64, Change)>) -> Descriptors {
        let socket = Opened { path: "(socket)".into(), relative_to: None };
        Descriptors {
            opened: vec![socket],
            places: HashMap::default(),
            processes: HashMap::default(),
            changes: changes.into_iter().map(|(ts, change)| Reverse(At(ts, change))).collect(),
        }
    }

    /// The number of a file: the same for the same path.
    pub fn file(&mut self, path: &str, relative_to: Option<i64>) -> File {
        let opened = Opened { path: path.into(), relative_to };
        if let Some(file) = self.places.get(&opened) {
            return *file;
        }
        self.opened.push(opened.clone());
        self.places.insert(opened, self.opened.len() - 1);
        self.opened.len() - 1
    }

    /// What a file is.
    pub fn opened(&self, file: File) -> &Opened {
        &self.opened[file]
    }

    /// Something that counts from `ts` on: not before what was looked at last.
    pub fn change(&mut self, ts: i64, change: Change) {
        self.changes.push(Reverse(At(ts, change)));
    }

    /// What a descriptor is at `ts`; moments never go back.
    pub fn at(&mut self, ts: i64, upid: i64, fd: i64) -> Option<File> {
        self.go_on(ts);
        self.processes.get(&upid)?.get(&fd).copied()
    }

    /// Lets happen what counts at `ts`.
    pub fn go_on(&mut self, ts: i64) {
        while self.changes.peek().is_some_and(|Reverse(next)| next.0 <= ts) {
            if let Some(Reverse(At(_, change))) = self.changes.pop() {
                self.apply(change);
            }
        }
    }

    fn apply(&mut self, change: Change) {
        match change {
            Change::Fork { parent, child } => {
                // A process is forked once.
                if let Some(known) = self.processes.get(&parent).cloned() {
                    self.processes.entry(child).or_insert(known);
                }
            }
            Change::Close { upid, fd } => self.set(upid, fd, None),
            Change::Copy { upid, from, to } => {
                let file = self.processes.get(&upid).and_then(|known| known.get(&from).copied());
                self.set(upid, to, file);
            }
            Change::Open { upid, fd, file } => self.set(upid, fd, Some(file)),
            Change::Exit { upid } => {
                self.processes.remove(&upid);
            }
        }
    }

    fn set(&mut self, upid: i64, fd: i64, file: Option<File>) {
        match file {
            Some(file) => {
                Arc::make_mut(self.processes.entry(upid).or_default()).insert(fd, file);
            }
            None => {
                let known = self.processes.get_mut(&upid).filter(|known| known.contains_key(&fd));
                if let Some(known) = known {
                    Arc::make_mut(known).remove(&fd);
                }
            }
        }
    }
}
