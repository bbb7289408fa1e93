//! What the live tests record: small programs whose system calls, processes and times are known.
//!
//! `workload JOB [ARGUMENT ...]`; each job says what it does. Calls go straight to the C library, so
//! that each line here is one system call.

mod datagrams;
mod load;
mod moments;

use std::ffi::CString;
use std::path::Path;
use std::process::ExitCode;
use std::sync::Barrier;
use std::time::Duration;

/// Threads of `counts`.
const THREADS: usize = 4;
/// Rounds of each thread: two opens, a read, a close.
const ROUNDS: usize = 500;
/// Processes that only end, each with a code of its own.
const FORKS: i32 = 1000;
/// Processes that run another program.
const CHILDREN: usize = 23;

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    match args.as_slice() {
        ["counts"] => counts(),
        ["storm", calls] => load::storm(number(calls)),
        ["load", marks, batch] => load::load(marks, number(batch)),
        ["tree", go, path, children] => tree(go, path, number(children)),
        ["names"] => moments::names(),
        ["inside", group, children] => inside(group, number(children)),
        ["addresses", folder] => moments::addresses(folder),
        ["block", go] => moments::block(go),
        ["paths", folder] => moments::paths(folder),
        ["become", uid] => moments::become_user(number(uid) as u32),
        ["datagrams", count, addresses] => datagrams::datagrams(number(count), number(addresses)),
        ["ring", file] => return moments::ring(file),
        ["ring-open", file] => return moments::ring_open(file),
        _ => panic!("unknown job: {args:?}"),
    }
    ExitCode::SUCCESS
}

fn number(text: &str) -> u64 {
    text.parse().unwrap_or_else(|_| panic!("not a number: {text}"))
}

/// A path for the kernel.
fn c(path: &str) -> CString {
    CString::new(path).unwrap()
}

fn open(path: &CString) -> i32 {
    // SAFETY: the path ends with a NUL.
    unsafe { libc::open(path.as_ptr(), libc::O_RDONLY | libc::O_CLOEXEC) }
}

/// Starts a process that does `job` and ends with the code it returns.
fn fork(job: impl FnOnce() -> i32) -> i32 {
    // SAFETY: the other threads have ended or hold no lock that the job takes.
    match unsafe { libc::fork() } {
        // SAFETY: ends this process, without running what others registered.
        0 => unsafe { libc::_exit(job()) },
        pid => pid,
    }
}

/// Waits for a process; its exit code.
fn wait(pid: i32) -> i32 {
    let mut status = 0;
    // SAFETY: the pointer is to an integer of ours.
    assert_eq!(unsafe { libc::waitpid(pid, &mut status, 0) }, pid);
    libc::WEXITSTATUS(status)
}

fn sleep(duration: Duration) {
    std::thread::sleep(duration);
}

/// Waits for a file, in small steps that a recording of this process sees.
fn wait_for(go: &str) {
    while !Path::new(go).exists() {
        sleep(Duration::from_millis(5));
    }
}

/// The same calls each time: threads that open, read and close; a thousand processes that end, each
/// with a code; 23 that run another program.
fn counts() {
    let (there, missing) = (c("/proc/self/exe"), c("/nowhere/at/all"));
    // All threads are alive at once, so that none takes over the stack of another.
    let barrier = Barrier::new(THREADS);
    std::thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(|| {
                barrier.wait();
                for _ in 0..ROUNDS {
                    let fd = open(&there);
                    let mut bytes = [0u8; 4];
                    // SAFETY: the buffer is as long as is said.
                    assert_eq!(unsafe { libc::read(fd, bytes.as_mut_ptr().cast(), 4) }, 4);
                    // SAFETY: the descriptor is ours.
                    unsafe { libc::close(fd) };
                    assert_eq!(open(&missing), -1);
                }
                barrier.wait();
            });
        }
    });
    for index in 0..FORKS {
        let code = index % 256;
        assert_eq!(wait(fork(|| code)), code);
    }
    let program = c("/bin/true");
    let argv = [program.as_ptr(), std::ptr::null()];
    for _ in 0..CHILDREN {
        // SAFETY: the array ends with a null pointer.
        assert_eq!(wait(fork(|| unsafe { libc::execv(program.as_ptr(), argv.as_ptr()) })), 0);
    }
}

/// Moves into a control group, and starts processes there that end at once; one in ten runs a program.
fn inside(group: &str, children: u64) {
    std::fs::write(Path::new(group).join("cgroup.procs"), "0").unwrap();
    let program = c("/bin/true");
    let argv = [program.as_ptr(), std::ptr::null()];
    for child in 0..children {
        // SAFETY: the array ends with a null pointer.
        let run = || unsafe { libc::execv(program.as_ptr(), argv.as_ptr()) };
        wait(fork(|| if child % 10 == 0 { run() } else { 0 }));
    }
}

/// Waits for `go`, then starts processes that each look for `path`.
fn tree(go: &str, path: &str, children: u64) {
    wait_for(go);
    let path = c(path);
    for _ in 0..children {
        wait(fork(|| open(&path) + 1));
    }
}
