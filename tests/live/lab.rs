//! What all live tests use: a folder, recordings in it, processes that end with the test.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::thread::sleep;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::command::{Run, command, ebrec, run};
use crate::skip::skip;

/// Longest wait for anything.
const PATIENCE: Duration = Duration::from_secs(60);

/// A folder of its own for a test that records.
pub struct Lab(tempfile::TempDir);

/// A process that is killed when the test ends.
pub struct Process(pub Child);

impl Lab {
    /// `None` where nothing can be recorded.
    #[track_caller]
    pub fn open() -> Option<Lab> {
        static CAN_RECORD: OnceLock<Result<(), String>> = OnceLock::new();
        let can_record = CAN_RECORD.get_or_init(|| {
            let doctor = ebrec(Path::new("/"), &["doctor"]);
            if doctor.code == 0 { Ok(()) } else { Err(doctor.out) }
        });
        match can_record {
            Ok(()) => Some(Lab(tempfile::tempdir().unwrap())),
            Err(why) => {
                skip(&format!("eBPF programs cannot be loaded here:\n{why}"));
                None
            }
        }
    }

    pub fn path(&self) -> &Path {
        self.0.path()
    }

    /// A path in the folder, as text.
    pub fn file(&self, name: &str) -> String {
        self.path().join(name).to_str().unwrap().to_string()
    }

    pub fn ebrec(&self, args: &[&str]) -> Run {
        ebrec(self.path(), args)
    }

    /// Records a script that prints names and values, a tab between them: these. It must succeed.
    #[track_caller]
    pub fn record_telling(&self, sources: &str, script: &[&str]) -> BTreeMap<String, String> {
        let args = [&["record", "-q", "-s", sources, "--", "bash"], script].concat();
        let mut recorder = command(self.path(), &args);
        let output = recorder.stdout(Stdio::piped()).stderr(Stdio::piped()).output().unwrap();
        let told = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(output.status.success(), "{told}{}", String::from_utf8_lossy(&output.stderr));
        self.assert_complete();
        let pairs = told.lines().filter_map(|line| line.split_once('\t'));
        pairs.map(|(name, value)| (name.to_string(), value.to_string())).collect()
    }

    /// Records a job of the workload to `trace`; it must succeed.
    #[track_caller]
    pub fn record(&self, options: &[&str], job: &[&str]) -> Run {
        let workload = workload();
        let mut args = vec!["record"];
        args.extend(options);
        args.extend(["--", &workload]);
        args.extend(job);
        let run = self.ebrec(&args);
        assert_eq!(run.code, 0, "{run:?}");
        run
    }

    /// Starts a recording, and waits until it has system calls.
    #[track_caller]
    pub fn start(&self, options: &[&str]) -> Process {
        let mut args = vec!["record"];
        args.extend(options);
        let mut command = command(self.path(), &args);
        let recorder = Process(command.stderr(Stdio::piped()).spawn().unwrap());
        self.await_calls("true");
        recorder
    }

    /// Waits until the trace has a system call that is so.
    #[track_caller]
    pub fn await_calls(&self, condition: &str) {
        let sql = format!("SELECT ts FROM syscalls WHERE {condition} LIMIT 1");
        until(condition, || {
            let run = self.ebrec(&["query", &sql, "--format", "ndjson"]);
            run.code == 0 && !run.out.is_empty()
        });
    }

    /// Starts a job of the workload.
    pub fn work(&self, job: &[&str]) -> Process {
        let mut command = Command::new(workload());
        command.args(job).current_dir(self.path()).stdin(Stdio::null());
        Process(command.spawn().unwrap())
    }

    /// Rows of `trace` as CSV without the header.
    #[track_caller]
    pub fn rows(&self, sql: &str) -> Vec<String> {
        let out = self.ebrec(&["query", sql, "--format", "csv"]).ok();
        out.lines().skip(1).map(str::to_string).collect()
    }

    /// The one value of a query.
    #[track_caller]
    pub fn value(&self, sql: &str) -> i64 {
        let rows = self.rows(sql);
        assert_eq!(rows.len(), 1, "{sql}: {rows:?}");
        rows[0].parse().unwrap_or_else(|_| panic!("{sql}: {rows:?}"))
    }

    /// What `verify` says: the exit code, and JSON.
    #[track_caller]
    pub fn verify(&self) -> (i32, Value) {
        let run = self.ebrec(&["verify", "--format", "json"]);
        (run.code, serde_json::from_str(&run.out).unwrap_or_else(|_| panic!("{run:?}")))
    }

    #[track_caller]
    pub fn assert_complete(&self) {
        let (code, report) = self.verify();
        assert_eq!((code, &report["verdict"]), (0, &"complete".into()), "{report:#}");
    }
}

impl Process {
    pub fn pid(&self) -> String {
        self.0.id().to_string()
    }

    pub fn signal(&self, signal: i32) {
        // SAFETY: no pointers; the child has not been waited for, so the id is its own.
        assert_eq!(unsafe { libc::kill(self.0.id() as i32, signal) }, 0);
    }

    /// Waits for the end; what it wrote to standard error.
    #[track_caller]
    pub fn finish(mut self) -> Run {
        until("the process has ended", || self.0.try_wait().unwrap().is_some());
        let status = self.0.try_wait().unwrap().unwrap();
        let mut stderr = Vec::new();
        if let Some(mut pipe) = self.0.stderr.take() {
            std::io::Read::read_to_end(&mut pipe, &mut stderr).unwrap();
        }
        run(std::process::Output { status, stdout: Vec::new(), stderr })
    }

    /// Sends a signal and waits for the end.
    #[track_caller]
    pub fn stop(self, signal: i32) -> Run {
        self.signal(signal);
        self.finish()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Waits until something is so.
#[track_caller]
pub fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    let began = Instant::now();
    while !is_so() {
        assert!(began.elapsed() < PATIENCE, "still waiting: {what}");
        sleep(Duration::from_millis(20));
    }
}

/// The program that is recorded, which Cargo builds with the tests.
pub fn workload() -> String {
    let tests = std::env::current_exe().unwrap();
    let path: PathBuf = tests.parent().unwrap().with_file_name("examples").join("workload");
    assert!(path.exists(), "{path:?} is missing: cargo build --example workload");
    path.to_str().unwrap().to_string()
}
