//! What this machine and user can record, what not, and the remedy.

use std::path::Path;

use aya::Btf;

use crate::cgroups::hierarchies;
use crate::kernel::{Kernel, is_optional};
use crate::{Error, Options, hooks};

/// One thing that was looked at.
#[derive(Clone, Debug)]
pub struct Check {
    /// What was looked at.
    pub name: &'static str,
    /// How it is.
    pub state: State,
    /// What was found, in words.
    pub found: String,
    /// What to do about it; nothing when all is well.
    pub remedy: Option<String>,
}

/// How a check came out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// As it should be.
    Good,
    /// Recording works, with less.
    Degraded,
    /// Recording does not work.
    Bad,
}

impl Check {
    fn new(
        name: &'static str,
        state: State,
        found: impl Into<String>,
        remedy: Option<&str>,
    ) -> Check {
        Check { name, state, found: found.into(), remedy: remedy.map(str::to_string) }
    }
}

/// Looks at everything a recording needs. Loads and unloads the kernel side; records nothing.
pub fn examine() -> Vec<Check> {
    let mut checks = vec![kernel_release(), architecture(), btf(), capabilities(), cgroups()];
    checks.extend(programs());
    checks
}

fn read(path: &str) -> String {
    std::fs::read_to_string(path).unwrap_or_default().trim().to_string()
}

fn kernel_release() -> Check {
    let release = read("/proc/sys/kernel/osrelease");
    let mut numbers =
        release.split(|c: char| !c.is_ascii_digit()).map(|part| part.parse().unwrap_or(0));
    let version: (u32, u32) = (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0));
    if version >= (5, 10) {
        return Check::new("kernel", State::Good, release, None);
    }
    Check::new("kernel", State::Bad, release, Some("ebrec records on Linux 5.10 and newer"))
}

fn architecture() -> Check {
    let arch = std::env::consts::ARCH;
    let known = schema::syscalls::Arch::from_name(arch).is_some();
    let state = if known { State::Good } else { State::Bad };
    Check::new(
        "architecture",
        state,
        arch,
        (!known).then_some("ebrec records on x86_64 and aarch64"),
    )
}

fn btf() -> Check {
    match (Path::new("/sys/kernel/btf/vmlinux").exists(), Btf::from_sys_fs()) {
        (true, Ok(_)) => {
            Check::new("kernel types (BTF)", State::Good, "/sys/kernel/btf/vmlinux", None)
        }
        _ => Check::new(
            "kernel types (BTF)",
            State::Bad,
            "/sys/kernel/btf/vmlinux is missing or unreadable",
            Some("boot a kernel built with CONFIG_DEBUG_INFO_BTF=y and mount /sys"),
        ),
    }
}

fn capabilities() -> Check {
    const NEEDED: [(&str, u32); 2] = [("CAP_PERFMON", 38), ("CAP_BPF", 39)];
    const CAP_SYS_ADMIN: u64 = 1 << 21;
    let status = read("/proc/self/status");
    let effective = status.lines().find_map(|line| line.strip_prefix("CapEff:"));
    let bits = effective.and_then(|hex| u64::from_str_radix(hex.trim(), 16).ok()).unwrap_or(0);
    let missing: Vec<&str> =
        NEEDED.iter().filter(|(_, bit)| bits & (1 << bit) == 0).map(|(name, _)| *name).collect();
    if missing.is_empty() || bits & CAP_SYS_ADMIN != 0 {
        return Check::new("privilege", State::Good, "may load eBPF programs", None);
    }
    Check::new(
        "privilege",
        State::Bad,
        format!("lacks {}", missing.join(" and ")),
        Some(
            "run as root (sudo ebrec ...), or: setcap cap_bpf,cap_perfmon,cap_sys_resource+ep on the binary",
        ),
    )
}

fn cgroups() -> Check {
    let all = hierarchies();
    let old =
        all.iter().filter(|hierarchy| hierarchy.number != 0 && !hierarchy.is_without_controller);
    let old = match old.count() {
        0 => String::new(),
        count => format!("{count} older (v1) hierarchies"),
    };
    let unified = all.iter().find(|hierarchy| hierarchy.number == 0);
    let unified =
        unified.map(|unified| format!("unified hierarchy at {}", unified.mount.display()));
    let found = match (unified, old.as_str()) {
        (Some(unified), "") => unified,
        (Some(unified), old) => format!("{unified}, {old}"),
        (None, "") => {
            return Check::new(
                "control groups",
                State::Degraded,
                "no hierarchy is mounted",
                Some(
                    "--cgroup and --container need one: mount -t cgroup2 none /sys/fs/cgroup; all else works",
                ),
            );
        }
        (None, old) => old.to_string(),
    };
    Check::new("control groups", State::Good, found, None)
}

/// Loads and attaches everything with a scope that nothing is in.
fn programs() -> Vec<Check> {
    let options = Options::for_check();
    let streams = options.sources.streams().collect();
    let result = Kernel::load(&options, None).and_then(|mut kernel| {
        kernel.attach(&streams)?;
        kernel.snapshot()?;
        Ok((std::mem::take(&mut kernel.attached), std::mem::take(&mut kernel.missing)))
    });
    match result {
        Err(error @ (Error::Privilege | Error::NoBtf)) => {
            let remedy = match error {
                Error::NoBtf => "a kernel with BTF is needed, see above",
                _ => "more privilege is needed, see above",
            };
            vec![Check::new("kernel side", State::Bad, "refused by the kernel", Some(remedy))]
        }
        Err(error) => vec![Check::new(
            "kernel side",
            State::Bad,
            error.to_string(),
            Some("please report this with the kernel's release"),
        )],
        Ok((attached, missing)) => {
            let names: Vec<&str> = options.sources.streams().map(schema::Stream::name).collect();
            let mut checks = vec![Check::new(
                "kernel side",
                State::Good,
                format!("records {}", names.join(", ")),
                None,
            )];
            let optional = attached.iter().filter(|name| is_optional(name));
            checks.extend(optional.map(|name| {
                let found = format!("{name}; without it, {}", hooks::lost(name));
                Check::new("optional hook", State::Good, found, None)
            }));
            checks.extend(missing.into_iter().map(|what| {
                let name = what.split(':').next().unwrap_or(&what);
                let remedy = format!("without it, {}; a newer kernel has it", hooks::lost(name));
                let found = format!("missing {what}");
                Check::new("optional hook", State::Degraded, found, Some(&remedy))
            }));
            checks
        }
    }
}
