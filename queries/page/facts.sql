-- # Machines
-- One row per machine: what it is.
-- @needs hosts
SELECT host, max(os) AS os, max(kernel) AS kernel, max(arch) AS arch, max(cpus) AS cpus
FROM hosts
GROUP BY host
ORDER BY host
