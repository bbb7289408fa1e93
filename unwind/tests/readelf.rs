//! Rows against what `readelf --debug-dump=frames-interp` prints of the same files.

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};

use unwind::{BaseAddresses, FP_LOST, Kind, Rule, Table, rule_at, table};

/// What readelf says of one location.
#[derive(Debug, Clone, Default)]
struct Line {
    cfa: String,
    rbp: Option<String>,
    rsp: Option<String>,
    ra: String,
}

/// One function: its range, and its locations in order.
#[derive(Debug)]
struct Function {
    start: u64,
    end: u64,
    signal: bool,
    lines: BTreeMap<u64, Line>,
}

/// A section: address, file offset, size.
type Section = (u64, usize, usize);

#[test]
fn rules_are_those_that_readelf_prints() {
    let own = std::env::current_exe().expect("the test's own file");
    compare_all(&[
        "/bin/bash",
        "/lib/x86_64-linux-gnu/libc.so.6",
        "/lib/x86_64-linux-gnu/libstdc++.so.6",
        "/lib64/ld-linux-x86-64.so.2",
        "/usr/bin/python3",
        "/lib/x86_64-linux-gnu/libcrypto.so.3",
        own.to_str().expect("a name in UTF-8"),
    ]);
}

#[test]
#[ignore = "takes a minute in a debug build"]
fn rules_of_a_big_binary_are_those_that_readelf_prints() {
    compare_all(&[concat!(env!("CARGO_MANIFEST_DIR"), "/../target/debug/ebrec")]);
}

fn compare_all(paths: &[&str]) {
    if Command::new("readelf").arg("--version").stdout(Stdio::null()).status().is_err() {
        println!("skipped: readelf is not installed");
        return;
    }
    let mut compared = 0;
    for path in paths {
        match fs::read(path) {
            Ok(file) => {
                compare(path, &file);
                compared += 1;
            }
            Err(error) => println!("{path}: skipped: {error}"),
        }
    }
    assert!(compared > 0, "no file to compare with");
}

fn compare(path: &str, file: &[u8]) {
    let table = table(file).expect("an ELF file");
    assert_eq!((table.corrupt.as_deref(), table.truncated), (None, false), "{path}");
    let sections = sections(path);
    let plt = sections.get(".plt").map_or(0..0, |plt| plt.0..plt.0 + plt.2 as u64);
    let mut counts: BTreeMap<u8, usize> = BTreeMap::new();
    let mut edges = Vec::new();
    // Lookups repeat work for each location: of big files, in some functions only.
    let every = 1 + table.rows.len() / 50_000;
    let mut number = 0;
    functions(path, |function| {
        let Some(offset) = offset(&table, function.start) else { return };
        let place = |address: u64| offset + (address - function.start) as u32;
        edges.extend([place(function.start), place(function.end)]);
        number += 1;
        let starts: Vec<u64> = function.lines.keys().copied().collect();
        let ends = starts[1..].iter().copied().chain([function.end]);
        for ((start, line), end) in function.lines.iter().zip(ends) {
            let expected = expected(line, function.signal, plt.contains(start));
            for address in [*start, end - 1] {
                let found = table.rule(place(address));
                assert_eq!(found, expected, "{path} at {address:#x}: {line:?}");
                if number % every == 0 {
                    let found = look_up(file, &sections, address);
                    assert_eq!(found, Some(expected), "{path} at {address:#x}: {line:?}");
                }
            }
            edges.push(place(*start));
            *counts.entry(expected.kind.0).or_default() += 1;
        }
    });
    edges.sort_unstable();
    for pair in table.rows.windows(2) {
        assert!(pair[0].offset < pair[1].offset && pair[0].rule() != pair[1].rule(), "{pair:?}");
    }
    for row in &table.rows {
        assert!(
            edges.binary_search(&row.offset).is_ok(),
            "{path}: readelf has no location for {row:?}"
        );
    }
    println!("{path}: {} rows; locations by kind {counts:?}", table.rows.len());
    assert!(counts.get(&Kind::SP.0).is_some_and(|count| *count > 100), "{path}: {counts:?}");
}

