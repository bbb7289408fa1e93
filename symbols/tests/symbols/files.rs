//! Which files a module's names come from, and which not.

use std::path::Path;

use symbols::{Options, Outcome};
use tempfile::TempDir;

use crate::build::{self, address, build_id, compile, has, inlined, offset_of, run, text};
use crate::trace::{Trace, frame, functions, in_folder, look_up, stacks};

const TOOLS: [&str; 6] = ["cc", "objcopy", "strip", "readelf", "nm", "addr2line"];

/// A program, its debug file, and the program without what is in that.
struct Split {
    dir: TempDir,
    id: String,
    /// In `leaf`, which is inlined, and in a function that only debug files name.
    offsets: [u64; 2],
}

impl Split {
    fn new() -> Split {
        let dir = TempDir::new().expect("a folder");
        let program = inlined(dir.path());
        let (id, start) = (build_id(&program), address(&program, "outer"));
        let offsets = [start, address(&program, "hidden")].map(|at| offset_of(&program, at));
        let at = |name: &str| dir.path().join(name);
        run("objcopy", &["--only-keep-debug", text(&program), text(&at("program.debug"))]);
        run("strip", &["-o", text(&at("stripped")), text(&program)]);
        std::fs::remove_file(&program).expect("the program");
        Split { dir, id, offsets }
    }

    /// Puts a file into a folder of its own.
    fn place(&self, file: &str, place: &str) -> TempDir {
        let folder = TempDir::new().expect("a folder");
        let target = folder.path().join(place);
        std::fs::create_dir_all(target.parent().expect("a folder")).expect("a folder");
        std::fs::copy(self.dir.path().join(file), target).expect("a copy");
        folder
    }

    fn names(&self, module: &str, options: &Options) -> Vec<Option<String>> {
        functions(&look_up(module, Some(&self.id), &self.offsets, options).0)
    }
}

fn all() -> Vec<Option<String>> {
    vec![Some("outer".to_string()), Some("hidden".to_string())]
}

#[test]
fn debug_files_are_found_where_people_keep_them() {
    if !has(&TOOLS) {
        return;
    }
    let split = Split::new();
    let (first, rest) = split.id.split_at(2);
    for place in [
        format!(".build-id/{first}/{rest}.debug"),
        format!("usr/lib/debug/.build-id/{first}/{rest}.debug"),
        format!("{}/debuginfo", split.id),
        "usr/lib/debug/opt/app/program.debug".to_string(),
        "opt/app/program".to_string(),
        "program.debug".to_string(),
        "program".to_string(),
    ] {
        // Without the program itself: where its code was in the file has to be restored.
        let folder = split.place("program.debug", &place);
        let options = in_folder(folder.path());
        assert_eq!(split.names("/opt/app/program", &options), all(), "{place}");
    }
}

#[test]
fn the_debug_file_adds_to_the_program() {
    if !has(&TOOLS) {
        return;
    }
    let split = Split::new();
    let program = split.dir.path().join("stripped");
    let none = Options::default();
    assert_eq!(split.names(text(&program), &none), [None, None]);
    let folder = split.place("program.debug", "program.debug");
    let (frames, report) =
        look_up(text(&program), Some(&split.id), &split.offsets, &in_folder(folder.path()));
    assert_eq!(functions(&frames), [None, None], "its name is not that of the program");
    assert_eq!(report.named, 0);
    // By the link in the program, beside it and in a given folder.
    let linked = split.dir.path().join("linked");
    let debug = split.dir.path().join("program.debug");
    let link = format!("--add-gnu-debuglink={}", text(&debug));
    run("objcopy", &[&link, text(&program), text(&linked)]);
    assert_eq!(split.names(text(&linked), &none), all());
    std::fs::remove_file(&debug).expect("the file");
    assert_eq!(split.names(text(&linked), &none), [None, None]);
    assert_eq!(split.names(text(&linked), &in_folder(folder.path())), all());
}

