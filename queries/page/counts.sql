-- # Counts
-- One row: events that were stored, and lost, as the last segment has it.
-- @needs segments
SELECT
    CAST(sum(stored) AS BIGINT) AS stored,
    CAST(sum(lost) AS BIGINT) AS lost,
    CAST(sum(emitted) AS BIGINT) AS emitted
FROM (
    SELECT host, kind, sum(stored) AS stored, max(coalesce(lost, 0)) AS lost, max(emitted) AS emitted
    FROM segments
    WHERE kind IS NOT NULL
    GROUP BY host, kind
) kinds
