//! Finds the files of a module: the one with its code, and the one with its debug information.

use std::collections::HashSet;
use std::ffi::OsStr;
use std::io::{self, Read};
#[cfg(unix)]
use std::os::unix::ffi::OsStrExt;
use std::path::{Component, Path, PathBuf};

use crate::elf::{self, Image};
use crate::job::Job;
use crate::report::Outcome;

/// Where distributions put debug files.
const SYSTEM: &str = "/usr/lib/debug";

/// The files of a module.
#[derive(Debug, Default)]
pub struct Found {
    /// Has the code.
    pub code: Option<Image>,
    /// Has debug information, or at least the symbols that the other lacks; it may be the same file.
    pub debug: Option<Image>,
    /// Why there are none, as far as was seen.
    problem: Option<Outcome>,
}

impl Found {
    /// Just the code.
    pub fn only(code: Image) -> Found {
        Found { code: Some(code), ..Found::default() }
    }

    /// Why no file was found.
    pub fn problem(self) -> Outcome {
        self.problem.unwrap_or(Outcome::NoFile)
    }

    fn is_complete(&self) -> bool {
        self.code.is_some() && self.debug.is_some()
    }

    /// Keeps an image for what it has and is still missing.
    fn take(&mut self, image: Image) {
        if self.debug.is_none() && (image.has_dwarf || !image.has_code) {
            let is_both = self.code.is_none() && image.has_code;
            if is_both {
                // Reading the headers again is cheaper than sharing them.
                self.code = Image::open(&image.path).ok();
            }
            self.debug = Some(image);
        } else if self.code.is_none() && image.has_code {
            self.code = Some(image);
        }
    }

    /// Keeps the first problem; that a file is another version says more than that one is broken.
    fn note(&mut self, problem: Outcome) {
        let is_worse = matches!(problem, Outcome::WrongBuildId { .. })
            && !matches!(self.problem, Some(Outcome::WrongBuildId { .. }));
        if self.problem.is_none() || is_worse {
            self.problem = Some(problem);
        }
    }
}

/// Finds the files of the module that `job` is about.
pub fn find(job: &Job) -> Found {
    let mut found = Found::default();
    let mut seen = HashSet::new();
    for (path, trust) in candidates(job) {
        if found.is_complete() {
            break;
        }
        if seen.insert(path.clone()) {
            consider(job, &path, trust, &mut found);
        }
    }
    if found.debug.is_none()
        && let Some(debug) = found.code.as_ref().and_then(|code| linked(job, code))
    {
        found.debug = Some(debug);
    }
    found
}

/// What speaks for a file besides its build-id.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Trust {
    /// The recorder or the user says that it is the module.
    Told,
    /// It has the module's path, on this machine.
    Path,
    /// It has a likely name.
    Name,
}

fn candidates(job: &Job) -> Vec<(PathBuf, Trust)> {
    let mut list: Vec<(PathBuf, Trust)> = Vec::new();
    list.extend(job.held.iter().map(|path| (path.clone(), Trust::Told)));
    let module = job.module.strip_suffix(" (deleted)").unwrap_or(&job.module);
    let relative = relative(Path::new(module));
    let base = relative.file_name().map(PathBuf::from).unwrap_or_default();
    // Shorter ones are no build-ids, and anything but digits could lead elsewhere.
    let is_id = |id: &&String| id.len() >= 4 && id.bytes().all(|byte| byte.is_ascii_hexdigit());
    let id = job.build_id.as_ref().filter(is_id);
    for dir in &job.debug_dirs {
        let system = dir.join("usr/lib/debug");
        if let Some(id) = id {
            for root in [dir, &system, &dir.join("usr/lib")] {
                list.extend(by_build_id(root, id).map(|path| (path, Trust::Name)));
            }
            // As debuginfod clients keep them.
            list.push((dir.join(id).join("debuginfo"), Trust::Name));
            list.push((dir.join(id).join("executable"), Trust::Name));
        }
        list.push((with_debug(&system.join(&relative)), Trust::Name));
        list.push((system.join(&relative), Trust::Name));
        list.push((with_debug(&dir.join(&relative)), Trust::Name));
        list.push((dir.join(&relative), Trust::Told));
        list.push((with_debug(&dir.join(&base)), Trust::Name));
        list.push((dir.join(&base), Trust::Name));
    }
    if module.starts_with('/') {
        list.push((PathBuf::from(module), Trust::Path));
    }
    if let Some(id) = id {
        list.extend(by_build_id(Path::new(SYSTEM), id).map(|path| (path, Trust::Name)));
    }
    list.push((with_debug(&Path::new(SYSTEM).join(&relative)), Trust::Name));
    list.push((Path::new(SYSTEM).join(&relative), Trust::Name));
    list
}

