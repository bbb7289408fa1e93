//! The folder that control file, library and rings lie in.
//!
//! Programs may change their user, so anybody may make files in it who knows its name, which nobody
//! can list or guess; and nobody may remove the files of others.

use std::env;
use std::ffi::CString;
use std::fs::{self, File, Permissions};
use std::io::Write;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::error::{Error, Result};
use crate::layout;

const PREFIX: &str = "ebrec-";
/// Anybody may make files, nobody else may list or remove them.
const DROP_BOX: u32 = 0o1733;
/// A folder without a lock may be one whose recorder is just starting.
const STARTING: Duration = Duration::from_secs(10);

/// A folder of ours; removed when dropped.
pub(crate) struct Folder {
    path: PathBuf,
    /// Where the library is: elsewhere when programs cannot be run from the folder.
    library: PathBuf,
    other: Option<PathBuf>,
}

impl Folder {
    pub fn create() -> Result<Folder> {
        let parents = parents();
        for parent in &parents {
            remove_stale(parent);
        }
        let mut tried = Vec::new();
        let path = first(&parents, &mut tried, |_| Ok(()))?;
        let mut folder = Folder { library: PathBuf::new(), other: None, path };
        let here = folder.path.clone();
        let place = match can_execute(&here) {
            true => here,
            false => {
                tried.push(format!("{} is mounted with noexec", here.display()));
                let other = first(&parents[1..], &mut tried, |path| {
                    if can_execute(path) { Ok(()) } else { Err("is mounted with noexec".into()) }
                })?;
                folder.other = Some(other.clone());
                other
            }
        };
        folder.library = place.join(layout::LIBRARY_NAME);
        let library = &folder.library;
        File::create_new(library)
            .and_then(|mut file| file.write_all(crate::LIBRARY))
            .map_err(Error::io("write", library))?;
        set_mode(library, 0o755)?;
        if let Some(other) = &folder.other {
            set_mode(other, 0o711)?;
        }
        Ok(folder)
    }

    /// Lets programs in.
    pub fn open(&self) -> Result<()> {
        set_mode(&self.path, DROP_BOX)
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    pub fn library(&self) -> &Path {
        &self.library
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        for path in self.other.iter().chain([&self.path]) {
            // A program may add a file meanwhile.
            for _ in 0..3 {
                if fs::remove_dir_all(path).is_ok() {
                    break;
                }
            }
        }
    }
}

/// Where folders may be made, best first.
fn parents() -> Vec<PathBuf> {
    let runtime = env::var_os("XDG_RUNTIME_DIR").map(PathBuf::from);
    let places = [Some("/dev/shm".into()), runtime, Some(env::temp_dir()), Some("/tmp".into())];
    let mut found: Vec<PathBuf> = Vec::new();
    for place in places.into_iter().flatten().filter(|place| place.is_absolute()) {
        if !found.contains(&place) {
            found.push(place);
        }
    }
    found
}

/// Makes a folder in the first of `parents` where that is possible and `check` agrees.
fn first(
    parents: &[PathBuf],
    tried: &mut Vec<String>,
    check: impl Fn(&Path) -> std::result::Result<(), String>,
) -> Result<PathBuf> {
    for parent in parents {
        // The dynamic linker takes both for the end of a name in a list.
        if parent.as_os_str().as_bytes().iter().any(|byte| b" :\t\n".contains(byte)) {
            tried.push(format!("{} has a space or colon", parent.display()));
            continue;
        }
        let path = parent.join(format!("{PREFIX}{}-{:016x}", std::process::id(), random()));
        if let Err(error) = fs::DirBuilder::new().mode(0o700).create(&path) {
            tried.push(format!("{}: {error}", parent.display()));
            continue;
        }
        match check(&path) {
            Ok(()) => return Ok(path),
            Err(what) => {
                let _ = fs::remove_dir(&path);
                tried.push(format!("{} {what}", parent.display()));
            }
        }
    }
    Err(Error::NoFolder { tried: tried.join(", ") })
}

/// Sets the mode of a file, whatever the umask.
pub(crate) fn set_mode(path: &Path, mode: u32) -> Result<()> {
    fs::set_permissions(path, Permissions::from_mode(mode)).map_err(Error::io("open up", path))
}

fn can_execute(path: &Path) -> bool {
    let Ok(path) = CString::new(path.as_os_str().as_bytes()) else { return false };
    // SAFETY: the call fills a plain struct.
    unsafe {
        let mut found: libc::statvfs = std::mem::zeroed();
        libc::statvfs(path.as_ptr(), &raw mut found) == 0 && found.f_flag & libc::ST_NOEXEC == 0
    }
}

fn random() -> u64 {
    let mut word = 0u64;
    // SAFETY: the call writes one word.
    unsafe { libc::getrandom((&raw mut word).cast(), 8, 0) };
    word
}

/// Removes what recorders that were killed have left behind.
fn remove_stale(parent: &Path) {
    // SAFETY: no arguments.
    let user = unsafe { libc::geteuid() };
    for entry in fs::read_dir(parent).into_iter().flatten().flatten() {
        let Some(pid) = entry.file_name().to_str().and_then(pid_of) else { continue };
        let Ok(about) = entry.metadata() else { continue };
        if about.is_dir() && about.uid() == user && is_stale(&entry.path(), pid, &about) {
            let _ = fs::remove_dir_all(entry.path());
        }
    }
}

fn pid_of(name: &str) -> Option<u32> {
    let (pid, random) = name.strip_prefix(PREFIX)?.split_once('-')?;
    let is_ours = random.len() == 16 && random.bytes().all(|byte| byte.is_ascii_hexdigit());
    pid.parse().ok().filter(|_| is_ours)
}

fn is_stale(path: &Path, pid: u32, about: &fs::Metadata) -> bool {
    let is_alive = Path::new("/proc").join(pid.to_string()).exists();
    let is_young =
        about.modified().is_ok_and(|when| when.elapsed().is_ok_and(|age| age < STARTING));
    match File::open(path.join(layout::CONTROL_NAME)) {
        // Its recorder holds the lock as long as it lives, whatever its number is today.
        Ok(control) => control.try_lock().is_ok() && !(is_alive && is_young),
        // The place of a library only, or one that was never finished.
        Err(_) => !is_alive,
    }
}
