//! The control file: what the recorder tells the programs.

use std::fs::File;
use std::os::fd::AsRawFd;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::ptr;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use crate::error::{Error, Result};
use crate::layout::{
    self, Control, DEPTH_MAX, HEADER_BYTES, MAGIC, ON_FULL_DROP, ON_FULL_WAIT, VERSION,
};

/// What a thread does when its ring is full.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnFull {
    /// It goes on; events are lost and counted.
    Drop,
    /// It waits for the recorder, as long as that is alive.
    Wait,
}

/// What is recorded, and how.
#[derive(Clone, Copy, Debug)]
pub struct Settings {
    /// Frames of a stack at most, up to 128.
    pub depth_max: u32,
    /// What to do when a ring is full.
    pub on_full: OnFull,
    /// Smaller allocations are not recorded; giving memory back always is.
    pub size_min: u64,
    /// One address in so many is recorded, with all that happens to it; 1 is all.
    pub one_in: u32,
    /// Decides which addresses are sampled.
    pub salt: u64,
    /// Data bytes of a thread's ring, a power of two from 16 KiB to 1 GiB. The 33rd and later rings
    /// of a process have a quarter, the 257th and later ones a sixteenth.
    pub ring_bytes: u32,
    /// Data bytes of all rings together, at least 64 KiB. When they would become more, new rings are
    /// made shorter, down to 64 KiB; then what threads without a ring do is lost, and counted.
    pub rings_bytes_max: u64,
}

impl Default for Settings {
    fn default() -> Self {
        Settings {
            depth_max: 64,
            on_full: OnFull::Drop,
            size_min: 0,
            one_in: 1,
            salt: 0,
            ring_bytes: 2 << 20,
            rings_bytes_max: 256 << 20,
        }
    }
}

impl Settings {
    fn check(&self) -> Result<()> {
        let fail = |name, value, range| Err(Error::Setting { name, value, range });
        if !(1..=DEPTH_MAX as u32).contains(&self.depth_max) {
            return fail("the depth of stacks", self.depth_max.into(), "1 to 128");
        }
        if self.one_in == 0 {
            return fail("the number of allocations that one stands for", 0, "1 or more");
        }
        if self.rings_bytes_max < layout::RING_BYTES_SHORT {
            let range = "64 KiB or more";
            return fail("the size of all rings", self.rings_bytes_max, range);
        }
        let range = layout::RING_BYTES_MIN..=layout::RING_BYTES_MAX;
        if !range.contains(&self.ring_bytes) || !self.ring_bytes.is_power_of_two() {
            let range = "a power of two from 16 KiB to 1 GiB";
            return fail("the size of a ring", self.ring_bytes.into(), range);
        }
        Ok(())
    }
}

/// The control file, mapped. Only the recorder can write to it.
pub(crate) struct ControlFile {
    at: *mut Control,
    /// Locked as long as the recorder lives: how others see that the folder is in use.
    _file: File,
}

// SAFETY: what changes in the memory is atomic.
unsafe impl Send for ControlFile {}
// SAFETY: as above.
unsafe impl Sync for ControlFile {}

