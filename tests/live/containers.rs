//! Containers and services: what processes are in, how short they ever live, and recordings of one.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use super::lab::Lab;
use crate::command::command;
use crate::skip::skip;

/// Processes of each group that only end, one in ten after it ran a program.
const CHILDREN: usize = 2003;

/// Control groups that are removed with the test, and their folders on the way; all below one that no
/// other test has.
struct Groups {
    top: String,
    made: Vec<PathBuf>,
}

impl Groups {
    fn new(test: &str) -> Groups {
        Groups { top: format!("ebrec-test-{test}-{}", std::process::id()), made: Vec::new() }
    }

    /// A group at `path` of the hierarchy mounted at `mount`; `None` where none can be made.
    fn add(&mut self, mount: &Path, path: &str) -> Option<PathBuf> {
        let mut folder = mount.to_path_buf();
        for name in std::iter::once(&*self.top).chain(path.split('/')) {
            folder.push(name);
            if !folder.exists() {
                fs::create_dir(&folder).ok()?;
                self.made.push(folder.clone());
            }
        }
        Some(folder)
    }
}

impl Drop for Groups {
    fn drop(&mut self) {
        for folder in self.made.iter().rev() {
            // A member that is on its way out keeps it for a moment.
            for _ in 0..100 {
                if fs::remove_dir(folder).is_ok() {
                    break;
                }
                std::thread::sleep(std::time::Duration::from_millis(20));
            }
        }
    }
}

/// Where the unified hierarchy is mounted, and those of older ones with a controller of these.
fn mounts(controllers: &[&str]) -> (PathBuf, Vec<PathBuf>) {
    let mounts = fs::read_to_string("/proc/self/mounts").unwrap();
    let lines: Vec<Vec<&str>> = mounts.lines().map(|line| line.split(' ').collect()).collect();
    let unified = lines.iter().find(|words| words[2] == "cgroup2");
    let unified = unified.expect("the unified hierarchy of control groups is mounted")[1].into();
    let has = |words: &&Vec<&str>, controller: &&str| {
        words[2] == "cgroup" && words[3].split(',').any(|option| option == *controller)
    };
    let old = controllers.iter().filter_map(|controller| {
        lines.iter().find(|words| has(words, controller)).map(|words| PathBuf::from(words[1]))
    });
    (unified, old.collect())
}

/// An id of a container that no other test and no container has.
fn id(number: u32) -> String {
    format!("{:08x}{number:08x}{}", std::process::id(), "e".repeat(48))
}

/// Files of runtimes below a folder.
fn file(root: &Path, path: &str, contents: &str) {
    let path = root.join(path);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, contents).unwrap();
}

