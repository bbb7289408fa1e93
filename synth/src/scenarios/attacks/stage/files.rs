//! System calls, and what is done with files by them.

use schema::syscalls::{Kind, error_name, signature};

use super::Stage;
use crate::rows::Syscall;

/// How files are opened.
pub(in crate::scenarios::attacks) const READ: i64 = 0;
pub(in crate::scenarios::attacks) const WRITE: i64 = 1;
pub(in crate::scenarios::attacks) const READ_WRITE: i64 = 2;
pub(in crate::scenarios::attacks) const CREATE: i64 = 0o100;
pub(in crate::scenarios::attacks) const TRUNCATE: i64 = 0o1000;
const APPEND: i64 = 0o2000;
/// Of a path, that it is relative to the working directory.
const AT_FDCWD: i64 = -100;
const POINTER: i64 = 0x7ffd_4a00_1000;

/// A system call that is made.
#[derive(Clone)]
pub(in crate::scenarios::attacks) struct Call {
    name: &'static str,
    path: String,
    path2: String,
    address: String,
    args: Vec<(&'static str, i64)>,
    ret: i64,
    via: &'static str,
    duration_ns: i64,
}

impl Call {
    pub fn new(name: &'static str) -> Call {
        let (path, path2, address) = (String::new(), String::new(), String::new());
        Call { name, path, path2, address, args: Vec::new(), ret: 0, via: "", duration_ns: 0 }
    }

    pub fn path(mut self, path: impl Into<String>) -> Call {
        self.path = path.into();
        self
    }

    pub fn path2(mut self, path: impl Into<String>) -> Call {
        self.path2 = path.into();
        self
    }

    pub fn address(mut self, address: impl Into<String>) -> Call {
        self.address = address.into();
        self
    }

    /// An argument, by its name in the manual.
    pub fn arg(mut self, name: &'static str, value: i64) -> Call {
        self.args.push((name, value));
        self
    }

    /// What it returns: the number of an error below 0.
    pub fn ret(mut self, ret: i64) -> Call {
        self.ret = ret;
        self
    }

    pub fn via(mut self, via: &'static str) -> Call {
        self.via = via;
        self
    }

    pub fn took(mut self, duration_ns: i64) -> Call {
        self.duration_ns = duration_ns;
        self
    }
}

impl Stage<'_> {
    pub fn call(&mut self, who: u32, call: Call) -> i64 {
        let ts = self.tick();
        self.call_at(who, ts, call)
    }

    pub fn call_at(&mut self, who: u32, ts: i64, call: Call) -> i64 {
        let known = signature(call.name).expect("the schema knows every call that is planted");
        let mut args = [0; 6];
        for (at, arg) in known.args.iter().enumerate() {
            let given = call.args.iter().find(|(name, _)| *name == arg.name);
            args[at] = match (given, arg.kind) {
                (Some((_, value)), _) => *value,
                (None, Kind::Dirfd) => AT_FDCWD,
                (None, Kind::Path | Kind::Path2 | Kind::Pointer | Kind::Buffer | Kind::Address) => {
                    POINTER
                }
                _ => 0,
            };
        }
        let is_known = |name: &str| known.args.iter().any(|arg| arg.name == name);
        debug_assert!(call.args.iter().all(|(name, _)| is_known(name)), "{}", call.name);
        let duration_ns = match call.duration_ns {
            0 => self.random.between(900, 15_000),
            ns => ns,
        };
        let error = if call.ret < 0 { error_name(-call.ret as i32) } else { None };
        self.rows.syscalls.push(Syscall {
            at: self.at_time(who, ts),
            duration_ns,
            ret: call.ret,
            syscall: call.name,
            error: error.unwrap_or_default(),
            arg_count: known.args.len() as u8,
            args,
            path: self.world.text(&call.path),
            path2: self.world.text(&call.path2),
            address: self.world.text(&call.address),
            via: call.via,
        });
        call.ret
    }

    /// Opens a file; returns its descriptor.
    pub fn open(&mut self, who: u32, path: impl Into<String>, flags: i64) -> i64 {
        let fd = self.random.between(3, 24);
        let mode = if flags & CREATE == 0 { 0 } else { 0o644 };
        let call = Call::new("openat").path(path).arg("flags", flags).arg("mode", mode);
        self.call(who, call.ret(fd))
    }

    /// Fails to open a file.
    pub fn open_fails(&mut self, who: u32, path: impl Into<String>, flags: i64, error: i64) {
        self.call(who, Call::new("openat").path(path).arg("flags", flags).ret(-error));
    }

    pub fn read(&mut self, who: u32, path: impl Into<String>) {
        let fd = self.open(who, path, READ | 0o2_000_000);
        let count = self.random.between(90, 4_000);
        self.call(who, Call::new("read").arg("fd", fd).arg("count", 4_096).ret(count));
        self.call(who, Call::new("close").arg("fd", fd));
    }

    /// Writes a file anew.
    pub fn write(&mut self, who: u32, path: impl Into<String>) {
        self.write_with(who, path, WRITE | CREATE | TRUNCATE);
    }

    pub fn append(&mut self, who: u32, path: impl Into<String>) {
        self.write_with(who, path, WRITE | CREATE | APPEND);
    }

    fn write_with(&mut self, who: u32, path: impl Into<String>, flags: i64) {
        let fd = self.open(who, path, flags);
        let count = self.random.between(30, 4_000);
        self.call(who, Call::new("write").arg("fd", fd).arg("count", count).ret(count));
        self.call(who, Call::new("close").arg("fd", fd));
    }

    pub fn unlink(&mut self, who: u32, path: impl Into<String>) {
        self.call(who, Call::new("unlinkat").path(path));
    }

    pub fn move_file(&mut self, who: u32, from: impl Into<String>, to: impl Into<String>) {
        self.call(who, Call::new("renameat2").path(from).path2(to));
    }

    pub fn chmod(&mut self, who: u32, path: impl Into<String>, mode: i64) {
        self.call(who, Call::new("fchmodat").path(path).arg("mode", mode));
    }

    /// Makes `link` point to `target`.
    pub fn symlink(&mut self, who: u32, target: impl Into<String>, link: impl Into<String>) {
        self.call(who, Call::new("symlinkat").path(target).path2(link));
    }
}
