//! Who is recorded, and who is not.

use std::fs;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::Stdio;

use super::lab::{Lab, Process};
use crate::command::command;

#[test]
fn a_process_and_its_later_children_and_nobody_else() {
    let Some(lab) = Lab::open() else { return };
    let ours = lab.work(&["tree", "go", "/nowhere/ours", "3"]);
    let other = lab.work(&["tree", "go", "/nowhere/other", "5"]);
    let recorder = lab.start(&["-p", &ours.pid()]);
    fs::write(lab.path().join("go"), "").unwrap();
    let pid = ours.pid();
    ours.finish();
    other.finish();
    assert_eq!(recorder.stop(libc::SIGINT).code, 0);
    lab.assert_complete();
    let opened = "SELECT path, count(*), count(DISTINCT pid) FROM syscalls \
                  WHERE path LIKE '/nowhere/%' GROUP BY path";
    assert_eq!(lab.rows(opened), ["/nowhere/ours,3,3"]);
    let strangers = format!(
        "SELECT count(*) FROM events WHERE pid <> {pid} AND pid NOT IN \
         (SELECT child_pid FROM process_events WHERE event = 'fork' AND pid = {pid})"
    );
    assert_eq!(lab.value(&strangers), 0);
    assert_eq!(lab.value("SELECT count(*) FROM process_events WHERE event = 'fork'"), 3);
    assert_eq!(lab.value("SELECT count(*) FROM process_events WHERE event = 'exit'"), 4);
}

#[test]
fn threads_of_a_name() {
    let Some(lab) = Lab::open() else { return };
    lab.record(&["--comm", "needle"], &["names"]);
    lab.assert_complete();
    let calls = "SELECT comm, count(*) FROM syscalls WHERE syscall = 'getppid' GROUP BY comm";
    assert_eq!(lab.rows(calls), ["needle,7"]);
    assert_eq!(lab.value("SELECT count(*) FROM syscalls WHERE comm <> 'needle'"), 0);
}

#[test]
fn only_the_system_calls_that_were_asked_for() {
    let Some(lab) = Lab::open() else { return };
    lab.record(&["--syscalls", "getppid,%network,!connect", "-s", "syscalls"], &["names"]);
    lab.assert_complete();
    let names = "SELECT syscall, count(*) FROM syscalls GROUP BY syscall";
    assert_eq!(lab.rows(names), ["getppid,15"]);
    let tables = "SELECT (SELECT count(*) FROM sched_slices) + (SELECT count(*) FROM offcpu)";
    assert_eq!(lab.value(tables), 0);
}

/// A control group that is removed with the test.
struct Group(PathBuf);

impl Group {
    fn new() -> Group {
        let mounts = fs::read_to_string("/proc/self/mounts").unwrap();
        let root = mounts
            .lines()
            .map(|line| line.split(' ').collect::<Vec<_>>())
            .find(|words| words[2] == "cgroup2")
            .map(|words| PathBuf::from(words[1]))
            .expect("the unified hierarchy of control groups is mounted");
        let path = root.join(format!("ebrec-test-{}", std::process::id()));
        fs::create_dir(&path).unwrap();
        Group(path)
    }

    fn members(&self) -> PathBuf {
        self.0.join("cgroup.procs")
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        // A member that is on its way out keeps it for a moment.
        for _ in 0..100 {
            if fs::remove_dir(&self.0).is_ok() {
                return;
            }
            std::thread::sleep(std::time::Duration::from_millis(20));
        }
    }
}

/// The recorder is a member of the group that it records, and does not see itself.
#[test]
fn a_control_group_without_the_recorder_itself() {
    let Some(lab) = Lab::open() else { return };
    let group = Group::new();
    let ours = lab.work(&["tree", "go", "/nowhere/ours", "3"]);
    let other = lab.work(&["tree", "go", "/nowhere/other", "5"]);
    fs::write(group.members(), ours.pid()).unwrap();
    let mut command =
        command(lab.path(), &["record", "--cgroup", group.0.to_str().unwrap(), "--rotate", "1s"]);
    let members = group.members();
    // SAFETY: the child only writes a file.
    unsafe { command.pre_exec(move || fs::write(&members, "0")) };
    let recorder = Process(command.stderr(Stdio::piped()).spawn().unwrap());
    lab.await_calls("true");
    std::thread::sleep(std::time::Duration::from_millis(1500));
    assert!(fs::read_to_string(group.members()).unwrap().contains(&recorder.pid()));
    fs::write(lab.path().join("go"), "").unwrap();
    ours.finish();
    other.finish();
    let pid = recorder.pid();
    let run = recorder.stop(libc::SIGINT);
    assert_eq!(run.code, 0, "{run:?}");
    lab.assert_complete();
    let opened = "SELECT path, count(*) FROM syscalls WHERE path LIKE '/nowhere/%' GROUP BY path";
    assert_eq!(lab.rows(opened), ["/nowhere/ours,3"]);
    for table in ["syscalls", "process_events", "sched_slices", "offcpu", "processes"] {
        assert_eq!(lab.value(&format!("SELECT count(*) FROM {table} WHERE pid = {pid}")), 0);
    }
    let groups = lab.rows("SELECT DISTINCT cgroup FROM processes");
    assert_eq!(groups, [format!("/{}", group.0.file_name().unwrap().to_str().unwrap())]);
}
