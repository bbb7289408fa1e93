//! Baselines: learned from the recorded data sets, compared with them, and made into sandboxes that programs run in.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};

use crate::command::ebrec;
use crate::skip::{has_program, skip};
use crate::synthetic;

fn trace(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("datasets").join(name).join("trace");
    path.display().to_string()
}

/// A folder with `normal.toml`, learned from data sets.
fn learned(names: &[&str]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let traces: Vec<String> = names.iter().map(|name| trace(name)).collect();
    let mut args = vec!["baseline", "learn", "-o", "normal.toml"];
    args.extend(traces.iter().map(String::as_str));
    ebrec(folder.path(), &args).ok();
    folder
}

fn shown(folder: &Path, file: &str) -> Value {
    let out = ebrec(folder, &["baseline", "show", file, "--format", "json"]).ok();
    serde_json::from_str(&out).unwrap()
}

fn keys(value: &Value) -> Vec<&str> {
    value.as_object().unwrap().keys().map(String::as_str).collect()
}

fn baseline(folder: &Path, file: &str) -> analyzer::baseline::Baseline {
    analyzer::baseline::Baseline::read(&folder.join(file)).unwrap()
}

fn session(trace: &Path) -> analyzer::Session {
    let trace = store::Trace::open(trace).unwrap();
    analyzer::Session::open(vec![trace], analyzer::SessionOptions::default()).unwrap()
}

#[test]
fn what_programs_did_is_learned() {
    let folder = learned(&["web"]);
    let known = shown(folder.path(), "normal.toml");
    let nginx = &known["programs"]["/usr/sbin/nginx"];
    assert_eq!(nginx["traces"], 1);
    // The master and its worker.
    assert_eq!(nginx["processes"], 2);
    assert!(keys(&nginx["ports"]).contains(&"tcp 127.0.0.1:18082"), "{nginx:#}");
    assert!(keys(&nginx["peers"]).contains(&"server tcp 127.0.0.1:*"), "{nginx:#}");
    assert!(keys(&nginx["syscalls"]).contains(&"accept4"), "{nginx:#}");
    assert!(keys(&nginx["sockets"]).contains(&"inet stream"), "{nginx:#}");
    let curl = &known["programs"]["/usr/bin/curl"];
    // Each of the requests for what is there and what is not has its connection, over three runs.
    assert_eq!(curl["peers"]["client tcp 127.0.0.1:18082"]["times"], 4, "{curl:#}");
    assert!(curl["rates"]["connections_per_second"]["max"].as_u64().unwrap() >= 1, "{curl:#}");
    assert_eq!(curl["ports"], json!({}));
}

#[test]
fn calls_before_an_exec_are_those_of_the_program_before() {
    let folder = learned(&["script"]);
    let known = shown(folder.path(), "normal.toml");
    let shell = keys(&known["programs"]).into_iter().find(|name| name.ends_with("sh")).unwrap();
    let (shell, name) = (&known["programs"][shell], shell);
    let children = &shell["children"];
    let child = keys(children).into_iter().find(|name| name.ends_with("/true")).unwrap();
    assert_eq!(children[child]["times"], 23, "{children:#}");
    // The shell's children call execve while they are still the shell: 23 times `true`, once what is not there.
    assert!(shell["syscalls"]["execve"]["times"].as_u64().unwrap() >= 24, "{name}: {shell:#}");
    assert!(known["programs"][child]["syscalls"]["execve"].is_null());
    assert_eq!(known["programs"][child]["processes"], 23);
    assert!(keys(&shell["looks"]).contains(&"/nowhere/program"), "{shell:#}");
    // What was not recorded is not known, rather than empty.
    assert!(known["recorded"]["peers"].is_null(), "{known:#}");
}

#[test]
fn a_recording_does_not_deviate_from_what_was_learned_of_it() {
    let names = ["web", "network", "compiler"];
    let folder = learned(&names);
    let known = baseline(folder.path(), "normal.toml");
    for name in names {
        let session = session(Path::new(&trace(name)));
        let found = analyzer::baseline::compare(&session, &known).unwrap();
        let new: Vec<_> = found.iter().filter(|deviation| deviation.rarity == 1.0).collect();
        assert!(new.is_empty(), "{name}: {new:#?}");
    }
}