impl ControlFile {
    pub fn create(path: &Path, settings: &Settings, clock: u32) -> Result<ControlFile> {
        settings.check()?;
        let open = File::options().read(true).write(true).create_new(true).mode(0o644).open(path);
        let file = open.map_err(Error::io("create", path))?;
        file.lock().map_err(Error::io("lock", path))?;
        file.set_len(HEADER_BYTES as u64).map_err(Error::io("write to", path))?;
        crate::folder::set_mode(path, 0o644)?;
        // SAFETY: a new mapping of our own file.
        let at = unsafe {
            let protection = libc::PROT_READ | libc::PROT_WRITE;
            libc::mmap(
                ptr::null_mut(),
                HEADER_BYTES,
                protection,
                libc::MAP_SHARED,
                file.as_raw_fd(),
                0,
            )
        };
        if at == libc::MAP_FAILED {
            return Err(Error::io("map", path)(std::io::Error::last_os_error()));
        }
        let control = Control {
            magic: MAGIC,
            version: VERSION,
            recorder_pid: std::process::id(),
            epoch: AtomicU32::new(0),
            stop: AtomicU32::new(0),
            on_full: match settings.on_full {
                OnFull::Drop => ON_FULL_DROP,
                OnFull::Wait => ON_FULL_WAIT,
            },
            depth_max: settings.depth_max,
            size_min: settings.size_min,
            salt: settings.salt,
            one_in: settings.one_in,
            ring_bytes: settings.ring_bytes,
            clock,
            reserved: 0,
            heartbeat_ns: now_ns().into(),
            bell: AtomicU32::new(0),
            drained: AtomicU32::new(0),
            rings_bytes_max: settings.rings_bytes_max,
        };
        // SAFETY: mapped, aligned to a page, and nobody knows of it yet.
        unsafe { at.cast::<Control>().write(control) };
        Ok(ControlFile { at: at.cast(), _file: file })
    }

    pub fn control(&self) -> &Control {
        // SAFETY: mapped as long as `self` is there.
        unsafe { &*self.at }
    }

    /// Tells waiting threads that the recorder is there.
    pub fn beat(&self) {
        self.control().heartbeat_ns.store(now_ns(), Ordering::Relaxed);
    }

    /// Lets threads that wait for room look again.
    pub fn wake_waiting(&self) {
        let drained = &self.control().drained;
        drained.fetch_add(1, Ordering::Release);
        // SAFETY: the word is mapped.
        unsafe {
            libc::syscall(libc::SYS_futex, drained.as_ptr(), libc::FUTEX_WAKE, i32::MAX, 0, 0, 0)
        };
    }

    /// Sleeps until a ring fills up, but not longer than `timeout`.
    pub fn wait(&self, timeout: Duration) {
        let bell = &self.control().bell;
        let timeout = libc::timespec {
            tv_sec: timeout.as_secs().try_into().unwrap_or(libc::time_t::MAX),
            tv_nsec: timeout.subsec_nanos().into(),
        };
        // SAFETY: word and timeout are there during the call.
        unsafe {
            let value = bell.load(Ordering::Relaxed);
            libc::syscall(
                libc::SYS_futex,
                bell.as_ptr(),
                libc::FUTEX_WAIT,
                value,
                &raw const timeout,
                0,
                0,
            )
        };
    }

    /// Waits until every processor has seen what was stored before, and has let us see what it had
    /// stored: the threads of programs need no barriers of their own.
    pub fn barrier() {
        const MEMBARRIER_CMD_GLOBAL: i32 = 1;
        // SAFETY: no pointers.
        let done = unsafe { libc::syscall(libc::SYS_membarrier, MEMBARRIER_CMD_GLOBAL, 0, 0) };
        if done != 0 {
            // Forbidden, or processors that do without ticks: no store is delayed that long.
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

impl Drop for ControlFile {
    fn drop(&mut self) {
        // Programs that still run must not wait for a recorder that is gone.
        self.control().stop.store(1, Ordering::Relaxed);
        self.wake_waiting();
        // SAFETY: mapped by us, with this size.
        unsafe { libc::munmap(self.at.cast(), HEADER_BYTES) };
    }
}

/// Nanoseconds of `CLOCK_MONOTONIC`.
pub(crate) fn now_ns() -> u64 {
    clock_ns(libc::CLOCK_MONOTONIC)
}

/// Nanoseconds of a clock that counts up from boot.
pub(crate) fn clock_ns(clock: libc::clockid_t) -> u64 {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the call writes to `time`.
    unsafe { libc::clock_gettime(clock, &raw mut time) };
    time.tv_sec.cast_unsigned() * 1_000_000_000 + time.tv_nsec.cast_unsigned()
}
