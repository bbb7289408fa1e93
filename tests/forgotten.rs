//! A test file that is no module of another one would never run.

use std::fs;
use std::path::{Path, PathBuf};

#[test]
fn no_test_file_is_forgotten() {
    let tests = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests");
    let mut files = rust_files(&tests);
    for root in ["main.rs", "workload/main.rs"] {
        reach(&tests.join(root), true, &mut files);
    }
    assert!(files.is_empty(), "no `mod` names them: {files:?}");
}

/// All Rust files below a folder.
fn rust_files(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files.extend(rust_files(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
    files
}

/// Takes a file and the modules it names from `left`.
fn reach(file: &Path, is_root: bool, left: &mut Vec<PathBuf>) {
    left.retain(|path| path != file);
    let parent = file.parent().unwrap();
    let folder = match is_root || file.ends_with("mod.rs") {
        true => parent.to_path_buf(),
        false => file.with_extension(""),
    };
    for line in fs::read_to_string(file).unwrap().lines() {
        let Some(name) = line.strip_prefix("mod ").and_then(|rest| rest.strip_suffix(';')) else {
            continue;
        };
        let module = [format!("{name}.rs"), format!("{name}/mod.rs")]
            .map(|path| folder.join(path))
            .into_iter()
            .find(|path| path.exists());
        reach(&module.unwrap_or_else(|| panic!("{file:?} names {name}")), false, left);
    }
}
