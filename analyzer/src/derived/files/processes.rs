//! What the descriptors and the working directory of each process are, from one moment to the next.

use std::cmp::{Ordering, Reverse};
use std::collections::BinaryHeap;
use std::sync::Arc;

use datafusion::common::HashMap;

use crate::functions::clean_path;

/// A file or socket, by its place in [`Processes::names`].
pub type File = usize;

/// The place of what all sockets are told as.
pub const SOCKET: File = 0;

/// The lower half of `dirfd` in a call that begins at the working directory (`AT_FDCWD`).
pub const AT_FDCWD: i64 = 0xffff_ff9c;

/// A longer path than this is not told in full: whoever changes directory again and again can make one of any length.
const PATH_MAX: usize = 1 << 16;

/// The bits of a `upid` that are the process id.
const PID_MASK: i64 = (1 << 22) - 1;

/// Whether a path is the same whichever process gives it, from whichever directory.
pub fn is_as_written(path: &str) -> bool {
    path.starts_with('/') && !may_go_through_own(path)
}

/// Whether a path may lead through what /proc has of the process that gives it.
fn may_go_through_own(path: &str) -> bool {
    let first = path.trim_start_matches(['/', '.']);
    let is_of_process = |who: &str| {
        let who = who.trim_start_matches(['/', '.']);
        who.starts_with(|first: char| first.is_ascii_digit())
            || ["self/", "thread-self/"].iter().any(|own| who.starts_with(own))
    };
    first.strip_prefix("proc/").is_some_and(is_of_process)
        || first.starts_with("dev/fd/")
        || path.contains("/../")
}

/// What happens to a process, in the order in which it counts at one moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Change {
    /// A child begins with what its parent has.
    Fork { parent: i64, child: i64 },
    /// From now on the descriptor is nothing that is known.
    Close { upid: i64, fd: i64 },
    /// It becomes what another one of the process is.
    Copy { upid: i64, from: i64, to: i64 },
    /// It is a file now.
    Open { upid: i64, fd: i64, file: File },
    /// The process has another working directory, which may not be known.
    Move { upid: i64, to: Option<File> },
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
type Descriptors = HashMap<i64, File>;

/// What is known of a process.
#[derive(Default, Clone)]
struct Process {
    /// A child shares those of its parent until one of them changes.
    descriptors: Arc<Descriptors>,
    directory: Directory,
}

/// A working directory.
#[derive(Default, Clone, Copy)]
enum Directory {
    /// The one that the process was found with.
    #[default]
    Found,
    At(File),
    Unknown,
}

/// What processes are now, and what will change.
pub struct Processes {
    names: Vec<Arc<str>>,
    places: HashMap<Arc<str>, File>,
    /// Working directories that processes were found with.
    found: HashMap<i64, File>,
    now: HashMap<i64, Process>,
    changes: BinaryHeap<Reverse<At>>,
}

impl Processes {
    /// Nothing is known of any process.
    pub fn new() -> Processes {
        Processes {
            names: vec!["(socket)".into()],
            places: HashMap::default(),
            found: HashMap::default(),
            now: HashMap::default(),
            changes: BinaryHeap::new(),
        }
    }

    /// The number of a file: the same for the same path.
    pub fn file(&mut self, path: &str) -> File {
        if let Some(file) = self.places.get(path) {
            return *file;
        }
        let name: Arc<str> = path.into();
        self.names.push(name.clone());
        self.places.insert(name, self.names.len() - 1);
        self.names.len() - 1
    }

    /// The path of a file: absolute, or as it was given where it is not known where that begins.
    pub fn name(&self, file: File) -> &str {
        &self.names[file]
    }

    /// A working directory that a process was found with; the first that is told counts.
    pub fn found(&mut self, upid: i64, directory: &str) {
        if directory.starts_with('/') && !self.found.contains_key(&upid) {
            let file = self.file(directory);
            self.found.insert(upid, file);
        }
    }

    /// Something that counts from `ts` on: not before what was looked at last.
    pub fn change(&mut self, ts: i64, change: Change) {
        self.changes.push(Reverse(At(ts, change)));
    }

