//! Sockets from here: which are open when recording begins, which are gone, which are left at its end.
//!
//! A walk over a map is not among what the library for programs attaches, so its link is made here.

use std::fs::File;
use std::io::Read;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use std::path::PathBuf;

use aya::maps::{Array, Map};
use aya::programs::{CgroupAttachMode, CgroupSock, Iter};

use super::attach::{program, refusal};
use super::{Kernel, reasons};
use crate::Error;

/// Sockets that are followed at once.
pub const SOCKETS_MAX: u32 = 16384;
/// Bytes asked of a walk at once: the kernel keeps four times as many, and stops when it has these.
const WALK_BYTES: usize = 8192;

/// As `struct word` in ebpf/src/sockets.h.
#[derive(Clone, Copy)]
#[repr(C)]
struct Word([u8; 32]);

// SAFETY: bytes without padding, any value is valid.
unsafe impl aya::Pod for Word {}

impl Kernel {
    /// Prepares what follows sockets. Programs that this kernel does not take are told of.
    pub(super) fn attach_sockets(&mut self) -> Result<(), Error> {
        let mut words: Array<_, Word> = Array::try_from(self.map_mut("drop_reasons"))?;
        let room = words.len();
        for (number, name) in reasons::drop_reasons() {
            let mut word = Word([0; 32]);
            let length = name.len().min(31);
            word.0[..length].copy_from_slice(&name.as_bytes()[..length]);
            if number < room {
                words.set(number, word, 0)?;
            }
        }
        if let Err(error) = self.attach_release() {
            self.missing.push(format!(
                "the moment at which a UDP socket is closed, which is told to the second: {error}"
            ));
        }
        Ok(())
    }

    fn attach_release(&mut self) -> Result<(), Error> {
        const NAME: &str = "cgroup__sock_release";
        let missing = || Error::Program {
            program: NAME.into(),
            reason: "no control groups of version 2 are mounted".into(),
        };
        let root = File::open(cgroup_root().ok_or_else(missing)?)
            .map_err(Error::io("cannot open the control groups"))?;
        let program: &mut CgroupSock = program(&mut self.ebpf, NAME)?;
        let refused = |error: aya::programs::ProgramError| refusal(NAME, &error);
        program.load().map_err(refused)?;
        // A link is always beside those of others, and wants no flag that says so.
        program.attach(root, CgroupAttachMode::Single).map_err(refused)?;
        Ok(())
    }

    /// Takes down the sockets that are open.
    pub fn find_sockets(&mut self) -> Result<(), Error> {
        self.walk_over("iter__open_sockets", "task_file").map(|_| ())
    }

    /// The records of sockets that are gone and did not tell.
    pub fn gone_sockets(&mut self) -> Result<Vec<u8>, Error> {
        self.walk_sockets("iter__gone_sockets")
    }

    /// The records of all sockets that are left. To be called when everything is detached.
    pub fn last_sockets(&mut self) -> Result<Vec<u8>, Error> {
        self.walk_sockets("iter__last_sockets")
    }

    fn walk_sockets(&mut self, name: &str) -> Result<Vec<u8>, Error> {
        let map = match self.ebpf.map("sockets") {
            Some(Map::HashMap(map)) => map.fd().as_fd().try_clone_to_owned(),
            _ => unreachable!("the object has this hash"),
        };
        let map = map.map_err(Error::io("cannot keep a map"))?;
        let btf = &self.btf;
        let program: &mut Iter = program(&mut self.ebpf, name)?;
        let refused = |error: aya::programs::ProgramError| refusal(name, &error);
        if program.fd().is_err() {
            program.load("bpf_map_elem", btf).map_err(refused)?;
        }
        let walk = walk_over_map(program.fd().map_err(refused)?.as_fd(), map.as_fd());
        let mut walk = walk.map_err(Error::io("cannot walk over the sockets"))?;
        let mut records = Vec::new();
        let mut part = [0; WALK_BYTES];
        loop {
            match walk.read(&mut part).map_err(Error::io("cannot walk over the sockets"))? {
                0 => return Ok(records),
                length => records.extend_from_slice(&part[..length]),
            }
        }
    }
}

/// Where the control groups of version 2 are mounted.
fn cgroup_root() -> Option<PathBuf> {
    let mounts = std::fs::read_to_string("/proc/mounts").ok()?;
    mounts.lines().find_map(|line| {
        let mut words = line.split_ascii_whitespace().skip(1);
        let (path, kind) = (words.next()?, words.next()?);
        (kind == "cgroup2").then(|| PathBuf::from(path))
    })
}

const BPF_LINK_CREATE: libc::c_int = 28;
const BPF_ITER_CREATE: libc::c_int = 33;
const BPF_TRACE_ITER: u32 = 28;

/// As the parts of `union bpf_attr` for these commands.
#[repr(C)]
struct LinkCreate {
    program: u32,
    target: u32,
    attach_type: u32,
    flags: u32,
    info: u64,
    info_length: u32,
    reserved: u32,
}

#[repr(C)]
struct IterCreate {
    link: u32,
    flags: u32,
}

/// Calls bpf(2) with one of the above.
fn bpf<T>(command: libc::c_int, attributes: &T) -> std::io::Result<OwnedFd> {
    // SAFETY: the attributes are those of the command, and so long; the kernel only reads them.
    let fd = unsafe {
        libc::syscall(libc::SYS_bpf, command, std::ptr::from_ref(attributes), size_of::<T>())
    };
    if fd < 0 {
        return Err(std::io::Error::last_os_error());
    }
    // SAFETY: both commands return a file descriptor that is nobody else's.
    Ok(unsafe { OwnedFd::from_raw_fd(fd as i32) })
}

fn walk_over_map(program: BorrowedFd, map: BorrowedFd) -> std::io::Result<File> {
    let info = map.as_raw_fd() as u32;
    let link = bpf(
        BPF_LINK_CREATE,
        &LinkCreate {
            program: program.as_raw_fd() as u32,
            target: 0,
            attach_type: BPF_TRACE_ITER,
            flags: 0,
            info: std::ptr::from_ref(&info) as u64,
            info_length: size_of_val(&info) as u32,
            reserved: 0,
        },
    )?;
    bpf(BPF_ITER_CREATE, &IterCreate { link: link.as_raw_fd() as u32, flags: 0 }).map(File::from)
}