#[test]
fn what_was_never_seen_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let ts = |second: u32| format!("2026-11-22T17:44:{second:02}Z");
    let make = |name: &str, is_broken_into: bool| {
        let path = folder.path().join(name);
        synthetic::trace(&path, &["processes", "syscalls", "network"]);
        let mut processes = vec![
            json!({"upid": 7, "pid": 70, "comm": "web", "exe": "/usr/sbin/web", "start_ts": ts(1), "uid": 33, "cwd": "/"}),
        ];
        let mut calls: Vec<Value> = (0..40)
            .map(|n| synthetic::call(&ts(n), "web", 7, "read", &[3, 1, 1], 1, None))
            .collect();
        calls.push(synthetic::call(
            &ts(3),
            "web",
            7,
            "openat",
            &[-100, 1, 0, 0],
            3,
            Some("/srv/page1.html"),
        ));
        let mut connections = vec![
            json!({"ts": ts(2), "upid": 7, "pid": 70, "comm": "web", "protocol": "tcp", "role": "server",
                   "local_address": "10.0.0.1", "local_port": 80, "remote_address": "10.0.0.9", "remote_port": 40000}),
        ];
        if is_broken_into {
            processes.push(json!({"upid": 8, "pid": 80, "comm": "sh", "exe": "/usr/bin/dash", "start_ts": ts(20),
                                  "parent_upid": 7, "uid": 33, "cwd": "/"}));
            let exec = json!({"ts": ts(21), "pid": 80, "tid": 80, "upid": 8, "comm": "sh", "event": "exec",
                              "exe": "/usr/bin/dash", "argv": "sh -c id", "uid": 33, "euid": 33});
            synthetic::segment(&path, "process_events", 1, &[exec]);
            calls.push(synthetic::call(
                &ts(20),
                "web",
                8,
                "execve",
                &[1, 2, 3],
                0,
                Some("/bin/sh"),
            ));
            calls.push(synthetic::call(&ts(22), "web", 7, "ptrace", &[16, 1], 0, None));
            let shadow = Some("/etc/shadow");
            calls.push(synthetic::call(&ts(23), "web", 7, "openat", &[-100, 1, 0, 0], 3, shadow));
            calls.extend((0..40).map(|n| {
                let path = format!("/data/users/u{n}");
                synthetic::call(&ts(24), "web", 7, "openat", &[-100, 1, 0, 0], 3, Some(&path))
            }));
            calls.extend(
                (0..4000).map(|_| synthetic::call(&ts(25), "web", 7, "read", &[3, 1, 1], 1, None)),
            );
            connections.push(
                json!({"ts": ts(26), "upid": 7, "pid": 70, "comm": "web", "protocol": "tcp", "role": "client",
                       "remote_address": "203.0.113.66", "remote_port": 4444}),
            );
            connections.push(
                json!({"ts": ts(27), "upid": 7, "pid": 70, "comm": "web", "protocol": "tcp", "role": "listener",
                       "local_address": "0.0.0.0", "local_port": 31337}),
            );
        }
        synthetic::segment(&path, "processes", 1, &processes);
        synthetic::segment(&path, "syscalls", 1, &calls);
        synthetic::segment(&path, "connections", 1, &connections);
        path
    };
    let (quiet, loud) = (make("quiet", false), make("loud", true));
    ebrec(folder.path(), &["baseline", "learn", "quiet", "quiet", "quiet", "-o", "normal.toml"])
        .ok();
    let known = baseline(folder.path(), "normal.toml");
    assert!(analyzer::baseline::compare(&session(&quiet), &known).unwrap().is_empty());
    let session = session(&loud);
    let found = analyzer::baseline::compare(&session, &known).unwrap();
    let sentences: Vec<(&str, &str)> = found
        .iter()
        .map(|deviation| (deviation.severity.name(), deviation.sentence.as_str()))
        .collect();
    let never = "which it never did in 3 recordings (3 processes)";
    let expected = [
        ("high", format!("web started /usr/bin/dash, once, {never}, nor did any other program")),
        ("medium", format!("web made the system call ptrace, once, {never}")),
        ("medium", format!("web read /etc/shadow, {never}")),
        ("medium", format!("web connected to 203.0.113.66:4444 by tcp, once, {never}")),
        ("medium", format!("web listened at tcp 0.0.0.0:31337, {never}")),
        ("low", format!("web made the system call execve, once, {never}")),
        ("info", format!("web read 40 files like /data/users/*, {never}")),
    ];
    for (severity, sentence) in &expected {
        assert!(
            sentences.contains(&(severity, sentence)),
            "{severity}: {sentence}\n{sentences:#?}"
        );
    }
    let rate = found.iter().find(|deviation| deviation.kind == "rate").unwrap();
    assert!(rate.sentence.starts_with("web made 4,00"), "{}", rate.sentence);
    assert_eq!(found.len(), expected.len() + 1, "{sentences:#?}");
    assert!(found.is_sorted_by(|one, other| one.severity >= other.severity));
    for deviation in &found {
        // What proves it is there.
        let rows: usize =
            session.sql(&deviation.evidence).unwrap().map(|batch| batch.unwrap().num_rows()).sum();
        assert!(rows > 0, "{}: {}", deviation.sentence, deviation.evidence);
        assert_eq!(deviation.rarity, 1.0);
    }
}

