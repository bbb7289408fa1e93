-- # Firewall opened
-- Who removed all rules of a firewall, let its policy accept everything, or stopped it? One row per process.
-- @severity medium
-- @technique T1562.004
-- @rationale Without rules the machine is open, and what is sent out is not held back either.
-- @false-positive An administrator who sets the rules anew by a script that begins with a flush.
-- @false-positive The stop of `nftables.service` at a shutdown runs `nft flush ruleset` too, as a child of systemd, and
--     is left out.
-- @needs process_events
-- @window 0s
-- @column ts          When it was run.
-- @column host        Machine.
-- @column upid        Process for good.
-- @column pid         Process id.
-- @column sentence    What was found.
-- @column exe         Program file.
-- @column argv [key]  Its arguments.
-- @caveat Rules that are read from a file or from a pipe (`nft -f`, `iptables-restore`) are not recorded, nor are those
--     that a program gives to the kernel itself.
-- @evidence SELECT ts, pid, comm, exe, argv, parent_pid, parent_comm, parent_argv FROM execs WHERE host = {host} AND
--     upid = {upid} ORDER BY ts
-- @next ebrec explain --pid {pid} --at {ts}
-- @fires attacks, persistence
-- @silent lookalikes, web, compiler, database, packages, cron, desktop
SELECT
    min(ts) AS ts,
    host,
    upid,
    min(pid) AS pid,
    concat(min(comm), ' opened the firewall: ', left(argv, 200)) AS sentence,
    min(exe) AS exe,
    argv
FROM execs
WHERE
    regexp_like(
        concat(base_name(exe), ' ', argv, ' '),
        -- Without a chain all are flushed; chains of their own are what Docker and others flush.
        '^(xtables-[a-z]+-multi|ip6?tables[a-z-]*) [^ ]+ (.* )?'
            || '((-F|--flush)( (INPUT|FORWARD|OUTPUT))?|(-P|--policy) (INPUT|FORWARD|OUTPUT) ACCEPT)'
            || '( -[tw]( [a-z0-9]+)?)* $'
            || '|^nft .*(flush ruleset|(flush|delete) table (ip|ip6|inet) (filter|firewalld|ufw))'
            || '|^python3[.0-9]* [^ ]+ (-[EISsuB]+ )?[^ ]*/ufw (--force )?(disable|reset) '
            || '|^python3[.0-9]* [^ ]+ (-[EISsuB]+ )?[^ ]*/firewall-cmd (.* )?''?--set-default-zone[= ]trusted'
            || '|^systemctl [^ ]+ (.* )?(stop|disable|mask) (.* )?(firewalld|ufw|nftables|ip6?tables'
            || '|netfilter-persistent|shorewall)(\.service)? '
    )
    AND NOT regexp_like(coalesce(parent_exe, ''), '^/(usr/)?lib/systemd/systemd(-executor)?$')
GROUP BY host, upid, argv
ORDER BY ts, host, upid, argv
