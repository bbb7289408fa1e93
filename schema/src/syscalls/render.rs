//! System calls as text, the way strace prints them.
//!
//! Whatever a trace holds may come from a hostile program: the text contains printable characters
//! only, so that no sequence that a terminal obeys gets out.
use super::{
    Arch, Kind, Signature, error_description, error_name, errors,
    flags::{self, Table},
    signature,
};
use std::fmt::Write;

/// A system call as recorded.
#[derive(Debug, Clone, Copy)]
pub struct Call<'a> {
    /// Where it was recorded.
    pub arch: Arch,
    /// Name of the system call.
    pub name: &'a str,
    /// Its registers; those that were not recorded print as `?`.
    pub args: [Option<i64>; 6],
    /// What it returned, if it did.
    pub ret: Option<i64>,
    /// The decoded path.
    pub path: Option<&'a str>,
    /// The decoded second path.
    pub path2: Option<&'a str>,
    /// The decoded socket address.
    pub address: Option<&'a str>,
    /// Whether a path was longer than what was recorded; of two paths the longer one was.
    pub truncated: bool,
}

/// Appends a call: `openat(AT_FDCWD, "/etc/passwd", O_RDONLY|O_CLOEXEC) = 3`.
pub fn render(call: &Call, out: &mut String) {
    render_args(call, out);
    out.push(' ');
    render_result(call, out);
}

/// Appends the name and the arguments: `close(3)`.
pub fn render_args(call: &Call, out: &mut String) {
    // Names are printed before anything is known about them.
    out.extend(call.name.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '_' }));
    out.push('(');
    match signature(call.name) {
        Some(signature) => {
            for (i, arg) in signature.args[..used(call, signature)].iter().enumerate() {
                separate(i, out);
                match call.args[i] {
                    Some(register) => argument_text(call, arg.kind, register, out),
                    None => out.push('?'),
                }
            }
        }
        None => {
            let recorded = call.args.iter().rposition(Option::is_some).map_or(0, |last| last + 1);
            for (i, register) in call.args[..recorded].iter().enumerate() {
                separate(i, out);
                match register {
                    Some(register) => hex(*register, out),
                    None => out.push('?'),
                }
            }
        }
    }
    out.push(')');
}

/// Appends the result: `= 3`, `= -1 ENOENT (No such file or directory)`, `= ?`.
pub fn render_result(call: &Call, out: &mut String) {
    out.push_str("= ");
    let Some(ret) = call.ret else {
        out.push('?');
        return;
    };
    if (-4095..0).contains(&ret) {
        let errno = -ret as i32;
        out.push_str(if errors::is_restart(errno) { "? " } else { "-1 " });
        let _ = match (error_name(errno), error_description(errno)) {
            (Some(name), Some(description)) => write!(out, "{name} ({description})"),
            _ => write!(out, "(errno {errno})"),
        };
        return;
    }
    match call.name {
        "mmap" | "mmap2" | "mremap" | "brk" | "shmat" => hex(ret, out),
        "umask" => octal(ret as u32, out),
        _ => number(ret, out),
    }
}

/// The value of the argument of this name, as the kernel takes it from the register.
pub fn argument(name: &str, args: &[Option<i64>; 6], arg_name: &str) -> Option<i64> {
    let signature = signature(name)?;
    let index = signature.args.iter().position(|arg| arg.name == arg_name)?;
    Some(signature.args[index].kind.value(args[index]?))
}

/// How many arguments this call uses: what the others hold is accidental.
fn used(call: &Call, signature: &Signature) -> usize {
    let all = signature.args.len();
    let low = |i: usize| call.args[i].unwrap_or(0) as u32;
    match signature.name {
        "open" | "openat" | "mq_open" => {
            // O_CREAT, and the bit that makes O_TMPFILE more than O_DIRECTORY.
            let flags = signature.position(Kind::OpenFlags).map_or(0, low);
            let creates = flags & (0x40 | 0x400000) != 0;
            let mode = signature.position(Kind::CreateMode).unwrap_or(all);
            if creates { all } else { mode }
        }
        "fcntl" | "fcntl64" => match low(1) {
            // F_GETFD, F_GETFL, F_GETOWN, F_GETSIG, F_GETLEASE, F_GETPIPE_SZ, F_GET_SEALS
            1 | 3 | 9 | 11 | 1025 | 1032 | 1034 => 2,
            _ => all,
        },
        "futex" | "futex_time64" => match low(1) & 0x7f {
            7 | 8 => 2,      // FUTEX_UNLOCK_PI, FUTEX_TRYLOCK_PI
            1 | 2 => 3,      // FUTEX_WAKE, FUTEX_FD
            0 | 6 | 13 => 4, // FUTEX_WAIT, FUTEX_LOCK_PI, FUTEX_LOCK_PI2
            3 => 5,          // FUTEX_REQUEUE
            _ => all,
        },
        // Only MREMAP_FIXED and MREMAP_DONTUNMAP look at the new address.
        "mremap" if low(3) & 6 == 0 => all - 1,
        "prctl" => match low(0) {
            3 | 7 | 21 | 27 | 30 => 1, // PR_GET_ dumpable, keepcaps, seccomp, securebits, slack
            1 | 2 | 4 | 8 | 15 | 16 | 23 | 24 | 28 | 29 | 36 | 37 => 2, // their PR_SET_, names
            _ => all,
        },
        _ => all,
    }
}

