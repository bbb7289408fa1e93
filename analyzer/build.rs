//! Embeds the SQL files of `queries/views/` and `queries/stacks/`: dropping in a file adds it.

use std::fmt::Write;
use std::path::Path;

fn main() {
    embed("views");
    embed("stacks");
}

fn embed(kind: &str) {
    let folder = Path::new(&std::env::var("CARGO_MANIFEST_DIR").unwrap()).join("../queries");
    let folder = folder.join(kind);
    println!("cargo:rerun-if-changed={}", folder.display());
    let mut files: Vec<_> = std::fs::read_dir(&folder)
        .unwrap_or_else(|error| panic!("{}: {error}", folder.display()))
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "sql"))
        .collect();
    files.sort();
    let mut code = String::from("&[\n");
    for file in files {
        let name = file.file_stem().unwrap().to_str().unwrap();
        writeln!(code, "    ({name:?}, include_str!({:?})),", file.canonicalize().unwrap())
            .unwrap();
    }
    code.push_str("]\n");
    let out = Path::new(&std::env::var("OUT_DIR").unwrap()).join(format!("{kind}.rs"));
    std::fs::write(out, code).unwrap();
}