fn docker(root: &Path, id: &str, name: &str) {
    let config = format!(r#"{{"Name": "/{name}", "Config": {{"Image": "image-of-{name}:1"}}}}"#);
    file(root, &format!("var/lib/docker/containers/{id}/config.v2.json"), &config);
}

/// Ten thousand processes, most of which live less than a millisecond, in groups of every shape.
#[test]
fn every_process_however_short_has_its_container() {
    let Some(lab) = Lab::open() else { return };
    let root = lab.path().join("root");
    let (unified, old) = mounts(&["pids", "freezer"]);
    let mut groups = Groups::new("shapes");
    // Of each group: the folder, and container, name, runtime, pod and unit as they are to be found.
    let mut expected: BTreeMap<PathBuf, [Option<String>; 5]> = BTreeMap::new();
    let mut add = |mount: &Path, path: &str, found: [Option<&str>; 5]| {
        if let Some(folder) = groups.add(mount, path) {
            expected.insert(folder, found.map(|text| text.map(str::to_string)));
        }
    };
    let scope = format!("docker-{}.scope", id(1));
    let unit = Some(&*scope);
    docker(&root, &id(1), "in-scope");
    add(&unified, &scope, [Some(&id(1)), Some("in-scope"), Some("docker"), None, unit]);
    let pod = "kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod1a_2b.slice";
    let scope = format!("cri-containerd-{}.scope", id(2));
    let annotations = r#"{"annotations": {"io.kubernetes.cri.container-name": "app",
        "io.kubernetes.cri.sandbox-name": "app-0", "io.kubernetes.cri.sandbox-namespace": "prod"}}"#;
    let task = format!("run/containerd/io.containerd.runtime.v2.task/k8s.io/{}", id(2));
    file(&root, &format!("{task}/config.json"), annotations);
    let found = [Some(&*id(2)), Some("app"), Some("containerd"), Some("app-0"), Some(&scope)]
        .map(|text| text.map(str::to_string));
    let found = found.each_ref().map(|text| text.as_deref());
    add(&unified, &format!("{pod}/{scope}"), found);
    let unit = format!("ebrec-test-{}.service", std::process::id());
    add(&unified, &format!("system.slice/{unit}"), [None, None, None, None, Some(&unit)]);
    docker(&root, &id(3), "nested");
    let path = format!("docker/{}", id(3));
    add(&unified, &path, [Some(&id(3)), Some("nested"), Some("docker"), None, None]);
    for (number, mount) in (10..).zip(&old) {
        // Only there: in the unified hierarchy its processes are in the root.
        let name = format!("old-{number}");
        docker(&root, &id(number), &name);
        let found = [Some(&*id(number)), Some(&*name), Some("docker"), None, None]
            .map(|text| text.map(str::to_string));
        let found = found.each_ref().map(|text| text.as_deref());
        add(mount, &format!("docker/{}", id(number)), found);
    }
    let workload = super::lab::workload();
    let script: String = expected
        .keys()
        .map(|folder| format!("{workload} inside {} {CHILDREN} || exit 1\n", folder.display()))
        .collect();
    file(&root, "script", &script);
    let (root, script) = (lab.file("root"), lab.file("root/script"));
    let options =
        ["record", "-s", "processes", "--host-root", &root, "--ring", "16MiB", "--", "sh", &script];
    let run = lab.ebrec(&options);
    assert_eq!(run.code, 0, "{run:?}");
    lab.assert_complete();
    let rows = lab.rows(
        "SELECT container_id, container_name, runtime, p.pod, unit, count(*), count(exec) \
         FROM processes p LEFT JOIN (SELECT container_id, runtime FROM containers) USING (container_id) \
         LEFT JOIN (SELECT upid, 1 AS exec FROM process_events WHERE event = 'exec' \
                    AND argv = '/bin/true') USING (upid) \
         WHERE comm <> 'sh' GROUP BY 1, 2, 3, 4, 5 ORDER BY 1, 2, 3, 4, 5",
    );
    let mut lines: Vec<String> = expected
        .values()
        .map(|found| {
            let words: Vec<&str> =
                found.iter().map(|text| text.as_deref().unwrap_or_default()).collect();
            // The children, and the process that starts them.
            format!("{},{},{}", words.join(","), CHILDREN + 1, CHILDREN.div_ceil(10))
        })
        .collect();
    lines.sort();
    let mut rows = rows;
    rows.sort();
    assert_eq!(rows, lines);
    assert!(rows.len() >= 4, "{rows:?}");
    // A container is one row, with the path of its group.
    let containers = "SELECT count(*), count(DISTINCT container_id), count(cgroup) FROM containers";
    let count = expected.values().filter(|found| found[0].is_some()).count();
    assert_eq!(lab.rows(containers), [format!("{count},{count},{count}")]);
    let pod = "SELECT name, pod, namespace, pod_uid FROM containers WHERE pod IS NOT NULL";
    assert_eq!(lab.rows(pod), ["app,app-0,prod,1a-2b"]);
    let image = "SELECT image FROM containers WHERE name = 'in-scope'";
    assert_eq!(lab.rows(image), ["image-of-in-scope:1"]);
}

/// What a runtime keeps is removed with the container, which need not live longer than a few
/// milliseconds.
#[test]
fn a_container_is_known_whose_files_are_gone_soon() {
    let Some(lab) = Lab::open() else { return };
    let root = lab.path().join("root");
    let (unified, _) = mounts(&[]);
    let mut groups = Groups::new("short");
    let workload = super::lab::workload();
    let mut script = String::new();
    for number in 20..40 {
        docker(&root, &id(number), &format!("short-{number}"));
        let Some(folder) = groups.add(&unified, &format!("docker/{}", id(number))) else {
            return skip("control groups cannot be made here");
        };
        let files = root.join(format!("var/lib/docker/containers/{}", id(number)));
        script += &format!(
            "{workload} inside {} 1\nsleep 0.05\nrm -r {}\n",
            folder.display(),
            files.display()
        );
    }
    file(&root, "script", &script);
    let (root, script) = (lab.file("root"), lab.file("root/script"));
    let options = [
        "record",
        "-s",
        "processes",
        "--host-root",
        &root,
        "--rotate",
        "300ms",
        "--",
        "sh",
        &script,
    ];
    let run = lab.ebrec(&options);
    assert_eq!(run.code, 0, "{run:?}");
    lab.assert_complete();
    let named = "SELECT count(*) FROM containers WHERE name LIKE 'short-__' AND runtime = 'docker'";
    assert_eq!(lab.value(named), 20);
    let named = "SELECT count(DISTINCT container_name) FROM processes";
    assert_eq!(lab.value(named), 20);
    assert!(lab.value("SELECT max(segment) FROM segments") > 2);
}

