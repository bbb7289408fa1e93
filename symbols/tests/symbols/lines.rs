//! Functions, inlined functions and lines are those that `addr2line` of binutils gives.

use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

use crate::build::{self, has, text};
use crate::trace::{in_folder, look_up};

/// A function and its place in the source.
type Line = (String, String, u32);

/// What `addr2line -f -i` says of each address, innermost function first.
fn addr2line(program: &Path, addresses: &[u64]) -> Vec<Vec<Line>> {
    let list: String = addresses.iter().map(|address| format!("{address:#x}\n")).collect();
    let file = program.with_extension("addresses");
    std::fs::write(&file, list).expect("a list");
    let output = Command::new("sh")
        .args(["-c", "addr2line -a -f -i -e \"$0\" < \"$1\"", text(program), text(&file)])
        .output()
        .expect("a shell");
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    let (mut all, mut lines) = (Vec::new(), said.lines().peekable());
    while lines.next().is_some() {
        let mut frames = Vec::new();
        while let Some(function) = lines.next_if(|line| !line.starts_with("0x")) {
            let place = lines.next().expect("a place");
            let place = place.split(" (discriminator").next().expect("a place");
            let (file, line) = place.rsplit_once(':').expect("a line");
            // Without a line, binutils gives the file of the symbol table.
            let line = line.parse().unwrap_or(0);
            let file =
                if line == 0 && !file.contains('/') { "??".to_string() } else { normal(file) };
            frames.push((demangled(function), file, line));
        }
        all.push(frames);
    }
    all
}

/// The name behind a symbol, as the demanglers give it, up to the length that is kept. Those of
/// binutils write some of the parameters of C++ otherwise.
fn demangled(symbol: &str) -> String {
    let symbol = symbol.strip_suffix(".cold").unwrap_or(symbol);
    let rust = rustc_demangle::try_demangle(symbol).ok().map(|name| format!("{name:#}"));
    let is_mangled = symbol.starts_with("_Z");
    let cpp = || cpp_demangle::Symbol::new(symbol).ok().filter(|_| is_mangled)?.demangle().ok();
    let mut name = rust.or_else(cpp).unwrap_or_else(|| symbol.to_string());
    if name.len() > 1000 {
        name.truncate(name.floor_char_boundary(1000));
        name.push('…');
    }
    name
}

/// The first frame that differs.
fn difference(expected: &[Line], found: &[Line]) -> Option<String> {
    if expected.len() != found.len() {
        return Some(format!("{} frames, not {}", found.len(), expected.len()));
    }
    // Where DWARF has only the last part of a name, we take the one of the symbol table for the
    // function that the code is in, and binutils for the innermost one.
    let is_part = |name: &str| !name.split(['<', '(']).next().unwrap_or(name).contains("::");
    let is_same = |a: &Line, b: &Line| {
        (a.0 == b.0 || is_part(&a.0) != is_part(&b.0)) && (&a.1, a.2) == (&b.1, b.2)
    };
    let pair = expected.iter().zip(found).find(|(a, b)| !is_same(a, b))?;
    Some(format!("{:?}\n  is {:?}", pair.1, pair.0))
}

fn normal(path: &str) -> String {
    let mut out = PathBuf::new();
    for part in Path::new(path).components() {
        match part {
            std::path::Component::CurDir => {}
            std::path::Component::ParentDir => drop(out.pop()),
            part => out.push(part),
        }
    }
    out.to_string_lossy().into_owned()
}

/// Compares some thousand addresses of a program; how many had names.
fn compare(program: &Path, every: usize) -> usize {
    let mut addresses: Vec<u64> = build::symbols(program)
        .iter()
        .flat_map(|(address, size, _)| *address..*address + *size)
        .step_by(every)
        .collect();
    addresses.sort_unstable();
    addresses.dedup();
    let expected = addr2line(program, &addresses);
    let offsets: Vec<u64> = addresses.iter().map(|at| build::offset_of(program, *at)).collect();
    let id = build::build_id(program);
    let dir = program.parent().expect("a folder");
    let (found, _) = look_up(text(program), Some(&id), &offsets, &in_folder(dir));
    let mut differences = Vec::new();
    for ((address, expected), found) in addresses.iter().zip(&expected).zip(&found) {
        let found: Vec<Line> = found
            .iter()
            .map(|frame| {
                let file = frame.file.as_deref().map_or("??".to_string(), normal);
                let name = frame.function.as_deref().unwrap_or("??").to_string();
                (name, file, frame.line.unwrap_or(0))
            })
            .collect();
        if let Some(difference) = difference(expected, &found) {
            differences.push(format!("{address:#x} {difference}"));
        }
    }
    let shown = differences.iter().take(10).cloned().collect::<Vec<_>>().join("\n");
    assert!(
        differences.is_empty(),
        "{} of {} differ:\n{shown}",
        differences.len(),
        addresses.len()
    );
    addresses.len()
}

#[test]
fn c_is_as_addr2line_says() {
    if !has(&["cc", "addr2line", "readelf", "nm"]) {
        return;
    }
    let dir = TempDir::new().expect("a folder");
    for (name, flags) in [
        ("pie", &["-O2", "-g", "-Wl,--build-id"][..]),
        ("fixed", &["-O2", "-g", "-no-pie", "-Wl,--build-id"]),
        ("dwarf4", &["-O3", "-gdwarf-4", "-Wl,--build-id"]),
        ("packed", &["-O2", "-g", "-gz", "-Wl,--build-id"]),
    ] {
        let program = build::compile(dir.path(), name, "cc", build::INLINED, flags);
        assert!(compare(&program, 1) > 100, "{name}");
    }
}

#[test]
fn cpp_is_as_addr2line_says() {
    if !has(&["c++", "addr2line", "readelf", "nm"]) {
        return;
    }
    let dir = TempDir::new().expect("a folder");
    let flags = ["-O2", "-g", "-std=c++17", "-Wl,--build-id"];
    let program = build::compile(dir.path(), "cpp", "c++", build::CPP, &flags);
    assert!(compare(&program, 3) > 500);
}

#[test]
fn rust_is_as_addr2line_says() {
    if !has(&["rustc", "addr2line", "readelf", "nm"]) {
        return;
    }
    let dir = TempDir::new().expect("a folder");
    let flags = ["-O", "-g", "--edition=2024", "-Clink-arg=-Wl,--build-id"];
    for (name, more) in [("legacy", &[][..]), ("v0", &["-Csymbol-mangling-version=v0"])] {
        let flags = [&flags[..], more].concat();
        let program = build::compile(dir.path(), name, "rustc", build::RUST, &flags);
        assert!(compare(&program, 401) > 500);
    }
}
