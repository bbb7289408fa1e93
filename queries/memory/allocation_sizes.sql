-- # Sizes of allocations
-- How large are allocations, and how long do they live? One row per range of sizes, from a power of two up to the
-- next, smallest first. Many small allocations that live short are a case for a pool or for memory on the stack.
-- Large ones that live short are one, too: from 128 KiB on, an allocator such as glibc's may ask the kernel for
-- each, and have its pages touched anew (report `page_faults`). What is kept was not given back: report `leaks`
-- says whose it is.
-- @needs allocations
-- @column size_min_bytes [key] Smallest size of the range, which ends below twice that.
-- @column calls [total]        Allocations of such a size, given back or not.
-- @column allocated_bytes [total]  Bytes asked for.
-- @column kept_bytes [mean]    Part of them that was not given back: leaked, alive or unknown.
-- @column life_mean_ns [mean]  How long those lived that were given back; NULL when none was.
-- @column life_p99_ns [mean]   99 % of them lived no longer.
-- @caveat A `realloc` is an allocation of the new size, and ends one of the old.
-- @caveat Where only a sample of allocations was recorded, numbers are estimates of the whole.
-- @plot bar size_min_bytes calls
-- @dataset memory
WITH lives AS (
    SELECT
        log2_bucket(size_bytes) AS size_min_bytes,
        one_in, size_bytes, verdict,
        CASE WHEN verdict = 'freed' THEN CAST(end_ts AS BIGINT) - CAST(ts AS BIGINT) END AS life_ns
    FROM allocation_lives
    WHERE size_bytes IS NOT NULL
)
SELECT
    size_min_bytes,
    CAST(sum(CAST(one_in AS BIGINT)) AS BIGINT) AS calls,
    CAST(sum(one_in * size_bytes) AS BIGINT) AS allocated_bytes,
    coalesce(CAST(sum(one_in * size_bytes) FILTER (WHERE verdict <> 'freed') AS BIGINT), 0) AS kept_bytes,
    CAST(avg(life_ns) AS BIGINT) AS life_mean_ns,
    quantile(life_ns, 0.99) AS life_p99_ns
FROM lives
GROUP BY size_min_bytes
ORDER BY size_min_bytes
