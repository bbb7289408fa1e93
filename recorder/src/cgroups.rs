//! The hierarchies of control groups as they are mounted: the unified one (v2) and the older ones (v1),
//! the id that the kernel side knows a folder by, and a walk over all folders.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use crate::Error;

/// The file system of the unified hierarchy; the older ones' has the name without the number.
const UNIFIED: &str = "cgroup2";
/// Where the number of a hierarchy is in an id; as in ebpf/src/cgroups.h.
const HIERARCHY_SHIFT: u32 = 48;
/// Folders nested deeper are not looked at.
const DEPTH_MAX: usize = 24;
/// So many folders are looked at.
const FOLDERS_MAX: usize = 100_000;

/// A hierarchy, where it is mounted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hierarchy {
    /// Where.
    pub mount: PathBuf,
    /// Its number: 0 of the unified one.
    pub number: u64,
    /// Whether it has no controller, so that a task's group in it is not to be found.
    pub is_without_controller: bool,
}

impl Hierarchy {
    /// The id that the kernel side knows a folder of this hierarchy by.
    fn id(&self, folder: &Path) -> Option<u64> {
        let is_group = folder.join("cgroup.procs").exists();
        let inode = folder.metadata().ok().filter(|_| is_group)?.ino();
        Some(inode | self.number << HIERARCHY_SHIFT)
    }
}

/// All that are mounted.
pub fn hierarchies() -> Vec<Hierarchy> {
    let read = |path| fs::read_to_string(path).unwrap_or_default();
    parse(&read("/proc/self/mounts"), &read("/proc/self/cgroup"))
}

/// Whether there are older hierarchies, mounted here or elsewhere.
pub fn has_old() -> bool {
    let groups = fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
    groups.lines().any(|line| !line.starts_with("0:"))
}

fn parse(mounts: &str, groups: &str) -> Vec<Hierarchy> {
    let hierarchy = |line: &str| {
        let mut words = line.split(' ').skip(1);
        let (mount, kind, options) = (words.next()?, words.next()?, words.next()?);
        if kind == UNIFIED {
            let mount = mount.into();
            return Some(Hierarchy { mount, number: 0, is_without_controller: false });
        }
        let is_old = UNIFIED.strip_suffix('2') == Some(kind);
        // Which of the older ones it is, its controllers tell; one without has a name in their place.
        let options: Vec<&str> = options.split(',').collect();
        let (number, controllers) = groups.lines().find_map(|line| {
            let (number, rest) = line.split_once(':')?;
            let (controllers, _) = rest.split_once(':')?;
            let is_it = !controllers.is_empty()
                && controllers.split(',').all(|controller| options.contains(&controller));
            Some((number.parse().ok()?, controllers)).filter(|_| is_it && is_old)
        })?;
        let is_without_controller = controllers.starts_with("name=");
        Some(Hierarchy { mount: mount.into(), number, is_without_controller })
    };
    mounts.lines().filter_map(hierarchy).collect()
}

/// The id of a folder, and the number of its hierarchy.
///
/// # Errors
/// It is no control group, or one that the kernel side does not find.
pub fn id_of(folder: &Path) -> Result<(u64, u64), Error> {
    let no_group = || Error::NoCgroup(folder.to_path_buf());
    let whole = folder.canonicalize().map_err(|_| no_group())?;
    let all = hierarchies();
    let around = all.iter().filter(|hierarchy| whole.starts_with(&hierarchy.mount));
    let hierarchy = around.max_by_key(|hierarchy| hierarchy.mount.as_os_str().len());
    let hierarchy = hierarchy.ok_or_else(no_group)?;
    if hierarchy.is_without_controller {
        return Err(Error::CgroupWithoutController(folder.to_path_buf()));
    }
    Ok((hierarchy.id(&whole).ok_or_else(no_group)?, hierarchy.number))
}

/// A control group that was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Folder {
    /// Its folder.
    pub folder: PathBuf,
    /// Its path in the hierarchy.
    pub path: String,
    /// Its id.
    pub id: u64,
}

/// All control groups whose members the kernel side finds, each once.
pub fn all() -> Vec<Folder> {
    let mut found: Vec<Folder> = Vec::new();
    let mut ids = std::collections::HashSet::new();
    for hierarchy in hierarchies().iter().filter(|hierarchy| !hierarchy.is_without_controller) {
        let mut folders = vec![(hierarchy.mount.clone(), 0)];
        while let Some((folder, depth)) = folders.pop() {
            // The same hierarchy may be mounted twice.
            let Some(id) = hierarchy.id(&folder).filter(|id| ids.insert(*id)) else { continue };
            if found.len() == FOLDERS_MAX {
                return found;
            }
            let entries = fs::read_dir(&folder).into_iter().flatten().flatten();
            let is_folder = |entry: &fs::DirEntry| entry.file_type().is_ok_and(|ty| ty.is_dir());
            if depth < DEPTH_MAX {
                folders.extend(entries.filter(is_folder).map(|entry| (entry.path(), depth + 1)));
            }
            let below = folder.strip_prefix(&hierarchy.mount).unwrap_or(&folder);
            let path = format!("/{}", below.to_string_lossy());
            found.push(Folder { folder, path, id });
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hierarchies_have_the_numbers_that_processes_are_listed_by() {
        let mounts = "\
            tmpfs /sys/fs/cgroup tmpfs rw,mode=755 0 0\n\
            cgroup /sys/fs/cgroup/cpu,cpuacct cgroup rw,relatime,cpu,cpuacct 0 0\n\
            cgroup /sys/fs/cgroup/pids cgroup rw,relatime,pids 0 0\n\
            cgroup /sys/fs/cgroup/systemd cgroup rw,xattr,name=systemd 0 0\n\
            cgroup2 /sys/fs/cgroup/unified cgroup2 rw,nsdelegate 0 0\n";
        let groups = "9:name=systemd:/\n8:pids:/a\n1:cpu,cpuacct:/\n0::/\n";
        let found = parse(mounts, groups);
        let short: Vec<_> = found
            .iter()
            .map(|hierarchy| {
                let name = hierarchy.mount.file_name().unwrap().to_str().unwrap();
                (name, hierarchy.number, hierarchy.is_without_controller)
            })
            .collect();
        let expected = [
            ("cpu,cpuacct", 1, false),
            ("pids", 8, false),
            ("systemd", 9, true),
            ("unified", 0, false),
        ];
        assert_eq!(short, expected);
        assert!(parse("", "").is_empty());
        assert!(id_of(Path::new("/tmp")).is_err());
    }
}
