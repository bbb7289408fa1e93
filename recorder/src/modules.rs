//! The files that code was seen to run in: their build-ids, and the rules to unwind their frames.
//!
//! The kernel side asks for a file the first time it meets it. A thread of this module opens the
//! file while the process lives, gives the kernel side its rules, and keeps it open: it can be named
//! at the end even if it was deleted or lies in a container.

use std::collections::HashMap;
use std::fs::File;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread::JoinHandle;

use aya::maps::{HashMap as BpfHashMap, MapData, RingBuf};
use store::Meta;
use store::stacks::file_text;

use crate::{Error, host, redact, wait};

/// Rules that the kernel side has room for: 8 bytes each.
pub const ROWS_MAX: u32 = 1 << 21;
/// Files that are kept open.
const HELD_MAX: usize = 400;
/// Longest time between two looks at the ring, in ms.
const LOOK_EVERY_MS: i32 = 100;
/// Bytes of a request before the names of the file.
const REQUEST_SIZE: usize = 32;
/// Tag, flags and length of a variable part.
const TAIL_HEADER_SIZE: usize = 4;

/// As `struct file_key` in ebpf/src/stacks.h.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(C)]
pub struct FileKey {
    device: u32,
    pad: u32,
    inode: u64,
}

/// As `struct file_rows` in ebpf/src/stacks.h.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub struct FileRows {
    first_row: u32,
    rows: u32,
}

// SAFETY: integers without padding, any value is valid.
unsafe impl aya::Pod for FileKey {}
// SAFETY: as above.
unsafe impl aya::Pod for FileRows {}

/// A file that the kernel side met.
pub struct Module {
    /// Its path as the process saw it.
    pub path: String,
    /// Its build-id, in hexadecimal.
    pub build_id: Option<String>,
    /// The file, if it could be opened and there were not too many.
    pub file: Option<File>,
    device: u32,
    inode: u64,
}

/// What is learned of the files, by the thread and for the others.
#[derive(Default)]
struct Known {
    modules: Vec<Module>,
    places: HashMap<(u32, u64), usize>,
    notes: Vec<String>,
}

/// A file that a process has mapped.
#[derive(Clone, Debug, Default)]
pub struct Request {
    /// Its device, as the kernel keeps it.
    pub device: u32,
    /// Its inode number.
    pub inode: u64,
    /// The process.
    pub pid: u32,
    /// Where it is mapped; 0 if that is not known.
    pub start: u64,
    /// Behind the mapping.
    pub end: u64,
    /// Its path as the process sees it.
    pub path: String,
}

/// Tells which files are held open, by their path as the process saw it and their build-id.
pub type Holder = Box<dyn Fn() -> HashMap<(String, Option<String>), PathBuf> + Send + Sync>;

enum Command {
    Look(Request),
    /// Answer when everything asked for so far is done.
    Settle(Sender<()>),
}

/// The running thread.
pub struct Modules {
    known: Arc<Mutex<Known>>,
    commands: Sender<Command>,
    wake: Arc<OwnedFd>,
    thread: Option<JoinHandle<()>>,
    /// How many of the modules have been noted in the current segment.
    noted: usize,
}

/// What the kernel side shares with the thread.
pub struct Maps {
    /// Its requests.
    pub requests: RingBuf<MapData>,
    /// The array of rules.
    pub rows: MapData,
    /// Where the rules of each file are in it.
    pub files: BpfHashMap<MapData, FileKey, FileRows>,
}

impl Modules {
    /// Starts the thread. `processes` gets the ids of processes that the kernel side tells of.
    /// With `no_paths`, files are known by their names only.
    pub fn start(maps: Maps, processes: Sender<u32>, no_paths: bool) -> Result<Modules, Error> {
        let known = Arc::new(Mutex::new(Known::default()));
        let (commands, received) = channel();
        let wake = Arc::new(wait::eventfd()?);
        let epoll = wait::epoll(&[&maps.requests, &*wake])?;
        let mut worker = Worker {
            rows: Rows::map(&maps.rows)?,
            requests: maps.requests,
            files: maps.files,
            known: known.clone(),
            processes,
            no_paths,
            own: std::fs::metadata("/proc/self/exe").ok().map(|file| file.ino()),
            _rows_map: maps.rows,
        };
        let thread = std::thread::Builder::new()
            .name("modules".into())
            .spawn(move || {
                loop {
                    wait::epoll_wait(&epoll, LOOK_EVERY_MS);
                    if worker.pass(&received).is_none() {
                        return;
                    }
                }
            })
            .map_err(Error::io("cannot start a thread"))?;
        Ok(Modules { known, commands, wake, thread: Some(thread), noted: 0 })
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().expect("no thread panics with the lock")
    }

