//! The pages that walk a case from its symptom to its cause: their commands give what the pages say.

use std::fmt::Write as _;
use std::fs::{self, File};
use std::io::Read;
use std::os::fd::{FromRawFd, OwnedFd};
use std::path::Path;
use std::process::{Command, Stdio};
use std::ptr::null_mut;

/// Columns of the terminal that the pages show.
const WIDTH: &str = "80";

/// A line that stands for lines that are left out.
const REST: &str = "...";

/// The two ends of a terminal.
fn terminal() -> (File, OwnedFd) {
    let (mut master, mut slave) = (-1, -1);
    // SAFETY: both point to integers; the other arguments may be null.
    let result =
        unsafe { libc::openpty(&mut master, &mut slave, null_mut(), null_mut(), null_mut()) };
    assert_eq!(result, 0, "no terminal: {}", std::io::Error::last_os_error());
    // SAFETY: both were just opened, and nobody else has them.
    unsafe { (File::from_raw_fd(master), OwnedFd::from_raw_fd(slave)) }
}

/// What a command line shows on a terminal; it must succeed.
fn shown(folder: &Path, line: &str) -> Vec<String> {
    let (mut master, slave) = terminal();
    let binary = Path::new(env!("CARGO_BIN_EXE_ebrec")).parent().unwrap();
    let path = format!("{}:{}", binary.display(), std::env::var("PATH").unwrap());
    let mut command = Command::new("sh");
    command.args(["-c", line]).current_dir(folder).env("PATH", path).env("COLUMNS", WIDTH);
    command.stdin(Stdio::null()).stdout(Stdio::from(slave)).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    // The terminal ends when nobody has its other end any more.
    drop(command);
    let mut bytes = Vec::new();
    let mut part = [0; 4096];
    while let Ok(length @ 1..) = master.read(&mut part) {
        bytes.extend(&part[..length]);
    }
    let mut errors = String::new();
    child.stderr.take().unwrap().read_to_string(&mut errors).unwrap();
    let code = child.wait().unwrap().code();
    assert!(code == Some(0), "{line}: {code:?} {errors}");
    let text = String::from_utf8(bytes).unwrap();
    text.lines().map(|line| line.trim_end().to_string()).collect()
}

/// Whether lines are those that a page expects, some of which it may leave out.
fn is_expected(lines: &[String], expected: &[&str]) -> bool {
    let Some((first, rest)) = expected.split_first() else { return lines.is_empty() };
    if *first == REST {
        return (0..=lines.len()).any(|at| is_expected(&lines[at..], rest));
    }
    lines.split_first().is_some_and(|(line, others)| line == first && is_expected(others, rest))
}

/// The page with what its commands give today.
fn today(folder: &Path, page: &str) -> String {
    let mut text = String::new();
    let mut lines = page.lines().peekable();
    let mut is_block = false;
    while let Some(line) = lines.next() {
        let _ = writeln!(text, "{line}");
        is_block = line == "```console" || is_block && line != "```";
        let Some(command) = line.strip_prefix("$ ").filter(|_| is_block) else { continue };
        let mut expected = Vec::new();
        while let Some(line) = lines.next_if(|line| *line != "```" && !line.starts_with("$ ")) {
            expected.push(line);
        }
        let shown = shown(folder, command);
        let is_same = is_expected(&shown, &expected);
        let shown: Vec<&str> =
            if is_same { expected } else { shown.iter().map(String::as_str).collect() };
        shown.iter().for_each(|line| _ = writeln!(text, "{line}"));
    }
    text
}

#[test]
fn walks_are_of_today() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut stale = Vec::new();
    let mut commands = 0;
    for entry in fs::read_dir(root.join("docs/jobs")).unwrap() {
        let path = entry.unwrap().path();
        let folder = tempfile::tempdir().unwrap();
        std::os::unix::fs::symlink(root.join("datasets"), folder.path().join("datasets")).unwrap();
        let page = fs::read_to_string(&path).unwrap();
        let today = today(folder.path(), &page);
        let wide = today.lines().find(|line| line.chars().count() > 80 && line.starts_with("$ "));
        assert!(wide.is_none(), "{}: {wide:?}", path.display());
        commands += page.lines().filter(|line| line.starts_with("$ ebrec report ")).count();
        if today != page {
            fs::write(&path, &today).unwrap();
            stale.push(path);
        }
    }
    assert!(stale.is_empty(), "these were stale, look at the changes: {stale:?}");
    assert!(commands > 20, "{commands}");
}

#[test]
fn what_a_page_leaves_out_can_be_any_lines() {
    let lines = ["a", "b", "c"].map(String::from);
    let check = |expected: &[&str], is_same| {
        assert_eq!(is_expected(&lines, expected), is_same, "{expected:?}");
    };
    check(&["a", "b", "c"], true);
    check(&["a", REST, "c"], true);
    check(&[REST], true);
    check(&["a", "b", "c", REST], true);
    check(&["a", REST, "b"], false);
    check(&["a", "b"], false);
    check(&["a", "c"], false);
    check(&[], false);
}
