//! What is to be left out is in no file of a trace, spools included.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::Command;

use super::lab::Lab;
use super::pair::Pair;
use super::programs::build;
use crate::command::run;
use crate::skip::{has_program, skip};

/// The files below a folder that hold one of these texts, as `file: text`.
fn holders(folder: &Path, texts: &[&[u8]]) -> Vec<String> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_path_buf()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap().flatten() {
            let path = entry.path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let bytes = bytes(&path);
            for text in texts.iter().filter(|text| has(&bytes, text)) {
                found.push(format!("{}: {}", path.display(), String::from_utf8_lossy(text)));
            }
        }
    }
    found
}

/// What a file holds; of a spool what it held before it was compressed.
fn bytes(path: &Path) -> Vec<u8> {
    if path.extension().is_none_or(|extension| extension != "spool") {
        return fs::read(path).unwrap();
    }
    let mut reader = store::spool::SpoolReader::open(path).unwrap();
    let (mut all, mut payload) = (Vec::new(), Vec::new());
    while reader.next_block(&mut payload).unwrap().is_some() {
        all.extend_from_slice(&payload);
    }
    all
}

fn has(bytes: &[u8], text: &[u8]) -> bool {
    bytes.windows(text.len()).any(|window| window == text)
}

/// Records `args` with these options and the raw records kept as they are.
#[track_caller]
fn record(lab: &Lab, options: &[&str], args: &[&str]) -> String {
    let mut all = vec!["record", "--force", "--keep-spool", "--encode", "later"];
    all.extend(options);
    all.push("--");
    all.extend(args);
    let run = lab.ebrec(&all);
    assert_eq!(run.code, 0, "{run:?}");
    lab.assert_complete();
    // What a reader sees is searched as well.
    let mut text = String::new();
    for table in ["processes", "process_events", "syscalls", "mappings", "stacks", "events"] {
        let sql = format!("SELECT * FROM {table}");
        let out = lab.ebrec(&["query", &sql, "--format", "ndjson"]).ok();
        text += &out;
    }
    text
}

#[test]
fn arguments_are_left_out() {
    let Some(lab) = Lab::open() else { return };
    let args = ["sh", "-c", "/bin/true --password=hunter2; exit 0"];
    let text = record(&lab, &["-s", "syscalls"], &args);
    assert!(text.contains("hunter2"), "it is there when it is not left out");
    assert!(!holders(&lab.path().join("trace"), &[b"hunter2"]).is_empty());
    let text = record(&lab, &["-s", "syscalls", "--no-args"], &args);
    assert!(!text.contains("hunter2"));
    assert_eq!(holders(&lab.path().join("trace"), &[b"hunter2"]), [""; 0]);
    assert_eq!(lab.rows("SELECT count(argv) FROM processes"), ["0"]);
    assert!(
        lab.value(
            "SELECT count(*) FROM process_events WHERE exe = '/bin/true' OR path = '/bin/true'"
        ) > 0
    );
    assert_eq!(manifest(&lab)["redaction"], "no-args");
    assert_eq!(manifest(&lab)["command"], serde_json::json!(["sh"]));
}

#[test]
fn paths_are_left_out() {
    let Some(lab) = Lab::open() else { return };
    let folder = lab.path().join("private-folder");
    fs::create_dir(&folder).unwrap();
    let program = folder.join("workload-copy");
    fs::copy(super::lab::workload(), &program).unwrap();
    let place = folder.to_str().unwrap();
    let args = [program.to_str().unwrap(), "paths", place];
    let secrets: &[&[u8]] = &[b"private-folder", b"missing file", b"no.socket", b"linux-gnu\0"];
    let sources = "syscalls,cpu,allocations,offcpu";
    let text = record(&lab, &["-s", sources], &args);
    assert!(text.contains("private-folder") && text.contains("missing file"));
    for collector in ["in-process", "uprobes"] {
        let options = ["-s", sources, "--no-args", "--no-paths", "--collector", collector];
        let text = record(&lab, &options, &args);
        for secret in ["private-folder", "missing file", "no.socket", "/x86_64-linux-gnu/"] {
            assert!(!text.contains(secret), "{secret}");
        }
        assert_eq!(holders(&lab.path().join("trace"), secrets), [""; 0]);
        let exe = "SELECT exe FROM processes WHERE comm = 'workload-copy'";
        assert_eq!(lab.rows(exe), [".../workload-copy"]);
        let kept = "SELECT count(path), count(path2) FROM syscalls";
        assert_eq!(lab.rows(kept), ["0,0"]);
        // Stacks still name the file that a frame lies in.
        let modules = "SELECT count(*) FROM mappings WHERE file LIKE '.../libc.so%'";
        assert!(lab.value(modules) > 0);
        assert_eq!(manifest(&lab)["redaction"], "no-args, no-paths");
        assert_eq!(manifest(&lab)["command"], serde_json::json!([".../workload-copy"]));
    }
}