    /// Looks at a file before it is met.
    pub fn look(&self, request: Request) {
        let _ = self.commands.send(Command::Look(request));
    }

    /// What a thread of its own can use to have files looked at.
    pub fn asker(&self) -> impl Fn(Request) + Send + use<> {
        let (commands, wake) = (self.commands.clone(), self.wake.clone());
        move |request| {
            let _ = commands.send(Command::Look(request));
            wait::signal(&wake);
        }
    }

    /// Looks at the program and the libraries of processes that run.
    pub fn look_at_processes(&self, pids: &[u32]) {
        for pid in pids {
            let Ok(process) = procfs::process::Process::new(*pid as i32) else { continue };
            let Ok(maps) = process.maps() else { continue };
            for map in maps {
                if !map.perms.contains(procfs::process::MMPermissions::EXECUTE) {
                    continue;
                }
                let procfs::process::MMapPath::Path(path) = map.pathname else { continue };
                self.look(Request {
                    device: (map.dev.0 as u32) << 20 | map.dev.1 as u32,
                    inode: map.inode,
                    pid: *pid,
                    start: map.address.0,
                    end: map.address.1,
                    path: path.to_string_lossy().into_owned(),
                });
            }
        }
        self.settle();
    }

    /// Looks at files that are about to be run.
    pub fn look_at_files(&self, files: &[PathBuf]) {
        for path in files {
            // Of an overlay the kernel's device number differs; then it is asked for when met.
            let Ok(file) = std::fs::metadata(path) else { continue };
            self.look(Request {
                device: libc::major(file.dev()) << 20 | libc::minor(file.dev()),
                inode: file.ino(),
                path: path.to_string_lossy().into_owned(),
                ..Request::default()
            });
        }
        self.settle();
    }

    /// Waits until everything the kernel side asked for so far is done.
    pub fn settle(&self) {
        let (answer, answered) = channel();
        if self.commands.send(Command::Settle(answer)).is_ok() {
            wait::signal(&self.wake);
            let _ = answered.recv();
        }
    }

    /// Records of the files that were met since the last call; of all, in a segment that begins.
    pub fn records(&mut self, segment_begins: bool) -> Vec<Meta> {
        let from = if segment_begins { 0 } else { self.noted };
        let known = self.known();
        let record = |module: &Module| Meta::Module {
            device: module.device,
            inode: module.inode,
            build_id: module.build_id.clone(),
        };
        let records = known.modules[from..].iter().map(record).collect();
        let noted = known.modules.len();
        drop(known);
        self.noted = noted;
        records
    }

    /// What tells which files are held open, and by which path they can be opened.
    pub fn holder(&self) -> Holder {
        let known = self.known.clone();
        Box::new(move || {
            let known = known.lock().expect("no thread panics with the lock");
            let held = known.modules.iter().filter_map(|module| {
                let fd = module.file.as_ref()?.as_raw_fd();
                let path = PathBuf::from(format!("/proc/{}/fd/{fd}", std::process::id()));
                Some(((module.path.clone(), module.build_id.clone()), path))
            });
            held.collect()
        })
    }

    /// What went wrong.
    pub fn notes(&self) -> Vec<String> {
        self.known().notes.clone()
    }
}

