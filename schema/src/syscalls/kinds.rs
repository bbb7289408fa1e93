//! The kinds of arguments: what the value of a register means.

macro_rules! kinds {
    ($($(#[$doc:meta])* $kind:ident,)*) => {
        /// What the value of an argument means.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum Kind { $($(#[$doc])* $kind,)* }

        impl Kind {
            /// Every kind.
            pub const ALL: &[Kind] = &[$(Kind::$kind),*];
        }
    };
}

kinds! {
    /// A file descriptor.
    Fd,
    /// A descriptor of the directory that a relative path starts from.
    Dirfd,
    /// A path, the first of the call.
    Path,
    /// The second path of the call.
    Path2,
    /// A socket address.
    Address,
    /// The length of a socket address.
    AddressLen,
    /// Where the length of a socket address is.
    AddressLenPtr,
    /// A `struct msghdr`, which may hold a socket address.
    Msghdr,
    /// An address in memory.
    Pointer,
    /// An address in memory where data is.
    Buffer,
    /// A length or count as wide as the processor.
    Size,
    /// A signed number of 32 bits.
    Int,
    /// An unsigned number of 32 bits.
    Uint,
    /// A signed number as wide as the processor.
    Long,
    /// Bits or identifiers without names, best read in hexadecimal.
    Hex,
    /// A position in a file.
    Offset,
    /// A process or thread; negative for groups.
    Pid,
    /// A user; -1 means unchanged.
    Uid,
    /// A group; -1 means unchanged.
    Gid,
    /// File permissions.
    Mode,
    /// File permissions that only count if the flags create a file.
    CreateMode,
    /// Permissions and the type of the file to make.
    FileMode,
    /// A signal.
    Signal,
    /// What the command of `fcntl` takes.
    FcntlArgument,
    /// A protocol; its names depend on the domain.
    SocketProtocol,
    /// An option; its names depend on the level.
    SocketOption,
    /// Flags of `faccessat2`.
    AccessFlags,
    /// The permissions that `access` checks.
    AccessMode,
    /// What `arch_prctl` sets or gets.
    ArchPrctl,
    /// `AT_` flags: how to resolve a path.
    AtFlags,
    /// Command of `bpf`.
    BpfCommand,
    /// A clock.
    ClockId,
    /// Flags of `clone`, and the signal for its parent.
    CloneFlags,
    /// Flags of `close_range`.
    CloseRangeFlags,
    /// `O_` flags of a new descriptor.
    DescriptorFlags,
    /// Flags of `epoll_create1`.
    EpollFlags,
    /// Operation of `epoll_ctl`.
    EpollOp,
    /// Flags of `eventfd2`.
    EventfdFlags,
    /// Mode of `fallocate`.
    FallocateMode,
    /// Flags of `fanotify_init`.
    FanotifyFlags,
    /// Flags of `fanotify_mark`.
    FanotifyMarkFlags,
    /// Mask of `fanotify_mark`.
    FanotifyMask,
    /// Command of `fcntl`.
    FcntlCommand,
    /// Advice of `fadvise64`.
    FileAdvice,
    /// Operation of `flock`.
    FlockOperation,
    /// Command of `fsconfig`.
    FsconfigCommand,
    /// Flags of `fsmount`.
    FsmountFlags,
    /// Flags of `fsopen`.
    FsopenFlags,
    /// Flags of `fspick`.
    FspickFlags,
    /// Flags of `futex_wait`.
    Futex2Flags,
    /// Operation of `futex`.
    FutexOp,
    /// Flags of `inotify_init1`.
    InotifyFlags,
    /// Mask of `inotify_add_watch`.
    InotifyMask,
    /// A timer of `setitimer`.
    IntervalTimer,
    /// Flags of `io_uring_enter`.
    IoUringFlags,
    /// Operation of `io_uring_register`.
    IoUringRegister,
    /// Request of `ioctl`.
    IoctlRequest,
    /// Whose priority: process, group or user, of `ioprio_get`.
    IoprioWhich,
    /// Command of `msgctl`.
    IpcCommand,
    /// Flags of `msgget`.
    IpcFlags,
    /// What `kcmp` compares.
    KcmpType,
    /// Flags of `kexec_file_load`.
    KexecFileFlags,
    /// Command of `keyctl`.
    KeyctlCommand,
    /// Key ring of `add_key`.
    Keyring,
    /// Flags of `landlock_create_ruleset`.
    LandlockFlags,
    /// What a rule of `landlock_add_rule` is about.
    LandlockRule,
    /// Attribute of `lsm_get_self_attr`.
    LsmAttribute,
    /// Advice of `madvise`.
    Madvise,
    /// Command of `membarrier`.
    MembarrierCommand,
    /// Flags of `memfd_create`.
    MemfdFlags,
    /// Flags of `mlock2`.
    Mlock2Flags,
    /// Flags of `mlockall`.
    MlockallFlags,
    /// Flags of `mmap`.
    MmapFlags,
    /// Protection of `mmap`.
    MmapProt,
    /// Flags of `finit_module`.
    ModuleFlags,
    /// Attributes of `fsmount`.
    MountAttributes,
    /// Flags of `mount`.
    MountFlags,
    /// Flags of `move_mount`.
    MoveMountFlags,
    /// Flags of `mremap`.
    MremapFlags,
    /// Flags of `sendto`.
    MsgFlags,
    /// Flags of `msync`.
    MsyncFlags,
    /// Flags of `unshare`.
    NamespaceFlags,
    /// Policy of `mbind`.
    NumaPolicy,
    /// How to open a file.
    OpenFlags,
    /// Flags of `open_tree`.
    OpenTreeFlags,
    /// Flags of `perf_event_open`.
    PerfFlags,
    /// Flags of `pidfd_open`.
    PidfdFlags,
    /// Option of `prctl`.
    PrctlOption,
    /// Whose priority: process, group or user, of `getpriority`.
    PriorityWhich,
    /// Request of `ptrace`.
    PtraceRequest,
    /// Flags of `getrandom`.
    RandomFlags,
    /// Flags of `preadv2`.
    ReadWriteFlags,
    /// Command of `reboot`.
    RebootCommand,
    /// Flags of `renameat2`.
    RenameFlags,
    /// Resource of `getrlimit`.
    Resource,
    /// Whose usage `getrusage` gets.
    RusageWho,
    /// Policy of `sched_setscheduler`.
    SchedPolicy,
    /// Flags of `seccomp`.
    SeccompFlags,
    /// Operation of `seccomp`.
    SeccompOperation,
    /// Flags of `shmat`.
    ShmatFlags,
    /// Which directions `shutdown` ends.
    ShutdownHow,
    /// How `rt_sigprocmask` changes the mask.
    SignalHow,
    /// Flags of `signalfd4`.
    SignalfdFlags,
    /// Domain of `socket`.
    SocketDomain,
    /// Flags of `accept4`.
    SocketFlags,
    /// Level of `getsockopt`.
    SocketLevel,
    /// Type and flags of `socket`.
    SocketType,
    /// The call inside `socketcall`.
    SocketcallCall,
    /// Flags of `splice`.
    SpliceFlags,
    /// Mask of `statx`.
    StatxMask,
    /// Flags of `swapon`.
    SwapFlags,
    /// Flags of `sync_file_range`.
    SyncRangeFlags,
    /// What `syslog` does.
    SyslogAction,
    /// Flags of `clock_nanosleep`.
    TimerFlags,
    /// Flags of `timerfd_create`.
    TimerfdFlags,
    /// Flags of `timerfd_settime`.
    TimerfdTimeFlags,
    /// Flags of `umount2`.
    UmountFlags,
    /// Flags of `unlinkat`.
    UnlinkFlags,
    /// Flags of `userfaultfd`.
    UserfaultFlags,
    /// What `waitid` waits for.
    WaitId,
    /// Options of `wait4`.
    WaitOptions,
    /// Where `lseek` counts from.
    Whence,
    /// Flags of `setxattr`.
    XattrFlags,
}

impl Kind {
    /// The value that the kernel takes from a register: many arguments use only its low half.
    pub fn value(self, register: i64) -> i64 {
        match self {
            Kind::Fd | Kind::Dirfd | Kind::Int | Kind::Pid => i64::from(register as i32),
            Kind::Uid | Kind::Gid if register as u32 == u32::MAX => -1,
            Kind::Path
            | Kind::Path2
            | Kind::Address
            | Kind::AddressLenPtr
            | Kind::Msghdr
            | Kind::Pointer
            | Kind::Buffer
            | Kind::Size
            | Kind::Long
            | Kind::Hex
            | Kind::Offset
            | Kind::FcntlArgument => register,
            _ => i64::from(register as u32),
        }
    }
}