#[test]
fn what_could_not_be_compared_is_told() {
    let folder = learned(&["web"]);
    let known = baseline(folder.path(), "normal.toml");
    let session = session(Path::new(&trace("script")));
    let comparison = analyzer::baseline::comparison(&session, &known).unwrap();
    assert!(comparison.unknown.contains(&"peers were not recorded".to_string()), "{comparison:?}");
}

#[test]
fn learned_at_once_or_put_together_is_the_same() {
    let folder = learned(&["web", "network"]);
    for name in ["web", "network"] {
        let file = format!("{name}.toml");
        ebrec(folder.path(), &["baseline", "learn", &trace(name), "-o", &file]).ok();
    }
    let merge = |files: &[&str], to: &str| {
        ebrec(folder.path(), &[&["baseline", "merge"], files, &["-o", to]].concat()).ok();
        fs::read_to_string(folder.path().join(to)).unwrap()
    };
    let merged = merge(&["web.toml", "network.toml"], "merged.toml");
    let whole = fs::read_to_string(folder.path().join("normal.toml")).unwrap();
    assert_eq!(merged, whole);
    assert_eq!(merge(&["network.toml", "web.toml"], "other.toml"), whole);
    let same = ebrec(folder.path(), &["baseline", "diff", "normal.toml", "merged.toml"]).ok();
    assert!(same.starts_with("Both baselines have the same programs"), "{same}");
    let diff = ["baseline", "diff", "web.toml", "normal.toml", "--format", "json"];
    let diff: Value = serde_json::from_str(&ebrec(folder.path(), &diff).ok()).unwrap();
    let changes = diff.as_array().unwrap();
    assert!(
        !changes.is_empty() && changes.iter().all(|change| change["change"] == "new"),
        "{diff:#}"
    );
    let twice = ["baseline", "merge", "web.toml", "web.toml", "-o", "twice.toml"];
    let twice = ebrec(folder.path(), &twice);
    assert!(twice.err.contains("counts twice"), "{twice:?}");
    let twice = shown(folder.path(), "twice.toml");
    assert_eq!(twice["programs"]["/usr/sbin/nginx"]["processes"], 4);
}

#[test]
fn what_is_wrong_is_one_sentence() {
    let folder = learned(&["web"]);
    let text = fs::read_to_string(folder.path().join("normal.toml")).unwrap();
    fs::write(folder.path().join("torn.toml"), &text[..text.len() / 2]).unwrap();
    fs::write(folder.path().join("newer.toml"), text.replace("version = 1", "version = 2"))
        .unwrap();
    fs::write(folder.path().join("other.toml"), "a = 1\n").unwrap();
    fs::write(folder.path().join("binary"), [0xff, 0, 1]).unwrap();
    let check = |args: &[&str], expected: &str| {
        let error = ebrec(folder.path(), &[&["baseline"], args].concat()).error();
        assert!(error.contains(expected) && error.lines().count() == 1, "{args:?}: {error}");
    };
    check(&["show", "none.toml"], "cannot read none.toml");
    check(&["show", "torn.toml"], "cannot read torn.toml: it is ");
    check(
        &["show", "newer.toml"],
        "a baseline of version 2, and this ebrec reads versions up to 1",
    );
    check(&["diff", "normal.toml", "other.toml"], "cannot read other.toml: it is no baseline");
    check(&["merge", "normal.toml", "binary", "-o", "x.toml"], "it is not text");
    check(&["merge", "normal.toml", "-o", "x.toml"], "2");
    check(&["learn", "nowhere", "-o", "x.toml"], "nowhere");
    check(&["learn", &trace("web"), "-o", "no/folder.toml"], "cannot write no/folder.toml");
    check(
        &["show", "normal.toml", "--program", "ngin"],
        "no program `ngin`; did you mean `nginx`?",
    );
    check(
        &["export", "normal.toml", "--program", "zzzzzz", "--to", "seccomp"],
        "no program `zzzzzz`",
    );
    check(
        &["show", "normal.toml", "--program", "nginx", "--only", "fish"],
        "expected syscalls, reads",
    );
    assert!(!folder.path().join("x.toml").exists());
}

