//! Files that are not what they should be: names are missing then, and nothing else is.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use store::stacks::Frame;
use symbols::{Options, Outcome, Report};
use tempfile::TempDir;

use crate::build::{self, address, build_id, compile, has, inlined, offset_of, run, text};
use crate::trace::{functions, in_worker, look_up};

/// A generator of numbers that is the same everywhere.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn below(&mut self, end: usize) -> usize {
        (self.next() % end.max(1) as u64) as usize
    }
}

/// Where the sections with debug information lie in a file.
fn debug_sections(program: &Path) -> Vec<(usize, usize)> {
    let list = run("readelf", &["-SW", text(program)]);
    let section = |line: &str| {
        let words: Vec<&str> = line.split(']').nth(1)?.split_whitespace().collect();
        let number = |at: usize| usize::from_str_radix(words.get(at)?, 16).ok();
        words.first()?.starts_with(".debug_").then_some((number(3)?, number(4)?))
    };
    list.lines().filter_map(section).collect()
}

#[test]
fn damaged_files_are_survived() {
    if !has(&["cc", "c++", "readelf", "nm"]) {
        return;
    }
    let dir = TempDir::new().expect("a folder");
    let c = inlined(dir.path());
    let flags = ["-O2", "-g", "-std=c++17", "-Wl,--build-id"];
    let cpp = compile(dir.path(), "cpp", "c++", build::CPP, &flags);
    let options = Options { memory_bytes: 1 << 30, ..in_worker(dir.path()) };
    let mut random = Random(0x5eed);
    let (mut named, mut corrupt) = (0, 0);
    for program in [&c, &cpp] {
        let id = build_id(program);
        let start = offset_of(program, address(program, "main"));
        let offsets: Vec<u64> = (0..200).map(|n| start + n * 3).collect();
        let (whole, sections) = (std::fs::read(program).expect("a file"), debug_sections(program));
        let victim = dir.path().join("victim");
        for round in 0..90 {
            let mut bytes = whole.clone();
            match round % 3 {
                // Anywhere; in the debug information; cut.
                0 => (0..1 + random.below(20)).for_each(|_| {
                    let at = random.below(bytes.len());
                    bytes[at] = random.next() as u8;
                }),
                1 => (0..1 + random.below(200)).for_each(|_| {
                    let (start, size) = sections[random.below(sections.len())];
                    bytes[start + random.below(size)] = random.next() as u8;
                }),
                _ => bytes.truncate(random.below(whole.len())),
            }
            std::fs::write(&victim, bytes).expect("a file");
            let (frames, report) = look_up(text(&victim), Some(&id), &offsets, &options);
            assert_eq!(frames.len(), offsets.len(), "round {round}");
            let is_kept = |(frames, offset): (&Vec<Frame>, &u64)| {
                frames.last().is_some_and(|frame| frame.offset == Some(*offset))
            };
            assert!(frames.iter().zip(&offsets).all(is_kept), "round {round}");
            named += report.named;
            corrupt += report.corrupt();
        }
    }
    assert!(named > 0 && corrupt > 0, "{named} named, {corrupt} corrupt");
}

#[test]
fn what_is_no_program_is_passed_over() {
    let dir = TempDir::new().expect("a folder");
    let path = |name: &str| dir.path().join(name);
    std::fs::write(path("empty"), "").expect("a file");
    std::fs::write(path("text"), "#!/bin/sh\n".repeat(100)).expect("a file");
    std::fs::create_dir(path("folder")).expect("a folder");
    if has(&["mkfifo"]) {
        run("mkfifo", &[text(&path("pipe"))]);
    }
    std::os::unix::fs::symlink("loop", path("loop")).expect("a link");
    let others = ["/dev/zero", "/proc/self/mem", "/absent", "", "relative", "[heap]", "/"];
    let mut modules: Vec<PathBuf> = others.iter().map(PathBuf::from).collect();
    modules.extend(["empty", "text", "folder", "pipe", "loop"].map(path));
    let begun = Instant::now();
    for module in &modules {
        for id in [None, Some("00112233"), Some("../../..")] {
            let options = Options { same_boot: true, ..Options::default() };
            let (frames, report) = look_up(text(module), id, &[0x1000, u64::MAX], &options);
            assert_eq!(functions(&frames), [None, None], "{}", module.display());
            assert_eq!((report.frames, report.named), (2, 0));
        }
    }
    assert!(begun.elapsed() < Duration::from_secs(20), "none of them keeps us waiting");
}

