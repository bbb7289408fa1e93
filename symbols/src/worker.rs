//! The process that reads untrusted files, and the way to it.
//!
//! Debug information that was made for it can overflow the stack of its reader, ask for more memory
//! than there is, or take hours; a file that shrinks while it is mapped kills who maps it. None of
//! that can be caught in the process that it happens in. So the recorder and the command start
//! themselves once more ([`worker`]): that process takes one [`Job`] a line from standard input,
//! answers with a line, and has limits of memory and time. When it dies the job is asked again
//! without debug information, of another such process.

use std::ffi::OsString;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::process::{Child, ChildStdout, Command, Stdio};

use crate::error::{Error, Result};
use crate::job::{Answer, Job};
use crate::report::Outcome;
use crate::resolve::resolve;

/// CPU time that one module may take.
const CPU_SECONDS_MAX: u64 = 120;
/// Time that one module may take, waiting included.
const SECONDS_MAX: u32 = 900;
/// Bytes of a line of either process.
const LINE_BYTES_MAX: u64 = 1 << 30;

/// Reads jobs from standard input until it ends, and writes the answers to standard output.
pub fn worker() -> io::Result<()> {
    // Whoever asked says what went wrong.
    std::panic::set_hook(Box::new(|_| {}));
    let mut input = io::stdin().lock();
    let mut out = io::stdout().lock();
    let mut line = Vec::new();
    loop {
        line.clear();
        (&mut input).take(LINE_BYTES_MAX).read_until(b'\n', &mut line)?;
        if line.is_empty() {
            return Ok(());
        }
        let job: Job = serde_json::from_slice(&line)?;
        #[cfg(unix)]
        limit(job.memory_bytes)?;
        let mut answer = serde_json::to_vec(&resolve(&job))?;
        answer.push(b'\n');
        out.write_all(&answer)?;
        out.flush()?;
    }
}

/// Limits what this process may take for the next job.
#[cfg(unix)]
fn limit(memory_bytes: u64) -> io::Result<()> {
    // Mapped files do not count: they can be large, and take no memory of their own.
    lower(libc::RLIMIT_DATA, memory_bytes)?;
    lower(libc::RLIMIT_CORE, 0)?;
    // SAFETY: all zeros is a `rusage`, and the kernel writes one.
    let used = unsafe {
        let mut usage: libc::rusage = std::mem::zeroed();
        libc::getrusage(libc::RUSAGE_SELF, &mut usage);
        usage.ru_utime.tv_sec + usage.ru_stime.tv_sec
    };
    lower(libc::RLIMIT_CPU, used as u64 + CPU_SECONDS_MAX)?;
    // SAFETY: sets a timer whose signal ends this process, as is wanted.
    unsafe { libc::alarm(SECONDS_MAX) };
    Ok(())
}

#[cfg(target_env = "gnu")]
type Resource = libc::__rlimit_resource_t;
#[cfg(all(unix, not(target_env = "gnu")))]
type Resource = libc::c_int;

#[cfg(unix)]
fn lower(resource: Resource, value: u64) -> io::Result<()> {
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: the kernel writes one `rlimit`.
    let got = unsafe { libc::getrlimit(resource, &mut limit) };
    limit.rlim_cur = limit.rlim_max.min(value as libc::rlim_t);
    // SAFETY: the kernel reads one `rlimit`.
    if got == 0 && unsafe { libc::setrlimit(resource, &limit) } == 0 {
        return Ok(());
    }
    Err(io::Error::last_os_error())
}

/// Asks about modules, in a process of its own if there is a command for it.
pub struct Client {
    command: Option<Vec<OsString>>,
    process: Option<Process>,
}

struct Process {
    child: Child,
    answers: BufReader<ChildStdout>,
}

impl Client {
    /// Starts nothing yet.
    pub fn new(command: Option<Vec<OsString>>) -> Client {
        Client { command, process: None }
    }

    /// Looks up the places of a job, whatever its files are.
    pub fn ask(&mut self, mut job: Job) -> Result<Answer> {
        if let Some(answer) = self.try_ask(&job)? {
            return Ok(answer);
        }
        job.dwarf = false;
        let answer = self.try_ask(&job)?;
        let mut answer = answer.unwrap_or_else(|| Answer::none(job.offsets.len(), Outcome::NoFile));
        let what = "reading it takes more than can be given, or makes no sense".to_string();
        answer.outcome = Outcome::Corrupt { file: job.module, what };
        Ok(answer)
    }

    /// The answer, or none if it cannot be had.
    fn try_ask(&mut self, job: &Job) -> Result<Option<Answer>> {
        let Some(command) = &self.command else {
            let resolve = std::panic::AssertUnwindSafe(|| resolve(job));
            return Ok(std::panic::catch_unwind(resolve).ok());
        };
        let mut process = match self.process.take() {
            Some(process) => process,
            None => Process::start(command).map_err(Error::Worker)?,
        };
        // One that died is not used again.
        let answer = process.ask(job).ok().filter(|answer| answer.is_sound(job));
        if answer.is_some() {
            self.process = Some(process);
        }
        Ok(answer)
    }

    /// Ends the process, and so gives its memory back.
    pub fn stop(&mut self) {
        self.process = None;
    }
}

impl Process {
    fn start(command: &[OsString]) -> io::Result<Process> {
        let (program, arguments) = command.split_first().ok_or(io::ErrorKind::InvalidInput)?;
        let mut command = Command::new(program);
        command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        // Ctrl-C ends the recording, and names are looked up after that.
        #[cfg(unix)]
        std::os::unix::process::CommandExt::process_group(&mut command, 0);
        let mut child = command.spawn()?;
        let answers = child.stdout.take().ok_or(io::ErrorKind::BrokenPipe)?;
        Ok(Process { child, answers: BufReader::new(answers) })
    }

    fn ask(&mut self, job: &Job) -> io::Result<Answer> {
        let mut line = serde_json::to_vec(job)?;
        line.push(b'\n');
        // The other side reads all of it before it writes, so neither waits for the other.
        self.child.stdin.as_mut().ok_or(io::ErrorKind::BrokenPipe)?.write_all(&line)?;
        line.clear();
        (&mut self.answers).take(LINE_BYTES_MAX).read_until(b'\n', &mut line)?;
        Ok(serde_json::from_slice(&line)?)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may be dead already; and there is nothing in it to be lost.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