    /// What a descriptor is now.
    pub fn descriptor(&self, upid: i64, fd: i64) -> Option<File> {
        self.now.get(&upid)?.descriptors.get(&fd).copied()
    }

    /// The working directory of a process now.
    fn directory(&self, upid: i64) -> Option<File> {
        match self.now.get(&upid).map(|process| process.directory).unwrap_or_default() {
            Directory::Found => self.found.get(&upid).copied(),
            Directory::At(file) => Some(file),
            Directory::Unknown => None,
        }
    }

    /// The absolute path of what a process now calls `path`, which begins at the directory `dirfd` if it does not begin
    /// at the root. None where it is absolute as it is, and where that directory is not known.
    pub fn resolved(&self, upid: i64, dirfd: i64, path: &str) -> Option<String> {
        if path.starts_with('/') {
            return self.through_own(upid, path);
        }
        let from = match dirfd {
            AT_FDCWD => self.directory(upid),
            fd => self.descriptor(upid, fd),
        };
        let from = from.map(|file| self.name(file)).filter(|from| from.starts_with('/'))?;
        if path.is_empty() || from.len() + path.len() > PATH_MAX {
            return None;
        }
        let path = clean_path(&format!("{from}/{path}"));
        Some(self.through_own(upid, &path).unwrap_or(path))
    }

    /// Where a path leads that goes through what /proc has of the process itself: its root, its working directory, a
    /// directory that is open. None where it does not.
    fn through_own(&self, upid: i64, path: &str) -> Option<String> {
        if !may_go_through_own(path) {
            return None;
        }
        // What `..` behind it leads out of is where it leads, so that only what is before it can be cleaned.
        self.through_own_parts(upid, path)
            .or_else(|| self.through_own_parts(upid, &clean_path(path)))
    }

    fn through_own_parts(&self, upid: i64, path: &str) -> Option<String> {
        let parts: Vec<&str> = path.split('/').filter(|part| !["", "."].contains(part)).collect();
        let is_own = |who: &str| {
            ["self", "thread-self"].contains(&who) || who.parse() == Ok(upid & PID_MASK)
        };
        let (start, rest) = match parts.as_slice() {
            ["proc", who, "root", rest @ ..] if is_own(who) => ("/", rest),
            ["proc", who, "cwd", rest @ ..] if is_own(who) => {
                (self.name(self.directory(upid)?), rest)
            }
            ["dev", "fd", fd, rest @ ..]
            | ["proc", "self" | "thread-self", "fd", fd, rest @ ..]
                if !rest.is_empty() =>
            {
                (self.name(self.descriptor(upid, fd.parse().ok()?)?), rest)
            }
            _ => return None,
        };
        let is_known = start.starts_with('/');
        is_known.then(|| clean_path(&format!("{start}/{}", rest.join("/"))))
    }

    /// Lets happen what counts at `ts`; moments never go back.
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
                let directory = self.directory(parent);
                let parent = self.now.get(&parent).cloned().unwrap_or_default();
                let directory = match (directory, parent.directory) {
                    (Some(directory), _) => Directory::At(directory),
                    (None, unknown) => unknown,
                };
                // A process is forked once.
                self.now.entry(child).or_insert(Process { directory, ..parent });
            }
            Change::Close { upid, fd } => self.set(upid, fd, None),
            Change::Copy { upid, from, to } => self.set(upid, to, self.descriptor(upid, from)),
            Change::Open { upid, fd, file } => self.set(upid, fd, Some(file)),
            Change::Move { upid, to } => {
                let directory = to.map_or(Directory::Unknown, Directory::At);
                self.now.entry(upid).or_default().directory = directory;
            }
            Change::Exit { upid } => {
                self.now.remove(&upid);
            }
        }
    }

    fn set(&mut self, upid: i64, fd: i64, file: Option<File>) {
        match file {
            Some(file) => {
                let process = self.now.entry(upid).or_default();
                Arc::make_mut(&mut process.descriptors).insert(fd, file);
            }
            None => {
                let process = self.now.get_mut(&upid);
                let process = process.filter(|known| known.descriptors.contains_key(&fd));
                if let Some(process) = process {
                    Arc::make_mut(&mut process.descriptors).remove(&fd);
                }
            }
        }
    }
}
