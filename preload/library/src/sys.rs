//! System calls, made directly: those of the C library set `errno`, may be replaced, may be points
//! at which threads are cancelled.

use core::arch::asm;

/// Numbers of system calls.
#[cfg(target_arch = "x86_64")]
pub mod number {
    pub const READ: usize = 0;
    pub const CLOSE: usize = 3;
    pub const FSTAT: usize = 5;
    pub const PWRITE64: usize = 18;
    pub const FCNTL: usize = 72;
    pub const MMAP: usize = 9;
    pub const MUNMAP: usize = 11;
    pub const SCHED_YIELD: usize = 24;
    pub const MADVISE: usize = 28;
    pub const GETPID: usize = 39;
    pub const FTRUNCATE: usize = 77;
    pub const FCHMOD: usize = 91;
    pub const GETTID: usize = 186;
    pub const TKILL: usize = 200;
    pub const FUTEX: usize = 202;
    pub const CLOCK_GETTIME: usize = 228;
    pub const OPENAT: usize = 257;
    pub const UNLINKAT: usize = 263;
    pub const READLINKAT: usize = 267;
    pub const FALLOCATE: usize = 285;
    pub const PRLIMIT64: usize = 302;
    pub const PROCESS_VM_READV: usize = 310;
    pub const GETRANDOM: usize = 318;
}

/// Numbers of system calls.
#[cfg(target_arch = "aarch64")]
pub mod number {
    pub const FCNTL: usize = 25;
    pub const UNLINKAT: usize = 35;
    pub const FTRUNCATE: usize = 46;
    pub const FALLOCATE: usize = 47;
    pub const FCHMOD: usize = 52;
    pub const OPENAT: usize = 56;
    pub const CLOSE: usize = 57;
    pub const READ: usize = 63;
    pub const READLINKAT: usize = 78;
    pub const PWRITE64: usize = 68;
    pub const FSTAT: usize = 80;
    pub const FUTEX: usize = 98;
    pub const CLOCK_GETTIME: usize = 113;
    pub const SCHED_YIELD: usize = 124;
    pub const TKILL: usize = 130;
    pub const GETPID: usize = 172;
    pub const GETTID: usize = 178;
    pub const MUNMAP: usize = 215;
    pub const MMAP: usize = 222;
    pub const MADVISE: usize = 233;
    pub const PRLIMIT64: usize = 261;
    pub const PROCESS_VM_READV: usize = 270;
    pub const GETRANDOM: usize = 278;
}

/// An error number, positive.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Errno(pub i32);

pub const ENOENT: Errno = Errno(2);
pub const ESRCH: Errno = Errno(3);
pub const EINVAL: Errno = Errno(22);
pub const ENFILE: Errno = Errno(23);
pub const EMFILE: Errno = Errno(24);
pub const ENOMEM: Errno = Errno(12);

/// A path for the kernel: ends with a NUL.
pub type Path = [u8];

/// # Safety
/// As the call demands of its arguments.
#[inline]
pub unsafe fn call(number: usize, args: [usize; 6]) -> Result<usize, Errno> {
    let result: isize;
    // SAFETY: the caller vouches for the arguments; the clobbered registers are declared.
    unsafe {
        #[cfg(target_arch = "x86_64")]
        asm!(
            "syscall",
            inlateout("rax") number as isize => result,
            in("rdi") args[0], in("rsi") args[1], in("rdx") args[2],
            in("r10") args[3], in("r8") args[4], in("r9") args[5],
            lateout("rcx") _, lateout("r11") _,
            options(nostack)
        );
        #[cfg(target_arch = "aarch64")]
        asm!(
            "svc 0",
            in("x8") number,
            inlateout("x0") args[0] as isize => result,
            in("x1") args[1], in("x2") args[2],
            in("x3") args[3], in("x4") args[4], in("x5") args[5],
            options(nostack)
        );
    }
    if (-4095..0).contains(&result) { Err(Errno(-result as i32)) } else { Ok(result as usize) }
}

/// An open file, closed when dropped.
pub struct File(i32);

impl Drop for File {
    fn drop(&mut self) {
        // SAFETY: the descriptor is ours.
        let _ = unsafe { call(number::CLOSE, [self.0 as usize, 0, 0, 0, 0, 0]) };
    }
}

const AT_FDCWD: usize = -100isize as usize;
const O_CLOEXEC: usize = 0o2000000;
const O_NONBLOCK: usize = 0o4000;
const O_CREAT_EXCL: usize = 0o100 | 0o200;
const O_RDWR: usize = 2;
#[cfg(target_arch = "x86_64")]
const O_NOFOLLOW: usize = 0o400000;
#[cfg(target_arch = "aarch64")]
const O_NOFOLLOW: usize = 0o100000;

impl File {
    /// Opens to read.
    pub fn open(path: &Path) -> Result<File, Errno> {
        File::open_with(path, O_CLOEXEC | O_NONBLOCK | O_NOFOLLOW, 0)
    }

