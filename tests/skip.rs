//! Tests that need something a machine may lack.

/// Says that a test is skipped, and why. In CI (`CI=true`) nothing is: the test fails.
#[track_caller]
pub fn skip(reason: &str) {
    assert!(std::env::var_os("CI").is_none_or(|ci| ci != "true"), "needed in CI: {reason}");
    println!("skipped: {reason}");
}

/// Whether a program answers to `arguments`.
pub fn has_program(program: &str, arguments: &[&str]) -> bool {
    let output = std::process::Command::new(program).args(arguments).output();
    output.is_ok_and(|output| output.status.success())
}
