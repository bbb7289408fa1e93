//! How full file systems are.

use std::ffi::CString;
use std::os::unix::ffi::OsStrExt;

use schema::gauges::Metric;

use super::Readings;

/// More are not looked at.
const FILESYSTEMS_MAX: usize = 64;

/// On no disk by its number, and yet real.
const OF_SEVERAL_DISKS: [&str; 3] = ["btrfs", "zfs", "bcachefs"];

/// Full by nature.
const READ_ONLY: [&str; 4] = ["squashfs", "iso9660", "udf", "erofs"];

/// The file systems that are looked at, by where they are mounted.
#[derive(Default)]
pub struct Filesystems(Vec<(String, CString)>);

impl Filesystems {
    /// Finds those on disks. Those of the network, and those that a process serves, are left out:
    /// asking them can take for ever.
    pub fn find(&mut self) {
        self.0.clear();
        let mounts = procfs::process::Process::myself().and_then(|process| process.mountinfo());
        let mut seen = Vec::new();
        for mount in mounts.into_iter().flatten() {
            let kind = &*mount.fs_type;
            let is_on_disk = !mount.majmin.starts_with("0:") || OF_SEVERAL_DISKS.contains(&kind);
            let is_other = kind.starts_with("fuse") || READ_ONLY.contains(&kind);
            // One file system may be mounted at many places, in containers above all.
            if !is_on_disk
                || is_other
                || seen.contains(&mount.majmin)
                || self.0.len() == FILESYSTEMS_MAX
            {
                continue;
            }
            let path = mount.mount_point.as_os_str().as_bytes();
            if let Ok(path) = CString::new(path) {
                seen.push(mount.majmin);
                self.0.push((mount.mount_point.to_string_lossy().into_owned(), path));
            }
        }
    }

    /// Asks each of them.
    pub fn read(&self, out: &mut Readings) {
        for (name, path) in &self.0 {
            // SAFETY: all zeros is a valid value of this structure of integers.
            let mut stat: libc::statvfs = unsafe { std::mem::zeroed() };
            // SAFETY: the path ends with a NUL, and the pointer is to a structure of ours.
            if unsafe { libc::statvfs(path.as_ptr(), &mut stat) } != 0 {
                continue;
            }
            let bytes = |blocks: u64| blocks.saturating_mul(stat.f_frsize);
            for (metric, value) in [
                (Metric::FilesystemSize, bytes(stat.f_blocks)),
                (Metric::FilesystemUsed, bytes(stat.f_blocks.saturating_sub(stat.f_bfree))),
                (Metric::FilesystemFree, bytes(stat.f_bfree)),
                (Metric::FilesystemAvailable, bytes(stat.f_bavail)),
                (Metric::FilesystemInodes, stat.f_files),
                (Metric::FilesystemInodesFree, stat.f_ffree),
            ] {
                out.put_count(metric, name, value);
            }
        }
    }
}
