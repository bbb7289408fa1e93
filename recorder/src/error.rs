//! What can keep a recording from starting or going on, each with the remedy.

use std::path::PathBuf;

/// An error of the recorder.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Not allowed to load BPF programs.
    #[error(
        "recording needs the right to load eBPF programs: run it as root (sudo ebrec record ...), or give the binary CAP_BPF, CAP_PERFMON and CAP_SYS_RESOURCE; `ebrec doctor` tells what is missing"
    )]
    Privilege,
    /// The kernel does not describe its types.
    #[error(
        "this kernel has no BTF (/sys/kernel/btf/vmlinux is missing): boot one built with CONFIG_DEBUG_INFO_BTF=y; every distribution's kernel since 2021 is"
    )]
    NoBtf,
    /// A program was refused.
    #[error("the kernel refused the program {program}: {reason}")]
    Program {
        /// Name of the BPF program.
        program: String,
        /// What the kernel says.
        reason: String,
    },
    /// The object could not be loaded.
    #[error("the eBPF object could not be loaded: {0}")]
    Load(#[from] aya::EbpfError),
    /// A BPF map did not work.
    #[error("a BPF map failed: {0}")]
    Map(#[from] aya::maps::MapError),
    /// The trace folder.
    #[error(transparent)]
    Store(#[from] store::Error),
    /// A process to record does not exist.
    #[error("there is no process {0}: give the id of a running one with -p (pgrep NAME finds it)")]
    NoProcess(u32),
    /// A control group to record does not exist.
    #[error("{0} is not a control group: give its folder, such as /sys/fs/cgroup/system.slice")]
    NoCgroup(PathBuf),
    /// A control group whose members are not to be found.
    #[error(
        "{0} is in a hierarchy of control groups without a controller, whose members cannot be recorded: give the group's folder in another hierarchy, such as that of memory or pids"
    )]
    CgroupWithoutController(PathBuf),
    /// No container of this name runs, but others do.
    #[error(
        "no container with the name or id `{name}` runs: those that do are {known}; where names are missing, --host-root says where the files of the machine are"
    )]
    NoContainer {
        /// What was given.
        name: String,
        /// Containers that run.
        known: String,
    },
    /// No container runs.
    #[error(
        "no container with the name or id `{0}` runs: no control group is that of a container; --cgroup takes the folder of one"
    )]
    NoContainers(String),
    /// Several containers of this name run.
    #[error("`{name}` is the name or id of several containers: give one of {matches}")]
    SeveralContainers {
        /// What was given.
        name: String,
        /// The containers.
        matches: String,
    },
    /// The root of the machine's files does not exist.
    #[error(
        "{0} is not a folder: --host-root takes the one that the root of the machine's file system is mounted at"
    )]
    NoHostRoot(PathBuf),
    /// The command to run was not found.
    #[error("command not found: {0}; give a path, or a name that is in PATH")]
    CommandNotFound(String),
    /// The command to run is a file without the permission to be run.
    #[error("{path} is not executable: make it so (chmod +x), or name the program that runs it", path = .0.display())]
    NotExecutable(PathBuf),
    /// The command to run names an interpreter or loader that is not there.
    #[error(
        "{0} could not be started: the interpreter that its first line or header names does not exist"
    )]
    NoInterpreter(String),
    /// The command could not be started.
    #[error("{command} could not be started: {source}")]
    Command {
        /// The command.
        command: String,
        /// Why not.
        source: std::io::Error,
    },
    /// A source that does not exist.
    #[error("unknown source `{name}`: the sources are {known}; presets are {presets}")]
    UnknownSource {
        /// What was given.
        name: String,
        /// All sources.
        known: String,
        /// All presets.
        presets: String,
    },
    /// The collector in processes could not be set up.
    #[error(
        "the collector of allocations could not be set up: {0}; `--collector uprobes` does without it"
    )]
    Collector(#[source] preload::Error),
    /// Anything the operating system refused.
    #[error("{what}: {source}")]
    Io {
        /// What was tried.
        what: &'static str,
        /// Why it failed.
        source: std::io::Error,
    },
}

impl Error {
    /// Makes an I/O error; for `map_err`.
    pub(crate) fn io(what: &'static str) -> impl FnOnce(std::io::Error) -> Error {
        move |source| Error::Io { what, source }
    }

    /// The operating system's last error.
    pub(crate) fn last(what: &'static str) -> Error {
        Error::Io { what, source: std::io::Error::last_os_error() }
    }
}
