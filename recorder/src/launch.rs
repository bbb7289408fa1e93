//! A command of the user's: made as a process that waits, let go when recording has begun.
//!
//! It is made by a plain fork while this process has one thread, so that its id is known and in
//! scope before its first instruction; all memory it needs is made ready before.

use std::ffi::{CString, OsStr, OsString};
use std::io::{Error as IoError, Read, Write, pipe};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

use crate::{Error, signals};

/// How a command ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// With this exit code.
    Exited(i32),
    /// By this signal.
    Signaled(i32),
}

impl Ended {
    /// What a shell reports: the exit code, or 128 and the signal.
    pub fn code(self) -> i32 {
        match self {
            Ended::Exited(code) => code,
            Ended::Signaled(signal) => 128 + signal,
        }
    }
}

/// A command that waits to be let go, or runs.
pub struct Command {
    pid: libc::pid_t,
    pidfd: OwnedFd,
    name: String,
    go: Option<std::io::PipeWriter>,
    failed: std::io::PipeReader,
    ended: Option<Ended>,
}

/// The file a command names: a path, or found in `PATH`.
pub fn find(command: &OsStr) -> Result<PathBuf, Error> {
    let is_file = |path: &PathBuf| path.is_file();
    let found: Vec<PathBuf> = if command.as_bytes().contains(&b'/') {
        Some(PathBuf::from(command)).filter(is_file).into_iter().collect()
    } else {
        let path = std::env::var_os("PATH").unwrap_or_else(|| OsString::from("/usr/bin:/bin"));
        std::env::split_paths(&path).map(|folder| folder.join(command)).filter(is_file).collect()
    };
    let is_program =
        |path: &&PathBuf| path.metadata().is_ok_and(|file| file.permissions().mode() & 0o111 != 0);
    match (found.iter().find(is_program), found.first()) {
        (Some(program), _) => Ok(program.clone()),
        (None, Some(file)) => Err(Error::NotExecutable(file.clone())),
        (None, None) => {
            Err(Error::CommandNotFound(command.to_string_lossy().escape_debug().to_string()))
        }
    }
}

fn c_string(bytes: &OsStr) -> Result<CString, Error> {
    CString::new(bytes.as_bytes())
        .map_err(|_| Error::CommandNotFound("an argument contains a NUL".into()))
}

/// The environment of this process with some variables set.
fn environment(variables: &[(OsString, OsString)]) -> Result<Vec<CString>, Error> {
    let is_set = |name: &OsString| variables.iter().any(|(set, _)| set == name);
    let inherited = std::env::vars_os().filter(|(name, _)| !is_set(name));
    inherited
        .chain(variables.iter().cloned())
        .map(|(mut name, value)| {
            name.push("=");
            name.push(value);
            c_string(&name)
        })
        .collect()
}

/// The program that a command names, as it is to be started.
pub fn program(command: &[OsString]) -> Option<PathBuf> {
    find(command.first()?).ok()
}

impl Command {
    /// Makes the process; it waits for [`Command::go`].
    ///
    /// `variables` are set in its environment.
    pub fn prepare(
        command: &[OsString],
        variables: &[(OsString, OsString)],
    ) -> Result<Command, Error> {
        let name =
            command.first().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        let file = c_string(
            find(command.first().map_or(OsStr::new(""), OsString::as_os_str))?.as_os_str(),
        )?;
        let argv: Vec<CString> =
            command.iter().map(|arg| c_string(arg)).collect::<Result<_, _>>()?;
        let mut pointers: Vec<*const libc::c_char> = argv.iter().map(|arg| arg.as_ptr()).collect();
        pointers.push(std::ptr::null());
        let variables: Vec<CString> = environment(variables)?;
        let mut environment: Vec<*const libc::c_char> =
            variables.iter().map(|variable| variable.as_ptr()).collect();
        environment.push(std::ptr::null());
        let (wait, go) = pipe().map_err(Error::io("cannot make a pipe"))?;
        let (failed, report) = pipe().map_err(Error::io("cannot make a pipe"))?;
        // SAFETY: the child makes only async-signal-safe calls on memory made above.
        let pid = unsafe { libc::fork() };
        match pid {
            -1 => Err(Error::last("cannot start a process")),
            0 => {
                let fds = [wait.as_raw_fd(), go.as_raw_fd(), report.as_raw_fd()];
                child(&file, &pointers, &environment, fds)
            }
            _ => {
                // SAFETY: the descriptor is checked before it is owned.
                let fd = unsafe { libc::syscall(libc::SYS_pidfd_open, pid, 0) } as RawFd;
                if fd < 0 {
                    return Err(Error::last("cannot watch the command"));
                }
                // SAFETY: a new descriptor that nothing else owns.
                let pidfd = unsafe { OwnedFd::from_raw_fd(fd) };
                Ok(Command { pid, pidfd, name, go: Some(go), failed, ended: None })
            }
        }
    }

