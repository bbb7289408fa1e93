//! Which container a control group belongs to, from its path.

use std::sync::LazyLock;

use regex::Regex;

/// The spellings in use: a 64-digit id as a folder of its own or in a systemd scope
/// (`docker-<id>.scope`, `cri-containerd-<id>.scope`, `crio-<id>.scope`, `libpod-<id>.scope`), and
/// the container's name with LXC.
static CONTAINER: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(
        r"(?:^|/)(?:[a-z-]+-)?([0-9a-f]{64})(?:\.scope)?(?:/|$)|(?:^|/)lxc(?:\.payload\.|/)([^/]+)",
    )
    .expect("the pattern is constant and tested")
});

/// The container that the control group at `path` belongs to: the innermost one.
pub(crate) fn container_id(path: &str) -> Option<&str> {
    let captures = CONTAINER.captures_iter(path).last()?;
    captures.get(1).or_else(|| captures.get(2)).map(|found| found.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_usual_spelling_names_its_container() {
        let id = "0123456789abcdef".repeat(4);
        for path in [
            format!("/system.slice/docker-{id}.scope"),
            format!("/kubepods.slice/kubepods-pod1.slice/cri-containerd-{id}.scope"),
            format!("/machine.slice/libpod-{id}.scope/container"),
            format!("/machine.slice/crio-{id}.scope"),
            format!("/docker/{id}/init.scope"),
            format!("/kubepods/besteffort/pod7d/{id}"),
        ] {
            assert_eq!(container_id(&path), Some(&*id), "{path}");
        }
        assert_eq!(container_id("/lxc.payload.web/system.slice"), Some("web"));
        assert_eq!(container_id("/lxc/web"), Some("web"));
        for path in
            ["/", "/user.slice/user-1000.slice", "/system.slice/docker.service", "/docker/abc"]
        {
            assert_eq!(container_id(path), None, "{path}");
        }
    }
}