#[test]
fn a_link_is_followed_by_checksum_where_there_is_no_build_id() {
    if !has(&TOOLS) {
        return;
    }
    let dir = TempDir::new().expect("a folder");
    let flags = ["-O2", "-g", "-Wl,--build-id=none"];
    let program = compile(dir.path(), "program", "cc", build::INLINED, &flags);
    let offset = offset_of(&program, address(&program, "hidden"));
    let (debug, linked) = (dir.path().join("x.debug"), dir.path().join("linked"));
    run("objcopy", &["--only-keep-debug", text(&program), text(&debug)]);
    let link = format!("--add-gnu-debuglink={}", text(&debug));
    run("strip", &[text(&program)]);
    run("objcopy", &[&link, text(&program), text(&linked)]);
    let here = Options { same_boot: true, ..Options::default() };
    let name = || functions(&look_up(text(&linked), None, &[offset], &here).0);
    assert_eq!(name(), [Some("hidden".to_string())]);
    // Without a build-id a path is believed on the machine that was recorded only.
    let (frames, report) = look_up(text(&linked), None, &[offset], &Options::default());
    assert_eq!((functions(&frames), report.without_file()), (vec![None], 1));
    let mut bytes = std::fs::read(&debug).expect("the file");
    bytes.push(0);
    std::fs::write(&debug, bytes).expect("the file");
    assert_eq!(name(), [None]);
}

#[test]
fn another_version_is_not_used_and_told() {
    if !has(&TOOLS) {
        return;
    }
    let split = Split::new();
    let program = split.dir.path().join("program");
    let debug = split.dir.path().join("program.debug");
    std::fs::rename(debug, &program).expect("the file");
    let other = "0123456789abcdef0123456789abcdef01234567";
    let (frames, report) =
        look_up(text(&program), Some(other), &split.offsets, &Options::default());
    assert_eq!(functions(&frames), [None, None]);
    assert_eq!((report.wrong_build_id(), report.named, report.frames), (1, 0, 2));
    let (_, module) = report.modules.iter().next().expect("a module");
    assert_eq!(module.outcome, Outcome::WrongBuildId { file: text(&program).to_string() });
}

#[test]
fn a_file_that_is_held_is_found_under_any_name() {
    if !has(&TOOLS) {
        return;
    }
    let dir = TempDir::new().expect("a folder");
    let program = inlined(dir.path());
    let (id, start) = (build_id(&program), address(&program, "hidden"));
    let offset = offset_of(&program, start);
    let file = std::fs::File::open(&program).expect("the program");
    std::fs::remove_file(&program).expect("the program");
    let held = format!("/proc/self/fd/{}", std::os::fd::AsRawFd::as_raw_fd(&file));
    let name = ("/in/a/container".to_string(), Some(id.clone()));
    let options =
        Options { held: [(name, held.into())].into(), ..crate::trace::in_worker(Path::new("/")) };
    let (frames, _) = look_up("/in/a/container", Some(&id), &[offset], &options);
    assert_eq!(functions(&frames), [Some("hidden".to_string())]);
    let line = frames[0].last().and_then(|frame| frame.line);
    assert!(line.is_some(), "debug information is read too");
}

#[test]
fn programs_without_debug_information_have_their_symbols() {
    if !has(&TOOLS) {
        return;
    }
    let dir = TempDir::new().expect("a folder");
    for (name, flags) in [
        ("pie", &["-O2", "-Wl,--build-id"][..]),
        ("fixed", &["-O2", "-no-pie", "-Wl,--build-id"]),
        ("static", &["-O2", "-static", "-Wl,--build-id"]),
        ("exporting", &["-O2", "-rdynamic", "-Wl,--build-id"]),
    ] {
        let program = compile(dir.path(), name, "cc", build::INLINED, flags);
        let places = ["outer", "hidden", "main"].map(|name| {
            let (start, size, _) = build::symbols(&program)
                .into_iter()
                .find(|symbol| symbol.2 == name)
                .expect("a function");
            offset_of(&program, start + size - 1)
        });
        let id = build_id(&program);
        let names =
            || functions(&look_up(text(&program), Some(&id), &places, &Options::default()).0);
        let expected = ["outer", "hidden", "main"].map(|name| Some(name.to_string()));
        assert_eq!(names(), expected, "{name}");
        run("strip", &[text(&program)]);
        // Only what other modules use is left.
        let expected = match name {
            "exporting" => [Some("outer".to_string()), None, Some("main".to_string())],
            _ => [None, None, None],
        };
        assert_eq!(names(), expected, "{name}, stripped");
    }
}

