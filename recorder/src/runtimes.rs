//! What container runtimes keep of their containers in files: names, images, pods.
//!
//! The files are looked for below a folder that stands for the root of the machine, and never outside of
//! it, whatever links there are: a recorder in a container sees the machine's files there. They belong to
//! whoever runs the container, so none is read that is no plain file or is too large.

use std::ffi::CString;
use std::fs::File;
use std::io::Read;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::path::Path;

use serde_json::Value;
use store::container::Group;

use crate::Error;

/// Larger files are not read.
const FILE_BYTES_MAX: u64 = 16 << 20;
/// Where containerd keeps what it runs.
const CONTAINERD: [&str; 2] = ["run/containerd", "run/k3s/containerd"];
/// How storage may be called by its driver.
const STORAGE_DRIVERS: [&str; 3] = ["overlay", "vfs", "btrfs"];

/// What a runtime knows of a container.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Found {
    /// Its name.
    pub name: Option<String>,
    /// The image it was made of.
    pub image: Option<String>,
    /// The runtime.
    pub runtime: Option<String>,
    /// Name of its pod.
    pub pod: Option<String>,
    /// Namespace of the pod.
    pub namespace: Option<String>,
    /// Uid of the pod.
    pub pod_uid: Option<String>,
}

/// The files of all runtimes.
pub struct Runtimes {
    root: OwnedFd,
    /// Where Docker keeps its data, as far as it is configured.
    docker: Option<String>,
}

impl Runtimes {
    /// Those below `root`.
    ///
    /// # Errors
    /// There is no such folder.
    pub fn open(root: &Path) -> Result<Runtimes, Error> {
        let folder = File::open(root).and_then(|file| match file.metadata()?.is_dir() {
            true => Ok(file),
            false => Err(std::io::ErrorKind::NotADirectory.into()),
        });
        let root = folder.map_err(|_| Error::NoHostRoot(root.to_path_buf()))?;
        let mut runtimes = Runtimes { root: root.into(), docker: None };
        let settings = runtimes.json("etc/docker/daemon.json");
        runtimes.docker = settings.and_then(|settings| text(&settings["data-root"]));
        Ok(runtimes)
    }

    /// What is known of the container of a group; nothing if no runtime has files of it.
    pub fn look_up(&self, group: &Group) -> Option<Found> {
        let container = group.container.as_ref()?;
        let id = container.id.as_str();
        // Names by which LXC and systemd-nspawn go are not looked for as parts of paths.
        if container.is_named_by_id() {
            return None;
        }
        let home = group.user.and_then(|user| self.home(user));
        let mut found = self
            .docker(id, home.as_deref())
            .or_else(|| self.containerd(id))
            .or_else(|| self.storage(id, group.user, home.as_deref()))?;
        found.runtime = found.runtime.or(container.runtime.map(str::to_string));
        Some(found)
    }

    fn docker(&self, id: &str, home: Option<&str>) -> Option<Found> {
        let usual = ["var/lib/docker", "var/snap/docker/common/var-lib-docker"].map(str::to_string);
        let of_user = home.map(|home| format!("{home}/.local/share/docker"));
        let folders = self.docker.iter().cloned().chain(usual).chain(of_user);
        let config = folders
            .filter_map(|folder| self.json(&format!("{folder}/containers/{id}/config.v2.json")))
            .next()?;
        let label = |name: &str| text(&config["Config"]["Labels"][name]);
        Some(Found {
            // In Kubernetes, the name of the container in its pod is what others call it by.
            name: label("io.kubernetes.container.name")
                .or(text(&config["Name"]).map(|name| name.trim_start_matches('/').to_string())),
            image: text(&config["Config"]["Image"]),
            runtime: Some("docker".into()),
            pod: label("io.kubernetes.pod.name"),
            namespace: label("io.kubernetes.pod.namespace"),
            pod_uid: label("io.kubernetes.pod.uid"),
        })
    }