fn expected(line: &Line, signal: bool, plt: bool) -> Rule {
    let of = |kind, cfa_offset, fp_offset| Rule { kind, cfa_offset, fp_offset };
    let words = |text: &str, of: &str| -> Option<i64> {
        let bytes: i64 = text.strip_prefix(of)?.parse().expect("a number");
        (bytes % 8 == 0).then_some(bytes / 8)
    };
    match line.ra.as_str() {
        "u" => return of(Kind::END, 0, 0),
        "exp" if signal && line.cfa == "exp" => return of(Kind::SIGNAL, 0, 0),
        "c-8" if line.rsp.as_deref().is_none_or(|rsp| rsp == "u" || rsp == "v+0") => {}
        _ => return Rule::NONE,
    }
    let fp_offset = match line.rbp.as_deref() {
        None | Some("u" | "s") => 0,
        Some(saved) => words(saved, "c").and_then(|w| i8::try_from(w).ok()).unwrap_or(FP_LOST),
    };
    let cfa = |of| words(&line.cfa, of).and_then(|words| i16::try_from(words).ok());
    match (cfa("rsp"), cfa("rbp")) {
        (Some(words), _) => of(Kind::SP, words, fp_offset),
        (_, Some(words)) => of(Kind::FP, words, fp_offset),
        _ if plt && line.cfa == "exp" => of(Kind::PLT, 0, fp_offset),
        _ => Rule::NONE,
    }
}

fn offset(table: &Table, address: u64) -> Option<u32> {
    let text = table
        .text
        .iter()
        .find(|text| (text.address..text.address + text.file_size).contains(&address))?;
    Some((address - text.address + text.offset) as u32)
}

fn look_up(file: &[u8], sections: &BTreeMap<String, Section>, pc: u64) -> Option<Rule> {
    let (header_address, header, size) = sections[".eh_frame_hdr"];
    let (address, frames, _) = sections[".eh_frame"];
    let header = &file[header..header + size];
    rule_at(header, header_address, &file[frames..], address, &BaseAddresses::default(), pc)
}

fn hex(text: &str) -> u64 {
    u64::from_str_radix(text, 16).expect("a hexadecimal number")
}

fn sections(path: &str) -> BTreeMap<String, Section> {
    let output = Command::new("readelf").args(["-SW", path]).output().expect("readelf runs");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let section = |line: &str| {
        let words: Vec<&str> = line.split_once(']')?.1.split_whitespace().collect();
        let [name, _, address, offset, size, ..] = words[..] else { return None };
        let size = usize::from_str_radix(size, 16).ok()?;
        Some((name.to_string(), (hex(address), hex(offset) as usize, size)))
    };
    text.lines().skip(4).filter(|line| line.contains("] .")).filter_map(section).collect()
}

/// Each function that has a range, with the locations of its common part if it has none.
fn functions(path: &str, mut each: impl FnMut(&Function)) {
    let mut readelf = Command::new("readelf")
        .args(["--debug-dump=frames-interp,no-follow-links", "-W", path])
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("readelf runs");
    let mut commons: BTreeMap<String, (bool, Line)> = BTreeMap::new();
    let mut common = None;
    let mut function: Option<Function> = None;
    let mut columns: Vec<String> = Vec::new();
    let mut eh_frame = false;
    for line in BufReader::new(readelf.stdout.take().expect("a pipe")).lines() {
        let line = line.expect("a line");
        if line.starts_with("Contents of the ") {
            eh_frame = line.contains(".eh_frame ");
        }
        if !eh_frame {
            continue;
        }
        // Names of registers are printed twice: `r9 (r9)`.
        let words = line.split_whitespace().filter(|word| !word.starts_with('('));
        let words: Vec<&str> = words.collect();
        match words[..] {
            [] => {
                if let Some(function) = function.take() {
                    each(&function);
                }
                common = None;
            }
            [id, _, _, "CIE", augmentation, ..] => {
                common = Some(id.to_string());
                commons.insert(id.to_string(), (augmentation.contains('S'), Line::default()));
            }
            [_, _, _, "FDE", cie, range] => {
                let (signal, line) = &commons[cie.strip_prefix("cie=").expect("its CIE")];
                let range = range.strip_prefix("pc=").expect("a range");
                let (start, end) = range.split_once("..").expect("a range");
                let (start, end) = (hex(start), hex(end));
                let lines = BTreeMap::from([(start, line.clone())]);
                function = (start < end).then_some(Function { start, end, signal: *signal, lines });
            }
            ["LOC", "CFA", ..] => columns = words[2..].iter().map(ToString::to_string).collect(),
            [location, cfa, ref cells @ ..] if cells.len() == columns.len() => {
                let cell = |name: &str| {
                    columns.iter().position(|column| column == name).map(|at| cells[at].to_string())
                };
                let ra = cell("ra").expect("a return address");
                let line = Line { cfa: cfa.to_string(), rbp: cell("rbp"), rsp: cell("rsp"), ra };
                match (&common, &mut function) {
                    (Some(common), _) => commons.get_mut(common).expect("it").1 = line,
                    (_, Some(function)) if hex(location) < function.end => {
                        function.lines.insert(hex(location), line);
                    }
                    _ => {}
                }
            }
            [location, ..] if location.len() == 16 => panic!("{path}: not understood: {line}"),
            _ => {}
        }
    }
    if let Some(function) = function {
        each(&function);
    }
    assert!(readelf.wait().expect("readelf ends").success(), "readelf failed on {path}");
}
