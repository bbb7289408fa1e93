//! Containers, units and namespaces: from control groups' paths and what the recorder found, to rows.

use schema::Stream;
use schema::events as ev;
use schema::types::*;
use store::Meta;

use super::build::*;

const SHELL: u32 = 100;
const ID: &str = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

fn found(name: Option<&str>, image: Option<&str>) -> Meta {
    Meta::Container {
        id: ID.into(),
        name: name.map(str::to_string),
        image: image.map(str::to_string),
        runtime: None,
        pod: Some("web-0".into()),
        namespace: Some("prod".into()),
        pod_uid: None,
    }
}

#[test]
fn a_container_is_a_row_with_what_was_found_of_it() {
    let (_temp, folder) = trace();
    let pod = "/kubepods.slice/kubepods-pod1_2.slice";
    let own = format!("{pod}/cri-containerd-{ID}.scope");
    let group = |id, path: &str| Meta::Cgroup { id, path: path.to_string() };
    Spool::new(&folder, 1)
        .meta([
            found(None, Some("image:1")),
            // What is told later adds to it.
            found(Some("web"), None),
            // A group in the container's, its own, and one of no container.
            group(79, &format!("{own}/init.scope")),
            group(77, &own),
            group(78, "/system.slice/nginx.service"),
            group(80, "/lxc.payload.box/x"),
        ])
        .context(&[thread(T - 1000, SHELL, SHELL, upid(2000, SHELL), "sh")])
        .encode();
    let columns = [
        "container_id",
        "name",
        "image",
        "runtime",
        "pod",
        "namespace",
        "pod_uid",
        "cgroup_id",
        "cgroup",
    ];
    let expected = [
        format!("{ID} | web | image:1 | containerd | web-0 | prod | 1-2 | 77 | {own}"),
        "box | box | NULL | lxc | NULL | NULL | NULL | 80 | /lxc.payload.box/x".to_string(),
    ];
    assert_eq!(rows(&folder, "containers", &columns), expected);
    let columns = ["container_id", "container_name", "pod", "unit", "netns"];
    let expected = [format!("{ID} | web | web-0 | cri-containerd-{ID}.scope | {NETNS}")];
    assert_eq!(rows(&folder, "processes", &columns), expected);
}

/// What a recorder of format 1.0 or 1.1 left has neither containers nor namespaces.
#[test]
fn an_older_trace_has_no_namespaces() {
    let (_temp, folder) = trace();
    let record = ev::Fork {
        header: header(2, T + 1, SHELL, SHELL),
        child_upid: Upid(upid(4001, 200)),
        child_cgroup_id: CgroupId(78),
        child_tid: Tid(200),
        child_pid: Pid(200),
        uid: Uid(1000),
        gid: Gid(100),
        netns: Inode(0),
    };
    let older = cut(&record, size_of::<ev::Fork>() - 8, &[]);
    let group = Meta::Cgroup { id: 78, path: "/system.slice/nginx.service".into() };
    Spool::new(&folder, 1).meta([group]).block(Stream::Processes, &[older]).encode();
    let columns = ["pid", "unit", "container_name", "netns"];
    let expected = ["200 | nginx.service | NULL | NULL"];
    let found = rows(&folder, "processes", &columns);
    assert_eq!(found.iter().filter(|row| row.starts_with("200")).collect::<Vec<_>>(), expected);
    let netns = rows(&folder, "process_events", &["event", "netns"]);
    assert_eq!(netns, ["fork | NULL"]);
}