fn argument_text(call: &Call, kind: Kind, register: i64, out: &mut String) {
    let value = kind.value(register);
    match kind {
        Kind::Dirfd if value == -100 => out.push_str("AT_FDCWD"),
        Kind::Path => path(call, call.path, value, out),
        Kind::Path2 => path(call, call.path2, value, out),
        Kind::Address | Kind::Msghdr => match call.address {
            Some(address) if value != 0 => {
                out.push('{');
                escape(address, out);
                out.push('}');
            }
            _ => pointer(value, out),
        },
        Kind::Pointer | Kind::Buffer | Kind::AddressLenPtr => pointer(value, out),
        Kind::Hex => hex(value, out),
        Kind::Size => number(value as u64, out),
        Kind::Mode | Kind::CreateMode => octal(value as u32, out),
        Kind::FileMode => with_octal(kind, 0o7777, call, value as u32, out),
        Kind::IpcFlags => with_octal(kind, 0o777, call, value as u32, out),
        Kind::CloneFlags => clone_flags(call, value as u32, out),
        Kind::FcntlArgument => fcntl_argument(call, value, out),
        Kind::SocketProtocol => dependent(flags::protocols, call, Kind::SocketDomain, value, out),
        Kind::SocketOption => dependent(flags::socket_options, call, Kind::SocketLevel, value, out),
        Kind::Keyring if value as u32 <= i32::MAX as u32 => number(value, out),
        _ => match flags::table(kind, call.arch) {
            Some(table) => table.render(value as u32, out),
            None => number(value, out),
        },
    }
}

/// A number whose names depend on the value of the argument of another kind.
fn dependent(
    tables: fn(u32) -> Option<&'static Table>,
    call: &Call,
    on: Kind,
    value: i64,
    out: &mut String,
) {
    let position = signature(call.name).and_then(|signature| signature.position(on));
    let other = position.and_then(|index| call.args[index]);
    match other.and_then(|other| tables(other as u32)) {
        Some(table) => table.render(value as u32, out),
        None => number(value, out),
    }
}

fn fcntl_argument(call: &Call, value: i64, out: &mut String) {
    match call.args[1].unwrap_or(0) as u32 {
        // F_DUPFD, F_SETOWN, F_DUPFD_CLOEXEC, F_SETPIPE_SZ
        0 | 8 | 1030 | 1031 => number(value as i32, out),
        // F_SETFD
        2 if value as u32 == 1 => out.push_str("FD_CLOEXEC"),
        // F_SETFL
        4 => match flags::table(Kind::OpenFlags, call.arch) {
            Some(table) => table.render(value as u32, out),
            None => hex(value, out),
        },
        _ => hex(value, out),
    }
}

/// The low byte is the signal that the parent gets when the child ends.
fn clone_flags(call: &Call, value: u32, out: &mut String) {
    let (flags, signal) = (value & !0xff, value & 0xff);
    if let Some(table) = flags::table(Kind::CloneFlags, call.arch)
        && flags != 0
    {
        table.render(flags, out);
        if signal != 0 {
            out.push('|');
        }
    }
    if signal != 0 || flags == 0 {
        match flags::signal_name(signal as i32) {
            Some(name) => out.push_str(name),
            None => number(signal, out),
        }
    }
}

/// Flags, then permissions.
fn with_octal(kind: Kind, permissions: u32, call: &Call, value: u32, out: &mut String) {
    if let Some(table) = flags::table(kind, call.arch)
        && value & !permissions != 0
    {
        table.render(value & !permissions, out);
        out.push('|');
    }
    octal(value & permissions, out);
}

fn path(call: &Call, text: Option<&str>, value: i64, out: &mut String) {
    let Some(text) = text else {
        pointer(value, out);
        return;
    };
    out.push('"');
    escape(text, out);
    out.push('"');
    let longest = call.path.map_or(0, str::len).max(call.path2.map_or(0, str::len));
    if call.truncated && text.len() == longest {
        out.push_str("...");
    }
}