    fn containerd(&self, id: &str) -> Option<Found> {
        let tasks = CONTAINERD.map(|folder| format!("{folder}/io.containerd.runtime.v2.task"));
        let configs = tasks.iter().flat_map(|tasks| {
            self.names(tasks).into_iter().map(move |name| (format!("{tasks}/{name}/{id}"), name))
        });
        let (config, space) = configs
            .filter_map(|(folder, space)| {
                Some((self.json(&format!("{folder}/config.json"))?, space))
            })
            .next()?;
        let note = |name: &str| text(&config["annotations"][name]);
        let cri = |name: &str| note(&format!("io.kubernetes.cri.{name}"));
        Some(Found {
            name: cri("container-name").or(note("nerdctl/name")),
            image: cri("image-name"),
            // Docker uses containerd, too.
            runtime: Some(if space == "moby" { "docker" } else { "containerd" }.into()),
            pod: cri("sandbox-name"),
            namespace: cri("sandbox-namespace"),
            pod_uid: cri("sandbox-uid"),
        })
    }

    /// CRI-O and Podman, which share a way to store.
    fn storage(&self, id: &str, user: Option<u32>, home: Option<&str>) -> Option<Found> {
        let mut places =
            vec![("run/containers/storage".into(), "var/lib/containers/storage".into())];
        if let (Some(user), Some(home)) = (user, home) {
            let run = format!("run/user/{user}/containers");
            places.push((run, format!("{home}/.local/share/containers/storage")));
        }
        let places = places.iter().flat_map(|(run, lib)| {
            STORAGE_DRIVERS.map(|driver| {
                (format!("{run}/{driver}-containers"), format!("{lib}/{driver}-containers"))
            })
        });
        places.filter_map(|(run, lib)| self.stored(id, &run, &lib)).next()
    }

    fn stored(&self, id: &str, run: &str, lib: &str) -> Option<Found> {
        let config = self.json(&format!("{run}/{id}/userdata/config.json"));
        let lists = ["containers.json", "volatile-containers.json"];
        let entry = lists.iter().find_map(|list| {
            let Some(Value::Array(list)) = self.json(&format!("{lib}/{list}")) else { return None };
            list.into_iter().find(|entry| entry["id"] == id)
        });
        if config.is_none() && entry.is_none() {
            return None;
        }
        let (config, entry) = (config.unwrap_or_default(), entry.unwrap_or_default());
        let metadata = entry["metadata"].as_str().and_then(|text| serde_json::from_str(text).ok());
        let metadata: Value = metadata.unwrap_or_default();
        let note = |name: &str| text(&config["annotations"][name]);
        let is_crio = note("io.kubernetes.cri-o.ContainerType").is_some();
        let is_podman = note("io.container.manager").is_some_and(|manager| manager == "libpod");
        let runtime = if is_crio { Some("cri-o") } else { is_podman.then_some("podman") };
        Some(Found {
            name: note("io.kubernetes.container.name")
                .or(text(&entry["names"][0]))
                .or(text(&metadata["name"])),
            image: note("io.kubernetes.cri-o.ImageName").or(text(&metadata["image-name"])),
            runtime: runtime.map(str::to_string),
            pod: note("io.kubernetes.pod.name"),
            namespace: note("io.kubernetes.pod.namespace"),
            pod_uid: note("io.kubernetes.pod.uid"),
        })
    }

    /// The home folder of a user, by the machine's list of them.
    fn home(&self, user: u32) -> Option<String> {
        let list = String::from_utf8_lossy(&self.bytes("etc/passwd")?).into_owned();
        let home = |line: &str| {
            let fields: Vec<&str> = line.split(':').collect();
            (fields.get(2)?.parse() == Ok(user))
                .then(|| fields.get(5).map(|home| home.to_string()))?
        };
        list.lines().find_map(home)
    }

    fn json(&self, path: &str) -> Option<Value> {
        serde_json::from_slice(&self.bytes(path)?).ok()
    }

    fn bytes(&self, path: &str) -> Option<Vec<u8>> {
        let file = File::from(self.open_below(path, 0)?);
        let about = file.metadata().ok()?;
        if !about.is_file() || about.len() > FILE_BYTES_MAX {
            return None;
        }
        let mut bytes = Vec::new();
        file.take(FILE_BYTES_MAX).read_to_end(&mut bytes).ok()?;
        Some(bytes)
    }

