//! The signature of every system call: the names and kinds of its arguments.
//!
//! One line per call, the arguments named as its man page names them, as many as the kernel takes
//! (glibc's wrappers sometimes hide some). Where architectures order arguments differently the
//! order of x86_64 is given. Calls that no kernel implements have no arguments.
use super::Kind;
use std::{collections::HashMap, sync::LazyLock};

/// The arguments of one system call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Signature {
    /// Name of the system call.
    pub name: &'static str,
    /// Its arguments, in the order of the registers.
    pub args: &'static [Arg],
}

/// One argument of a system call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Arg {
    /// Name, as in the man page.
    pub name: &'static str,
    /// What its value means.
    pub kind: Kind,
}

impl Signature {
    /// Index of the first argument of this kind.
    pub fn position(&self, kind: Kind) -> Option<usize> {
        self.args.iter().position(|arg| arg.kind == kind)
    }
}

/// Signature of the system call of this name.
pub fn signature(name: &str) -> Option<&'static Signature> {
    static BY_NAME: LazyLock<HashMap<&str, &Signature>> =
        LazyLock::new(|| SIGNATURES.iter().map(|s| (s.name, s)).collect());
    BY_NAME.get(name).copied()
}

/// Every signature, grouped by subject.
pub fn signatures() -> &'static [Signature] {
    SIGNATURES
}

macro_rules! signatures {
    ($($name:ident($($arg:ident: $kind:ident),*);)*) => {
        static SIGNATURES: &[Signature] = &[$(
            Signature {
                name: stringify!($name),
                args: &[$(Arg { name: stringify!($arg), kind: Kind::$kind }),*],
            },
        )*];
    };
}

