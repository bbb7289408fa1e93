//! Containers: told of each control group at once, a thread of this module reads what the runtime keeps of
//! the container, before that is removed with it.

use std::collections::{HashMap, VecDeque};
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::sync::mpsc::{Receiver, Sender, TryRecvError, channel};
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use aya::maps::{MapData, RingBuf};
use store::Meta;
use store::container::{Group, path_in};

use crate::runtimes::{Found, Runtimes};
use crate::{Error, cgroups, wait};

/// Longest time between two looks at the ring, in ms.
const LOOK_EVERY_MS: i32 = 100;
/// What is known of so many containers is kept.
const KNOWN_MAX: usize = 4096;
/// So long a container is looked for again that no runtime seems to know.
const PATIENCE: Duration = Duration::from_secs(10);
/// How often.
const RETRY_EVERY: Duration = Duration::from_secs(1);
/// Digits of an id that people read.
const SHORT_ID: usize = 12;
/// Containers that a message names.
const NAMED_MAX: usize = 8;

/// Answered when everything told of so far has been looked at.
type Settle = Sender<()>;

/// The running thread.
pub struct Containers {
    found: Arc<Mutex<Vec<Meta>>>,
    commands: Option<Sender<Settle>>,
    wake: Arc<OwnedFd>,
    thread: Option<JoinHandle<()>>,
}

impl Containers {
    /// Starts the thread. `ring` has control groups, `host_root` the files of the runtimes.
    pub fn start(ring: RingBuf<MapData>, host_root: &std::path::Path) -> Result<Containers, Error> {
        let found: Arc<Mutex<Vec<Meta>>> = Arc::default();
        let (commands, received) = channel();
        let wake = Arc::new(wait::eventfd()?);
        let epoll = wait::epoll(&[&ring, &*wake])?;
        let mut worker = Worker {
            ring,
            runtimes: Runtimes::open(host_root)?,
            known: HashMap::new(),
            order: VecDeque::new(),
            waiting: Vec::new(),
            found: found.clone(),
        };
        let thread = std::thread::Builder::new()
            .name("containers".into())
            .spawn(move || {
                loop {
                    wait::epoll_wait(&epoll, LOOK_EVERY_MS);
                    if worker.pass(&received).is_none() {
                        return;
                    }
                }
            })
            .map_err(Error::io("cannot start a thread"))?;
        Ok(Containers { found, commands: Some(commands), wake, thread: Some(thread) })
    }

    /// Waits until every container that the kernel side told of so far has been looked at.
    pub fn settle(&self) {
        let (answer, answered) = channel();
        if self.commands.as_ref().is_some_and(|commands| commands.send(answer).is_ok()) {
            wait::signal(&self.wake);
            let _ = answered.recv();
        }
    }

    /// Records of the containers that were met since the last call.
    pub fn records(&self) -> Vec<Meta> {
        std::mem::take(&mut *self.found.lock().expect("no thread panics with the lock"))
    }
}

