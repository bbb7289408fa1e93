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
    last_value(name ORDER BY place) IGNORE NULLS AS name,
    last_value(image ORDER BY place) IGNORE NULLS AS image,
    last_value(runtime ORDER BY place) IGNORE NULLS AS runtime,
    last_value(pod ORDER BY place) IGNORE NULLS AS pod,
    last_value(namespace ORDER BY place) IGNORE NULLS AS namespace,
    last_value(pod_uid ORDER BY place) IGNORE NULLS AS pod_uid,
    last_value(cgroup_id ORDER BY place) IGNORE NULLS AS cgroup_id,
    last_value(cgroup ORDER BY place) IGNORE NULLS AS cgroup
-- Their order is that of the segments.
FROM (SELECT *, row_number() OVER () AS place FROM containers_segments) AS placed
GROUP BY host, container_id
