-- # Page faults
-- Which programs touch memory that is not there yet, and where in their code? One row per process name, kind of
-- fault, mode and function that touched the page, major faults first. A major fault waits for a disk: pages of a
-- program or a file that were not in memory, or had been swapped out. Some at the start of a program are normal,
-- many later mean that memory is short (`report memory_pressure`) or that a mapped file is read for the first
-- time. A minor fault is the first touch of a page: memory that was just allocated, or a page of a file that is in
-- memory already. Each takes about a microsecond, so that only many of them matter; a function with many uses
-- fresh memory again and again, which keeping buffers or larger pages make less. Faults in `kernel` mode are of
-- system calls that touch memory of the program.
-- @needs page_faults
-- @param by stack|function|module|process function  What to put together: `stack`, `function`, `module` (program or library) or `process`.
-- @param fault text %  Only faults of a kind LIKE this: `major` or `minor`.
-- @column comm [key]       Name of the process.
-- @column fault [key]      `major` when the page had to be read in, else `minor`.
-- @column mode [key]       Whether it was touched in `user` or `kernel` mode.
-- @column faults [total]   Page faults.
-- @column faults_percent [mean]  Share of all of this kind of fault.
-- @column function [key]   Function that touched the page.
-- @column module [key]     Program or library of that function.
-- @column stack [key]      The stack, outermost function first.
-- @caveat The file whose page was touched is not recorded, only the code that touched it.
-- @caveat A fault may bring in several pages: faults times the size of a page are not the memory that was touched.
-- @plot bar function faults
-- @dataset memory, compiler, database
WITH
sites AS (
    SELECT host, upid, fault, mode, stack_id, count(*) AS faults
    FROM page_faults
    WHERE fault LIKE $fault
    GROUP BY host, upid, fault, mode, stack_id
),
places AS (
    -- Of each stack once, and no list of frames goes through the join.
    SELECT
        host, stack_id,
        CASE WHEN $by IN ('stack', 'function') THEN stack_leaf(folded) END AS function,
        CASE WHEN $by <> 'process' THEN frames[1]['module'] END AS module,
        CASE WHEN $by = 'stack' THEN folded END AS stack
    FROM stacks
),
named AS (
    SELECT
        coalesce(p.comm, '?') AS comm, t.fault, t.mode, t.faults,
        CASE WHEN $by IN ('stack', 'function') THEN coalesce(s.function, '?') END AS function,
        CASE WHEN $by <> 'process' THEN coalesce(s.module, '?') END AS module,
        CASE WHEN $by = 'stack' THEN coalesce(s.stack, '?') END AS stack
    FROM sites t
    LEFT JOIN places s ON t.host = s.host AND t.stack_id = s.stack_id
    LEFT JOIN processes p ON t.host = p.host AND t.upid = p.upid
),
together AS (
    SELECT
        comm, fault, mode, function, module, stack,
        CAST(sum(faults) AS BIGINT) AS faults
    FROM named
    GROUP BY comm, fault, mode, function, module, stack
)
SELECT
    comm, fault, mode, faults,
    round(100.0 * faults / sum(faults) OVER (PARTITION BY fault), 1) AS faults_percent,
    function, module, stack
FROM together
ORDER BY CASE WHEN fault = 'major' THEN 0 ELSE 1 END, faults DESC, comm, fault, mode, function, module, stack