#[test]
fn what_a_hostile_machine_calls_things_is_only_shown() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("trace");
    synthetic::trace(&path, &["processes", "syscalls"]);
    let exe = "/x/\u{1b}]0;title\u{7}\n[programs.\"y\"]\"'";
    let name = json!({"upid": 7, "pid": 70, "comm": "x\u{1b}[31m", "exe": exe, "cwd": "/"});
    synthetic::segment(&path, "processes", 1, &[name]);
    let ts = "2026-11-22T17:44:16Z";
    let file = Some("/a\u{1b}[2J\"\nversion = 9 \u{202e} */**");
    let call = synthetic::call(ts, "x", 7, "openat", &[-100, 1, 1, 0], 3, file);
    synthetic::segment(&path, "syscalls", 1, &[call]);
    ebrec(folder.path(), &["baseline", "learn", "trace", "-o", "normal.toml"]).ok();
    let text = fs::read_to_string(folder.path().join("normal.toml")).unwrap();
    assert!(!text.contains(['\u{1b}', '\u{7}', '\u{202e}']), "{text}");
    let known = baseline(folder.path(), "normal.toml");
    assert_eq!(known.programs.len(), 1);
    let program = known.programs.keys().next().unwrap().clone();
    for args in [
        vec!["show", "normal.toml"],
        vec!["show", "normal.toml", "--program", &program],
        vec!["show", "normal.toml", "--program", "nobody"],
        vec!["export", "normal.toml", "--program", &program, "--to", "seccomp"],
        vec!["export", "normal.toml", "--program", &program, "--to", "apparmor"],
        vec!["export", "normal.toml", "--program", &program, "--to", "systemd"],
    ] {
        let run = ebrec(folder.path(), &[vec!["baseline"], args].concat());
        assert!(!run.out.contains('\u{1b}') && !run.err.contains('\u{1b}'), "{run:?}");
    }
}

/// A program and the file of its sandbox.
fn sandbox(folder: &Path, program: &str, to: &str) -> PathBuf {
    let path = folder.join(format!("sandbox.{to}"));
    let out = path.display().to_string();
    let args = ["baseline", "export", "normal.toml", "--program", program, "--to", to, "-o", &out];
    ebrec(folder, &args).ok();
    path
}

#[test]
fn services_of_systemd_take_the_settings() {
    if !has_program("systemd-analyze", &["--version"]) {
        return skip("systemd-analyze is not installed, which checks settings of services");
    }
    let folder = learned(&["web", "database"]);
    for program in ["nginx", "curl", "sqlite3"] {
        let settings = fs::read_to_string(sandbox(folder.path(), program, "systemd")).unwrap();
        let units = folder.path().join(format!("{program}-units"));
        fs::create_dir_all(units.join("sandboxed.service.d")).unwrap();
        fs::write(units.join("sandboxed.service.d/sandbox.conf"), &settings).unwrap();
        fs::write(units.join("sandboxed.service"), "[Service]\nExecStart=/bin/true\n").unwrap();
        let output = Command::new("systemd-analyze")
            .args(["verify", "--man=no", "sandboxed.service"])
            .current_dir(&units)
            .env("SYSTEMD_UNIT_PATH", format!("{}:", units.display()))
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        // It also remarks on units of the machine.
        let of_ours: Vec<&str> = said.lines().filter(|line| line.contains("sandbox")).collect();
        assert!(output.status.success() && of_ours.is_empty(), "{program}: {said}\n{settings}");
    }
}

#[test]
fn the_parser_of_apparmor_takes_the_profile() {
    if !has_program("apparmor_parser", &["--version"]) {
        return skip("apparmor_parser is not installed, which checks profiles");
    }
    let folder = learned(&["web", "database", "compiler"]);
    for program in ["nginx", "sqlite3", "dash"] {
        let path = sandbox(folder.path(), program, "apparmor");
        let output =
            Command::new("apparmor_parser").args(["-Q", "-K"]).arg(&path).output().unwrap();
        assert!(output.status.success(), "{program}: {}", String::from_utf8_lossy(&output.stderr));
    }
}