    /// Opens to read and write.
    pub fn open_to_write(path: &Path) -> Result<File, Errno> {
        File::open_with(path, O_RDWR | O_CLOEXEC | O_NONBLOCK | O_NOFOLLOW, 0)
    }

    /// Makes a file that must not be there yet, to read and write.
    pub fn create(path: &Path) -> Result<File, Errno> {
        let file = File::open_with(path, O_RDWR | O_CREAT_EXCL | O_CLOEXEC | O_NOFOLLOW, 0o600)?;
        // The umask may have taken even the owner's rights; the recorder may be the owner.
        // SAFETY: no pointers.
        unsafe { call(number::FCHMOD, [file.0 as usize, 0o600, 0, 0, 0, 0])? };
        Ok(file)
    }

    fn open_with(path: &Path, flags: usize, mode: usize) -> Result<File, Errno> {
        debug_assert!(path.ends_with(&[0]));
        // SAFETY: the path ends with a NUL.
        let file =
            unsafe { call(number::OPENAT, [AT_FDCWD, path.as_ptr() as usize, flags, mode, 0, 0])? };
        Ok(File(file as i32))
    }

    /// Reads on; 0 at the end.
    pub fn read(&self, buffer: &mut [u8]) -> Result<usize, Errno> {
        let args = [self.0 as usize, buffer.as_mut_ptr() as usize, buffer.len(), 0, 0, 0];
        // SAFETY: the buffer is exclusively ours.
        unsafe { call(number::READ, args) }
    }

    /// Writes over its beginning. Whether all was written.
    pub fn write_at_start(&self, bytes: &[u8]) -> bool {
        let args = [self.0 as usize, bytes.as_ptr() as usize, bytes.len(), 0, 0, 0];
        // SAFETY: the kernel reads the bytes.
        unsafe { call(number::PWRITE64, args) == Ok(bytes.len()) }
    }

    /// Locks it against all others that open it. False when another has locked it.
    pub fn lock(&self) -> bool {
        self.set_lock(1)
    }

    /// Ends the lock.
    pub fn unlock(&self) {
        self.set_lock(2);
    }

    fn set_lock(&self, kind: u16) -> bool {
        const F_OFD_SETLK: usize = 37;
        // `struct flock`: the kind, and zeros, which mean the whole file.
        let lock = [u64::from(kind), 0, 0, 0];
        let args = [self.0 as usize, F_OFD_SETLK, lock.as_ptr() as usize, 0, 0, 0];
        // SAFETY: the kernel reads the struct.
        unsafe { call(number::FCNTL, args).is_ok() }
    }

    /// Its size.
    pub fn size(&self) -> Result<u64, Errno> {
        const ST_SIZE: usize = 48 / 8;
        let mut stat = [0u64; 32];
        // SAFETY: `struct stat` is shorter than the array.
        unsafe { call(number::FSTAT, [self.0 as usize, stat.as_mut_ptr() as usize, 0, 0, 0, 0])? };
        Ok(stat[ST_SIZE])
    }

    /// Sets its size.
    pub fn truncate(&self, bytes: usize) -> Result<(), Errno> {
        // SAFETY: no pointers.
        unsafe { call(number::FTRUNCATE, [self.0 as usize, bytes, 0, 0, 0, 0]).map(drop) }
    }

    /// Reserves memory or disk for its beginning, so that writing to the mapped file cannot fail.
    pub fn reserve(&self, bytes: usize) -> Result<(), Errno> {
        // SAFETY: no pointers.
        unsafe { call(number::FALLOCATE, [self.0 as usize, 0, 0, bytes, 0, 0]).map(drop) }
    }

    /// Maps it, shared.
    pub fn map(&self, bytes: usize, writable: bool) -> Result<*mut u8, Errno> {
        const MAP_SHARED: usize = 1;
        let protection = if writable { PROT_READ | PROT_WRITE } else { PROT_READ };
        // SAFETY: a new mapping hurts nobody.
        let at =
            unsafe { call(number::MMAP, [0, bytes, protection, MAP_SHARED, self.0 as usize, 0])? };
        Ok(at as *mut u8)
    }
}

const PROT_READ: usize = 1;
const PROT_WRITE: usize = 2;

/// New zeroed memory.
pub fn map_anonymous(bytes: usize) -> Result<*mut u8, Errno> {
    const MAP_PRIVATE_ANONYMOUS: usize = 0x22;
    let args = [0, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE_ANONYMOUS, usize::MAX, 0];
    // SAFETY: a new mapping hurts nobody.
    unsafe { call(number::MMAP, args).map(|at| at as *mut u8) }
}

/// # Safety
/// Nobody uses the memory any more.
pub unsafe fn unmap(at: *mut u8, bytes: usize) {
    // SAFETY: by contract.
    let _ = unsafe { call(number::MUNMAP, [at as usize, bytes, 0, 0, 0, 0]) };
}

/// Advice: a forked child finds the memory zeroed.
pub const MADV_WIPEONFORK: usize = 18;
/// Advice: pages are made and may be written to, or the call fails.
pub const MADV_POPULATE_WRITE: usize = 23;