impl Drop for Containers {
    fn drop(&mut self) {
        self.commands = None;
        wait::signal(&self.wake);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

struct Worker {
    ring: RingBuf<MapData>,
    runtimes: Runtimes,
    /// By id, and the ids in the order they came.
    known: HashMap<String, Found>,
    order: VecDeque<String>,
    /// Paths of containers that no runtime seems to know, since when, and when to look again.
    waiting: Vec<(String, Instant, Instant)>,
    found: Arc<Mutex<Vec<Meta>>>,
}

impl Worker {
    /// Does what is asked; none when nobody is left to ask.
    fn pass(&mut self, commands: &Receiver<Settle>) -> Option<()> {
        loop {
            // A command is answered after everything that was in the ring before it.
            let command = match commands.try_recv() {
                Ok(command) => Some(command),
                Err(TryRecvError::Empty) => None,
                Err(TryRecvError::Disconnected) => return None,
            };
            while let Some(path) = self.ring.next().map(|record| path_in(&record)) {
                if let Some(path) = path {
                    self.meet(&path);
                }
            }
            match command {
                Some(answer) => {
                    let _ = answer.send(());
                }
                None => break,
            }
        }
        let now = Instant::now();
        let (due, later) = std::mem::take(&mut self.waiting)
            .into_iter()
            .partition::<Vec<_>, _>(|(_, _, next)| *next <= now);
        self.waiting = later;
        for (path, since, _) in due {
            if !self.look(&path) && since.elapsed() < PATIENCE {
                self.waiting.push((path, since, now + RETRY_EVERY));
            }
        }
        Some(())
    }

    /// A control group has its first recorded thread in this segment.
    fn meet(&mut self, path: &str) {
        let group = Group::of_path(path);
        let Some(container) = group.container else { return };
        if let Some(known) = self.known.get(&container.id) {
            self.tell(&container.id, known);
        } else if !self.look(path) && self.waiting.len() < KNOWN_MAX {
            let now = Instant::now();
            self.waiting.push((path.to_string(), now, now + RETRY_EVERY));
        }
    }

    /// Whether a runtime knows the container; then it is told.
    fn look(&mut self, path: &str) -> bool {
        let group = Group::of_path(path);
        let Some(container) = &group.container else { return true };
        let Some(found) = self.runtimes.look_up(&group) else {
            return container.is_named_by_id();
        };
        self.tell(&container.id, &found);
        if self.order.len() == KNOWN_MAX
            && let Some(oldest) = self.order.pop_front()
        {
            self.known.remove(&oldest);
        }
        self.order.push_back(container.id.clone());
        self.known.insert(container.id.clone(), found);
        true
    }

    fn tell(&self, id: &str, found: &Found) {
        let Found { name, image, runtime, pod, namespace, pod_uid } = found.clone();
        let id = id.to_string();
        self.lock().push(Meta::Container { id, name, image, runtime, pod, namespace, pod_uid });
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Meta>> {
        self.found.lock().expect("no thread panics with the lock")
    }
}

/// A container that runs.
struct Running {
    id: String,
    found: Found,
    folders: Vec<PathBuf>,
}

impl Running {
    /// How a message calls it.
    fn words(&self) -> String {
        let short: String = self.id.chars().take(SHORT_ID).collect();
        let pod = self.found.pod.as_ref().map(|pod| format!(" in pod {pod}")).unwrap_or_default();
        match &self.found.name {
            Some(name) if *name != self.id => format!("{short} ({name}{pod})"),
            _ => format!("{short}{pod}"),
        }
    }
}

/// The folders of the control groups of containers, each given by its name or the beginning of its id.
///
/// # Errors
/// A name that none or several have.
pub fn folders(wanted: &[String], host_root: &std::path::Path) -> Result<Vec<PathBuf>, Error> {
    if wanted.is_empty() {
        return Ok(Vec::new());
    }
    let running = running(&Runtimes::open(host_root)?);
    let list = |containers: &[&Running]| {
        let words: Vec<String> =
            containers.iter().take(NAMED_MAX).map(|container| container.words()).collect();
        let more = containers.len().saturating_sub(NAMED_MAX);
        let more = if more > 0 { format!(" and {more} more") } else { String::new() };
        format!("{}{more}", words.join(", "))
    };
    let mut folders = Vec::new();
    for wanted in wanted {
        let is_it = |container: &&Running| {
            container.id == *wanted || container.found.name.as_ref() == Some(wanted)
        };
        let mut matches: Vec<&Running> = running.iter().filter(is_it).collect();
        if matches.is_empty() && !wanted.is_empty() {
            matches = running.iter().filter(|one| one.id.starts_with(wanted.as_str())).collect();
        }
        let name = wanted.escape_default().to_string();
        match matches.as_slice() {
            [one] => folders.extend(one.folders.iter().cloned()),
            [] if running.is_empty() => return Err(Error::NoContainers(name)),
            [] => {
                let known = list(&running.iter().collect::<Vec<_>>());
                return Err(Error::NoContainer { name, known });
            }
            several => {
                return Err(Error::SeveralContainers { name, matches: list(several) });
            }
        }
    }
    Ok(folders)
}

/// The containers that have a control group now, by id.
fn running(runtimes: &Runtimes) -> Vec<Running> {
    let mut running: std::collections::BTreeMap<String, Running> = Default::default();
    for cgroups::Folder { folder, path, .. } in cgroups::all() {
        let group = Group::of_path(&path);
        let Some(container) = group.container.as_ref().filter(|one| one.path == path) else {
            continue;
        };
        let id = &container.id;
        if !running.contains_key(id) {
            let found = runtimes.look_up(&group).unwrap_or_default();
            let one = Running { id: id.clone(), found, folders: Vec::new() };
            running.insert(id.clone(), one);
        }
        running.entry(id.clone()).and_modify(|one| one.folders.push(folder));
    }
    running.into_values().collect()
}