#[cfg(target_os = "linux")]
mod seccomp {
    use std::collections::BTreeMap;
    use std::io;
    use std::os::unix::process::CommandExt;

    use schema::syscalls::{Arch, number};
    use seccompiler::{BpfProgram, SeccompAction, SeccompFilter, apply_filter};

    use super::*;

    /// A filter as the kernel takes it.
    fn compiled(path: &Path) -> BpfProgram {
        let filter: Value = serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap();
        assert_eq!(filter["defaultAction"], "SCMP_ACT_ERRNO");
        let arch = Arch::from_name(std::env::consts::ARCH).unwrap();
        let groups = filter["syscalls"].as_array().unwrap();
        let rules: BTreeMap<i64, Vec<_>> = groups
            .iter()
            .inspect(|group| assert_eq!(group["action"], "SCMP_ACT_ALLOW"))
            .flat_map(|group| group["names"].as_array().unwrap())
            .filter_map(|name| number(arch, false, name.as_str().unwrap()))
            .map(|number| (i64::from(number), Vec::new()))
            .collect();
        let error = filter["defaultErrnoRet"].as_u64().unwrap();
        let filter = SeccompFilter::new(
            rules,
            SeccompAction::Errno(u32::try_from(error).unwrap()),
            SeccompAction::Allow,
            std::env::consts::ARCH.try_into().unwrap(),
        );
        filter.unwrap().try_into().unwrap()
    }

    /// Lets a command run in a filter from its first call on.
    fn confined(command: &mut Command, filter: BpfProgram) -> &mut Command {
        // SAFETY: between fork and exec only two system calls are made, and an error is made of a number.
        unsafe {
            command.pre_exec(move || {
                apply_filter(&filter).map_err(|_| io::Error::from_raw_os_error(libc::EINVAL))
            })
        }
    }

    #[test]
    fn a_program_runs_in_the_filter_that_was_learned_of_it_and_nothing_else_does() {
        if std::env::consts::ARCH != "x86_64" {
            return skip("the data sets were recorded on x86_64");
        }
        let folder = learned(&["script"]);
        let filter = compiled(&sandbox(folder.path(), "true", "seccomp"));
        let status = confined(&mut Command::new("/bin/true"), filter.clone()).status().unwrap();
        assert!(status.success(), "{status:?}");
        // The filter is that of the program: another one makes a call that it never did.
        let mut other = Command::new("/bin/mkdir");
        let other = confined(other.arg("made").current_dir(folder.path()), filter).output();
        assert!(other.is_ok_and(|other| !other.status.success()));
        assert!(!folder.path().join("made").exists());
    }

    #[test]
    fn a_shell_runs_in_the_filter_with_all_that_it_starts() {
        if std::env::consts::ARCH != "x86_64" || !Path::new("/bin/dash").exists() {
            return skip("there is no /bin/dash, of which the data set is");
        }
        let folder = learned(&["script"]);
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("datasets/script/run.sh");
        let filter = compiled(&sandbox(folder.path(), "dash", "seccomp"));
        let run = |command: &mut Command| {
            confined(command.current_dir(folder.path()), filter.clone()).output().unwrap()
        };
        let whole = run(Command::new("/bin/dash").arg(&script));
        assert_eq!(whole.status.code(), Some(7), "{whole:?}");
        let denied = run(Command::new("/bin/dash").args(["-c", "mkdir made"]));
        assert!(!denied.status.success(), "{denied:?}");
        assert!(!folder.path().join("made").exists());
        assert!(
            String::from_utf8_lossy(&denied.stderr).contains("Operation not permitted"),
            "{denied:?}"
        );
    }

    #[test]
    fn a_call_that_was_never_made_is_not_permitted() {
        if std::env::consts::ARCH != "x86_64" {
            return skip("the data sets were recorded on x86_64");
        }
        let folder = learned(&["script"]);
        let filter = compiled(&sandbox(folder.path(), "true", "seccomp"));
        let mut command = Command::new("/bin/true");
        // SAFETY: only system calls are made.
        unsafe {
            confined(&mut command, filter).pre_exec(|| {
                let made = libc::unshare(libc::CLONE_NEWUTS);
                let is_denied =
                    made == -1 && io::Error::last_os_error().raw_os_error() == Some(libc::EPERM);
                libc::_exit(if is_denied { 77 } else { 78 });
            });
        }
        assert_eq!(command.status().unwrap().code(), Some(77));
    }
}
