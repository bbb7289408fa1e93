//! What the recorder reads from the machine: clocks, names, who runs.

use std::fs;

use store::Meta;

use crate::Error;

/// A clock, in nanoseconds.
pub fn clock_ns(clock: libc::clockid_t) -> u64 {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the pointer is to a timespec of ours.
    unsafe { libc::clock_gettime(clock, &mut time) };
    time.tv_sec as u64 * 1_000_000_000 + time.tv_nsec as u64
}

/// `CLOCK_MONOTONIC`, which the kernel side uses.
pub fn monotonic_ns() -> u64 {
    clock_ns(libc::CLOCK_MONOTONIC)
}

/// The clocks at one moment: of some readings, the one that took least time.
pub fn clocks() -> Meta {
    let read = || {
        let before = monotonic_ns();
        let realtime_ns = clock_ns(libc::CLOCK_REALTIME) as i64;
        let boottime_ns = clock_ns(libc::CLOCK_BOOTTIME);
        let took = monotonic_ns() - before;
        (took, Meta::Clock { realtime_ns, monotonic_ns: before + took / 2, boottime_ns })
    };
    (0..5).map(|_| read()).min_by_key(|(took, _)| *took).expect("five readings").1
}

/// CPU time of this process, and of this thread.
pub fn process_cpu_ns() -> u64 {
    clock_ns(libc::CLOCK_PROCESS_CPUTIME_ID)
}

/// CPU time of the calling thread.
pub fn thread_cpu_ns() -> u64 {
    clock_ns(libc::CLOCK_THREAD_CPUTIME_ID)
}

/// Size of a page.
pub fn page_bytes() -> u64 {
    // SAFETY: no pointers.
    unsafe { libc::sysconf(libc::_SC_PAGESIZE) as u64 }
}

/// Resident memory of this process, in bytes.
pub fn resident_bytes() -> Option<u64> {
    let statm = fs::read_to_string("/proc/self/statm").ok()?;
    let pages: u64 = statm.split_whitespace().nth(1)?.parse().ok()?;
    Some(pages * page_bytes())
}

/// Where a process says what code it made: in its own file system and by the id it has there, while
/// it lives; else in ours.
pub fn perf_map(pid: u32) -> Option<std::path::PathBuf> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let ids = status.lines().find_map(|line| line.strip_prefix("NSpid:")).unwrap_or_default();
    let inner = ids.split_whitespace().last().map_or_else(|| pid.to_string(), str::to_string);
    let paths = [format!("/proc/{pid}/root/tmp/perf-{inner}.map"), format!("/tmp/perf-{pid}.map")];
    paths.into_iter().map(std::path::PathBuf::from).find(|path| path.is_file())
}

/// The code that the kernel gives each process: the same in all of them.
pub fn vdso() -> Option<&'static [u8]> {
    let maps = procfs::process::Process::myself().and_then(|process| process.maps()).ok()?;
    let map = maps.into_iter().find(|map| map.pathname == procfs::process::MMapPath::Vdso)?;
    let bytes = usize::try_from(map.address.1 - map.address.0).ok()?;
    // SAFETY: the mapping stays for as long as this process lives, and nothing writes to it.
    Some(unsafe { std::slice::from_raw_parts(map.address.0 as *const u8, bytes) })
}

/// The user whose processes' arguments are kept; none if those of all are, as root may see them.
pub fn args_uid() -> Option<u32> {
    // SAFETY: no arguments.
    let (own, effective) = unsafe { (libc::getuid(), libc::geteuid()) };
    (effective != 0).then_some(own)
}

/// Two words that nobody can guess.
pub fn random() -> Result<[u64; 2], Error> {
    let mut words = [0u64; 2];
    let bytes = size_of_val(&words);
    // SAFETY: the buffer is as long as is said.
    let got = unsafe { libc::getrandom(words.as_mut_ptr().cast(), bytes, 0) };
    if got != bytes as isize {
        return Err(Error::last("cannot draw a key"));
    }
    Ok(words)
}

/// What identifies the machine.
pub struct Host {
    /// Name of the machine.
    pub name: String,
    /// Kernel release.
    pub kernel: String,
    /// Architecture, as `uname -m`.
    pub arch: String,
    /// Number of CPUs online.
    pub cpus: u32,
    /// Identity of the boot.
    pub boot_id: String,
    /// Name of the distribution.
    pub os: Option<String>,
}

impl Host {
    /// This machine.
    pub fn read() -> Host {
        let line = |path| fs::read_to_string(path).unwrap_or_default().trim().to_string();
        let release = fs::read_to_string("/etc/os-release").unwrap_or_default();
        let os = release.lines().find_map(|line| line.strip_prefix("PRETTY_NAME="));
        Host {
            name: line("/proc/sys/kernel/hostname"),
            kernel: line("/proc/sys/kernel/osrelease"),
            arch: std::env::consts::ARCH.to_string(),
            cpus: std::thread::available_parallelism().map_or(1, |cpus| cpus.get() as u32),
            boot_id: line("/proc/sys/kernel/random/boot_id"),
            os: os.map(|name| name.trim_matches('"').to_string()),
        }
    }
}

/// The pid in a `upid`.
pub fn pid_of(upid: u64) -> u32 {
    (upid & ((1 << 22) - 1)) as u32
}

/// What /proc tells of a process that runs; nothing when it has gone.
pub fn process(upid: u64) -> Option<Meta> {
    let pid = pid_of(upid);
    let process = procfs::process::Process::new(pid as i32).ok()?;
    let path = |result: procfs::ProcResult<std::path::PathBuf>| {
        result.ok().map(|path| path.to_string_lossy().into_owned())
    };
    let is_kept = |uid| process.status().is_ok_and(|status| status.ruid == uid);
    let has_args = args_uid().is_none_or(is_kept);
    Some(Meta::Process {
        pid,
        upid,
        exe: path(process.exe()),
        argv: if has_args { process.cmdline().unwrap_or_default() } else { Vec::new() },
        cwd: path(process.cwd()),
    })
}

/// `pid` and all its descendants that run now.
pub fn tree(roots: &[u32]) -> Vec<u32> {
    let mut parents = Vec::new();
    for process in procfs::process::all_processes().into_iter().flatten().flatten() {
        if let Ok(stat) = process.stat() {
            parents.push((process.pid as u32, stat.ppid as u32));
        }
    }
    let mut tree = roots.to_vec();
    let mut done = 0;
    while done < tree.len() {
        let parent = tree[done];
        done += 1;
        let children = parents.iter().filter(|(_, ppid)| *ppid == parent).map(|(pid, _)| *pid);
        let new: Vec<u32> = children.filter(|pid| !tree.contains(pid)).collect();
        tree.extend(new);
    }
    tree
}