#[test]
fn paths_of_io_uring_are_left_out() {
    let Some(lab) = Lab::open() else { return };
    let Some(program) = build(&lab, "by_ring.c", "by_ring", &["-O1"]) else { return };
    let folder = lab.file("private-folder");
    fs::create_dir(&folder).unwrap();
    let args = [&*program, "ring", &folder];
    if run(Command::new(&program).args(&args[1..]).output().unwrap()).code == 3 {
        return skip("the kernel refuses io_uring_setup");
    }
    let secrets: &[&[u8]] = &[b"private-folder", b"nowhere/file", b"made/new"];
    record(&lab, &["-s", "syscalls"], &args);
    assert!(!holders(&lab.path().join("trace"), &secrets[1..]).is_empty());
    record(&lab, &["-s", "syscalls", "--no-args", "--no-paths"], &args);
    assert_eq!(holders(&lab.path().join("trace"), secrets), [""; 0]);
    // What else the operations were given stays.
    let kept = "SELECT count(path), count(path2), count(arg2), count(*) FROM syscalls WHERE via = 'io_uring'";
    assert_eq!(lab.rows(kept), ["0,0,13,14"]);
}

#[test]
fn addresses_become_tokens_that_still_tell_them_apart() {
    let Some(lab) = Lab::open() else { return };
    let workload = super::lab::workload();
    let place = lab.path().to_str().unwrap().to_string();
    let args = [&*workload, "addresses", &place];
    let sent = "SELECT address, count(*) FROM syscalls WHERE syscall = 'sendto' GROUP BY address ORDER BY address";
    record(&lab, &["-s", "syscalls"], &args);
    let plain = lab.rows(sent);
    assert!(!holders(&lab.path().join("trace"), &[&[192, 0, 2, 77]]).is_empty());
    assert!(plain.contains(&"192.0.2.77:9,2".to_string()), "{plain:?}");
    let options = ["-s", "syscalls", "--no-args", "--hash-addresses"];
    let mut tokens = BTreeSet::new();
    for _ in 0..2 {
        record(&lab, &options, &args);
        let secrets: &[&[u8]] =
            &[&[192, 0, 2, 77], &[192, 0, 2, 78], &[0x20, 0x01, 0x0d, 0xb8], b"secret.socket"];
        assert_eq!(holders(&lab.path().join("trace"), secrets), [""; 0]);
        let rows = lab.rows(sent);
        assert_eq!(rows.len(), plain.len(), "{rows:?}");
        // Each was sent to twice.
        assert!(rows.iter().all(|row| row.ends_with(",2")), "{rows:?}");
        let count = |begin: &str| rows.iter().filter(|row| row.starts_with(begin)).count();
        assert_eq!((count("127.0.0.1:9,"), count("24"), count("255")), (1, 2, 0), "{rows:?}");
        assert_eq!(count("unix:/"), 1);
        if plain.iter().any(|row| row.starts_with('[')) {
            assert_eq!((count("[::1]:9,"), count("[fdeb::"), count("[::ffff:24")), (1, 1, 1));
            // An IPv4 address is the same in both forms.
            let mapped = rows.iter().find_map(|row| row.strip_prefix("[::ffff:")).unwrap();
            let bare = mapped.split(']').next().unwrap();
            assert_eq!(count(&format!("{bare}:")), 1, "{rows:?}");
        }
        tokens.extend(rows.into_iter().filter(|row| row.starts_with("24")));
        assert_eq!(manifest(&lab)["redaction"], "no-args, hash-addresses");
    }
    assert_eq!(tokens.len(), 4, "another key in each recording: {tokens:?}");
}

#[test]
fn what_would_tell_addresses_all_the_same_is_refused() {
    let Some(lab) = Lab::open() else { return };
    for source in ["dns", "packets", "everything"] {
        let args = ["record", "--hash-addresses", "-s", source, "--", "/bin/true"];
        let error = lab.ebrec(&args).error();
        assert!(error.contains("--hash-addresses cannot hide"), "{error}");
        assert_eq!(error.lines().count(), 1, "{error}");
        assert!(!lab.path().join("trace").exists());
    }
}