impl Drop for Modules {
    fn drop(&mut self) {
        let (closed, _) = channel();
        self.commands = closed;
        wait::signal(&self.wake);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

struct Worker {
    rows: Rows,
    requests: RingBuf<MapData>,
    files: BpfHashMap<MapData, FileKey, FileRows>,
    known: Arc<Mutex<Known>>,
    processes: Sender<u32>,
    no_paths: bool,
    /// Inode number of our own program.
    own: Option<u64>,
    _rows_map: MapData,
}

impl Worker {
    /// Does what is asked; none when nobody is left to ask.
    fn pass(&mut self, commands: &Receiver<Command>) -> Option<()> {
        loop {
            // A command is answered after everything that was in the ring before it.
            let command = match commands.try_recv() {
                Ok(command) => Some(command),
                Err(std::sync::mpsc::TryRecvError::Empty) => None,
                Err(std::sync::mpsc::TryRecvError::Disconnected) => return None,
            };
            while let Some(request) = self.requests.next().map(|request| parse(&request)) {
                match request {
                    // A process that came into scope, or started a program.
                    Some(request) if request.start == 0 => {
                        let _ = self.processes.send(request.pid);
                    }
                    Some(request) => self.look(&request),
                    None => {}
                }
            }
            match command {
                Some(Command::Look(request)) => self.look(&request),
                Some(Command::Settle(answer)) => {
                    let _ = answer.send(());
                }
                None => return Some(()),
            }
        }
    }

    fn look(&mut self, request: &Request) {
        let key = (request.device, request.inode);
        // The command waits in our own program to be let go.
        if self.own == Some(request.inode) {
            return;
        }
        let (is_known, count) = {
            let known = self.known.lock().expect("no thread panics with the lock");
            let place = known.places.get(&key).copied();
            // A file that could not be opened may be met again in a process that lives.
            let is_known =
                place.is_some_and(|at| key == (0, 0) || known.modules[at].file.is_some());
            (is_known, known.modules.len())
        };
        if is_known {
            return;
        }
        let file = open(request);
        let is_vdso = key == (0, 0);
        let path = &request.path;
        let mut module = Module {
            path: if self.no_paths { redact::file_name(path) } else { path.clone() },
            build_id: None,
            file: None,
            device: request.device,
            inode: request.inode,
        };
        let mut note = None;
        if is_vdso {
            note = self.read(host::vdso().unwrap_or_default(), key, &mut module).err();
        } else if let Some(file) = &file {
            // SAFETY: a file that a process runs is not written to (ETXTBSY); of a library that is
            // cut all the same, the process that runs it would die as we would.
            note = match unsafe { memmap2::Mmap::map(file) } {
                Ok(bytes) => self.read(&bytes, key, &mut module).err(),
                Err(error) => Some(format!("{} cannot be read: {error}", module.path)),
            };
        }
        module.file = file.filter(|_| count < HELD_MAX);
        let mut known = self.known.lock().expect("no thread panics with the lock");
        known.notes.extend(note);
        match known.places.get(&key).copied() {
            Some(at) if module.file.is_some() => known.modules[at] = module,
            Some(_) => {}
            None => {
                let at = known.modules.len();
                known.places.insert(key, at);
                known.modules.push(module);
            }
        }
    }

    /// Reads the build-id, and gives the kernel side the rules.
    fn read(&mut self, bytes: &[u8], key: (u32, u64), module: &mut Module) -> Result<(), String> {
        let about = |what: String| format!("stacks through {} may be cut: {what}", module.path);
        let table = match unwind::table(bytes) {
            Ok(table) => table,
            Err(error) => return Err(about(error.to_string())),
        };
        let place = self.rows.push(&table.rows);
        let corrupt = table.corrupt.map(about);
        let is_full = place.is_none().then(|| about("there is no room for its rules".into()));
        if let Some(place) = place {
            let file = FileKey { device: key.0, pad: 0, inode: key.1 };
            self.files.insert(file, place, 0).map_err(|error| error.to_string())?;
        }
        module.build_id =
            table.build_id.map(|id| id.iter().map(|byte| format!("{byte:02x}")).collect());
        match corrupt.or(is_full) {
            Some(note) => Err(note),
            None => Ok(()),
        }
    }
}

/// The array of rules as memory of this process.
struct Rows {
    memory: *mut unwind::Row,
    next: usize,
}

// SAFETY: the pointer is to a mapping that only its owner uses.
unsafe impl Send for Rows {}

impl Rows {
    fn map(rows: &MapData) -> Result<Rows, Error> {
        let bytes = ROWS_MAX as usize * size_of::<unwind::Row>();
        // SAFETY: a new mapping of a map of this size.
        let memory = unsafe {
            libc::mmap(
                std::ptr::null_mut(),
                bytes,
                libc::PROT_READ | libc::PROT_WRITE,
                libc::MAP_SHARED,
                rows.fd().as_fd().as_raw_fd(),
                0,
            )
        };
        if memory == libc::MAP_FAILED {
            return Err(Error::last("cannot map the rules of the kernel side"));
        }
        Ok(Rows { memory: memory.cast(), next: 0 })
    }

    /// Appends rules; none if there is no room.
    fn push(&mut self, rows: &[unwind::Row]) -> Option<FileRows> {
        if self.next + rows.len() > ROWS_MAX as usize {
            return None;
        }
        // SAFETY: inside the mapping, and the kernel side reads these only when it is told of them.
        unsafe {
            std::ptr::copy_nonoverlapping(rows.as_ptr(), self.memory.add(self.next), rows.len());
        }
        let place = FileRows { first_row: self.next as u32, rows: rows.len() as u32 };
        self.next += rows.len();
        Some(place)
    }
}

impl Drop for Rows {
    fn drop(&mut self) {
        let bytes = ROWS_MAX as usize * size_of::<unwind::Row>();
        // SAFETY: the mapping made in `map`.
        unsafe { libc::munmap(self.memory.cast(), bytes) };
    }
}

/// A request as the kernel side sends it: inode, device, process, start, end, names of the file as
/// a variable part.
fn parse(bytes: &[u8]) -> Option<Request> {
    let (head, names) = bytes.split_at_checked(REQUEST_SIZE)?;
    let names = names.get(TAIL_HEADER_SIZE..).unwrap_or_default();
    let u32_at =
        |at: usize| u32::from_le_bytes([head[at], head[at + 1], head[at + 2], head[at + 3]]);
    let u64_at = |at: usize| u64::from(u32_at(at)) | u64::from(u32_at(at + 4)) << 32;
    Some(Request {
        inode: u64_at(0),
        device: u32_at(8),
        pid: u32_at(12),
        start: u64_at(16),
        end: u64_at(24),
        path: file_text(names),
    })
}

/// The file of a request: by its mapping, which leads to it even when it was deleted; else by its
/// path, in the process' file system and in ours.
fn open(request: &Request) -> Option<File> {
    let Request { pid, start, end, .. } = *request;
    let is_it = |file: &File| {
        file.metadata().is_ok_and(|file| file.is_file() && file.ino() == request.inode)
    };
    let open = |path: PathBuf| {
        let file = File::open(path).ok().filter(is_it)?;
        let mut magic = [0; 4];
        file.read_exact_at(&mut magic, 0).ok()?;
        (&magic == b"\x7fELF").then_some(file)
    };
    let of_process = (pid != 0)
        .then(|| {
            let process = PathBuf::from(format!("/proc/{pid}"));
            let mapped = process.join(format!("map_files/{start:x}-{end:x}"));
            let named = process.join("root").join(request.path.trim_start_matches('/'));
            open(mapped).or_else(|| open(named))
        })
        .flatten();
    of_process.or_else(|| open(PathBuf::from(&request.path)))
}

/// A program that is about to be started, and the libraries it names.
pub fn files_of(program: &Path) -> Vec<PathBuf> {
    std::iter::once(program.to_path_buf()).chain(libraries(program)).collect()
}

/// The libraries that the loader would load for a program, the loader itself included.
fn libraries(program: &Path) -> Vec<PathBuf> {
    let Some(loader) = interpreter(program) else { return Vec::new() };
    let listed = std::process::Command::new(&loader)
        .arg("--list")
        .arg(program)
        .env_remove("LD_PRELOAD")
        .stdin(std::process::Stdio::null())
        .stderr(std::process::Stdio::null())
        .output();
    let text = listed.map(|listed| String::from_utf8_lossy(&listed.stdout).into_owned());
    let text = text.unwrap_or_default();
    let path = |line: &str| {
        let path = line.split_once("=> ").map_or(line, |(_, path)| path).trim();
        path.starts_with('/').then(|| PathBuf::from(path.split(" (").next().unwrap_or(path)))
    };
    text.lines().filter_map(path).chain([loader]).collect()
}

/// The loader that a program names.
fn interpreter(program: &Path) -> Option<PathBuf> {
    use object::read::elf::{ElfFile64, ProgramHeader};
    let file = File::open(program).ok()?;
    // SAFETY: as in `Worker::read`.
    let bytes = unsafe { memmap2::Mmap::map(&file) }.ok()?;
    let elf = ElfFile64::<object::Endianness>::parse(&*bytes).ok()?;
    let endian = elf.endian();
    let name = elf
        .elf_program_headers()
        .iter()
        .find_map(|header| header.interpreter(endian, &*bytes).ok().flatten())?;
    Some(PathBuf::from(String::from_utf8_lossy(name).into_owned()))
        .filter(|path| path.is_absolute())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_libraries_of_a_program_are_found() {
        let found = libraries(Path::new("/bin/sh"));
        assert!(found.iter().any(|path| path.to_string_lossy().contains("libc.so")), "{found:?}");
        assert!(libraries(Path::new("/etc/passwd")).is_empty());
    }

    #[test]
    fn a_request_is_read_as_it_is_sent() {
        let mut bytes = Vec::new();
        bytes.extend_from_slice(&7u64.to_le_bytes());
        bytes.extend_from_slice(&(8u32 << 20 | 1).to_le_bytes());
        bytes.extend_from_slice(&99u32.to_le_bytes());
        bytes.extend_from_slice(&0x1000u64.to_le_bytes());
        bytes.extend_from_slice(&0x2000u64.to_le_bytes());
        bytes.extend_from_slice(&[10, 0, 7, 0]);
        bytes.extend_from_slice(b"sh\0bin\0");
        let request = parse(&bytes).expect("it is whole");
        assert_eq!((request.inode, request.device, request.pid), (7, 8 << 20 | 1, 99));
        assert_eq!(
            (request.start, request.end, request.path.as_str()),
            (0x1000, 0x2000, "/bin/sh")
        );
        assert!(parse(&bytes[..20]).is_none());
    }
}
