//! What the path of a control group tells: which container it is of, which pod, which systemd unit.

use schema::Tail;

use crate::record::Record;
use crate::text::push_tail;

/// Digits of an id as all runtimes but LXC and systemd-nspawn make them.
const ID_DIGITS: usize = 64;

/// A control group by its path; every part is that of the innermost name that tells it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Group<'a> {
    /// The container it belongs to.
    pub container: Option<Container<'a>>,
    /// Uid of the Kubernetes pod.
    pub pod_uid: Option<String>,
    /// The systemd unit: the innermost service, scope or the like, or else the innermost slice.
    pub unit: Option<&'a str>,
    /// User whose systemd instance it is of.
    pub user: Option<u32>,
}

/// A container as a path names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Container<'a> {
    /// Its id: 64 hexadecimal digits, or with LXC and systemd-nspawn its name.
    pub id: String,
    /// Its runtime, as far as the path tells.
    pub runtime: Option<&'static str>,
    /// The path of its own group, others being nested in that.
    pub path: &'a str,
}

impl Container<'_> {
    /// Whether its id is the name that people gave it.
    pub fn is_named_by_id(&self) -> bool {
        matches!(self.runtime, Some("lxc" | "systemd-nspawn"))
    }
}

impl<'a> Group<'a> {
    /// What `path` tells.
    pub fn of_path(path: &'a str) -> Group<'a> {
        let mut group = Group::default();
        let (mut before, mut slice) = ("", None);
        let mut end = 0;
        for part in path.split('/') {
            end += part.len();
            let own = path.get(..end).unwrap_or(path);
            end += 1;
            if let Some((id, runtime)) = container(part, before) {
                group.container = Some(Container { id, runtime, path: own });
            }
            if part.ends_with(".slice") {
                slice = Some(part);
            } else if UNITS.iter().any(|suffix| part.len() > suffix.len() && part.ends_with(suffix))
            {
                group.unit = Some(part);
                slice = None;
            }
            group.pod_uid = pod_uid(part, path).or(group.pod_uid);
            group.user = user(part).or(group.user);
            before = part;
        }
        group.unit = group.unit.or(slice);
        group
    }
}

const UNITS: [&str; 5] = [".service", ".scope", ".socket", ".mount", ".swap"];

/// The container that a part of a path names, and its runtime; `before` is the part in front of it.
fn container(part: &str, before: &str) -> Option<(String, Option<&'static str>)> {
    let text = |name: &str| Some(name.to_string()).filter(|name| !name.is_empty());
    if let Some(name) = part.strip_prefix("lxc.payload.") {
        return Some((text(name)?, Some("lxc")));
    }
    if matches!(before, "lxc" | "lxc.payload") {
        return Some((text(part)?, Some("lxc")));
    }
    if let Some(name) =
        part.strip_prefix("systemd-nspawn@").and_then(|rest| rest.strip_suffix(".service"))
    {
        return Some((text(&unescaped(name))?, Some("systemd-nspawn")));
    }
    if let Some(name) = part.strip_prefix("machine-").and_then(|rest| rest.strip_suffix(".scope")) {
        // Virtual machines are registered in the same way.
        let name = unescaped(name);
        return Some((
            text(&name).filter(|name| !name.starts_with("qemu-"))?,
            Some("systemd-nspawn"),
        ));
    }
    let name = part.strip_suffix(".scope").unwrap_or(part);
    let (prefix, id) = name.split_at_checked(name.len().checked_sub(ID_DIGITS)?)?;
    if !id.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f')) {
        return None;
    }
    // A runtime and the cgroup driver of another kind make `slice:runtime:id` one name.
    let word = prefix.rsplit(':').find(|word| !word.is_empty()).unwrap_or_default();
    let word = word.strip_suffix('-').unwrap_or(word);
    let ends = prefix.is_empty() || prefix.ends_with(['-', ':']);
    let is_word = word.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'-');
    // What looks after a container is not in it.
    if !ends || !is_word || word.ends_with("conmon") {
        return None;
    }
    let runtime = match (word, before) {
        ("docker", _) | ("", "docker") => Some("docker"),
        ("cri-containerd" | "nerdctl", _) => Some("containerd"),
        ("crio", _) => Some("cri-o"),
        ("libpod", _) => Some("podman"),
        _ => None,
    };
    Some((id.to_string(), runtime))
}

/// The uid of the pod that a part of a path names, which has underscores in the name of a slice.
fn pod_uid(part: &str, path: &str) -> Option<String> {
    if !path.contains("kubepods") {
        return None;
    }
    let name = part.split(".slice").next().unwrap_or(part);
    let at = if name.starts_with("pod") { 0 } else { name.rfind("-pod")? + 1 };
    let uid = name[at..].strip_prefix("pod").filter(|uid| !uid.is_empty() && *uid != "s")?;
    let is_uid =
        uid.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-'));
    is_uid.then(|| uid.replace('_', "-"))
}

fn user(part: &str) -> Option<u32> {
    let number = part
        .strip_prefix("user@")
        .and_then(|rest| rest.strip_suffix(".service"))
        .or_else(|| part.strip_prefix("user-").and_then(|rest| rest.strip_suffix(".slice")))?;
    number.parse().ok()
}

/// A name without the escapes of systemd: `\x2d` is a dash.
fn unescaped(name: &str) -> String {
    let mut out = Vec::new();
    let mut rest = name.as_bytes();
    while let Some((first, others)) = rest.split_first() {
        let code = others.strip_prefix(b"x").and_then(|code| code.split_at_checked(2));
        let byte = code
            .filter(|_| *first == b'\\')
            .and_then(|(digits, _)| u8::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok());
        out.push(byte.unwrap_or(*first));
        rest = if byte.is_some() { &others[3..] } else { others };
    }
    String::from_utf8_lossy(&out).into_owned()
}

