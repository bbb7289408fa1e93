-- # Beginning
-- One row: when the first thing happened. What was there already is told before it.
-- @needs segments
SELECT min(first_ts) AS ts
FROM segments
WHERE kind NOT IN ('thread', 'cgroup')
