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
    last_value(name) IGNORE NULLS AS name,
    last_value(image) IGNORE NULLS AS image,
    last_value(runtime) IGNORE NULLS AS runtime,
    last_value(pod) IGNORE NULLS AS pod,
    last_value(namespace) IGNORE NULLS AS namespace,
    last_value(pod_uid) IGNORE NULLS AS pod_uid,
    last_value(cgroup_id) IGNORE NULLS AS cgroup_id,
    last_value(cgroup) IGNORE NULLS AS cgroup
FROM containers_segments
GROUP BY host, container_id