/// A user who may record is told nothing that other users' arguments say.
#[test]
fn arguments_of_other_users_are_for_root() {
    let Some(lab) = Lab::open() else { return };
    // SAFETY: no arguments.
    if unsafe { libc::geteuid() } != 0 || !has_program("setpriv", &["--version"]) {
        return skip("only root can give up privilege, with setpriv");
    }
    fs::set_permissions(lab.path(), std::os::unix::fs::PermissionsExt::from_mode(0o777)).unwrap();
    let program = lab.path().join("ebrec");
    fs::copy(env!("CARGO_BIN_EXE_ebrec"), &program).unwrap();
    let other = lab.work(&["tree", "go", "/nowhere/argument-of-root", "1"]);
    let caps = "+bpf,+perfmon";
    let mut recorder = Command::new("setpriv");
    recorder.args(["--reuid", "65534", "--regid", "65534", "--clear-groups"]);
    recorder.args(["--inh-caps", caps, "--ambient-caps", caps]).arg(&program);
    let pid = other.pid();
    recorder.args(["record", "-q", "-s", "processes", "--comm", "workload", "-d", "1s"]);
    let Ok(mut started) = recorder.current_dir(lab.path()).spawn() else {
        return skip("setpriv cannot give capabilities");
    };
    std::thread::sleep(std::time::Duration::from_millis(700));
    fs::write(lab.path().join("go"), "").unwrap();
    let code = started.wait().unwrap().code();
    other.finish();
    if code != Some(0) {
        return skip("this kernel does not let a user with capabilities record");
    }
    let argv = format!("SELECT count(*), count(argv) FROM processes WHERE pid = {pid}");
    assert_eq!(lab.rows(&argv), ["1,0"]);
    assert_eq!(holders(&lab.path().join("trace"), &[b"argument-of-root"]), [""; 0]);
    assert_eq!(manifest(&lab)["redaction"], "own-args");
    // Its own it may keep.
    let mut own = Command::new("setpriv");
    own.args(["--reuid", "65534", "--regid", "65534", "--clear-groups"]);
    own.args(["--inh-caps", caps, "--ambient-caps", caps]).arg(&program);
    own.args(["record", "--force", "-s", "processes", "--", "/bin/true", "argument-of-nobody"]);
    let output = run(own.current_dir(lab.path()).output().unwrap());
    assert_eq!(output.code, 0, "{output:?}");
    assert_eq!(lab.rows("SELECT argv FROM processes"), ["/bin/true argument-of-nobody"]);
}

fn manifest(lab: &Lab) -> serde_json::Value {
    let text = fs::read_to_string(lab.path().join("trace/trace.json")).unwrap();
    serde_json::from_str(&text).unwrap()
}

/// Everything that traffic leaves in a trace, and not only system calls.
#[test]
fn addresses_of_connections_and_flows_become_tokens() {
    let Some(lab) = Lab::open() else { return };
    let Some(pair) = Pair::make() else { return };
    // Nobody listens there: the attempt is in all tables.
    let script = "exec 3<>/dev/tcp/10.99.0.2/7; true";
    let args = ["ip", "netns", "exec", &pair.left, "bash", "-c", script];
    let tables = ["connections", "connection_events", "flows"];
    let remote = |table: &str| {
        let sql = format!("SELECT DISTINCT remote_address FROM {table} WHERE remote_port = 7");
        lab.rows(&sql)
    };
    let secrets: &[&[u8]] = &[&[10, 99, 0, 2], &[10, 99, 0, 1], b"10.99.0."];
    record(&lab, &["-s", "network,syscalls"], &args);
    for table in tables {
        assert_eq!(remote(table), ["10.99.0.2"], "{table}");
    }
    assert!(!holders(&lab.path().join("trace"), secrets).is_empty());
    record(&lab, &["-s", "network,syscalls", "--no-args", "--hash-addresses"], &args);
    let address =
        "SELECT DISTINCT split_part(address, ':', 1) FROM syscalls WHERE address LIKE '%:7'";
    let token = lab.rows(address);
    assert!(token.len() == 1 && token[0].starts_with("24"), "{token:?}");
    for table in tables {
        assert_eq!(remote(table), token, "a peer is the same in each table: {table}");
    }
    assert_eq!(holders(&lab.path().join("trace"), secrets), [""; 0]);
    lab.ebrec(&["encode"]).ok();
    assert_eq!(holders(&lab.path().join("trace"), secrets), [""; 0], "encoded");
}
