//! Runs the command and takes apart what it says.

use std::path::Path;
use std::process::{Command, Output, Stdio};

/// What a run of the command gave.
#[derive(Debug)]
pub struct Run {
    /// Exit code.
    pub code: i32,
    /// Standard output.
    pub out: String,
    /// Standard error.
    pub err: String,
}

impl Run {
    /// Standard output of a run that must succeed.
    #[track_caller]
    pub fn ok(self) -> String {
        assert_eq!(self.code, 0, "{self:?}");
        self.out
    }

    /// The one sentence of a run that must fail.
    #[track_caller]
    pub fn error(self) -> String {
        assert_eq!((self.code, self.out.as_str()), (2, ""), "{self:?}");
        self.err
            .strip_prefix("ebrec: ")
            .unwrap_or_else(|| panic!("{:?}", self.err))
            .trim_end()
            .to_string()
    }
}

/// Runs `ebrec` with `args`, in `folder`.
pub fn ebrec(folder: &Path, args: &[&str]) -> Run {
    let output = command(folder, args).stdin(Stdio::null()).output().unwrap();
    run(output)
}

/// The command, to be changed before it runs.
pub fn command(folder: &Path, args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_ebrec"));
    command.current_dir(folder).args(args).env_remove("COLUMNS");
    command
}

/// What a finished process gave.
pub fn run(output: Output) -> Run {
    Run {
        code: output.status.code().unwrap_or(-1),
        out: String::from_utf8_lossy(&output.stdout).into_owned(),
        err: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}
