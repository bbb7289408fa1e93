//! What a recording would be: `record --dry-run`. Everything is loaded and attached with a scope that
//! nothing is in, so that it is told what works and not what should; nothing is recorded or written.

use std::path::PathBuf;

use schema::Stream;

use crate::hooks;
use crate::kernel::Kernel;
use crate::options::{Encode, Scope};
use crate::sources::Source;
use crate::{Error, Options, cgroups, containers, launch};

/// What a thread pays that is not recorded: half of what both hooks of a system call add, measured as
/// the costs of hooks are.
const OUTSIDE_NS: u32 = 75;
/// Memory besides the rings and the segment that is encoded, at most: the program, the rules to unwind
/// what it records, stacks that it has seen.
const OTHER_MEMORY_BYTES: u64 = 96 << 20;
/// Memory while a segment is encoded, at most, for each byte of its raw records.
const ENCODING_FACTOR: u64 = 7;

/// What a recording would be.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Names of the sources.
    pub sources: Vec<&'static str>,
    /// Whose events: one line for each filter; none for the whole machine.
    pub scope: Vec<String>,
    /// Every hook that would be attached, in order.
    pub hooks: Vec<Planned>,
    /// The rings: names and bytes.
    pub rings: Vec<(&'static str, u32)>,
    /// Memory that the recorder takes, at most.
    pub memory_bytes: u64,
    /// What else to know, in sentences.
    pub notes: Vec<String>,
}

/// A hook of a plan.
#[derive(Clone, Debug)]
pub struct Planned {
    /// Its name.
    pub name: String,
    /// Names of the sources that it serves here.
    pub sources: Vec<&'static str>,
    /// Time it adds to what causes it, in ns, where that was measured.
    pub cost_ns: Option<u32>,
    /// Why this kernel does not have it.
    pub refusal: Option<String>,
    /// What is so without it.
    pub lost: Option<&'static str>,
}

/// Finds out what a recording would be.
///
/// # Errors
/// What would keep the recording from starting.
pub fn plan(options: &Options) -> Result<Plan, Error> {
    check(options)?;
    let nobody = Scope { pids: vec![u32::MAX], ..Scope::default() };
    let of_nobody = Options { scope: nobody, command: None, ..options.clone() };
    let mut kernel = Kernel::load(&of_nobody, None)?;
    kernel.attach(&of_nobody.sources.streams().collect())?;
    kernel.attach_samplers(&of_nobody)?;
    kernel.snapshot()?;
    let mut names: Vec<(String, Option<String>)> =
        kernel.attached.iter().map(|name| (name.clone(), None)).collect();
    for missing in &kernel.missing {
        let (name, reason) = missing.split_once(": ").unwrap_or((missing, ""));
        // What the kernel says, without who was refused.
        let reason = reason.rsplit(": ").next().unwrap_or(reason);
        names.push((name.to_string(), Some(reason.to_string())));
    }
    kernel.detach();
    let has = |source| options.sources.has(source);
    if has(Source::Cpu) {
        names.push(("perf_event__cpu".into(), None));
    }
    if has(Source::Faults) {
        names.push(("perf_event__fault".into(), None));
    }
    if crate::session::has_library(options) {
        names.push(("library".into(), None));
    }
    let has_probes = has(Source::Allocations) && may_probe(options);
    if has_probes {
        kernel.load_uprobes()?;
        names.push(("uprobe".into(), None));
    }
    let order = |name: &str| hooks::HOOKS.iter().position(|hook| name.starts_with(hook.name));
    names.sort_by_key(|(name, _)| (order(name), name.clone()));
    let hooks = names.into_iter().map(|(name, refusal)| planned(name, refusal, options)).collect();
    let streams: Vec<Stream> =
        options.sources.streams().filter(|stream| stream.has_ring()).collect();
    let rings: Vec<(&str, u32)> =
        streams.iter().map(|stream| (stream.name(), options.rings.of(*stream))).collect();
    let ring_bytes: u64 = rings.iter().map(|(_, bytes)| u64::from(*bytes)).sum();
    Ok(Plan {
        sources: Source::ALL.into_iter().filter(|source| has(*source)).map(Source::name).collect(),
        scope: scope(options),
        hooks,
        rings,
        memory_bytes: 2 * ring_bytes + OTHER_MEMORY_BYTES + encoding_bytes(options),
        notes: notes(options),
    })
}

