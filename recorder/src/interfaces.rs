//! The network interfaces that there are, in every network namespace.

use std::collections::BTreeSet;
use std::fs::File;
use std::os::fd::AsRawFd;
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;

/// Namespaces that are looked into at most.
const NAMESPACES_MAX: usize = 4096;

/// Their names. A namespace that cannot be entered is passed over.
pub fn names() -> BTreeSet<String> {
    let mut names = own();
    // A thread that has entered another namespace is of no further use.
    let others = std::thread::spawn(|| {
        let mut names = BTreeSet::new();
        for namespace in namespaces() {
            // SAFETY: no pointers; only this thread changes its namespace.
            if unsafe { libc::setns(namespace.as_raw_fd(), libc::CLONE_NEWNET) } == 0 {
                names.extend(own());
            }
        }
        names
    });
    names.extend(others.join().unwrap_or_default());
    names
}

/// The names in the namespace that the thread is in.
fn own() -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    // SAFETY: it returns null or a list that ends with index 0, which is freed as the manual says.
    unsafe {
        let list = libc::if_nameindex();
        let mut entry = list;
        while !entry.is_null() && (*entry).if_index != 0 {
            let name = std::ffi::CStr::from_ptr((*entry).if_name);
            names.insert(name.to_string_lossy().into_owned());
            entry = entry.add(1);
        }
        if !list.is_null() {
            libc::if_freenameindex(list);
        }
    }
    names
}

/// Each namespace that has a name or a process, once.
fn namespaces() -> Vec<File> {
    let entries = |folder: &str| std::fs::read_dir(folder).into_iter().flatten().flatten();
    let named = entries("/run/netns").map(|entry| entry.path());
    let processes = entries("/proc")
        .filter(|entry| entry.file_name().as_encoded_bytes()[0].is_ascii_digit())
        .map(|entry| entry.path().join("ns/net"));
    let mut seen = BTreeSet::new();
    let open = |path: PathBuf| -> Option<File> {
        let inode = path.metadata().ok()?.ino();
        if !seen.insert(inode) {
            return None;
        }
        File::open(path).ok()
    };
    named.chain(processes).filter_map(open).take(NAMESPACES_MAX).collect()
}