/// A program whose debug information is made by hand: `nested` functions, each inlined into the
/// one before it, and `padding` bytes of strings.
fn by_hand(dir: &Path, name: &str, nested: u32, padding: u32) -> PathBuf {
    let source = format!(
        r#"
        .text
        .globl main
        .type main, @function
        .file 1 "by_hand.c"
main:   .loc 1 7 0
        xor %eax, %eax
        .loc 1 8 0
        ret
end:    .size main, end - main
        .section .debug_abbrev, "", @progbits
        .uleb128 1, 0x11
        .byte 1
        .uleb128 0x11, 1, 0x12, 7, 0x10, 0x17, 0, 0
        .uleb128 2, 0x2e
        .byte 1
        .uleb128 3, 8, 0x11, 1, 0x12, 7, 0, 0
        .uleb128 3, 0x1d
        .byte 1
        .uleb128 0, 0, 0
        .section .debug_info, "", @progbits
        .long after - before
before: .short 4
        .long 0
        .byte 8
        .uleb128 1
        .quad main, end - main
        .long lines
        .uleb128 2
        .asciz "by_hand"
        .quad main, end - main
        .rept {nested}
        .byte 3
        .endr
        .rept {nested} + 2
        .byte 0
        .endr
after:
        .section .debug_line, "", @progbits
lines:
        .section .debug_str, "", @progbits
        .zero {padding}
        .section .note.GNU-stack, "", @progbits
"#
    );
    let file = dir.join(format!("{name}.s"));
    std::fs::write(&file, source).expect("a source");
    let out = dir.join(name);
    run("cc", &["-no-pie", "-Wl,--build-id", text(&file), "-o", text(&out)]);
    out
}

fn main_of(program: &Path, options: &Options) -> (Option<String>, Report) {
    let id = build_id(program);
    let offset = offset_of(program, address(program, "main"));
    let (frames, report) = look_up(text(program), Some(&id), &[offset], options);
    (functions(&frames).remove(0), report)
}

#[test]
#[cfg(target_arch = "x86_64")]
fn what_would_bring_down_its_reader_costs_the_debug_information_only() {
    if !has(&["cc", "readelf", "nm", "objcopy"]) {
        return;
    }
    let dir = TempDir::new().expect("a folder");
    let options = Options { memory_bytes: 256 << 20, ..in_worker(dir.path()) };
    let (name, report) = main_of(&by_hand(dir.path(), "shallow", 10, 10), &options);
    assert_eq!((name.as_deref(), report.corrupt()), (Some("by_hand"), 0), "{report:?}");
    // Deeper than any stack.
    let (name, report) = main_of(&by_hand(dir.path(), "deep", 5_000_000, 10), &options);
    assert_eq!((name.as_deref(), report.corrupt()), (Some("main"), 1), "{report:?}");
}

#[test]
#[cfg(target_arch = "x86_64")]
fn debug_information_that_unpacks_without_end_is_left_alone() {
    if !has(&["cc", "readelf", "nm", "objcopy"]) {
        return;
    }
    let dir = TempDir::new().expect("a folder");
    let options = Options { memory_bytes: 64 << 20, ..in_worker(dir.path()) };
    let large = by_hand(dir.path(), "large", 10, 200 << 20);
    let packed = dir.path().join("packed");
    run("objcopy", &["--compress-debug-sections=zlib", text(&large), text(&packed)]);
    let (name, report) = main_of(&packed, &options);
    assert_eq!((name.as_deref(), report.corrupt()), (Some("main"), 1), "{report:?}");
    // With memory enough it is read.
    let options = Options { memory_bytes: 1 << 30, ..options };
    let (name, _) = main_of(&packed, &options);
    assert_eq!(name.as_deref(), Some("by_hand"));
    // A size that nothing can have: it is in the first words of the section, after the type.
    let mut bytes = std::fs::read(&packed).expect("a file");
    for (start, _) in debug_sections(&packed) {
        if bytes[start..].starts_with(&[1, 0, 0, 0]) {
            bytes[start + 8..start + 16].copy_from_slice(&(1u64 << 60).to_le_bytes());
        }
    }
    std::fs::write(&packed, bytes).expect("a file");
    let (name, report) = main_of(&packed, &options);
    assert_eq!((name.as_deref(), report.corrupt()), (Some("main"), 1), "{report:?}");
    let what = |outcome: &Outcome| matches!(outcome, Outcome::Corrupt { what, .. } if what.contains("too large"));
    assert_eq!(report.count(what), 1, "{report:?}");
}

#[test]
fn a_worker_that_cannot_be_started_is_an_error() {
    let trace =
        crate::trace::Trace::new(&crate::trace::stacks([crate::trace::frame("/a", None, 1)]));
    let worker = Some(vec!["/absent/ebrec".into()]);
    let options = Options { worker, ..Options::default() };
    let error = symbols::symbolize_segment(&trace.folder, 0, &options).expect_err("no worker");
    assert!(error.to_string().contains("cannot start"), "{error}");
}
