//! The committed eBPF objects are what their sources compile to.

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::skip::{has_program, skip};

#[test]
fn objects_match_their_sources() {
    for program in ["clang-19", "llvm-strip-19", "make"] {
        if !has_program(program, &["--version"]) {
            return skip(&format!("{program} is not installed, which makes the objects"));
        }
    }
    let ebpf = Path::new(env!("CARGO_MANIFEST_DIR")).join("ebpf");
    let made = tempfile::tempdir().unwrap();
    let out = format!("OUT={}", made.path().display());
    let output = Command::new("make").arg("-C").arg(&ebpf).arg(out).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let names = |folder: &Path| {
        let mut names: Vec<_> =
            fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        names.sort();
        names
    };
    let committed = ebpf.join("objects");
    assert_eq!(names(made.path()), names(&committed));
    for name in names(&committed) {
        let same =
            fs::read(made.path().join(&name)).unwrap() == fs::read(committed.join(&name)).unwrap();
        assert!(same, "{name:?} is not what its sources give: run `make -C ebpf`");
    }
}
