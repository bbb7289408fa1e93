//! What is looked for, done in another way than usual: by tools with other names, with long arguments, by threads, orphans
//! and scripts, by links and relative paths, from another root. What is found of it, and what is not.

use std::collections::BTreeMap;

use serde_json::Value;

use super::lab::Lab;
use crate::skip::{has_program, skip};

/// A key of nobody's, which only programs of SSH have to read; a command of which the process id is told by a name.
const BEGIN: &str = "
key=$PWD/.ssh/id_work
mkdir .ssh && echo none > \"$key\"
told() {
    name=$1
    shift
    \"$@\" > /dev/null 2>&1 &
    wait $!
    printf '%s\\t%s\\n' \"$name\" $!
}
";

/// Records a script of the shell: the process ids that it tells, by name.
#[track_caller]
fn record(lab: &Lab, script: &str) -> BTreeMap<String, i64> {
    let script = format!("{BEGIN}{script}");
    let told = lab.record_telling("security,syscalls", &["-c", &script]);
    told.into_iter().map(|(name, pid)| (name, pid.parse().unwrap())).collect()
}

/// What a check finds, by process id.
#[track_caller]
fn findings(lab: &Lab, check: &str) -> BTreeMap<i64, Value> {
    let run = lab.ebrec(&["check", check, "--format", "json"]);
    let told: Value = serde_json::from_str(&run.out).unwrap_or_else(|_| panic!("{run:?}"));
    let findings = told["findings"].as_array().unwrap().iter();
    findings.map(|finding| (finding["pid"].as_i64().unwrap(), finding.clone())).collect()
}

/// Which of the processes a check finds, by the names that the script gave them.
fn found<'a>(told: &'a BTreeMap<String, i64>, findings: &BTreeMap<i64, Value>) -> Vec<&'a str> {
    let is_found = |(_, pid): &(&String, &i64)| findings.contains_key(*pid);
    told.iter().filter(is_found).map(|(name, _)| name.as_str()).collect()
}

/// A lab with the tools that the scripts use.
#[track_caller]
fn open() -> Option<Lab> {
    let lab = Lab::open()?;
    if !has_program("bash", &["--version"]) || !has_program("python3", &["--version"]) {
        skip("bash or python3 is not installed");
        return None;
    }
    Some(lab)
}

#[test]
fn a_tool_with_another_name_is_found() {
    let Some(lab) = open() else { return };
    // As a program that may read keys: by its file, its first argument, and the name that it gives itself.
    let told = record(
        &lab,
        r#"
cp /bin/cat ssh
told file ./ssh "$key"
told argument bash -c 'exec -a /usr/bin/ssh cat "$1"' - "$key"
told name python3 -ISB -c 'import ctypes, sys
ctypes.CDLL(None).prctl(15, b"ssh")  # PR_SET_NAME
open(sys.argv[1])' "$key"
odd=$(printf 'x\033]0;t\007\n\033[2J')
cp /bin/cat "./$odd"
told odd "./$odd" "$key"
"#,
    );
    let findings = findings(&lab, "ssh_key_read");
    assert_eq!(found(&told, &findings), ["argument", "file", "name", "odd"], "{findings:#?}");
    let page = lab.ebrec(&["check", "ssh_key_read", "--evidence"]).out;
    assert!(page.contains(r"x\x1b]0;t\x07\n\x1b[2J read a private key"), "{page}");
    assert!(!page.contains(|c: char| c.is_control() && c != '\n'), "{page}");
}

