//! Waiting for descriptors.

use std::os::fd::{AsFd, AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::time::Duration;

use crate::Error;

/// Waits until a ring has woken its reader, something is to be read from `control`, or time is up.
pub fn epoll_wait(epoll: &impl AsRawFd, timeout_ms: i32) {
    let mut event = libc::epoll_event { events: 0, u64: 0 };
    // SAFETY: room for the one event that is asked for.
    unsafe { libc::epoll_wait(epoll.as_raw_fd(), &mut event, 1, timeout_ms) };
}

/// An epoll of descriptors, edge-triggered: a ring that holds records wakes only when its producer
/// says so.
pub fn epoll(descriptors: &[&dyn AsFd]) -> Result<OwnedFd, Error> {
    // SAFETY: the descriptor is checked before it is owned; the event is ours.
    unsafe {
        let fd = libc::epoll_create1(libc::EPOLL_CLOEXEC);
        if fd < 0 {
            return Err(Error::last("cannot make an epoll"));
        }
        let epoll = OwnedFd::from_raw_fd(fd);
        for descriptor in descriptors {
            let mut event =
                libc::epoll_event { events: (libc::EPOLLIN | libc::EPOLLET) as u32, u64: 0 };
            let raw = descriptor.as_fd().as_raw_fd();
            if libc::epoll_ctl(fd, libc::EPOLL_CTL_ADD, raw, &mut event) < 0 {
                return Err(Error::last("cannot wait for a ring"));
            }
        }
        Ok(epoll)
    }
}

/// A descriptor by which one thread wakes another that waits for it with [`epoll`].
pub fn eventfd() -> Result<OwnedFd, Error> {
    // SAFETY: the descriptor is checked before it is owned.
    unsafe {
        let fd = libc::eventfd(0, libc::EFD_CLOEXEC | libc::EFD_NONBLOCK);
        if fd < 0 {
            return Err(Error::last("cannot make an eventfd"));
        }
        Ok(OwnedFd::from_raw_fd(fd))
    }
}

/// Wakes who waits for an [`eventfd`].
pub fn signal(eventfd: &OwnedFd) {
    let one = 1u64;
    // SAFETY: eight bytes of ours, as an eventfd wants.
    unsafe { libc::write(eventfd.as_raw_fd(), (&raw const one).cast(), 8) };
}

/// Waits until one of the descriptors is readable; negative ones are ignored.
pub fn poll(fds: &[RawFd], timeout: Duration) {
    let mut fds: Vec<libc::pollfd> =
        fds.iter().map(|fd| libc::pollfd { fd: *fd, events: libc::POLLIN, revents: 0 }).collect();
    // SAFETY: the array has the length that is said.
    unsafe { libc::poll(fds.as_mut_ptr(), fds.len() as libc::nfds_t, timeout.as_millis() as i32) };
}