signatures! {
    // Opening, reading and writing files.
    open(pathname: Path, flags: OpenFlags, mode: CreateMode);
    openat(dirfd: Dirfd, pathname: Path, flags: OpenFlags, mode: CreateMode);
    openat2(dirfd: Dirfd, pathname: Path, how: Pointer, size: Size);
    creat(pathname: Path, mode: Mode);
    close(fd: Fd);
    close_range(first: Uint, last: Uint, flags: CloseRangeFlags);
    read(fd: Fd, buf: Buffer, count: Size);
    write(fd: Fd, buf: Buffer, count: Size);
    pread64(fd: Fd, buf: Buffer, count: Size, offset: Offset);
    pwrite64(fd: Fd, buf: Buffer, count: Size, offset: Offset);
    readv(fd: Fd, iov: Pointer, iovcnt: Int);
    writev(fd: Fd, iov: Pointer, iovcnt: Int);
    preadv(fd: Fd, iov: Pointer, iovcnt: Int, pos_l: Offset, pos_h: Offset);
    pwritev(fd: Fd, iov: Pointer, iovcnt: Int, pos_l: Offset, pos_h: Offset);
    preadv2(fd: Fd, iov: Pointer, iovcnt: Int, pos_l: Offset, pos_h: Offset, flags: ReadWriteFlags);
    pwritev2(fd: Fd, iov: Pointer, iovcnt: Int, pos_l: Offset, pos_h: Offset, flags: ReadWriteFlags);
    lseek(fd: Fd, offset: Offset, whence: Whence);
    _llseek(fd: Fd, offset_high: Hex, offset_low: Hex, result: Pointer, whence: Whence);
    sendfile(out_fd: Fd, in_fd: Fd, offset: Pointer, count: Size);
    sendfile64(out_fd: Fd, in_fd: Fd, offset: Pointer, count: Size);
    copy_file_range(fd_in: Fd, off_in: Pointer, fd_out: Fd, off_out: Pointer, len: Size, flags: Hex);
    splice(fd_in: Fd, off_in: Pointer, fd_out: Fd, off_out: Pointer, len: Size, flags: SpliceFlags);
    tee(fd_in: Fd, fd_out: Fd, len: Size, flags: SpliceFlags);
    vmsplice(fd: Fd, iov: Pointer, nr_segs: Size, flags: SpliceFlags);
    readahead(fd: Fd, offset: Offset, count: Size);
    fadvise64(fd: Fd, offset: Offset, len: Offset, advice: FileAdvice);
    fadvise64_64(fd: Fd, offset_low: Hex, offset_high: Hex, len_low: Hex, len_high: Hex, advice: FileAdvice);
    arm_fadvise64_64(fd: Fd, advice: FileAdvice, offset_low: Hex, offset_high: Hex, len_low: Hex, len_high: Hex);
    fallocate(fd: Fd, mode: FallocateMode, offset: Offset, len: Offset);
    ftruncate(fd: Fd, length: Offset);
    ftruncate64(fd: Fd, length: Offset);
    truncate(path: Path, length: Offset);
    truncate64(path: Path, length: Offset);
    fsync(fd: Fd);
    fdatasync(fd: Fd);
    sync();
    syncfs(fd: Fd);
    sync_file_range(fd: Fd, offset: Offset, nbytes: Offset, flags: SyncRangeFlags);
    arm_sync_file_range(fd: Fd, flags: SyncRangeFlags, offset: Offset, nbytes: Offset);
    cachestat(fd: Fd, cstat_range: Pointer, cstat: Pointer, flags: Hex);
    name_to_handle_at(dirfd: Dirfd, pathname: Path, handle: Pointer, mount_id: Pointer, flags: AtFlags);
    open_by_handle_at(mount_fd: Dirfd, handle: Pointer, flags: OpenFlags);

    // Descriptors.
    dup(oldfd: Fd);
    dup2(oldfd: Fd, newfd: Fd);
    dup3(oldfd: Fd, newfd: Fd, flags: DescriptorFlags);
    pipe(pipefd: Pointer);
    pipe2(pipefd: Pointer, flags: DescriptorFlags);
    fcntl(fd: Fd, cmd: FcntlCommand, arg: FcntlArgument);
    fcntl64(fd: Fd, cmd: FcntlCommand, arg: FcntlArgument);
    ioctl(fd: Fd, request: IoctlRequest, argp: Hex);
    flock(fd: Fd, operation: FlockOperation);
    poll(fds: Pointer, nfds: Uint, timeout: Int);
    ppoll(fds: Pointer, nfds: Uint, tmo_p: Pointer, sigmask: Pointer, sigsetsize: Size);
    ppoll_time64(fds: Pointer, nfds: Uint, tmo_p: Pointer, sigmask: Pointer, sigsetsize: Size);
    select(nfds: Int, readfds: Pointer, writefds: Pointer, exceptfds: Pointer, timeout: Pointer);
    _newselect(nfds: Int, readfds: Pointer, writefds: Pointer, exceptfds: Pointer, timeout: Pointer);
    pselect6(nfds: Int, readfds: Pointer, writefds: Pointer, exceptfds: Pointer, timeout: Pointer, sigmask: Pointer);
    pselect6_time64(nfds: Int, readfds: Pointer, writefds: Pointer, exceptfds: Pointer, timeout: Pointer, sigmask: Pointer);
    epoll_create(size: Int);
    epoll_create1(flags: EpollFlags);
    epoll_ctl(epfd: Fd, op: EpollOp, fd: Fd, event: Pointer);
    epoll_ctl_old();
    epoll_wait(epfd: Fd, events: Pointer, maxevents: Int, timeout: Int);
    epoll_wait_old();
    epoll_pwait(epfd: Fd, events: Pointer, maxevents: Int, timeout: Int, sigmask: Pointer, sigsetsize: Size);
    epoll_pwait2(epfd: Fd, events: Pointer, maxevents: Int, timeout: Pointer, sigmask: Pointer, sigsetsize: Size);
    eventfd(initval: Uint);
    eventfd2(initval: Uint, flags: EventfdFlags);
    signalfd(fd: Fd, mask: Pointer, sizemask: Size);
    signalfd4(fd: Fd, mask: Pointer, sizemask: Size, flags: SignalfdFlags);
    timerfd_create(clockid: ClockId, flags: TimerfdFlags);
    timerfd_settime(fd: Fd, flags: TimerfdTimeFlags, new_value: Pointer, old_value: Pointer);
    timerfd_settime64(fd: Fd, flags: TimerfdTimeFlags, new_value: Pointer, old_value: Pointer);
    timerfd_gettime(fd: Fd, curr_value: Pointer);
    timerfd_gettime64(fd: Fd, curr_value: Pointer);
    memfd_create(name: Pointer, flags: MemfdFlags);
    memfd_secret(flags: DescriptorFlags);
    userfaultfd(flags: UserfaultFlags);
    inotify_init();
    inotify_init1(flags: InotifyFlags);
    inotify_add_watch(fd: Fd, pathname: Path, mask: InotifyMask);
    inotify_rm_watch(fd: Fd, wd: Int);
    fanotify_init(flags: FanotifyFlags, event_f_flags: OpenFlags);
    fanotify_mark(fanotify_fd: Fd, flags: FanotifyMarkFlags, mask: FanotifyMask, dirfd: Dirfd, pathname: Path);
    kcmp(pid1: Pid, pid2: Pid, type: KcmpType, idx1: Long, idx2: Long);

    // Names and attributes of files.
    stat(pathname: Path, statbuf: Pointer);
    fstat(fd: Fd, statbuf: Pointer);
    lstat(pathname: Path, statbuf: Pointer);
    newfstatat(dirfd: Dirfd, pathname: Path, statbuf: Pointer, flags: AtFlags);
    statx(dirfd: Dirfd, pathname: Path, flags: AtFlags, mask: StatxMask, statxbuf: Pointer);
    stat64(pathname: Path, statbuf: Pointer);
    fstat64(fd: Fd, statbuf: Pointer);
    lstat64(pathname: Path, statbuf: Pointer);
    fstatat64(dirfd: Dirfd, pathname: Path, statbuf: Pointer, flags: AtFlags);
    oldstat(pathname: Path, statbuf: Pointer);
    oldfstat(fd: Fd, statbuf: Pointer);
    oldlstat(pathname: Path, statbuf: Pointer);
    access(pathname: Path, mode: AccessMode);
    faccessat(dirfd: Dirfd, pathname: Path, mode: AccessMode);
    faccessat2(dirfd: Dirfd, pathname: Path, mode: AccessMode, flags: AccessFlags);
    chmod(pathname: Path, mode: Mode);
    fchmod(fd: Fd, mode: Mode);
    fchmodat(dirfd: Dirfd, pathname: Path, mode: Mode);
    fchmodat2(dirfd: Dirfd, pathname: Path, mode: Mode, flags: AtFlags);
    chown(pathname: Path, owner: Uid, group: Gid);
    fchown(fd: Fd, owner: Uid, group: Gid);
    lchown(pathname: Path, owner: Uid, group: Gid);
    chown32(pathname: Path, owner: Uid, group: Gid);
    fchown32(fd: Fd, owner: Uid, group: Gid);
    lchown32(pathname: Path, owner: Uid, group: Gid);
    fchownat(dirfd: Dirfd, pathname: Path, owner: Uid, group: Gid, flags: AtFlags);
    umask(mask: Mode);
    utime(filename: Path, times: Pointer);
    utimes(filename: Path, times: Pointer);
    futimesat(dirfd: Dirfd, pathname: Path, times: Pointer);
    utimensat(dirfd: Dirfd, pathname: Path, times: Pointer, flags: AtFlags);
    utimensat_time64(dirfd: Dirfd, pathname: Path, times: Pointer, flags: AtFlags);
    link(oldpath: Path, newpath: Path2);
    linkat(olddirfd: Dirfd, oldpath: Path, newdirfd: Dirfd, newpath: Path2, flags: AtFlags);
    symlink(target: Path, linkpath: Path2);
    symlinkat(target: Path, newdirfd: Dirfd, linkpath: Path2);
    readlink(pathname: Path, buf: Buffer, bufsiz: Size);
    readlinkat(dirfd: Dirfd, pathname: Path, buf: Buffer, bufsiz: Size);
    unlink(pathname: Path);
    unlinkat(dirfd: Dirfd, pathname: Path, flags: UnlinkFlags);
    rename(oldpath: Path, newpath: Path2);
    renameat(olddirfd: Dirfd, oldpath: Path, newdirfd: Dirfd, newpath: Path2);
    renameat2(olddirfd: Dirfd, oldpath: Path, newdirfd: Dirfd, newpath: Path2, flags: RenameFlags);
    mkdir(pathname: Path, mode: Mode);
    mkdirat(dirfd: Dirfd, pathname: Path, mode: Mode);
    rmdir(pathname: Path);
    mknod(pathname: Path, mode: FileMode, dev: Hex);
    mknodat(dirfd: Dirfd, pathname: Path, mode: FileMode, dev: Hex);
    getdents(fd: Fd, dirp: Pointer, count: Uint);
    getdents64(fd: Fd, dirp: Pointer, count: Size);
    readdir(fd: Fd, dirp: Pointer, count: Uint);
    getcwd(buf: Buffer, size: Size);
    chdir(path: Path);
    fchdir(fd: Fd);
    chroot(path: Path);
    statfs(path: Path, buf: Pointer);
    fstatfs(fd: Fd, buf: Pointer);
    statfs64(path: Path, size: Size, buf: Pointer);
    fstatfs64(fd: Fd, size: Size, buf: Pointer);
    ustat(dev: Hex, ubuf: Pointer);
    sysfs(option: Int, arg1: Hex, arg2: Hex);
    setxattr(path: Path, name: Pointer, value: Buffer, size: Size, flags: XattrFlags);
    lsetxattr(path: Path, name: Pointer, value: Buffer, size: Size, flags: XattrFlags);
    fsetxattr(fd: Fd, name: Pointer, value: Buffer, size: Size, flags: XattrFlags);
    setxattrat(dirfd: Dirfd, pathname: Path, at_flags: AtFlags, name: Pointer, args: Pointer, size: Size);
    getxattr(path: Path, name: Pointer, value: Buffer, size: Size);
    lgetxattr(path: Path, name: Pointer, value: Buffer, size: Size);
    fgetxattr(fd: Fd, name: Pointer, value: Buffer, size: Size);
    getxattrat(dirfd: Dirfd, pathname: Path, at_flags: AtFlags, name: Pointer, args: Pointer, size: Size);
    listxattr(path: Path, list: Buffer, size: Size);
    llistxattr(path: Path, list: Buffer, size: Size);
    flistxattr(fd: Fd, list: Buffer, size: Size);
    listxattrat(dirfd: Dirfd, pathname: Path, at_flags: AtFlags, list: Buffer, size: Size);
    removexattr(path: Path, name: Pointer);
    lremovexattr(path: Path, name: Pointer);
    fremovexattr(fd: Fd, name: Pointer);
    removexattrat(dirfd: Dirfd, pathname: Path, at_flags: AtFlags, name: Pointer);
    file_getattr(dirfd: Dirfd, pathname: Path, ufattr: Pointer, usize: Size, at_flags: AtFlags);
    file_setattr(dirfd: Dirfd, pathname: Path, ufattr: Pointer, usize: Size, at_flags: AtFlags);
    lookup_dcookie(cookie: Hex, buffer: Buffer, len: Size);

    // Mounts and file systems.
    mount(source: Path, target: Path2, filesystemtype: Pointer, mountflags: MountFlags, data: Pointer);
    umount(target: Path);
    umount2(target: Path, flags: UmountFlags);
    pivot_root(new_root: Path, put_old: Path2);
    open_tree(dirfd: Dirfd, pathname: Path, flags: OpenTreeFlags);
    open_tree_attr(dirfd: Dirfd, pathname: Path, flags: OpenTreeFlags, attr: Pointer, size: Size);
    move_mount(from_dirfd: Dirfd, from_pathname: Path, to_dirfd: Dirfd, to_pathname: Path2, flags: MoveMountFlags);
    mount_setattr(dirfd: Dirfd, pathname: Path, flags: AtFlags, attr: Pointer, size: Size);
    fsopen(fsname: Pointer, flags: FsopenFlags);
    fsconfig(fd: Fd, cmd: FsconfigCommand, key: Pointer, value: Pointer, aux: Int);
    fsmount(fsfd: Fd, flags: FsmountFlags, attr_flags: MountAttributes);
    fspick(dirfd: Dirfd, pathname: Path, flags: FspickFlags);
    statmount(req: Pointer, buf: Pointer, bufsize: Size, flags: Hex);
    listmount(req: Pointer, mnt_ids: Pointer, nr_mnt_ids: Size, flags: Hex);
    listns(req: Pointer, ns_ids: Pointer, nr_ns_ids: Size, flags: Hex);
    swapon(path: Path, swapflags: SwapFlags);
    swapoff(path: Path);
    quotactl(cmd: Hex, special: Path, id: Uint, addr: Pointer);
    quotactl_fd(fd: Fd, cmd: Hex, id: Uint, addr: Pointer);
    acct(filename: Path);
    uselib(library: Path);
    nfsservctl();
    bdflush();

    // Memory.
    mmap(addr: Pointer, length: Size, prot: MmapProt, flags: MmapFlags, fd: Fd, offset: Hex);
    mmap2(addr: Pointer, length: Size, prot: MmapProt, flags: MmapFlags, fd: Fd, pgoffset: Hex);
    munmap(addr: Pointer, length: Size);
    mprotect(addr: Pointer, len: Size, prot: MmapProt);
    mremap(old_address: Pointer, old_size: Size, new_size: Size, flags: MremapFlags, new_address: Pointer);
    brk(addr: Pointer);
    madvise(addr: Pointer, length: Size, advice: Madvise);
    process_madvise(pidfd: Fd, iovec: Pointer, vlen: Size, advice: Madvise, flags: Hex);
    process_mrelease(pidfd: Fd, flags: Hex);
    mincore(addr: Pointer, length: Size, vec: Pointer);
    msync(addr: Pointer, length: Size, flags: MsyncFlags);
    mlock(addr: Pointer, len: Size);
    mlock2(addr: Pointer, len: Size, flags: Mlock2Flags);
    munlock(addr: Pointer, len: Size);
    mlockall(flags: MlockallFlags);
    munlockall();
    mseal(addr: Pointer, len: Size, flags: Hex);
    remap_file_pages(addr: Pointer, size: Size, prot: MmapProt, pgoff: Size, flags: MmapFlags);
    pkey_alloc(flags: Hex, access_rights: Hex);
    pkey_free(pkey: Int);
    pkey_mprotect(addr: Pointer, len: Size, prot: MmapProt, pkey: Int);
    map_shadow_stack(addr: Pointer, size: Size, flags: Hex);
    mbind(addr: Pointer, len: Size, mode: NumaPolicy, nodemask: Pointer, maxnode: Size, flags: Hex);
    get_mempolicy(mode: Pointer, nodemask: Pointer, maxnode: Size, addr: Pointer, flags: Hex);
    set_mempolicy(mode: NumaPolicy, nodemask: Pointer, maxnode: Size);
    set_mempolicy_home_node(start: Pointer, len: Size, home_node: Size, flags: Hex);
    migrate_pages(pid: Pid, maxnode: Size, old_nodes: Pointer, new_nodes: Pointer);
    move_pages(pid: Pid, count: Size, pages: Pointer, nodes: Pointer, status: Pointer, flags: Hex);
    process_vm_readv(pid: Pid, local_iov: Pointer, liovcnt: Size, remote_iov: Pointer, riovcnt: Size, flags: Hex);
    process_vm_writev(pid: Pid, local_iov: Pointer, liovcnt: Size, remote_iov: Pointer, riovcnt: Size, flags: Hex);

    // Processes and threads.
    execve(pathname: Path, argv: Pointer, envp: Pointer);
    execveat(dirfd: Dirfd, pathname: Path, argv: Pointer, envp: Pointer, flags: AtFlags);
    clone(flags: CloneFlags, stack: Pointer, parent_tid: Pointer, child_tid: Pointer, tls: Hex);
    clone3(cl_args: Pointer, size: Size);
    fork();
    vfork();
    exit(status: Int);
    exit_group(status: Int);
    wait4(pid: Pid, wstatus: Pointer, options: WaitOptions, rusage: Pointer);
    waitid(idtype: WaitId, id: Pid, infop: Pointer, options: WaitOptions, rusage: Pointer);
    waitpid(pid: Pid, wstatus: Pointer, options: WaitOptions);
    unshare(flags: NamespaceFlags);
    setns(fd: Fd, nstype: NamespaceFlags);
    getpid();
    getppid();
    gettid();
    getpgid(pid: Pid);
    getpgrp();
    setpgid(pid: Pid, pgid: Pid);
    getsid(pid: Pid);
    setsid();
    pidfd_open(pid: Pid, flags: PidfdFlags);
    pidfd_getfd(pidfd: Fd, targetfd: Fd, flags: Hex);
    pidfd_send_signal(pidfd: Fd, sig: Signal, info: Pointer, flags: Hex);
    ptrace(request: PtraceRequest, pid: Pid, addr: Hex, data: Hex);
    prctl(option: PrctlOption, arg2: Hex, arg3: Hex, arg4: Hex, arg5: Hex);
    arch_prctl(code: ArchPrctl, addr: Hex);
    personality(persona: Hex);
    set_tid_address(tidptr: Pointer);
    set_thread_area(u_info: Pointer);
    get_thread_area(u_info: Pointer);
    modify_ldt(func: Int, ptr: Pointer, bytecount: Size);
    set_robust_list(head: Pointer, len: Size);
    get_robust_list(pid: Pid, head_ptr: Pointer, sizep: Pointer);
    rseq(rseq: Pointer, rseq_len: Uint, flags: Hex, sig: Hex);
    rseq_slice_yield();
    futex(uaddr: Pointer, futex_op: FutexOp, val: Uint, timeout: Pointer, uaddr2: Pointer, val3: Hex);
    futex_time64(uaddr: Pointer, futex_op: FutexOp, val: Uint, timeout: Pointer, uaddr2: Pointer, val3: Hex);
    futex_wait(uaddr: Pointer, val: Hex, mask: Hex, flags: Futex2Flags, timeout: Pointer, clockid: ClockId);
    futex_wake(uaddr: Pointer, mask: Hex, nr: Int, flags: Futex2Flags);
    futex_requeue(waiters: Pointer, flags: Hex, nr_wake: Int, nr_requeue: Int);
    futex_waitv(waiters: Pointer, nr_futexes: Uint, flags: Hex, timeout: Pointer, clockid: ClockId);
    membarrier(cmd: MembarrierCommand, flags: Hex, cpu_id: Int);
    restart_syscall();

    // Scheduling and limits.
    sched_yield();
    sched_setscheduler(pid: Pid, policy: SchedPolicy, param: Pointer);
    sched_getscheduler(pid: Pid);
    sched_setparam(pid: Pid, param: Pointer);
    sched_getparam(pid: Pid, param: Pointer);
    sched_setattr(pid: Pid, attr: Pointer, flags: Hex);
    sched_getattr(pid: Pid, attr: Pointer, size: Uint, flags: Hex);
    sched_setaffinity(pid: Pid, cpusetsize: Size, mask: Pointer);
    sched_getaffinity(pid: Pid, cpusetsize: Size, mask: Pointer);
    sched_get_priority_max(policy: SchedPolicy);
    sched_get_priority_min(policy: SchedPolicy);
    sched_rr_get_interval(pid: Pid, tp: Pointer);
    sched_rr_get_interval_time64(pid: Pid, tp: Pointer);
    nice(inc: Int);
    getpriority(which: PriorityWhich, who: Int);
    setpriority(which: PriorityWhich, who: Int, prio: Int);
    ioprio_get(which: IoprioWhich, who: Int);
    ioprio_set(which: IoprioWhich, who: Int, ioprio: Hex);
    getrlimit(resource: Resource, rlim: Pointer);
    ugetrlimit(resource: Resource, rlim: Pointer);
    setrlimit(resource: Resource, rlim: Pointer);
    prlimit64(pid: Pid, resource: Resource, new_limit: Pointer, old_limit: Pointer);
    getrusage(who: RusageWho, usage: Pointer);
    times(buf: Pointer);
    getcpu(cpu: Pointer, node: Pointer, tcache: Pointer);

    // Signals.
    kill(pid: Pid, sig: Signal);
    tkill(tid: Pid, sig: Signal);
    tgkill(tgid: Pid, tid: Pid, sig: Signal);
    rt_sigaction(signum: Signal, act: Pointer, oldact: Pointer, sigsetsize: Size);
    rt_sigprocmask(how: SignalHow, set: Pointer, oldset: Pointer, sigsetsize: Size);
    rt_sigpending(set: Pointer, sigsetsize: Size);
    rt_sigsuspend(mask: Pointer, sigsetsize: Size);
    rt_sigtimedwait(set: Pointer, info: Pointer, timeout: Pointer, sigsetsize: Size);
    rt_sigtimedwait_time64(set: Pointer, info: Pointer, timeout: Pointer, sigsetsize: Size);
    rt_sigqueueinfo(tgid: Pid, sig: Signal, info: Pointer);
    rt_tgsigqueueinfo(tgid: Pid, tid: Pid, sig: Signal, info: Pointer);
    rt_sigreturn();
    sigaction(signum: Signal, act: Pointer, oldact: Pointer);
    signal(signum: Signal, handler: Pointer);
    sigprocmask(how: SignalHow, set: Pointer, oldset: Pointer);
    sigpending(set: Pointer);
    sigsuspend(unused1: Hex, unused2: Hex, mask: Hex);
    sigreturn();
    sgetmask();
    ssetmask(newmask: Hex);
    sigaltstack(ss: Pointer, old_ss: Pointer);
    pause();
    alarm(seconds: Uint);

    // Time.
    time(tloc: Pointer);
    stime(t: Pointer);
    gettimeofday(tv: Pointer, tz: Pointer);
    settimeofday(tv: Pointer, tz: Pointer);
    adjtimex(buf: Pointer);
    clock_gettime(clockid: ClockId, tp: Pointer);
    clock_gettime64(clockid: ClockId, tp: Pointer);
    clock_settime(clockid: ClockId, tp: Pointer);
    clock_settime64(clockid: ClockId, tp: Pointer);
    clock_getres(clockid: ClockId, res: Pointer);
    clock_getres_time64(clockid: ClockId, res: Pointer);
    clock_adjtime(clockid: ClockId, buf: Pointer);
    clock_adjtime64(clockid: ClockId, buf: Pointer);
    clock_nanosleep(clockid: ClockId, flags: TimerFlags, request: Pointer, remain: Pointer);
    clock_nanosleep_time64(clockid: ClockId, flags: TimerFlags, request: Pointer, remain: Pointer);
    nanosleep(req: Pointer, rem: Pointer);
    getitimer(which: IntervalTimer, curr_value: Pointer);
    setitimer(which: IntervalTimer, new_value: Pointer, old_value: Pointer);
    timer_create(clockid: ClockId, sevp: Pointer, timerid: Pointer);
    timer_settime(timerid: Int, flags: TimerFlags, new_value: Pointer, old_value: Pointer);
    timer_settime64(timerid: Int, flags: TimerFlags, new_value: Pointer, old_value: Pointer);
    timer_gettime(timerid: Int, curr_value: Pointer);
    timer_gettime64(timerid: Int, curr_value: Pointer);
    timer_getoverrun(timerid: Int);
    timer_delete(timerid: Int);

    // Users, groups and capabilities.
    getuid();
    geteuid();
    getgid();
    getegid();
    getresuid(ruid: Pointer, euid: Pointer, suid: Pointer);
    getresgid(rgid: Pointer, egid: Pointer, sgid: Pointer);
    getgroups(size: Int, list: Pointer);
    setuid(uid: Uid);
    setgid(gid: Gid);
    setreuid(ruid: Uid, euid: Uid);
    setregid(rgid: Gid, egid: Gid);
    setresuid(ruid: Uid, euid: Uid, suid: Uid);
    setresgid(rgid: Gid, egid: Gid, sgid: Gid);
    setfsuid(fsuid: Uid);
    setfsgid(fsgid: Gid);
    setgroups(size: Size, list: Pointer);
    getuid32();
    geteuid32();
    getgid32();
    getegid32();
    getresuid32(ruid: Pointer, euid: Pointer, suid: Pointer);
    getresgid32(rgid: Pointer, egid: Pointer, sgid: Pointer);
    getgroups32(size: Int, list: Pointer);
    setuid32(uid: Uid);
    setgid32(gid: Gid);
    setreuid32(ruid: Uid, euid: Uid);
    setregid32(rgid: Gid, egid: Gid);
    setresuid32(ruid: Uid, euid: Uid, suid: Uid);
    setresgid32(rgid: Gid, egid: Gid, sgid: Gid);
    setfsuid32(fsuid: Uid);
    setfsgid32(fsgid: Gid);
    setgroups32(size: Size, list: Pointer);
    capget(hdrp: Pointer, datap: Pointer);
    capset(hdrp: Pointer, datap: Pointer);

    // Sockets.
    socket(domain: SocketDomain, type: SocketType, protocol: SocketProtocol);
    socketpair(domain: SocketDomain, type: SocketType, protocol: SocketProtocol, sv: Pointer);
    socketcall(call: SocketcallCall, args: Pointer);
    bind(sockfd: Fd, addr: Address, addrlen: AddressLen);
    connect(sockfd: Fd, addr: Address, addrlen: AddressLen);
    listen(sockfd: Fd, backlog: Int);
    accept(sockfd: Fd, addr: Address, addrlen: AddressLenPtr);
    accept4(sockfd: Fd, addr: Address, addrlen: AddressLenPtr, flags: SocketFlags);
    getsockname(sockfd: Fd, addr: Address, addrlen: AddressLenPtr);
    getpeername(sockfd: Fd, addr: Address, addrlen: AddressLenPtr);
    sendto(sockfd: Fd, buf: Buffer, len: Size, flags: MsgFlags, dest_addr: Address, addrlen: AddressLen);
    recvfrom(sockfd: Fd, buf: Buffer, len: Size, flags: MsgFlags, src_addr: Address, addrlen: AddressLenPtr);
    send(sockfd: Fd, buf: Buffer, len: Size, flags: MsgFlags);
    recv(sockfd: Fd, buf: Buffer, len: Size, flags: MsgFlags);
    sendmsg(sockfd: Fd, msg: Msghdr, flags: MsgFlags);
    recvmsg(sockfd: Fd, msg: Msghdr, flags: MsgFlags);
    sendmmsg(sockfd: Fd, msgvec: Pointer, vlen: Uint, flags: MsgFlags);
    recvmmsg(sockfd: Fd, msgvec: Pointer, vlen: Uint, flags: MsgFlags, timeout: Pointer);
    recvmmsg_time64(sockfd: Fd, msgvec: Pointer, vlen: Uint, flags: MsgFlags, timeout: Pointer);
    getsockopt(sockfd: Fd, level: SocketLevel, optname: SocketOption, optval: Pointer, optlen: Pointer);
    setsockopt(sockfd: Fd, level: SocketLevel, optname: SocketOption, optval: Pointer, optlen: Uint);
    shutdown(sockfd: Fd, how: ShutdownHow);

    // Messages, semaphores and shared memory.
    ipc(call: Uint, first: Int, second: Hex, third: Hex, ptr: Pointer, fifth: Hex);
    msgget(key: Hex, msgflg: IpcFlags);
    msgctl(msqid: Int, cmd: IpcCommand, buf: Pointer);
    msgsnd(msqid: Int, msgp: Pointer, msgsz: Size, msgflg: IpcFlags);
    msgrcv(msqid: Int, msgp: Pointer, msgsz: Size, msgtyp: Long, msgflg: IpcFlags);
    semget(key: Hex, nsems: Int, semflg: IpcFlags);
    semctl(semid: Int, semnum: Int, cmd: IpcCommand, arg: Hex);
    semop(semid: Int, sops: Pointer, nsops: Size);
    semtimedop(semid: Int, sops: Pointer, nsops: Size, timeout: Pointer);
    semtimedop_time64(semid: Int, sops: Pointer, nsops: Size, timeout: Pointer);
    shmget(key: Hex, size: Size, shmflg: IpcFlags);
    shmat(shmid: Int, shmaddr: Pointer, shmflg: ShmatFlags);
    shmctl(shmid: Int, cmd: IpcCommand, buf: Pointer);
    shmdt(shmaddr: Pointer);
    mq_open(name: Pointer, oflag: OpenFlags, mode: CreateMode, attr: Pointer);
    mq_unlink(name: Pointer);
    mq_timedsend(mqdes: Fd, msg_ptr: Buffer, msg_len: Size, msg_prio: Uint, abs_timeout: Pointer);
    mq_timedsend_time64(mqdes: Fd, msg_ptr: Buffer, msg_len: Size, msg_prio: Uint, abs_timeout: Pointer);
    mq_timedreceive(mqdes: Fd, msg_ptr: Buffer, msg_len: Size, msg_prio: Pointer, abs_timeout: Pointer);
    mq_timedreceive_time64(mqdes: Fd, msg_ptr: Buffer, msg_len: Size, msg_prio: Pointer, abs_timeout: Pointer);
    mq_notify(mqdes: Fd, sevp: Pointer);
    mq_getsetattr(mqdes: Fd, newattr: Pointer, oldattr: Pointer);

    // Asynchronous input and output.
    io_setup(nr_events: Uint, ctx_idp: Pointer);
    io_destroy(ctx_id: Hex);
    io_submit(ctx_id: Hex, nr: Long, iocbpp: Pointer);
    io_cancel(ctx_id: Hex, iocb: Pointer, result: Pointer);
    io_getevents(ctx_id: Hex, min_nr: Long, nr: Long, events: Pointer, timeout: Pointer);
    io_pgetevents(ctx_id: Hex, min_nr: Long, nr: Long, events: Pointer, timeout: Pointer, usig: Pointer);
    io_pgetevents_time64(ctx_id: Hex, min_nr: Long, nr: Long, events: Pointer, timeout: Pointer, usig: Pointer);
    io_uring_setup(entries: Uint, p: Pointer);
    io_uring_enter(fd: Fd, to_submit: Uint, min_complete: Uint, flags: IoUringFlags, sig: Pointer, sz: Size);
    io_uring_register(fd: Fd, opcode: IoUringRegister, arg: Pointer, nr_args: Uint);

    // Security, tracing and keys.
    seccomp(operation: SeccompOperation, flags: SeccompFlags, args: Pointer);
    bpf(cmd: BpfCommand, attr: Pointer, size: Uint);
    perf_event_open(attr: Pointer, pid: Pid, cpu: Int, group_fd: Fd, flags: PerfFlags);
    landlock_create_ruleset(attr: Pointer, size: Size, flags: LandlockFlags);
    landlock_add_rule(ruleset_fd: Fd, rule_type: LandlockRule, rule_attr: Pointer, flags: Hex);
    landlock_restrict_self(ruleset_fd: Fd, flags: Hex);
    lsm_get_self_attr(attr: LsmAttribute, ctx: Pointer, size: Pointer, flags: Hex);
    lsm_set_self_attr(attr: LsmAttribute, ctx: Pointer, size: Uint, flags: Hex);
    lsm_list_modules(ids: Pointer, size: Pointer, flags: Hex);
    add_key(type: Pointer, description: Pointer, payload: Buffer, plen: Size, keyring: Keyring);
    request_key(type: Pointer, description: Pointer, callout_info: Pointer, dest_keyring: Keyring);
    keyctl(operation: KeyctlCommand, arg2: Hex, arg3: Hex, arg4: Hex, arg5: Hex);
    getrandom(buf: Buffer, buflen: Size, flags: RandomFlags);
    uprobe();
    uretprobe();

    // The machine and the kernel.
    uname(buf: Pointer);
    olduname(buf: Pointer);
    oldolduname(buf: Pointer);
    sethostname(name: Pointer, len: Size);
    setdomainname(name: Pointer, len: Size);
    sysinfo(info: Pointer);
    syslog(type: SyslogAction, bufp: Buffer, len: Int);
    reboot(magic: Hex, magic2: Hex, cmd: RebootCommand, arg: Pointer);
    kexec_load(entry: Pointer, nr_segments: Size, segments: Pointer, flags: Hex);
    kexec_file_load(kernel_fd: Fd, initrd_fd: Fd, cmdline_len: Size, cmdline: Pointer, flags: KexecFileFlags);
    init_module(module_image: Buffer, len: Size, param_values: Pointer);
    finit_module(fd: Fd, param_values: Pointer, flags: ModuleFlags);
    delete_module(name: Pointer, flags: DescriptorFlags);
    ioperm(from: Hex, num: Size, turn_on: Int);
    iopl(level: Int);
    vhangup();
    vm86(fn: Hex, v86: Pointer);
    vm86old(info: Pointer);
    pciconfig_read(bus: Hex, dfn: Hex, off: Hex, len: Size, buf: Pointer);
    pciconfig_write(bus: Hex, dfn: Hex, off: Hex, len: Size, buf: Pointer);
    pciconfig_iobase(which: Long, bus: Hex, devfn: Hex);

    // Numbers that are taken but that no current kernel implements.
    _sysctl(args: Pointer);
    afs_syscall();
    break();
    create_module();
    ftime();
    get_kernel_syms();
    getpmsg();
    gtty();
    idle();
    lock();
    mpx();
    prof();
    profil();
    putpmsg();
    query_module();
    security();
    stty();
    tuxcall();
    ulimit();
    vserver();
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::syscalls::{Arch, name};
    use std::collections::BTreeSet;

    #[test]
    fn every_system_call_of_every_table_has_a_signature() {
        for arch in [Arch::X86_64, Arch::Aarch64] {
            for compat in [false, true] {
                let missing: Vec<_> = (0..600)
                    .filter_map(|number| name(arch, compat, number))
                    .filter(|name| signature(name).is_none())
                    .collect();
                assert!(missing.is_empty(), "{arch:?} {compat}: {missing:?}");
            }
        }
    }

    #[test]
    fn signatures_are_unique_and_fit_the_registers() {
        let mut seen = BTreeSet::new();
        for s in signatures() {
            assert!(seen.insert(s.name), "{} is listed twice", s.name);
            assert!(s.args.len() <= 6, "{} has too many arguments", s.name);
            let names: BTreeSet<_> = s.args.iter().map(|arg| arg.name).collect();
            assert_eq!(names.len(), s.args.len(), "{} repeats an argument", s.name);
        }
    }

    #[test]
    fn a_second_path_never_stands_alone() {
        for s in signatures() {
            let count = |kind| s.args.iter().filter(|arg| arg.kind == kind).count();
            assert!(count(Kind::Path) <= 1 && count(Kind::Path2) <= count(Kind::Path));
            assert!(count(Kind::Address) + count(Kind::Msghdr) <= 1);
        }
    }
}