#[test]
fn compressed_symbols_of_a_stripped_program_are_read() {
    if !has(&TOOLS) || !has(&["xz"]) {
        return;
    }
    let dir = TempDir::new().expect("a folder");
    let flags = ["-O2", "-Wl,--build-id"];
    let program = compile(dir.path(), "program", "cc", build::INLINED, &flags);
    let offset = offset_of(&program, address(&program, "hidden"));
    let mini = dir.path().join("mini");
    run("objcopy", &["-S", "--keep-symbol=hidden", text(&program), text(&mini)]);
    run("xz", &["-k", text(&mini)]);
    run("strip", &[text(&program)]);
    let section = format!(".gnu_debugdata={}.xz", text(&mini));
    run("objcopy", &["--add-section", &section, text(&program)]);
    let id = build_id(&program);
    let (frames, report) = look_up(text(&program), Some(&id), &[offset], &Options::default());
    assert_eq!(functions(&frames), [Some("hidden".to_string())], "{report:?}");
}

#[test]
fn again_with_the_same_files_gives_the_same_bytes() {
    if !has(&TOOLS) {
        return;
    }
    let dir = TempDir::new().expect("a folder");
    let program = inlined(dir.path());
    let id = build_id(&program);
    let start = offset_of(&program, address(&program, "outer"));
    let frames = (start..start + 40).map(|offset| frame(text(&program), Some(&id), offset));
    let trace = Trace::new(&stacks(frames));
    let options = Options::default();
    let report = trace.symbolize(&options);
    assert_eq!((report.stacks, report.frames), (40, 40));
    assert!(report.named >= 30, "{report:?}");
    let (bytes, named) = (trace.bytes(), trace.stacks());
    assert!(named.iter().any(|stack| stack.frames.len() == 3), "leaf in middle in outer");
    assert_eq!(trace.symbolize(&options), report);
    assert!(trace.bytes() == bytes, "the same again");
    // Without inlined functions, and with them once more.
    trace.symbolize(&Options { inlines: false, ..options.clone() });
    assert!(trace.stacks().iter().all(|stack| stack.frames.len() == 1));
    trace.symbolize(&options);
    assert!(trace.bytes() == bytes, "inlined functions came back");
    // Names stay when the files are gone, or say less than they did.
    run("strip", &["-g", text(&program)]);
    trace.symbolize(&options);
    assert!(trace.bytes() == bytes, "lines stay");
    std::fs::remove_file(&program).expect("the program");
    let report = trace.symbolize(&options);
    assert!(trace.bytes() == bytes, "names stay");
    assert_eq!(report.without_file(), 1);
}

#[test]
fn an_inlined_function_is_a_frame_of_its_own() {
    if !has(&TOOLS) {
        return;
    }
    let dir = TempDir::new().expect("a folder");
    let program = inlined(dir.path());
    let id = build_id(&program);
    let start = offset_of(&program, address(&program, "outer"));
    let offsets: Vec<u64> = (start..start + 60).collect();
    let (places, _) = look_up(text(&program), Some(&id), &offsets, &Options::default());
    let deepest = places.iter().max_by_key(|frames| frames.len()).expect("places");
    let names: Vec<&str> = deepest.iter().filter_map(|frame| frame.function.as_deref()).collect();
    assert_eq!(names, ["leaf", "middle", "outer"]);
    let inlined: Vec<bool> = deepest.iter().map(|frame| frame.inlined).collect();
    assert_eq!(inlined, [true, true, false]);
    // Of a caller, the line of the call.
    let lines: Vec<Option<u32>> = deepest.iter().map(|frame| frame.line).collect();
    assert_eq!((lines[1], lines[2]), (Some(9), Some(13)));
    assert!(deepest.iter().all(|frame| frame.offset == deepest[0].offset));
    assert!(
        deepest
            .iter()
            .all(|frame| frame.file.as_deref().is_some_and(|file| file.ends_with("program.c")))
    );
}