/// Memory that encoding takes beside the recording, at most.
fn encoding_bytes(options: &Options) -> u64 {
    match options.encode {
        Encode::Later => 0,
        Encode::Now => ENCODING_FACTOR.saturating_mul(options.rotation.bytes),
    }
}

/// What a recording would find out before it starts.
fn check(options: &Options) -> Result<(), Error> {
    crate::session::check_pids(options)?;
    if let Some(command) = &options.command {
        launch::find(command.first().map_or("".as_ref(), |name| name.as_os_str()))?;
    }
    let of_containers = containers::folders(&options.scope.containers, &options.host_root)?;
    let all: Vec<&PathBuf> = options.scope.cgroups.iter().chain(&of_containers).collect();
    all.into_iter().try_for_each(|folder| cgroups::id_of(folder).map(|_| ()))?;
    Ok(store::Folder::check_new(&options.output, options.force)?)
}

fn planned(name: String, refusal: Option<String>, options: &Options) -> Planned {
    let hook = hooks::of(&name);
    let sources = hook.map_or(&[][..], |hook| hook.sources);
    let lost = hook.and_then(|hook| hook.lost);
    let is_missing = refusal.is_some();
    Planned {
        sources: sources
            .iter()
            .filter(|source| options.sources.has(**source))
            .map(|source| source.name())
            .collect(),
        cost_ns: hook.and_then(|hook| hook.cost_ns),
        lost: if is_missing { Some(hooks::lost(&name)) } else { lost },
        refusal,
        name: shown(&name),
    }
}

/// The name of a hook for people.
fn shown(name: &str) -> String {
    match name {
        "perf_event__cpu" => "clock of each CPU".into(),
        "perf_event__fault" => "page faults".into(),
        "library" => "library in the command".into(),
        "uprobe" => "probes in allocators".into(),
        _ => name.to_string(),
    }
}

/// Whether functions of allocators would get probes; of the whole machine none do.
fn may_probe(options: &Options) -> bool {
    use crate::options::Collector;
    let is_named = !options.scope.is_machine() || options.command.is_some();
    is_named && options.allocations.collector != Collector::InProcess
}

fn scope(options: &Options) -> Vec<String> {
    let scope = &options.scope;
    let mut lines = Vec::new();
    if let Some(command) = &options.command {
        let words: Vec<_> = command.iter().map(|word| word.to_string_lossy()).collect();
        lines.push(format!("the command `{}` and its descendants", words.join(" ")));
    }
    if !scope.pids.is_empty() {
        let pids: Vec<String> = scope.pids.iter().map(u32::to_string).collect();
        lines.push(format!("processes {} and their descendants", pids.join(", ")));
    }
    if let Some(comm) = &scope.comm {
        lines.push(format!("threads called {comm}"));
    }
    if !scope.containers.is_empty() {
        lines.push(format!("members of the containers {}", scope.containers.join(", ")));
    }
    if !scope.cgroups.is_empty() {
        let folders: Vec<_> =
            scope.cgroups.iter().map(|folder| folder.display().to_string()).collect();
        lines.push(format!("members of the control groups {}", folders.join(", ")));
    }
    lines
}

fn notes(options: &Options) -> Vec<String> {
    let mut notes = Vec::new();
    let redaction = crate::about::redaction(options);
    if redaction != "none" {
        notes.push(format!("left out or replaced: {redaction}"));
    }
    let is_machine = options.scope.is_machine() && options.command.is_none();
    notes.push(match is_machine {
        true => "no scope is given, so every process of this machine pays for each hook".into(),
        false => format!("a thread outside the scope pays about {OUTSIDE_NS} ns at each hook"),
    });
    if options.sources.has(Source::Allocations) && is_machine {
        notes.push(
            "of allocations, only mmap, munmap, mremap and brk are recorded: the functions of allocators need a scope or a command".into(),
        );
    }
    notes
}