/// Appends text that is safe to print. What is not a visible character becomes a C escape.
fn escape(text: &str, out: &mut String) {
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '"' | '\\' => out.extend(['\\', c]),
            '\n' => out.push_str("\\n"),
            '\t' => out.push_str("\\t"),
            '\r' => out.push_str("\\r"),
            '\x0b' => out.push_str("\\v"),
            '\x0c' => out.push_str("\\f"),
            _ if is_visible(c) => out.push(c),
            _ => {
                let digit_follows = matches!(chars.peek(), Some('0'..='7'));
                for byte in c.encode_utf8(&mut [0; 4]).bytes() {
                    // A short escape must not swallow a digit of the text.
                    let _ = match digit_follows {
                        true => write!(out, "\\{byte:03o}"),
                        false => write!(out, "\\{byte:o}"),
                    };
                }
            }
        }
    }
}

/// Whether a character can be seen for what it is: neither controls nor characters that reorder,
/// join or overlay others or take no room.
fn is_visible(c: char) -> bool {
    match c {
        ' '..='~' => true,
        // Letters and symbols to Unicode, blank to the eye.
        '\u{115f}' | '\u{1160}' | '\u{2800}' | '\u{3164}' | '\u{ffa0}' => false,
        _ => c.escape_debug().len() == 1,
    }
}

fn separate(index: usize, out: &mut String) {
    if index > 0 {
        out.push_str(", ");
    }
}

fn number(value: impl std::fmt::Display, out: &mut String) {
    let _ = write!(out, "{value}");
}

fn hex(value: i64, out: &mut String) {
    let _ = match value {
        0 => out.write_char('0'),
        _ => write!(out, "{value:#x}"),
    };
}

fn octal(value: u32, out: &mut String) {
    let _ = write!(out, "0{value:02o}");
}