#[test]
fn long_arguments_hide_no_file_and_fill_no_page() {
    let Some(lab) = open() else { return };
    let told = record(&lab, r#"told long cat "$(head -c 20000 /dev/zero | tr '\0' x)" "$key""#);
    let findings = findings(&lab, "ssh_key_read");
    assert_eq!(found(&told, &findings), ["long"], "{findings:#?}");
    let kept = "SELECT length(argv) > 4000, length(argv) < 4200, truncated FROM process_events \
                WHERE event = 'exec' AND argv LIKE 'cat xxx%'";
    assert_eq!(lab.rows(kept), ["true,true,true"]);
    let page = lab.ebrec(&["check", "ssh_key_read"]).out;
    assert!(page.contains("xxx") && page.contains(" ...") && page.len() < 2000, "{page}");
}

#[test]
fn what_a_thread_does_is_found_of_its_process() {
    let Some(lab) = open() else { return };
    // One reads; one becomes another program, in the place of the whole process.
    let told = record(
        &lab,
        r#"
told reads python3 -ISB -c 'import sys, threading
one = threading.Thread(target=open, args=(sys.argv[1],))
one.start()
one.join()' "$key"
told executes python3 -ISB -c 'import os, sys, threading, time
threading.Thread(target=os.execv, args=("/bin/cat", ["cat", sys.argv[1]])).start()
time.sleep(9)' "$key"
"#,
    );
    let findings = findings(&lab, "ssh_key_read");
    assert_eq!(found(&told, &findings), ["executes", "reads"], "{findings:#?}");
    assert_eq!(findings[&told["executes"]]["process"]["comm"], "cat");
    let threads = format!("SELECT count(*) FROM threads WHERE pid = {}", told["reads"]);
    assert_eq!(lab.value(&threads), 2);
}

#[test]
fn an_orphan_descends_from_who_started_it() {
    let Some(lab) = open() else { return };
    let told = record(
        &lab,
        r#"python3 -ISB -c 'import os, sys, time
print("first", os.getpid(), sep="\t", flush=True)
if os.fork() == 0:
    os.setsid()
    first = os.getpid()
    if os.fork() == 0:
        # Until nobody is between it and the first process of the machine.
        while os.getppid() == first:
            time.sleep(0.01)
        print("orphan", os.getpid(), sep="\t", flush=True)
        os.dup2(os.open("/dev/null", os.O_WRONLY), 1)
        os.execv("/bin/cat", ["cat", sys.argv[1]])
    os._exit(0)
os.wait()
time.sleep(1)' "$key""#,
    );
    let findings = findings(&lab, "ssh_key_read");
    assert_eq!(found(&told, &findings), ["orphan"], "{findings:#?}");
    let ancestry = findings[&told["orphan"]]["ancestry"].as_array().unwrap();
    let pids: Vec<i64> = ancestry.iter().map(|process| process["pid"].as_i64().unwrap()).collect();
    assert_eq!(pids.get(1), Some(&told["first"]), "{ancestry:#?}");
}

#[test]
fn a_script_is_found_by_its_file_and_not_by_its_interpreter() {
    let Some(lab) = open() else { return };
    // The second is a script whose interpreter is the first. The third lies so deep that its path has no beginning.
    let told = record(
        &lab,
        r#"
printf '#!/bin/sh\ntrue\n' > tool
printf '#!%s/tool\n' "$PWD" > .outer
chmod 755 tool .outer
told script ./tool
told outer ./.outer
deep=$(printf 'd/%.0s' $(seq 45))
mkdir -p "$deep" && cp /bin/true "$deep"
(cd "$deep" && told deep ./true)
"#,
    );
    if lab.path().starts_with("/tmp") {
        let findings = findings(&lab, "exec_from_temp");
        assert_eq!(found(&told, &findings), ["outer", "script"], "{findings:#?}");
        let place = &findings[&told["script"]]["columns"]["program"];
        assert_eq!(place.as_str(), lab.path().join("tool").to_str());
        // The folder of the lab has a name with a dot in front.
        let hidden = self::findings(&lab, "hidden_program");
        assert_eq!(found(&told, &hidden), ["deep", "outer", "script"], "{hidden:#?}");
    }
}

#[test]
fn links_and_relative_paths_lead_to_the_file() {
    let Some(lab) = open() else { return };
    // A link counts when it is made: who reads by another name later is not known to.
    let told = record(
        &lab,
        r#"
told symlink ln -s "$key" notes
told by-symlink cat notes
told hardlink ln "$key" other
told by-hardlink cat other
told proc cat "/proc/self/root$key"
told dots cat ".//.ssh/.././.ssh//id_work"
told entered python3 -ISB -c 'import os, sys
os.chdir(os.path.dirname(sys.argv[1]))
open("id_work")' "$key"
cd .ssh
told inside cat id_work
"#,
    );
    let findings = findings(&lab, "ssh_key_read");
    let expected = ["dots", "entered", "hardlink", "inside", "proc", "symlink"];
    assert_eq!(found(&told, &findings), expected, "{findings:#?}");
    let path = lab.file(".ssh/id_work");
    for name in ["dots", "entered", "inside"] {
        assert_eq!(findings[&told[name]]["columns"]["file"], path.as_str(), "{name}");
    }
}

#[test]
fn a_program_in_another_root_is_told_by_its_file_outside() {
    let Some(lab) = open() else { return };
    // SAFETY: no arguments.
    if unsafe { libc::geteuid() } != 0 {
        return skip("only root may change the root");
    }
    if !has_program("ldd", &["/bin/cat"]) {
        return skip("ldd does not tell the libraries of /bin/cat");
    }
    // There it has the name of a program that may read keys.
    let told = record(
        &lab,
        r#"
mkdir -p jail/usr/bin jail/home/.ssh && cp "$key" jail/home/.ssh
for file in $(ldd /bin/cat | grep -o '/[^ ]*'); do
    mkdir -p "jail${file%/*}" && cp -L "$file" "jail$file"
done
cp /bin/cat jail/usr/bin/ssh
told jail python3 -ISB -c 'import os
os.chroot("jail")
os.execv("/usr/bin/ssh", ["ssh", "/home/.ssh/id_work"])'
"#,
    );
    let findings = findings(&lab, "ssh_key_read");
    assert_eq!(found(&told, &findings), ["jail"], "{findings:#?}");
    let columns = &findings[&told["jail"]]["columns"];
    // The file is told as the program names it.
    assert_eq!(columns["file"], "/home/.ssh/id_work");
    assert_eq!(columns["exe"], lab.file("jail/usr/bin/ssh").as_str());
}
