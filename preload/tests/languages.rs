//! C++, plugins, callbacks: who called, through which modules.

use preload::{OnFull, Settings};

use crate::harness::{Event, compile, record};

fn exact() -> Settings {
    Settings { on_full: OnFull::Wait, ..Settings::default() }
}

#[test]
fn all_operators_are_recorded_once_and_exceptions_pass() {
    for flags in [&["-std=c++17", "-fomit-frame-pointer"][..], &["-std=c++17", "-static-libgcc"]] {
        let Some(program) = compile("c++", "operators.cc", flags) else { return };
        let recorded = record(&exact(), &mut program.command());
        recorded.assert_ok();
        recorded.assert_counts();
        assert_eq!(recorded.told("caught"), 25);
        let own = recorded.of_file("/operators");
        let (mut news, mut failed, mut deletes) = (0, 0, 0);
        for event in recorded.events.iter().filter(|event| own(event)) {
            match event {
                Event::Allocation { op: 8, address, .. } => {
                    news += 1;
                    failed += u64::from(*address == 0);
                }
                Event::Deallocation { op: 10, .. } => deletes += 1,
                _ => {}
            }
        }
        // A vector of threads and the states of the four: five, and three when it grows.
        let library = news - recorded.told("news");
        assert!((4..=8).contains(&library), "{library} of the library's templates");
        assert_eq!(failed, recorded.told("failed"));
        assert_eq!(deletes - recorded.told("deletes"), library);
        // A failure is that of `new` alone.
        let others = recorded
            .events
            .iter()
            .filter(|event| matches!(event, Event::Allocation { op: 1..=7, address: 0, .. }));
        assert_eq!(others.count(), 0);
        let replay = recorded.replay(own);
        assert_eq!((replay.live.len(), replay.clashes), (0, 0));
    }
}

#[test]
fn plugins_come_and_go() {
    let Some(host) = compile("cc", "host.c", &["-fomit-frame-pointer"]) else { return };
    // Two files, so that one may take the other's place in memory.
    let flags: [&[&str]; 2] = [
        &["-shared", "-fPIC", "-fomit-frame-pointer"],
        &["-shared", "-fPIC", "-O0", "-fomit-frame-pointer"],
    ];
    let Some(plugins) =
        flags.iter().map(|flags| compile("c++", "plugin.cc", flags)).collect::<Option<Vec<_>>>()
    else {
        return;
    };
    let mut command = host.command();
    command.args(plugins.iter().map(|plugin| &plugin.path));
    let recorded = record(&exact(), &mut command);
    recorded.assert_ok();
    recorded.assert_counts();
    assert_eq!(recorded.lost(), 0);
    let stacks = recorded.stacks();
    let (mut calls, mut ends) = (0, 0);
    for event in &recorded.events {
        let Event::Allocation { pid, size, stack, op: 1, .. } = event else { continue };
        let (frames, flags) = stacks[&(*pid, *stack)];
        if (5000..5010).contains(size) {
            calls += 1;
            assert_eq!(flags, 0, "{frames:x?}");
            // plugin_malloc, main, two of the C library, _start.
            assert_eq!(frames.len(), 5, "{frames:x?}");
        }
        ends += u64::from(*size == 77);
    }
    assert_eq!((calls, ends), (300, 30));
}

#[test]
fn callbacks_are_reached_through_the_c_library() {
    let Some(host) = compile("cc", "host.c", &["-fomit-frame-pointer"]) else { return };
    let Some(plugin) = compile("c++", "plugin.cc", &["-shared", "-fPIC"]) else { return };
    let mut command = host.command();
    command.args([&plugin.path, &plugin.path]);
    let recorded = record(&exact(), &mut command);
    recorded.assert_ok();
    let (functions, stacks) = (host.functions(), recorded.stacks());
    let mut checked = 0;
    for event in &recorded.events {
        let Event::Allocation { pid, size: 4321, stack, .. } = event else { continue };
        let (frames, flags) = stacks[&(*pid, *stack)];
        let names: Vec<&str> = frames
            .iter()
            .map(|frame| match recorded.locate(*pid, frame - 1) {
                Some((file, offset)) if file.ends_with("/host") => {
                    functions.range(..=offset).next_back().unwrap().1.as_str()
                }
                Some((file, _)) => file.rsplit('/').next().unwrap(),
                None => "?",
            })
            .collect();
        let mut names: Vec<&str> = names;
        names.dedup();
        assert_eq!(flags, 0);
        assert_eq!(names, ["compare", "libc.so.6", "sorting", "main", "libc.so.6", "_start"]);
        checked += 1;
    }
    assert!(checked > 5);
}