/// The path in a record that tells of a control group.
pub fn path_in(record: &[u8]) -> Option<String> {
    let (names, truncated) = Record::first(record).ok()?.tail(Tail::Cgroup)?;
    let mut path = String::new();
    push_tail(Tail::Cgroup, names, truncated, &mut path).then_some(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(path: &str, id: Option<&str>, runtime: Option<&str>, own: &str) {
        let group = Group::of_path(path);
        let found = group.container.as_ref();
        assert_eq!(found.map(|container| &*container.id), id, "{path}");
        assert_eq!(found.and_then(|container| container.runtime), runtime, "{path}");
        assert_eq!(found.map_or("", |container| container.path), own, "{path}");
    }

    #[test]
    fn every_usual_spelling_names_its_container() {
        let id = "0123456789abcdef".repeat(4);
        let pod = "kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod1a_2b.slice";
        for (path, runtime) in [
            (format!("/system.slice/docker-{id}.scope"), Some("docker")),
            (format!("/docker/{id}"), Some("docker")),
            (format!("/{pod}/cri-containerd-{id}.scope"), Some("containerd")),
            (format!("/{pod}/crio-{id}.scope"), Some("cri-o")),
            (format!("/{pod}/docker-{id}.scope"), Some("docker")),
            (format!("/system.slice/kubepods-pod1.slice:cri-containerd:{id}"), Some("containerd")),
            (format!("/machine.slice/libpod-{id}.scope"), Some("podman")),
            (format!("/libpod_parent/libpod-{id}"), Some("podman")),
            (
                format!("/user.slice/user-7.slice/user@7.service/user.slice/libpod-{id}.scope"),
                Some("podman"),
            ),
            (format!("/system.slice/nerdctl-{id}.scope"), Some("containerd")),
            (format!("/kubepods/besteffort/pod7d/{id}"), None),
            (format!("/default/{id}"), None),
        ] {
            check(&path, Some(&id), runtime, &path);
            check(&format!("{path}/init.scope"), Some(&id), runtime, &path);
        }
        check("/lxc.payload.web/system.slice", Some("web"), Some("lxc"), "/lxc.payload.web");
        check("/lxc/web", Some("web"), Some("lxc"), "/lxc/web");
        let nspawn = "/machine.slice/systemd-nspawn@my\\x2dbox.service";
        check(&format!("{nspawn}/payload"), Some("my-box"), Some("systemd-nspawn"), nspawn);
        check(
            "/machine.slice/machine-a\\x2db.scope",
            Some("a-b"),
            Some("systemd-nspawn"),
            "/machine.slice/machine-a\\x2db.scope",
        );
        for path in [
            "/",
            "",
            "/user.slice/user-1000.slice",
            "/system.slice/docker.service",
            "/docker/abc",
            "/lxc.monitor.web",
            "/machine.slice/machine-qemu\\x2d1\\x2dvm.scope",
            &format!("/machine.slice/libpod-conmon-{id}.scope"),
            &format!("/{pod}/crio-conmon-{id}.scope"),
            &format!("/{id}0"),
            "/é0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcde",
        ] {
            check(path, None, None, "");
        }
    }

    #[test]
    fn the_innermost_container_counts() {
        let (outer, inner) = ("a".repeat(64), "b".repeat(64));
        let path = format!("/docker/{outer}/docker/{inner}/x");
        check(&path, Some(&inner), Some("docker"), &format!("/docker/{outer}/docker/{inner}"));
    }

    #[test]
    fn pods_units_and_users_are_in_the_path() {
        let id = "0".repeat(64);
        let check = |path: &str, pod: Option<&str>, unit: Option<&str>, user: Option<u32>| {
            let group = Group::of_path(path);
            assert_eq!(
                (group.pod_uid.as_deref(), group.unit, group.user),
                (pod, unit, user),
                "{path}"
            );
        };
        check("/system.slice/nginx.service", None, Some("nginx.service"), None);
        check(
            "/user.slice/user-1000.slice/session-3.scope",
            None,
            Some("session-3.scope"),
            Some(1000),
        );
        check(
            "/user.slice/user-1000.slice/user@1000.service/app.slice/a.service",
            None,
            Some("a.service"),
            Some(1000),
        );
        check("/machine.slice", None, Some("machine.slice"), None);
        check("/init.scope", None, Some("init.scope"), None);
        check("/", None, None, None);
        let uid = "0d1e2f3a-1111-2222-3333-444455556666";
        let escaped = uid.replace('-', "_");
        let slice = format!("kubepods-besteffort-pod{escaped}.slice");
        check(
            &format!("/kubepods.slice/kubepods-besteffort.slice/{slice}/cri-containerd-{id}.scope"),
            Some(uid),
            Some(&format!("cri-containerd-{id}.scope")),
            None,
        );
        check(&format!("/kubepods/burstable/pod{uid}/{id}"), Some(uid), None, None);
        check(
            &format!("/kubelet.slice/kubelet-kubepods.slice/kubelet-kubepods-pod{escaped}.slice"),
            Some(uid),
            Some(&format!("kubelet-kubepods-pod{escaped}.slice")),
            None,
        );
        check("/kubepods.slice", None, Some("kubepods.slice"), None);
        check("/podman/pod1", None, None, None);
    }
}
