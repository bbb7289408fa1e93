//! The room that the rings of a recording take together, from the recorder's side.
//!
//! Programs add what they take to a number in a file, under a lock; here it is taken off when a ring
//! is removed. A program may be killed between taking room and making its ring, and may write what it
//! likes: a number that is not what the rings take, for a while, is put right.

use std::fs::File;
use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::Path;
use std::time::{Duration, Instant};

use crate::error::{Error, Result};
use crate::folder::set_mode;

/// How long room may be taken for rings that are not there yet.
const MAKING: Duration = Duration::from_secs(1);

/// The file with the number.
pub(crate) struct Room {
    file: File,
    /// What is in the file, and what rings take, at the last look, and since when.
    seen: (u64, u64),
    since: Instant,
}

impl Room {
    pub fn create(path: &Path) -> Result<Room> {
        let open = File::options().read(true).write(true).create_new(true).mode(0o600).open(path);
        let file = open.map_err(Error::io("create", path))?;
        file.write_all_at(&[0; 8], 0).map_err(Error::io("write to", path))?;
        // Programs of any user take room.
        set_mode(path, 0o666)?;
        Ok(Room { file, seen: (0, 0), since: Instant::now() })
    }

    /// Takes `released` off, of rings that were removed. Whether it could be done now.
    pub fn release(&self, released: u64) -> bool {
        self.change(|used| used.saturating_sub(released)).is_ok()
    }

    /// Compares the number with what the known rings take.
    pub fn check(&mut self, taken: u64) {
        let Ok(used) = self.read() else { return };
        if self.seen != (used, taken) {
            (self.seen, self.since) = ((used, taken), Instant::now());
        }
        // More is being made, or was to be; less cannot be.
        if used < taken || (used > taken && self.since.elapsed() > MAKING) {
            let _ = self.change(|now| if now == used { taken } else { now });
        }
    }

    fn read(&self) -> io::Result<u64> {
        let mut bytes = [0; 8];
        match self.file.read_exact_at(&mut bytes, 0) {
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(0),
            read => read.map(|()| u64::from_ne_bytes(bytes)),
        }
    }

    fn change(&self, run: impl FnOnce(u64) -> u64) -> io::Result<()> {
        // Programs hold the lock for microseconds; one that keeps it is not waited for.
        let mut turns = 0;
        while let Err(error) = self.lock(libc::F_WRLCK) {
            turns += 1;
            if turns == 20 {
                return Err(error);
            }
            std::thread::sleep(Duration::from_micros(50));
        }
        let written =
            self.read().and_then(|used| self.file.write_all_at(&run(used).to_ne_bytes(), 0));
        self.lock(libc::F_UNLCK)?;
        written
    }

    fn lock(&self, kind: libc::c_int) -> io::Result<()> {
        // SAFETY: all zero is a value of this plain struct: the whole file.
        let mut lock: libc::flock = unsafe { std::mem::zeroed() };
        lock.l_type = kind as libc::c_short;
        // SAFETY: the call reads the struct.
        let done =
            unsafe { libc::fcntl(self.file.as_raw_fd(), libc::F_OFD_SETLK, &raw const lock) };
        if done == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
    }
}
