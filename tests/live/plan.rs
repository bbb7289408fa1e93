//! What a recording would be, without one.

use std::fs;

use serde_json::Value;

use super::lab::Lab;

fn plan(lab: &Lab, options: &[&str]) -> Value {
    let args = [&["record", "--dry-run", "--format", "json"], options].concat();
    serde_json::from_str(&lab.ebrec(&args).ok()).unwrap()
}

#[test]
fn a_dry_run_tells_and_writes_nothing() {
    let Some(lab) = Lab::open() else { return };
    let go = lab.file("was-run");
    let json = plan(&lab, &["-s", "syscalls,cpu", "--no-args", "--", "touch", &go]);
    let hooks = json["hooks"].as_array().unwrap();
    let names: Vec<&str> = hooks.iter().map(|hook| hook["name"].as_str().unwrap()).collect();
    for name in ["sched_process_fork", "sys_enter", "sys_exit", "clock of each CPU"] {
        assert!(names.contains(&name), "{names:?}");
    }
    // Of what is not asked for there is nothing.
    assert!(!names.contains(&"sched_switch") && !names.contains(&"page faults"), "{names:?}");
    let enter = hooks.iter().find(|hook| hook["name"] == "sys_enter").unwrap();
    assert_eq!((&enter["is_there"], enter["cost_ns"].as_u64().unwrap() > 50), (&true.into(), true));
    let rings: u64 =
        json["rings"].as_array().unwrap().iter().map(|ring| ring["bytes"].as_u64().unwrap()).sum();
    assert!(json["memory_bytes"].as_u64().unwrap() > 2 * rings);
    assert_eq!(json["notes"][0], "left out or replaced: no-args");
    assert!(json["scope"][0].as_str().unwrap().starts_with("the command `touch "));
    let smaller = plan(&lab, &["-s", "syscalls", "--ring", "64KiB"]);
    assert!(smaller["rings"].as_array().unwrap().iter().all(|ring| ring["bytes"] == 65536));
    let text = lab.ebrec(&["record", "--dry-run", "-s", "everything"]).ok();
    assert!(text.starts_with("Nothing was recorded."), "{text}");
    assert!(text.lines().all(|line| line.chars().count() <= 80), "{text}");
    // Neither a folder nor the command.
    assert_eq!(fs::read_dir(lab.path()).unwrap().count(), 0);
}

#[test]
fn a_dry_run_refuses_what_a_recording_would() {
    let Some(lab) = Lab::open() else { return };
    fs::create_dir(lab.path().join("taken")).unwrap();
    fs::write(lab.path().join("taken/letter.txt"), "dear").unwrap();
    for (options, expected) in [
        (&["-p", "999999999"][..], "there is no process 999999999"),
        (&["--cgroup", "/tmp"], "is not a control group"),
        (&["--container", "no-such-container"], "no container with the name or id"),
        (&["-o", "taken"], "taken already exists"),
        (&["-o", "taken", "--force"], "--force does not replace it"),
        (&["--", "no-such-command"], "command not found"),
    ] {
        let args = [&["record", "--dry-run"], options].concat();
        let error = lab.ebrec(&args).error();
        assert!(error.contains(expected) && error.lines().count() == 1, "{args:?}: {error}");
    }
    let error = lab.ebrec(&["record", "--format", "json", "--", "/bin/true"]).error();
    assert!(error.contains("--dry-run"), "{error}");
    assert_eq!(fs::read_dir(lab.path()).unwrap().count(), 1);
}

#[test]
fn doctor_says_what_lacking_a_hook_costs() {
    let Some(lab) = Lab::open() else { return };
    let text = lab.ebrec(&["doctor"]).ok();
    let hooks: Vec<&str> = text.lines().filter(|line| line.contains("optional hook")).collect();
    assert!(hooks.iter().any(|line| line.contains("cgroup_attach_task; without it, ")), "{text}");
}
