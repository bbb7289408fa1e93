//! Single calls that are worth a test of their own.

use std::ffi::CString;
use std::net::{SocketAddr, TcpStream};
use std::os::fd::AsRawFd;
use std::os::unix::net::UnixStream;
use std::process::ExitCode;
use std::time::Duration;

use io_uring::{IoUring, opcode, types};

use super::{c, fork, open, sleep, wait, wait_for};

/// Seven calls of a thread named `needle`, and some of others.
pub fn names() {
    super::load::storm(5);
    let thread = std::thread::Builder::new().name("needle".into());
    thread.spawn(|| super::load::storm(7)).unwrap().join().unwrap();
    super::load::storm(3);
}

/// Waits for `go`; then one thread reads from a pipe that nobody writes to, and the first sleeps.
pub fn block(go: &str) {
    wait_for(go);
    let (mut reader, _writer) = std::io::pipe().unwrap();
    std::thread::spawn(move || std::io::Read::read(&mut reader, &mut [0; 77]));
    sleep(Duration::from_secs(1000));
}

/// Calls with paths and addresses, in `folder`.
pub fn paths(folder: &str) {
    std::env::set_current_dir(folder).unwrap();
    std::fs::write("before", "x").unwrap();
    std::fs::rename("before", "after").unwrap();
    open(&c("some/missing file"));
    // 1500 bytes that name the folder itself.
    open(&c(&"./".repeat(750)));
    open(&CString::new(b"not \xff UTF-8\x1b[31m".to_vec()).unwrap());
    // Nothing listens on the port of "discard".
    let _ = TcpStream::connect(SocketAddr::from(([127, 0, 0, 1], 9)));
    let _ = TcpStream::connect("[::1]:9");
    let _ = UnixStream::connect("no.socket");
}

/// Sends to addresses of all kinds, most of them twice, from a socket for each.
pub fn addresses(folder: &str) {
    use std::net::UdpSocket;
    use std::os::unix::net::UnixDatagram;
    std::env::set_current_dir(folder).unwrap();
    for _ in 0..2 {
        for to in ["127.0.0.1:9", "192.0.2.77:9", "192.0.2.78:9"] {
            let _ = UdpSocket::bind("0.0.0.0:0").unwrap().send_to(b"x", to);
        }
        for to in ["[::1]:9", "[2001:db8::77]:9", "[::ffff:192.0.2.77]:9"] {
            let _ = UdpSocket::bind("[::]:0").map(|socket| socket.send_to(b"x", to));
        }
        let _ = UnixDatagram::unbound().unwrap().send_to(b"x", "secret.socket");
    }
}

/// A child becomes another user.
pub fn become_user(uid: u32) {
    // SAFETY: no pointers.
    assert_eq!(wait(fork(|| unsafe { libc::setuid(uid) })), 0);
}

/// Reads `file` through io_uring; ends with 3 if the kernel refuses to make a ring.
pub fn ring(file: &str) -> ExitCode {
    let Ok(mut ring) = IoUring::new(8) else {
        return ExitCode::from(3);
    };
    let file = std::fs::File::open(file).unwrap();
    let mut bytes = [0u8; 64];
    let fd = types::Fd(file.as_raw_fd());
    let read = opcode::Read::new(fd, bytes.as_mut_ptr(), 64).build();
    for operation in [opcode::Nop::new().build(), read] {
        // SAFETY: what it points to lives until it is complete, which is waited for.
        unsafe { ring.submission().push(&operation).unwrap() };
        ring.submit_and_wait(1).unwrap();
        ring.completion().for_each(drop);
    }
    ExitCode::SUCCESS
}

/// Opens `file` to read through io_uring, and by no other call; ends with 3 if the kernel refuses to make a ring.
pub fn ring_open(file: &str) -> ExitCode {
    let Ok(mut ring) = IoUring::new(8) else {
        return ExitCode::from(3);
    };
    let path = c(file);
    let open = opcode::OpenAt::new(types::Fd(libc::AT_FDCWD), path.as_ptr());
    let open = open.flags(libc::O_RDONLY | libc::O_CLOEXEC).build();
    // SAFETY: the path lives until the operation is complete, which is waited for.
    unsafe { ring.submission().push(&open).unwrap() };
    ring.submit_and_wait(1).unwrap();
    assert!(ring.completion().all(|done| done.result() >= 0));
    ExitCode::SUCCESS
}