    /// Its process id.
    pub fn pid(&self) -> u32 {
        self.pid as u32
    }

    /// Lets it run its program.
    ///
    /// # Errors
    /// The program could not be started.
    pub fn go(&mut self) -> Result<(), Error> {
        if let Some(mut go) = self.go.take() {
            go.write_all(b"!").map_err(Error::io("cannot let the command go"))?;
        }
        let mut code = [0; 4];
        // The pipe closes without a word when the program has started.
        match self.failed.read_exact(&mut code) {
            Ok(()) => {
                let command = self.name.escape_debug().to_string();
                let source = IoError::from_raw_os_error(i32::from_ne_bytes(code));
                // The file is there, so what is not is what its first line or its header names.
                if source.kind() == std::io::ErrorKind::NotFound {
                    return Err(Error::NoInterpreter(command));
                }
                Err(Error::Command { command, source })
            }
            Err(_) => Ok(()),
        }
    }

    /// Sends it a signal.
    pub fn signal(&self, signal: libc::c_int) {
        if self.ended.is_none() {
            // SAFETY: no pointers; our child has not been waited for, so the id is still its own.
            unsafe { libc::kill(self.pid, signal) };
        }
    }

    /// How it ended, if it has.
    pub fn try_wait(&mut self) -> Option<Ended> {
        if self.ended.is_none() {
            let mut status = 0;
            // SAFETY: the pointer is to an integer of ours.
            if unsafe { libc::waitpid(self.pid, &mut status, libc::WNOHANG) } == self.pid {
                self.ended = Some(if libc::WIFSIGNALED(status) {
                    Ended::Signaled(libc::WTERMSIG(status))
                } else {
                    Ended::Exited(libc::WEXITSTATUS(status))
                });
            }
        }
        self.ended
    }
}

impl AsRawFd for Command {
    /// Readable when it has ended.
    fn as_raw_fd(&self) -> RawFd {
        self.pidfd.as_raw_fd()
    }
}

impl Drop for Command {
    fn drop(&mut self) {
        // One that was never let go reads the end of the pipe and leaves.
        if self.go.take().is_some() {
            // SAFETY: our own child, not waited for.
            unsafe { libc::waitpid(self.pid, std::ptr::null_mut(), 0) };
        }
    }
}

fn child(
    file: &CString,
    argv: &[*const libc::c_char],
    environment: &[*const libc::c_char],
    [wait, go, report]: [RawFd; 3],
) -> ! {
    // SAFETY: only async-signal-safe calls, on memory and descriptors made before the fork.
    unsafe {
        libc::close(go);
        signals::release();
        libc::signal(libc::SIGPIPE, libc::SIG_DFL);
        let mut byte = 0u8;
        if libc::read(wait, (&raw mut byte).cast(), 1) != 1 {
            libc::_exit(127);
        }
        libc::execve(file.as_ptr(), argv.as_ptr(), environment.as_ptr());
        let code = *libc::__errno_location();
        libc::write(report, (&raw const code).cast(), size_of_val(&code));
        libc::_exit(127)
    }
}
