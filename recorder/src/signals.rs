//! Signals as a file descriptor that the recorder's loop waits for, with who sent them.

use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};

use crate::Error;

/// The signals that end a recording.
const ENDING: [libc::c_int; 3] = [libc::SIGINT, libc::SIGTERM, libc::SIGHUP];

/// A signal that came.
#[derive(Clone, Copy, Debug)]
pub struct Received {
    /// Its number.
    pub signal: libc::c_int,
    /// Whether the terminal sent it, which then sent it to the command as well.
    pub by_terminal: bool,
}

/// Ending signals, held back from this process and readable from a descriptor.
pub struct Signals {
    fd: OwnedFd,
}

fn set() -> libc::sigset_t {
    // SAFETY: a sigset_t is plain data that sigemptyset fills.
    unsafe {
        let mut set = std::mem::zeroed();
        libc::sigemptyset(&mut set);
        ENDING.iter().for_each(|signal| {
            libc::sigaddset(&mut set, *signal);
        });
        set
    }
}

impl Signals {
    /// Holds back the ending signals from now on; to be called before threads are started.
    pub fn new() -> Result<Signals, Error> {
        let set = set();
        // SAFETY: the set is valid; the descriptor is checked before it is owned.
        unsafe {
            libc::pthread_sigmask(libc::SIG_BLOCK, &set, std::ptr::null_mut());
            let fd = libc::signalfd(-1, &set, libc::SFD_CLOEXEC | libc::SFD_NONBLOCK);
            if fd < 0 {
                return Err(Error::last("cannot wait for signals"));
            }
            Ok(Signals { fd: OwnedFd::from_raw_fd(fd) })
        }
    }

    /// A signal that has come, if any.
    pub fn next(&self) -> Option<Received> {
        // SAFETY: the buffer is as long as is said.
        unsafe {
            let mut info: libc::signalfd_siginfo = std::mem::zeroed();
            let size = size_of::<libc::signalfd_siginfo>();
            let read = libc::read(self.fd.as_raw_fd(), (&raw mut info).cast(), size);
            (read == size as isize).then_some(Received {
                signal: info.ssi_signo as libc::c_int,
                by_terminal: info.ssi_code == libc::SI_KERNEL,
            })
        }
    }
}

impl AsRawFd for Signals {
    fn as_raw_fd(&self) -> RawFd {
        self.fd.as_raw_fd()
    }
}

/// Lets the ending signals through again; in a child before it runs another program.
pub fn release() {
    let set = set();
    // SAFETY: the set is valid; pthread_sigmask is async-signal-safe.
    unsafe { libc::pthread_sigmask(libc::SIG_UNBLOCK, &set, std::ptr::null_mut()) };
}
