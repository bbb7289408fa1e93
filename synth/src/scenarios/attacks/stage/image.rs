//! What a program is run as: by which path, under which name, by whom.

use crate::world::Program;

/// What a program is run as.
#[derive(Clone)]
pub(in crate::scenarios::attacks) struct Image {
    exe: String,
    path: String,
    argv: String,
    comm: Option<String>,
    cwd: Option<String>,
    uid: Option<i64>,
    euid: Option<i64>,
}

impl Image {
    /// A program that is called by its own path and name, with `args`.
    pub fn new(exe: impl Into<String>, args: impl AsRef<str>) -> Image {
        let exe = exe.into();
        let name = exe.rsplit('/').next().unwrap_or_default();
        let argv = match args.as_ref() {
            "" => name.to_string(),
            args => format!("{name} {args}"),
        };
        Image { path: exe.clone(), argv, exe, comm: None, cwd: None, uid: None, euid: None }
    }

    /// As the caller names the file.
    pub fn path(mut self, path: impl Into<String>) -> Image {
        self.path = path.into();
        self
    }

    /// All of the arguments, the first included.
    pub fn argv(mut self, argv: impl Into<String>) -> Image {
        self.argv = argv.into();
        self
    }

    pub fn comm(mut self, comm: impl Into<String>) -> Image {
        self.comm = Some(comm.into());
        self
    }

    pub fn cwd(mut self, cwd: impl Into<String>) -> Image {
        self.cwd = Some(cwd.into());
        self
    }

    pub fn uid(mut self, uid: i64) -> Image {
        self.uid = Some(uid);
        self
    }

    /// Of a set-user-id program, the user that it runs as.
    pub fn euid(mut self, euid: i64) -> Image {
        self.euid = Some(euid);
        self
    }

    /// What becomes of a process that has been `before`.
    pub fn program(self, before: &Program) -> Program {
        let uid = self.uid.unwrap_or(before.uid);
        let name = self.path.rsplit('/').next().unwrap_or_default();
        // The kernel keeps 15 characters.
        let comm = self.comm.unwrap_or_else(|| name.chars().take(15).collect());
        Program {
            path: self.path,
            exe: self.exe,
            argv: self.argv,
            cwd: self.cwd.unwrap_or_else(|| before.cwd.clone()),
            comm,
            uid,
            euid: self.euid.unwrap_or(uid),
        }
    }
}