fn pointer(value: i64, out: &mut String) {
    match value {
        0 => out.push_str("NULL"),
        _ => hex(value, out),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn call<'a>(name: &'a str, args: &[i64], ret: Option<i64>) -> Call<'a> {
        let mut all = [None; 6];
        for (to, from) in all.iter_mut().zip(args) {
            *to = Some(*from);
        }
        Call {
            arch: Arch::X86_64,
            name,
            args: all,
            ret,
            path: None,
            path2: None,
            address: None,
            truncated: false,
        }
    }

    fn check(call: Call, expected: &str) {
        let mut out = String::new();
        render(&call, &mut out);
        assert_eq!(out, expected);
    }

    fn path_text(path: &str, truncated: bool) -> String {
        let mut out = String::new();
        let call = Call { path: Some(path), truncated, ..call("chdir", &[1], None) };
        render_args(&call, &mut out);
        out
    }

    #[test]
    fn calls_look_as_strace_prints_them() {
        let cwd = 0xffff_ff9c;
        check(
            Call { path: Some("/etc/passwd"), ..call("openat", &[cwd, 1, 0x80000, 7], Some(3)) },
            r#"openat(AT_FDCWD, "/etc/passwd", O_RDONLY|O_CLOEXEC) = 3"#,
        );
        check(
            Call { path: Some("a"), ..call("openat", &[-100, 1, 0x241, 0o644], Some(-13)) },
            r#"openat(AT_FDCWD, "a", O_WRONLY|O_CREAT|O_TRUNC, 0644) = -1 EACCES (Permission denied)"#,
        );
        check(
            Call { address: Some("127.0.0.1:80"), ..call("connect", &[3, 9, 16], Some(-111)) },
            "connect(3, {127.0.0.1:80}, 16) = -1 ECONNREFUSED (Connection refused)",
        );
        check(
            Call {
                path: Some("a"),
                path2: Some("b"),
                ..call("renameat2", &[cwd, 1, cwd, 2, 1], Some(0))
            },
            r#"renameat2(AT_FDCWD, "a", AT_FDCWD, "b", RENAME_NOREPLACE) = 0"#,
        );
        for (name, args, ret, expected) in [
            ("read", &[3, 0x7ffd_1000, 4096][..], Some(832), "read(3, 0x7ffd1000, 4096) = 832"),
            ("exit_group", &[0], None, "exit_group(0) = ?"),
            ("access", &[0, 4], Some(-14), "access(NULL, R_OK) = -1 EFAULT (Bad address)"),
            (
                "mmap",
                &[0, 8192, 3, 0x22, -1, 0],
                Some(0x7f00_0000_1000),
                "mmap(NULL, 8192, PROT_READ|PROT_WRITE, MAP_PRIVATE|MAP_ANONYMOUS, -1, 0) = 0x7f0000001000",
            ),
            ("brk", &[0], Some(0x5555), "brk(NULL) = 0x5555"),
            ("kill", &[-1, 15], Some(0), "kill(-1, SIGTERM) = 0"),
            ("umask", &[0o22], Some(0), "umask(022) = 000"),
            (
                "futex",
                &[0x10, 0x81, 1, 0x77, 0x77, 0x77],
                Some(0),
                "futex(0x10, FUTEX_WAKE_PRIVATE, 1) = 0",
            ),
            (
                "clone",
                &[0x0120_0011, 0, 0, 0x10, 0],
                Some(77),
                "clone(CLONE_CHILD_CLEARTID|CLONE_CHILD_SETTID|SIGCHLD, NULL, NULL, 0x10, 0) = 77",
            ),
            (
                "socket",
                &[2, 0x80001, 6],
                Some(3),
                "socket(AF_INET, SOCK_STREAM|SOCK_CLOEXEC, IPPROTO_TCP) = 3",
            ),
            (
                "setsockopt",
                &[3, 1, 2, 0x10, 4],
                Some(0),
                "setsockopt(3, SOL_SOCKET, SO_REUSEADDR, 0x10, 4) = 0",
            ),
            ("fcntl", &[3, 3, 0x77], Some(2), "fcntl(3, F_GETFL) = 2"),
            ("fcntl", &[3, 4, 0x802], Some(0), "fcntl(3, F_SETFL, O_RDWR|O_NONBLOCK) = 0"),
            ("setresuid", &[-1, 0, 0xffff_ffff], Some(0), "setresuid(-1, 0, -1) = 0"),
            ("mknod", &[1, 0o10644, 0], Some(0), "mknod(0x1, S_IFIFO|0644, 0) = 0"),
            ("semget", &[0, 1, 0o1600], Some(0), "semget(0, 1, IPC_CREAT|0600) = 0"),
            (
                "nanosleep",
                &[16, 0],
                Some(-516),
                "nanosleep(0x10, NULL) = ? ERESTART_RESTARTBLOCK (Interrupted by signal)",
            ),
            ("close", &[3], Some(-999), "close(3) = -1 (errno 999)"),
            ("syscall_999", &[1, 2, 0], Some(0), "syscall_999(0x1, 0x2, 0) = 0"),
            ("read", &[3], Some(0), "read(3, ?, ?) = 0"),
        ] {
            check(call(name, args, ret), expected);
        }
    }

    #[test]
    fn nothing_that_a_terminal_obeys_gets_out() {
        for (path, expected) in [
            ("\x1b[31m", r#"chdir("\33[31m")"#),
            ("\x1b7", r#"chdir("\0337")"#),
            ("a\"b\\\n\t\r", r#"chdir("a\"b\\\n\t\r")"#),
            ("\u{9b}x", r#"chdir("\302\233x")"#),
            ("a\u{202e}b", r#"chdir("a\342\200\256b")"#),
            ("a\u{200b}b", r#"chdir("a\342\200\213b")"#),
            ("é日", r#"chdir("é日")"#),
        ] {
            assert_eq!(path_text(path, false), expected);
        }
        let every: String = (0..=char::MAX as u32).filter_map(char::from_u32).collect();
        let printed = path_text(&every, false);
        assert!(!printed.chars().any(|c| {
            c.is_control()
                || matches!(c, '\u{ad}' | '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
                    | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{e0000}'..='\u{e0fff}')
        }));

        let hostile = Call { address: Some("\x1b]0;\x07"), ..call("bind", &[3, 1, 2], None) };
        check(hostile, r"bind(3, {\33]0;\7}, 2) = ?");
        check(call("\x1b[2Jx", &[], None), "__2Jx() = ?");
    }

    #[test]
    fn a_truncated_path_says_so() {
        assert_eq!(path_text("/a", true), r#"chdir("/a"...)"#);
        let two = Call {
            path: Some("short"),
            path2: Some("much longer"),
            truncated: true,
            ..call("rename", &[1, 2], Some(0))
        };
        check(two, r#"rename("short", "much longer"...) = 0"#);
    }

    #[test]
    fn arguments_are_found_by_name() {
        let args = [Some(0xffff_ff9c), Some(1), Some(0x80000), None, None, None];
        assert_eq!(argument("openat", &args, "dirfd"), Some(-100));
        assert_eq!(argument("openat", &args, "flags"), Some(0x80000));
        assert_eq!(argument("openat", &args, "mode"), None);
        assert_eq!(argument("openat", &args, "nonsense"), None);
        assert_eq!(argument("nonsense", &args, "dirfd"), None);
    }
}
