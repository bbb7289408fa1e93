-- # Containers of the whole trace
-- One row per container that a recorded thread was in. `containers_segments` has one row per container
-- and segment; here the rows of a container are merged. What a process is in, `processes` says: join by
-- `container_id`. Names, images and pods are what the runtime keeps in files; NULL where none was found.
-- @column container_id  Id of the container; with LXC and systemd-nspawn, its name.
-- @column host          Name of the machine.
-- @column name          Name of the container.
-- @column image         Image it was made of.
-- @column runtime       `docker`, `containerd`, `cri-o`, `podman`, `lxc` or `systemd-nspawn`.
-- @column pod           Name of its Kubernetes pod.
-- @column namespace     Namespace of the pod.
-- @column pod_uid       Uid of the pod.
-- @column cgroup_id     Control group by its id: the outermost in which a thread was recorded.
-- @column cgroup        Path of that control group.
SELECT
    container_id,
    host,
    last_known(name) AS name,
    last_known(image) AS image,
    last_known(runtime) AS runtime,
    last_known(pod) AS pod,
    last_known(namespace) AS namespace,
    last_known(pod_uid) AS pod_uid,
    last_known(cgroup_id) AS cgroup_id,
    last_known(cgroup) AS cgroup
-- The order of rows is that of the segments.
FROM containers_segments
GROUP BY host, container_id
