//! Code that lies in no file: the kernel's, the vDSO, and what processes make.

use store::stacks::{JIT, KERNEL, Stack, VDSO};
use symbols::{Options, Outcome};
use tempfile::TempDir;

use crate::trace::{Trace, frame, functions, look_up, with_perf_map};

#[test]
fn the_kernel_is_known_where_it_runs() {
    let list = std::fs::read_to_string("/proc/kallsyms").unwrap_or_default();
    let symbol = list.lines().find_map(|line| {
        let words: Vec<&str> = line.split_whitespace().collect();
        let address = u64::from_str_radix(words.first()?, 16).ok().filter(|at| *at > 0)?;
        (words.get(2) == Some(&"schedule")).then_some(address)
    });
    let Some(address) = symbol else {
        eprintln!("skipped: the kernel hides its symbols");
        return;
    };
    let here = Options { same_boot: true, ..Options::default() };
    let (frames, report) = look_up(KERNEL, None, &[address + 4, u64::MAX - 4096], &here);
    assert_eq!(functions(&frames), [Some("schedule".to_string()), None]);
    assert_eq!((report.frames, report.named), (2, 1));
    let (frames, report) = look_up(KERNEL, None, &[address], &Options::default());
    assert_eq!(functions(&frames), [None]);
    assert_eq!(report.count(|outcome| *outcome == Outcome::OtherBoot), 1);
}

#[test]
fn the_vdso_is_known_where_it_is_the_same() {
    let here = Options { same_boot: true, ..Options::default() };
    let offsets: Vec<u64> = (0..8192).step_by(8).collect();
    let (frames, _) = look_up(VDSO, None, &offsets, &here);
    let names = functions(&frames);
    let is_known = |part: &str| names.iter().flatten().any(|name| name.contains(part));
    assert!(is_known("clock_gettime"), "{names:?}");
    let (frames, _) = look_up(VDSO, None, &offsets, &Options::default());
    assert!(functions(&frames).iter().all(Option::is_none));
    let (frames, _) = look_up(VDSO, Some("00ff00ff"), &offsets, &here);
    assert!(functions(&frames).iter().all(Option::is_none));
}

#[test]
fn memory_of_no_file_is_known_by_the_perf_map() {
    let dir = TempDir::new().expect("a folder");
    let map = dir.path().join("perf-7.map");
    std::fs::write(&map, "10 8 young;\nnonsense\n1000 100 Lazy compile: ~f a.js:1\n")
        .expect("a map");
    let stack = |id, pid, offset| Stack {
        id,
        pid: Some(pid),
        frames: vec![frame(JIT, None, offset)],
        ..Stack::default()
    };
    let trace = Trace::new(&[stack(1, 7, 0x12), stack(2, 7, 0x1050), stack(3, 8, 0x12)]);
    let mut options = with_perf_map(map.clone());
    options.perf_maps = Some(std::sync::Arc::new(move |pid| (pid == 7).then(|| map.clone())));
    let report = trace.symbolize(&options);
    let folded: Vec<String> = trace.stacks().iter().map(Stack::folded).collect();
    assert_eq!(folded, ["young:", "Lazy compile: ~f a.js:1", "[jit]+0x12"]);
    assert_eq!((report.frames, report.named), (3, 2));
    assert_eq!(report.count(|outcome| *outcome == Outcome::NoPerfMap), 1);
}