    /// Names in a folder, in order.
    fn names(&self, folder: &str) -> Vec<String> {
        let Some(folder) = self.open_below(folder, libc::O_DIRECTORY) else { return Vec::new() };
        let entries = std::fs::read_dir(format!("/proc/self/fd/{}", folder.as_raw_fd()));
        let entries = entries.into_iter().flatten().flatten();
        let mut names: Vec<String> =
            entries.filter_map(|entry| entry.file_name().into_string().ok()).collect();
        names.sort_unstable();
        names
    }

    /// Opens what is below the root, which links do not lead out of. Does not wait for what is no file.
    fn open_below(&self, path: &str, flags: libc::c_int) -> Option<OwnedFd> {
        let path = CString::new(path).ok()?;
        // SAFETY: all zeros is such a structure.
        let mut how: libc::open_how = unsafe { std::mem::zeroed() };
        how.flags = (libc::O_RDONLY | libc::O_CLOEXEC | libc::O_NONBLOCK | flags) as u64;
        how.resolve = libc::RESOLVE_IN_ROOT;
        // SAFETY: the path ends with a NUL, the structure is as long as is said, and the descriptor is
        // checked before it is owned.
        unsafe {
            let size = size_of_val(&how);
            let fd =
                libc::syscall(libc::SYS_openat2, self.root.as_raw_fd(), path.as_ptr(), &how, size);
            (fd >= 0).then(|| OwnedFd::from_raw_fd(fd as i32))
        }
    }
}

