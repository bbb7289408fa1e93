//! Rules of Falco: the events that each asks for are in a recording, and a check of ours finds the process that made them.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use serde_json::Value;

use crate::command::ebrec;

/// A rule of Falco, the check of ours, and what the rule asks for as a query of process ids.
struct Rule {
    name: &'static str,
    check: &'static str,
    events: &'static str,
}

const fn rule(name: &'static str, check: &'static str, events: &'static str) -> Rule {
    Rule { name, check, events }
}

/// Opened to write, and to read only: as `open` has its flags.
const RULES: &[Rule] = &[
    rule(
        "Read sensitive file untrusted",
        "password_file_read",
        "SELECT pid FROM files WHERE operation = 'open' AND flags & 3 = 0 AND ret >= 0 \
         AND path IN ('/etc/shadow', '/etc/sudoers', '/etc/pam.conf') AND comm = 'python3'",
    ),
    rule(
        "Create Symlink Over Sensitive Files",
        "password_file_read",
        "SELECT pid FROM files WHERE syscall IN ('symlink', 'symlinkat') AND ret = 0 AND path = '/etc/shadow'",
    ),
    rule(
        "Clear Log Activities",
        "log_tampering",
        "SELECT pid FROM files WHERE syscall = 'openat' AND flags & 3 <> 0 AND flags & 512 <> 0 AND ret >= 0 \
         AND path LIKE '/var/log/%'",
    ),
    rule(
        "Delete or rename shell history",
        "history_clearing",
        "SELECT pid FROM files WHERE syscall IN ('unlink', 'unlinkat') AND ret = 0 AND path LIKE '%ash_history'",
    ),
    rule(
        "Adding ssh keys to authorized_keys",
        "authorized_keys_change",
        "SELECT pid FROM files WHERE syscall = 'openat' AND flags & 3 <> 0 AND ret >= 0 \
         AND path LIKE '/root/.ssh/%authorized_keys'",
    ),
    rule(
        "Schedule Cron Jobs",
        "cron_change",
        "SELECT pid FROM files WHERE syscall = 'openat' AND flags & 3 <> 0 AND ret >= 0 AND path LIKE '/etc/cron%'",
    ),
    rule(
        "Execution from /dev/shm",
        "exec_from_temp",
        "SELECT pid FROM execs WHERE argv LIKE '/dev/shm/%'",
    ),
    rule(
        "Fileless execution via memfd_create",
        "fileless_exec",
        "SELECT e.pid FROM execs e JOIN syscalls s ON e.upid = s.upid \
         WHERE s.syscall = 'memfd_create' AND s.ret >= 0 AND e.ts > s.ts",
    ),
    rule(
        "PTRACE attached to process",
        "ptrace_attach",
        // POKETEXT, POKEDATA, SETREGS, ATTACH, SEIZE.
        "SELECT pid FROM syscalls WHERE syscall = 'ptrace' AND ret = 0 AND arg0 IN (4, 5, 13, 16, 16902)",
    ),
    rule(
        "Detect release_agent File Container Escapes",
        "kernel_helper_write",
        "SELECT f.pid FROM files f JOIN processes p USING (upid) WHERE f.syscall = 'openat' AND f.flags & 3 <> 0 \
         AND f.ret >= 0 AND f.path LIKE '%release_agent' AND p.container_id IS NOT NULL AND p.uid = 0",
    ),
    rule(
        "Change thread namespace",
        "namespace_escape",
        "SELECT s.pid FROM syscalls s JOIN processes p USING (upid) WHERE s.syscall = 'setns' AND s.ret = 0 \
         AND p.container_id IS NOT NULL",
    ),
    rule(
        "Linux Kernel Module Injection Detected",
        "kernel_module",
        "SELECT s.pid FROM syscalls s JOIN processes p USING (upid) \
         WHERE s.syscall IN ('init_module', 'finit_module') AND p.container_id IS NOT NULL",
    ),
    rule(
        "Contact EC2 Instance Metadata Service From Container",
        "cloud_metadata_access",
        "SELECT s.pid FROM syscalls s JOIN processes p USING (upid) WHERE s.syscall = 'connect' AND s.ret = 0 \
         AND s.address LIKE '169.254.169.254:%' AND p.container_id IS NOT NULL",
    ),
    rule(
        "Redirect STDOUT/STDIN to Network Connection in Container",
        "reverse_shell",
        "SELECT s.pid FROM syscalls s JOIN processes p USING (upid) JOIN connections c USING (upid) \
         WHERE s.syscall IN ('dup2', 'dup3') AND s.ret IN (0, 1, 2) AND s.ts > c.ts AND c.protocol = 'tcp' \
         AND p.container_id IS NOT NULL",
    ),
];

#[test]
fn what_fires_a_rule_of_falco_fires_a_check() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let data = root.join("datasets/falco");
    let trace = data.join("trace");
    let trace = trace.to_str().unwrap();
    let told: Value =
        serde_json::from_str(&ebrec(root, &["check", "-t", trace, "--format", "json"]).out)
            .unwrap();
    let findings = told["findings"].as_array().unwrap();
    let expected = fs::read_to_string(data.join("expected.txt")).unwrap();
    let expected: BTreeMap<&str, (&str, i64)> = expected
        .lines()
        .map(|line| {
            let words: Vec<&str> = line.split('\t').collect();
            (words[0], (words[1], words[2].parse().unwrap()))
        })
        .collect();
    assert_eq!(expected.len(), RULES.len());
    let page = fs::read_to_string(root.join("docs/detections.md")).unwrap();
    for Rule { name, check, events } in RULES {
        let (named, pid) = expected[name];
        assert_eq!(named, *check, "{name}");
        let rows = ebrec(root, &["query", "-t", trace, "--format", "csv", events]).ok();
        let pids: Vec<&str> = rows.lines().skip(1).collect();
        assert!(pids.contains(&pid.to_string().as_str()), "{name}: {pids:?} have no {pid}");
        let is_found =
            findings.iter().any(|finding| finding["check"] == *check && finding["pid"] == pid);
        assert!(is_found, "{name}: {check} does not find {pid}");
        assert!(page.contains(&format!("| {name} | `{check}` |")), "{name} is not on the page");
    }
}