fn by_build_id(root: &Path, id: &str) -> impl Iterator<Item = PathBuf> + use<> {
    let folder = root.join(".build-id").join(&id[..2]);
    [folder.join(format!("{}.debug", &id[2..])), folder.join(&id[2..])].into_iter()
}

fn with_debug(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".debug");
    name.into()
}

/// A path for use below a folder: it does not lead out of it.
fn relative(path: &Path) -> PathBuf {
    path.components().filter(|part| matches!(part, Component::Normal(_))).collect()
}

/// Takes the file at `path` if it is the module.
fn consider(job: &Job, path: &Path, trust: Trust, found: &mut Found) {
    let file = || path.display().to_string();
    let image = match Image::open(path) {
        Ok(image) => image,
        Err(error) => {
            let is_absent = matches!(
                error.kind(),
                io::ErrorKind::NotFound
                    | io::ErrorKind::NotADirectory
                    | io::ErrorKind::IsADirectory
                    | io::ErrorKind::InvalidInput
                    | io::ErrorKind::InvalidFilename
            );
            // A likely name proves nothing: the file may be anything.
            if !is_absent && trust != Trust::Name {
                found.note(Outcome::Corrupt { file: file(), what: error.to_string() });
            }
            return;
        }
    };
    let is_right = match (&job.build_id, &image.build_id) {
        (Some(wanted), Some(id)) => wanted == id,
        // A file that lost its build-id, or never had one, is only as good as the word for it.
        (_, None) | (None, _) => match trust {
            Trust::Told => true,
            Trust::Path => job.same_boot && job.build_id.is_none(),
            Trust::Name => false,
        },
    };
    match is_right {
        true => found.take(image),
        false if job.build_id.is_none() => {
            if trust == Trust::Path {
                found.note(Outcome::NoBuildId);
            }
        }
        false => found.note(Outcome::WrongBuildId { file: file() }),
    }
}

/// The file that `code` names as the one with its debug information.
fn linked(job: &Job, code: &Image) -> Option<Image> {
    let (name, sum) = code.debug_link.as_ref()?;
    #[cfg(unix)]
    let name = Path::new(OsStr::from_bytes(name));
    #[cfg(not(unix))]
    let name = PathBuf::from(String::from_utf8_lossy(name).into_owned());
    let name = name.file_name()?;
    let beside = code.path.canonicalize().ok();
    let beside = beside.as_deref().and_then(Path::parent);
    let of_module = relative(Path::new(&job.module));
    let of_module = of_module.parent().unwrap_or(Path::new(""));
    let mut list = Vec::new();
    for dir in &job.debug_dirs {
        let system = dir.join("usr/lib/debug");
        list.extend([&dir.join(of_module), &system.join(of_module), dir].map(|dir| dir.join(name)));
    }
    if let Some(beside) = beside {
        list.extend([beside.join(name), beside.join(".debug").join(name)]);
    }
    list.push(Path::new(SYSTEM).join(of_module).join(name));
    list.into_iter().find_map(|path| {
        let image = Image::open(&path).ok()?;
        let is_right = match (&code.build_id, &image.build_id) {
            (Some(code), Some(debug)) => code == debug,
            _ => checksum(&path).is_ok_and(|found| found == *sum),
        };
        (is_right && path != code.path).then_some(image)
    })
}

fn checksum(path: &Path) -> io::Result<u32> {
    let mut file = elf::open(path)?;
    let mut hasher = crc32fast::Hasher::new();
    let mut buffer = vec![0; 1 << 16];
    loop {
        match file.read(&mut buffer)? {
            0 => return Ok(hasher.finalize()),
            length => hasher.update(&buffer[..length]),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_module_leads_out_of_a_folder() {
        let check =
            |path: &str, expected: &str| assert_eq!(relative(Path::new(path)), Path::new(expected));
        check("/usr/bin/a", "usr/bin/a");
        check("/../../etc/passwd", "etc/passwd");
        check("..", "");
    }
}