/// # Safety
/// The memory is ours.
pub unsafe fn advise(at: *mut u8, bytes: usize, advice: usize) -> Result<(), Errno> {
    // SAFETY: by contract.
    unsafe { call(number::MADVISE, [at as usize, bytes, advice, 0, 0, 0]).map(drop) }
}

/// Reads the link at `path`.
pub fn read_link<'a>(path: &Path, buffer: &'a mut [u8]) -> Result<&'a [u8], Errno> {
    let args = [AT_FDCWD, path.as_ptr() as usize, buffer.as_mut_ptr() as usize, buffer.len(), 0, 0];
    // SAFETY: the path ends with a NUL, the buffer is ours.
    let length = unsafe { call(number::READLINKAT, args)? };
    Ok(&buffer[..length])
}

/// Removes a file.
pub fn unlink(path: &Path) {
    // SAFETY: the path ends with a NUL.
    let _ = unsafe { call(number::UNLINKAT, [AT_FDCWD, path.as_ptr() as usize, 0, 0, 0, 0]) };
}

/// Copies memory of this process that may not be there. Only as much as could be read.
pub fn read_memory(address: u64, buffer: &mut [u8]) -> usize {
    let local = [buffer.as_mut_ptr() as usize, buffer.len()];
    let remote = [address as usize, buffer.len()];
    // SAFETY: no pointers.
    let Ok(pid) = (unsafe { call(number::GETPID, [0; 6]) }) else { return 0 };
    let args = [pid, local.as_ptr() as usize, 1, remote.as_ptr() as usize, 1, 0];
    // SAFETY: the kernel writes to the buffer only, and checks what it reads.
    unsafe { call(number::PROCESS_VM_READV, args).unwrap_or(0) }
}

/// Fills the whole buffer from memory that may not be there.
pub fn read_memory_exact(address: u64, buffer: &mut [u8]) -> bool {
    read_memory(address, buffer) == buffer.len()
}

/// The calling thread, as this process numbers it.
pub fn thread_id() -> u32 {
    // SAFETY: no pointers.
    unsafe { call(number::GETTID, [0; 6]).unwrap_or(0) as u32 }
}

/// The calling process, as this process numbers it.
pub fn process_id() -> u32 {
    // SAFETY: no pointers.
    unsafe { call(number::GETPID, [0; 6]).unwrap_or(0) as u32 }
}

/// Whether no thread has this number any more.
pub fn is_gone(tid: u32) -> bool {
    // SAFETY: signal 0 is none.
    unsafe { call(number::TKILL, [tid as usize, 0, 0, 0, 0, 0]) == Err(ESRCH) }
}

/// Largest file the process may write; beyond it the kernel sends a deadly signal.
pub fn file_size_limit() -> u64 {
    const RLIMIT_FSIZE: usize = 1;
    let mut limit = [u64::MAX; 2];
    // SAFETY: the kernel writes two words.
    let asked =
        unsafe { call(number::PRLIMIT64, [0, RLIMIT_FSIZE, 0, limit.as_mut_ptr() as usize, 0, 0]) };
    asked.map_or(u64::MAX, |_| limit[0])
}

/// Random bits; whatever is there early after boot.
pub fn random() -> u64 {
    const GRND_NONBLOCK: usize = 1;
    let mut word = 0u64;
    // SAFETY: the kernel writes one word.
    let _ = unsafe { call(number::GETRANDOM, [&raw mut word as usize, 8, GRND_NONBLOCK, 0, 0, 0]) };
    word
}

/// Lets other threads run.
pub fn yield_now() {
    // SAFETY: no pointers.
    let _ = unsafe { call(number::SCHED_YIELD, [0; 6]) };
}

/// Wakes all who wait on `word`, in all processes; the word may be read-only memory.
pub fn futex_wake(word: *const u32) {
    const FUTEX_WAKE: usize = 1;
    // SAFETY: the kernel only takes the address.
    let _ = unsafe { call(number::FUTEX, [word as usize, FUTEX_WAKE, i32::MAX as usize, 0, 0, 0]) };
}

/// Waits until `word` is no longer `value`, somebody wakes, or the time is over.
pub fn futex_wait(word: *const u32, value: u32, timeout_ns: u64) {
    const FUTEX_WAIT: usize = 0;
    let timeout = [timeout_ns / 1_000_000_000, timeout_ns % 1_000_000_000];
    let args = [word as usize, FUTEX_WAIT, value as usize, timeout.as_ptr() as usize, 0, 0];
    // SAFETY: the kernel reads the word and the timeout.
    let _ = unsafe { call(number::FUTEX, args) };
}

/// Ends the process where nothing else is left to do.
pub fn abort() -> ! {
    // SAFETY: an invalid instruction ends the process.
    unsafe {
        #[cfg(target_arch = "x86_64")]
        asm!("ud2", options(noreturn));
        #[cfg(target_arch = "aarch64")]
        asm!("udf #0", options(noreturn));
    }
}