#[test]
fn a_container_is_recorded_by_its_name_or_id() {
    let Some(lab) = Lab::open() else { return };
    let root = lab.path().join("root");
    let (unified, old) = mounts(&["pids"]);
    let mut groups = Groups::new("scope");
    let mut folders = Vec::new();
    for (number, name) in [(51, "wanted"), (52, "other"), (53, "twin"), (54, "twin")] {
        docker(&root, &id(number), name);
        let Some(folder) = groups.add(&unified, &format!("docker/{}", id(number))) else {
            return skip("control groups cannot be made here");
        };
        folders.push(folder);
    }
    if let Some(mount) = old.first()
        && let Some(folder) = groups.add(mount, &format!("docker/{}", id(55)))
    {
        docker(&root, &id(55), "old");
        folders.push(folder);
    }
    let root = lab.file("root");
    let members = |number: usize| folders[number].join("cgroup.procs");
    for (wanted, inside) in [("wanted", 0), (&id(52)[..20], 1), ("old", 4)] {
        if inside >= folders.len() {
            continue;
        }
        let _ = fs::remove_file(lab.path().join("go"));
        let works: Vec<_> = (0..folders.len())
            .map(|at| {
                let work = lab.work(&["tree", "go", &format!("/nowhere/{at}"), "3"]);
                fs::write(members(at), work.pid()).unwrap();
                work
            })
            .collect();
        let _ = fs::remove_dir_all(lab.path().join("trace"));
        let recorder = lab.start(&["--host-root", &root, "--container", wanted]);
        fs::write(lab.path().join("go"), "").unwrap();
        works.into_iter().for_each(|work| drop(work.finish()));
        assert_eq!(recorder.stop(libc::SIGINT).code, 0);
        lab.assert_complete();
        let opened =
            "SELECT path, count(*) FROM syscalls WHERE path LIKE '/nowhere/%' GROUP BY path";
        assert_eq!(lab.rows(opened), [format!("/nowhere/{inside},3")], "{wanted}");
        let name = "SELECT DISTINCT name FROM containers";
        let expected = ["wanted", "other", "", "", "old"][inside];
        assert_eq!(lab.rows(name), [expected], "{wanted}");
    }
    let refused = |wanted: &str, expected: &[&str]| {
        let args = ["record", "-o", "new", "--host-root", &root, "--container", wanted];
        let error = command(lab.path(), &args).output().unwrap();
        let error = crate::command::run(error).error();
        assert_eq!(error.lines().count(), 1, "{error}");
        expected.iter().for_each(|text| assert!(error.contains(text), "{error}"));
        assert!(!lab.path().join("new").exists());
    };
    refused("twin", &["several containers", &id(53)[..12], &id(54)[..12]]);
    refused("nobody", &["no container with the name or id `nobody` runs", "(wanted)"]);
    refused(&id(53)[..8], &["several containers", "(twin)"]);
    let args = ["record", "-o", "new", "--host-root", "/nowhere", "--container", "a"];
    let error = lab.ebrec(&args).error();
    assert!(error.contains("/nowhere is not a folder: --host-root"), "{error}");
}

/// A process that enters a network namespace and then runs a program there.
#[test]
fn a_process_has_its_network_namespace() {
    let Some(lab) = Lab::open() else { return };
    if !crate::skip::has_program("unshare", &["-n", "true"]) {
        return skip("network namespaces cannot be made here: unshare -n does not work");
    }
    // The program that is told of its namespace by /proc is a child in it.
    let script = "readlink /proc/self/ns/net; unshare -n readlink /proc/self/ns/net";
    let args = ["record", "-q", "-s", "processes", "--", "sh", "-c", script];
    let output = command(lab.path(), &args).output().unwrap();
    let told: Vec<String> = String::from_utf8(output.stdout)
        .unwrap()
        .lines()
        .map(|line| line.trim_start_matches("net:[").trim_end_matches(']').to_string())
        .collect();
    assert_eq!(told.len(), 2, "{told:?}");
    assert_ne!(told[0], told[1]);
    let found = "SELECT netns FROM processes WHERE comm = 'readlink' ORDER BY start_ts, upid";
    assert_eq!(lab.rows(found), told);
    assert_eq!(lab.rows("SELECT netns FROM processes WHERE comm = 'sh'"), [told[0].clone()]);
}
