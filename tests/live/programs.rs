//! The programs in C and C++ that the tests of stacks and allocations record.

use std::path::Path;
use std::process::Command;

use super::lab::Lab;
use crate::skip::{has_program, skip};

/// As the libraries of distributions are built: nothing but `.eh_frame` tells where callers are.
pub const WITHOUT_FRAME_POINTERS: [&str; 4] = ["-O2", "-g", "-fomit-frame-pointer", "-pthread"];

/// Compiles `tests/programs/SOURCE` to `name` in the lab; the path of the program.
///
/// None, and a skipped test, where there is no compiler.
#[track_caller]
pub fn build(lab: &Lab, source: &str, name: &str, options: &[&str]) -> Option<String> {
    let compiler = if source.ends_with(".cpp") { "c++" } else { "cc" };
    if !has_program(compiler, &["--version"]) {
        skip(&format!("{compiler} is not installed"));
        return None;
    }
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/programs").join(source);
    let out = lab.file(name);
    let status = Command::new(compiler).arg(path).args(options).args(["-o", &out]).status();
    assert!(status.is_ok_and(|status| status.success()), "{source} does not compile");
    Some(out)
}

/// Runs a program that must succeed; what it printed.
#[track_caller]
pub fn output(program: &str, args: &[&str]) -> String {
    let run = Command::new(program).args(args).output().expect(program);
    assert!(run.status.success(), "{program} {args:?}: {run:?}");
    String::from_utf8(run.stdout).expect("text")
}