/// A text that is not empty.
fn text(value: &Value) -> Option<String> {
    value.as_str().filter(|text| !text.is_empty()).map(str::to_string)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    struct Root(tempfile::TempDir);

    impl Root {
        fn file(self, path: &str, contents: &str) -> Root {
            let path = self.0.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, contents).unwrap();
            self
        }

        /// What is found of the container of `path`, in short.
        fn find(&self, path: &str) -> Option<String> {
            let runtimes = Runtimes::open(self.0.path()).unwrap();
            let Found { name, image, runtime, pod, namespace, pod_uid } =
                runtimes.look_up(&Group::of_path(path))?;
            let all = [name, image, runtime, pod, namespace, pod_uid];
            Some(all.map(|text| text.unwrap_or("-".into())).join(" "))
        }
    }

    fn root() -> Root {
        Root(tempfile::tempdir().unwrap())
    }

    const ID: &str = "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff";

    #[test]
    fn docker_is_found_where_it_keeps_its_data() {
        let config = r#"{"Name": "/web", "Config": {"Image": "nginx:1.27", "Labels": {}}}"#;
        let path = format!("/docker/{ID}");
        let usual = root().file(&format!("var/lib/docker/containers/{ID}/config.v2.json"), config);
        assert_eq!(usual.find(&path).unwrap(), "web nginx:1.27 docker - - -");
        let moved = root()
            .file("etc/docker/daemon.json", r#"{"data-root": "/data"}"#)
            .file(&format!("data/containers/{ID}/config.v2.json"), config);
        assert_eq!(moved.find(&path).unwrap(), "web nginx:1.27 docker - - -");
        let rootless = root()
            .file("etc/passwd", "root:x:0:0::/root:/bin/sh\nann:x:7:7::/home/ann:/bin/sh\n")
            .file(&format!("home/ann/.local/share/docker/containers/{ID}/config.v2.json"), config);
        let path = format!("/user.slice/user-7.slice/user@7.service/user.slice/docker-{ID}.scope");
        assert_eq!(rootless.find(&path).unwrap(), "web nginx:1.27 docker - - -");
        assert_eq!(rootless.find(&format!("/docker/{ID}")), None);
    }

    #[test]
    fn containerd_tells_pods() {
        let config = r#"{"annotations": {"io.kubernetes.cri.container-name": "app",
            "io.kubernetes.cri.image-name": "example/app:2", "io.kubernetes.cri.sandbox-name": "app-0",
            "io.kubernetes.cri.sandbox-namespace": "prod", "io.kubernetes.cri.sandbox-uid": "u-1"}}"#;
        let task = "io.containerd.runtime.v2.task";
        let path = format!("/kubepods/podu-1/{ID}");
        for base in CONTAINERD {
            let root = root().file(&format!("{base}/{task}/k8s.io/{ID}/config.json"), config);
            let expected = "app example/app:2 containerd app-0 prod u-1";
            assert_eq!(root.find(&path).unwrap(), expected);
        }
        let nerdctl = r#"{"annotations": {"nerdctl/name": "box"}}"#;
        let root = root().file(&format!("run/containerd/{task}/default/{ID}/config.json"), nerdctl);
        assert_eq!(root.find(&format!("/default/{ID}")).unwrap(), "box - containerd - - -");
    }

    #[test]
    fn podman_and_crio_share_their_storage() {
        let list = format!(
            r#"[{{"id": "other"}}, {{"id": "{ID}", "names": ["db"], "metadata": "{{\"image-name\":\"postgres:17\",\"name\":\"db\"}}"}}]"#
        );
        let podman = r#"{"annotations": {"io.container.manager": "libpod"}}"#;
        let config = format!("overlay-containers/{ID}/userdata/config.json");
        let found = root()
            .file(&format!("run/containers/storage/{config}"), podman)
            .file("var/lib/containers/storage/overlay-containers/containers.json", &list);
        let path = format!("/machine.slice/libpod-{ID}.scope/container");
        assert_eq!(found.find(&path).unwrap(), "db postgres:17 podman - - -");
        let rootless = root().file("etc/passwd", "ann:x:7:7::/home/ann:/bin/sh\n").file(
            "home/ann/.local/share/containers/storage/vfs-containers/volatile-containers.json",
            &list,
        );
        let path = format!("/user.slice/user-7.slice/user@7.service/user.slice/libpod-{ID}.scope");
        assert_eq!(rootless.find(&path).unwrap(), "db postgres:17 podman - - -");
        let crio = r#"{"annotations": {"io.kubernetes.container.name": "app",
            "io.kubernetes.cri-o.ContainerType": "container", "io.kubernetes.cri-o.ImageName": "a:1",
            "io.kubernetes.pod.name": "app-0", "io.kubernetes.pod.namespace": "prod",
            "io.kubernetes.pod.uid": "u-1"}}"#;
        let found = root().file(&format!("run/containers/storage/{config}"), crio);
        let path = format!("/kubepods.slice/kubepods-podu_1.slice/crio-{ID}.scope");
        assert_eq!(found.find(&path).unwrap(), "app a:1 cri-o app-0 prod u-1");
    }

    #[test]
    fn what_is_no_such_file_is_passed_over() {
        let path = format!("/docker/{ID}");
        let file = format!("var/lib/docker/containers/{ID}/config.v2.json");
        assert_eq!(root().find(&path), None);
        assert_eq!(root().file(&file, "{").find(&path), None);
        // Nothing is known of its name, but which runtime it is.
        assert_eq!(root().file(&file, "[1, 2]").find(&path).unwrap(), "- - docker - - -");
        assert_eq!(root().file(&file, "{}").find("/lxc/.."), None);
        // A link leads to a place below the root.
        let root = root().file("elsewhere/c.json", r#"{"Name": "/in"}"#);
        let place = root.0.path().join(&file);
        fs::create_dir_all(place.parent().unwrap()).unwrap();
        std::os::unix::fs::symlink("/elsewhere/c.json", &place).unwrap();
        assert_eq!(root.find(&path).unwrap(), "in - docker - - -");
        // What would be waited for is not.
        fs::remove_file(&place).unwrap();
        let name = CString::new(place.to_str().unwrap()).unwrap();
        // SAFETY: the path ends with a NUL.
        assert_eq!(unsafe { libc::mkfifo(name.as_ptr(), 0o600) }, 0);
        assert_eq!(root.find(&path), None);
        assert!(Runtimes::open(Path::new("/nowhere")).is_err());
    }
}
