//! Embeds the SQL files of `queries/`: dropping in a file adds it.

use std::fmt::Write;
use std::path::{Path, PathBuf};

fn main() {
    let queries = Path::new(&std::env::var("CARGO_MANIFEST_DIR").unwrap()).join("../queries");
    println!("cargo:rerun-if-changed={}", queries.display());
    let mut code = String::from("&[\n");
    for folder in entries(&queries).into_iter().filter(|path| path.is_dir()) {
        println!("cargo:rerun-if-changed={}", folder.display());
        let is_sql = |path: &PathBuf| path.extension().is_some_and(|extension| extension == "sql");
        for file in entries(&folder).into_iter().filter(is_sql) {
            let (folder, name) = (text(folder.file_name()), text(file.file_stem()));
            let path = file.canonicalize().unwrap();
            writeln!(code, "    ({folder:?}, {name:?}, include_str!({path:?})),").unwrap();
        }
    }
    code.push_str("]\n");
    let out = Path::new(&std::env::var("OUT_DIR").unwrap()).join("queries.rs");
    std::fs::write(out, code).unwrap();
}

/// What is in a folder, sorted.
fn entries(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder)
        .unwrap_or_else(|error| panic!("{}: {error}", folder.display()))
        .map(|entry| entry.unwrap().path());
    let mut entries: Vec<PathBuf> = entries.collect();
    entries.sort();
    entries
}

fn text(name: Option<&std::ffi::OsStr>) -> String {
    name.unwrap().to_str().unwrap().to_string()
}
