//! What cannot be recorded or read: one sentence, exit code 2, and nothing left behind.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::Command;

use super::lab::Lab;
use crate::command::run;
use crate::skip::{has_program, skip};

#[test]
fn bad_input_is_refused_in_one_sentence() {
    let Some(lab) = Lab::open() else { return };
    fs::create_dir(lab.path().join("empty")).unwrap();
    fs::create_dir(lab.path().join("taken")).unwrap();
    fs::write(lab.path().join("taken/letter.txt"), "dear").unwrap();
    fs::write(lab.path().join("file"), "").unwrap();
    fs::write(lab.path().join("data.sh"), "no program").unwrap();
    lab.record(&["-o", "cut"], &["storm", "10"]);
    let file = lab.path().join("cut/syscalls/000001.parquet");
    let bytes = fs::read(&file).unwrap();
    fs::write(&file, &bytes[..bytes.len() / 2]).unwrap();
    lab.record(&["-o", "random", "--encode", "later"], &["storm", "10"]);
    let noise: Vec<u8> =
        (0..5000u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 13) as u8).collect();
    fs::write(lab.path().join("random/spool/000001/syscalls.spool"), noise).unwrap();
    lab.record(&["-o", "newer"], &["storm", "10"]);
    let manifest = lab.path().join("newer/trace.json");
    let text = fs::read_to_string(&manifest).unwrap();
    fs::write(&manifest, text.replace("\"major\": 1", "\"major\": 9")).unwrap();
    lab.record(&["-o", "good"], &["storm", "10"]);
    let before = names(&lab);

    let query = |trace: &'static str, sql: &'static str| vec!["-t", trace, "query", sql];
    let record = |options: &[&'static str]| [&["record", "-o", "new"], options].concat();
    let count = "SELECT count(*) FROM syscalls";
    let cases: Vec<(Vec<&str>, &str)> = vec![
        (query("nowhere", count), "there is no trace at nowhere"),
        (query("empty", count), "empty is not a trace"),
        (query("cut", count), "cut/syscalls/000001.parquet is damaged"),
        (query("random", count), "random/spool/000001/syscalls.spool"),
        (query("newer", count), "use a newer ebrec"),
        (query("good", "SELEC 1"), "SELEC"),
        (query("good", "SELECT sycall FROM syscalls"), "did you mean \"syscall\"?"),
        (query("good", "SELECT 1 FROM sycalls"), "did you mean \"syscalls\"?"),
        (record(&["-s", "syscals", "--", "/bin/true"]), "unknown source `syscals`"),
        (record(&["-p", "999999999"]), "there is no process 999999999"),
        (record(&["--", "no-such-command"]), "command not found: no-such-command"),
        (record(&["--", "./data.sh"]), "./data.sh is not executable"),
        (record(&["--syscalls", "opennat", "--", "/bin/true"]), "opennat"),
        (record(&["--cgroup", "/tmp"]), "is not a control group"),
        (record(&["--ring", "sycalls=1MiB", "--", "/bin/true"]), "there is no such source"),
        (record(&["--ring", "much", "--", "/bin/true"]), "--ring takes a size"),
        (record(&["-d", "soon", "--", "/bin/true"]), "soon"),
        (record(&["--rotate", "1ms", "--", "/bin/true"]), "at least 100ms"),
        (vec!["record", "-o", "good", "--", "/bin/true"], "good already exists"),
        (vec!["record", "-o", "taken", "--", "/bin/true"], "taken already exists"),
        (
            vec!["record", "-o", "taken", "--force", "--", "/bin/true"],
            "--force does not replace it",
        ),
        (vec!["record", "-o", "file", "--", "/bin/true"], "file"),
        (vec!["record", "-o", "/proc/new", "--", "/bin/true"], "/proc/new"),
    ];
    for (args, expected) in cases {
        let error = lab.ebrec(&args).error();
        assert!(error.contains(expected), "{args:?}: {error}");
        // An error of SQL is followed by the line and a mark below the place.
        let shown = error.lines().filter(|line| !line.starts_with("  ")).count();
        assert_eq!(shown, 1, "{args:?}: {error}");
        assert_eq!(names(&lab), before, "{args:?}");
    }
    assert_eq!(fs::read_to_string(lab.path().join("taken/letter.txt")).unwrap(), "dear");
}

/// What is in the folder.
fn names(lab: &Lab) -> Vec<String> {
    let mut names: Vec<String> = fs::read_dir(lab.path())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

#[test]
fn a_program_that_the_kernel_cannot_run_is_refused() {
    let Some(lab) = Lab::open() else { return };
    let path = lab.path().join("broken");
    fs::write(&path, [0x7f, b'E', b'L', b'F', 9, 9]).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    let error = lab.ebrec(&["record", "--", "./broken"]).error();
    assert!(
        error.contains("./broken could not be started") && error.lines().count() == 1,
        "{error}"
    );
    assert!(!lab.path().join("trace").exists());
}

#[test]
fn too_little_privilege_is_told_with_the_remedy() {
    let Some(lab) = Lab::open() else { return };
    // SAFETY: no arguments.
    if unsafe { libc::geteuid() } != 0 || !has_program("setpriv", &["--version"]) {
        return skip("only root can give up privilege, with setpriv");
    }
    // Where everyone may read and write.
    fs::set_permissions(lab.path(), fs::Permissions::from_mode(0o777)).unwrap();
    let program = lab.path().join("ebrec");
    fs::copy(env!("CARGO_BIN_EXE_ebrec"), &program).unwrap();
    let as_nobody = |args: &[&str]| {
        let mut command = Command::new("setpriv");
        command.args(["--reuid", "65534", "--regid", "65534", "--clear-groups"]);
        command.args(["--bounding-set", "-all"]).arg(&program).args(args);
        run(command.current_dir(lab.path()).output().unwrap())
    };
    for args in [&["record", "--", "/bin/true"][..], &["record", "-d", "1s"]] {
        let error = as_nobody(args).error();
        assert!(error.contains("run it as root (sudo ebrec record ...)"), "{error}");
        assert_eq!(error.lines().count(), 1, "{error}");
        assert!(!lab.path().join("trace").exists());
    }
    let doctor = as_nobody(&["doctor"]);
    assert_eq!(doctor.code, 1, "{doctor:?}");
    assert!(
        doctor.out.contains("NO    privilege") && doctor.out.contains("sudo"),
        "{}",
        doctor.out
    );
}

#[test]
fn a_kernel_without_btf_is_told_with_the_remedy() {
    let Some(lab) = Lab::open() else { return };
    if !has_program("unshare", &["-m", "true"]) {
        return skip("BTF cannot be hidden from a program: unshare -m does not work");
    }
    // In a mount namespace of its own, an empty folder lies over that of the kernel's types.
    let script = "mount -t tmpfs none /sys/kernel/btf && exec \"$0\" record -- /bin/true";
    let mut command = Command::new("unshare");
    command.args(["-m", "sh", "-c", script, env!("CARGO_BIN_EXE_ebrec")]);
    let error = run(command.current_dir(lab.path()).output().unwrap()).error();
    assert!(error.contains("no BTF") && error.contains("CONFIG_DEBUG_INFO_BTF"), "{error}");
    assert_eq!(error.lines().count(), 1, "{error}");
    assert!(!lab.path().join("trace").exists());
}
