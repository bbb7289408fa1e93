//! Where programs spend their time, on the CPU and off it, with names for what they were in.

use std::process::Command;

use super::lab::Lab;
use super::programs::{WITHOUT_FRAME_POINTERS, build, output};
use crate::skip::{has_program, skip};

/// Share of `part` in `whole`, in percent.
fn percent(part: i64, whole: i64) -> f64 {
    part as f64 * 100.0 / whole as f64
}

#[test]
fn samples_show_where_the_time_goes() {
    let Some(lab) = Lab::open() else { return };
    let Some(program) = build(&lab, "hot.c", "hot", &WITHOUT_FRAME_POINTERS) else { return };
    let run = lab.ebrec(&["record", "-s", "cpu", "--cpu-rate", "499", "--", &program, "1500"]);
    assert_eq!(run.code, 0, "{run:?}");
    let count = |condition: &str| {
        lab.value(&format!(
            "SELECT count(*) FROM cpu_samples JOIN stacks USING (stack_id) WHERE {condition}"
        ))
    };
    let whole = count("folded LIKE '%;main;%;spin'");
    assert!(whole > 500, "{whole} samples");
    for (function, share) in [("seventy", 70.0), ("twenty", 20.0), ("ten", 10.0)] {
        let part = count(&format!("folded LIKE '_start;%;main;{function};spin'"));
        // Four standard errors of a sample of this size.
        let error = 400.0 * (share / 100.0 * (1.0 - share / 100.0) / whole as f64).sqrt();
        let found = percent(part, whole);
        assert!((found - share).abs() < error, "{function}: {found} % of {whole}");
    }
    // Nothing is lost, and the first moments aside stacks are whole.
    lab.assert_complete();
    let truncated = count("truncated");
    assert!(percent(truncated, count("true")) < 2.0, "{truncated} of {whole} are truncated");
    // CPU time is the time of the process.
    let sampled_ns = lab.value("SELECT sum(period_ns) FROM cpu_samples WHERE comm = 'hot'");
    let ran_ns = lab
        .value("SELECT CAST(max(end_ts) AS BIGINT) - CAST(min(start_ts) AS BIGINT) FROM processes");
    assert!(sampled_ns <= ran_ns + 100_000_000, "{sampled_ns} of {ran_ns}");
}

#[test]
fn samples_agree_with_perf() {
    let Some(lab) = Lab::open() else { return };
    if !has_program("perf", &["--version"]) {
        return skip("perf is not installed");
    }
    let Some(program) = build(&lab, "hot.c", "hot", &WITHOUT_FRAME_POINTERS) else { return };
    // Both watch the same run.
    let data = lab.file("perf.data");
    let perf = [
        "perf",
        "record",
        "-q",
        "-e",
        "cpu-clock",
        "-F",
        "499",
        "--call-graph",
        "dwarf,256",
        "-o",
        &data,
        &program,
        "1500",
    ];
    let mut args = vec!["record", "-s", "cpu", "--cpu-rate", "499", "--"];
    args.extend(perf);
    let run = lab.ebrec(&args);
    assert_eq!(run.code, 0, "{run:?}");
    let script = output("perf", &["script", "-i", &data, "-F", "comm,ip,sym"]);
    let samples = script.split("\n\n").filter(|sample| sample.contains(" spin"));
    let by_perf = |function: &str| {
        // What the compiler put into its caller is marked as `(inlined)`.
        let is_in = |sample: &&str| {
            sample.lines().any(|line| line.split_whitespace().nth(1) == Some(function))
        };
        samples.clone().filter(is_in).count() as i64
    };
    let by_us = |function: &str| {
        lab.value(&format!(
            "SELECT count(*) FROM cpu_samples JOIN stacks USING (stack_id) \
             WHERE comm = 'hot' AND folded LIKE '%{function};spin'"
        ))
    };
    let (perfs, ours) = (samples.clone().count() as i64, by_us(""));
    assert!(perfs > 300 && ours > 300, "{perfs} of perf, {ours} of ours");
    for function in ["seventy", "twenty", "ten"] {
        let (theirs, found) = (percent(by_perf(function), perfs), percent(by_us(function), ours));
        // They look at other moments: four standard errors of the difference of two samples.
        let share = found / 100.0;
        let error =
            400.0 * (share * (1.0 - share) * (1.0 / perfs as f64 + 1.0 / ours as f64)).sqrt();
        assert!(
            (theirs - found).abs() < error,
            "{function}: {theirs} % of {perfs} by perf, {found} % of {ours} by us"
        );
    }
}

#[test]
fn time_off_the_cpu_has_stacks_and_wakers() {
    let Some(lab) = Lab::open() else { return };
    let Some(program) = build(&lab, "blocked.c", "blocked", &WITHOUT_FRAME_POINTERS) else {
        return;
    };
    let run = lab.ebrec(&["record", "-s", "offcpu,syscalls", "--", &program]);
    assert_eq!(run.code, 0, "{run:?}");
    lab.assert_complete();
    let slept = lab.rows(
        "SELECT count(*), sum(duration_ns) / 1000000 FROM offcpu JOIN stacks USING (stack_id) \
         WHERE folded LIKE '%;sleeper;sleep_often;%nanosleep%' AND state = 'sleeping'",
    );
    let numbers: Vec<i64> = slept[0].split(',').map(|number| number.parse().unwrap()).collect();
    // Each sleep is a little longer than was asked for; the first may have a truncated stack.
    assert!((95..=100).contains(&numbers[0]) && (950..1500).contains(&numbers[1]), "{numbers:?}");
    // Each wait for the lock ends when main lets it go, and the kernel knows the lock.
    let waits = lab.rows(
        "SELECT s.folded, w.folded FROM offcpu o JOIN stacks s USING (stack_id) \
         JOIN stacks w ON w.stack_id = o.waker_stack_id WHERE s.folded LIKE '%;waiter;take_lock;%'",
    );
    assert!((18..=20).contains(&waits.len()), "{} waits", waits.len());
    assert!(waits.iter().all(|wait| wait.contains(";main;release_lock;")), "{waits:#?}");
    let lock = run.out.trim().trim_start_matches("0x");
    let lock = i64::from_str_radix(lock, 16).expect("an address");
    let on_lock = lab.value(&format!(
        "SELECT count(*) FROM syscalls c JOIN offcpu o ON o.tid = c.tid AND o.ts >= c.ts \
           AND CAST(o.ts AS BIGINT) < CAST(c.ts AS BIGINT) + c.duration_ns \
         JOIN stacks s ON s.stack_id = o.stack_id \
         WHERE c.syscall = 'futex' AND c.arg0 = {lock} AND s.folded LIKE '%take_lock%'"
    ));
    assert_eq!(on_lock as usize, waits.len());
}

/// The functions of a recording of `program`, outermost first, of the stack that ends in `spin`.
#[track_caller]
fn spinning(lab: &Lab, options: &[&str], program: &[&str]) -> Vec<String> {
    let mut args = vec!["record", "-s", "cpu", "--cpu-rate", "499", "--force"];
    args.extend(options);
    args.push("--");
    args.extend(program);
    let run = lab.ebrec(&args);
    assert_eq!(run.code, 0, "{run:?}");
    stacks(lab)
}

#[track_caller]
fn stacks(lab: &Lab) -> Vec<String> {
    lab.rows(
        "SELECT folded FROM cpu_samples JOIN stacks USING (stack_id) \
         GROUP BY folded ORDER BY count(*) DESC LIMIT 1",
    )
}

const SEVENTY: &str = "main;seventy;spin";

#[test]
fn programs_of_every_kind_have_names() {
    let Some(lab) = Lab::open() else { return };
    for (name, options) in
        [("pie", &["-pie", "-fPIE"][..]), ("no-pie", &["-no-pie"]), ("static", &["-static"])]
    {
        let options = [&WITHOUT_FRAME_POINTERS[..], options].concat();
        let Some(program) = build(&lab, "hot.c", name, &options) else { return };
        let found = spinning(&lab, &[], &[&program, "400"]);
        assert!(found[0].ends_with(SEVENTY), "{name}: {found:?}");
    }
}

#[test]
fn a_stripped_program_is_named_by_its_debug_file() {
    let Some(lab) = Lab::open() else { return };
    let Some(program) = build(&lab, "hot.c", "hot", &WITHOUT_FRAME_POINTERS) else { return };
    let debug = lab.file("debug");
    std::fs::create_dir(&debug).unwrap();
    let file = format!("{debug}/hot.debug");
    output("objcopy", &["--only-keep-debug", &program, &file]);
    output("strip", &[&program]);
    let found = spinning(&lab, &[], &[&program, "400"]);
    assert!(found[0].contains(";hot+0x"), "{found:?}");
    // As on another machine, where the program is not.
    std::fs::remove_file(&program).unwrap();
    lab.ebrec(&["symbolize", "--debug-dir", &debug]).ok();
    let found = stacks(&lab);
    assert!(found[0].ends_with(SEVENTY), "{found:?}");
    lab.assert_complete();
    // Twice gives the same bytes.
    let path = lab.path().join("trace/stacks/000001.parquet");
    let once = std::fs::read(&path).unwrap();
    lab.ebrec(&["symbolize", "--debug-dir", &debug]).ok();
    assert!(once == std::fs::read(&path).unwrap());
}

#[test]
fn a_program_that_is_deleted_while_it_runs_has_names() {
    let Some(lab) = Lab::open() else { return };
    let Some(program) = build(&lab, "hot.c", "hot", &WITHOUT_FRAME_POINTERS) else { return };
    let script = format!("{program} 600 & sleep 0.2; rm {program}; wait");
    let found = spinning(&lab, &[], &["sh", "-c", &script]);
    assert!(found[0].ends_with(SEVENTY), "{found:?}");
}

#[test]
fn a_program_in_another_mount_namespace_has_names() {
    let Some(lab) = Lab::open() else { return };
    let Some(program) = build(&lab, "hot.c", "hot", &WITHOUT_FRAME_POINTERS) else { return };
    if !has_program("unshare", &["-m", "true"]) {
        return skip("mount namespaces cannot be made here");
    }
    // The file is in a file system that only the command sees.
    let place = lab.file("place");
    std::fs::create_dir(&place).unwrap();
    let script =
        format!("mount -t tmpfs none {place} && cp {program} {place}/hidden && {place}/hidden 600");
    let found = spinning(&lab, &[], &["unshare", "-m", "sh", "-c", &script]);
    assert!(found[0].ends_with(SEVENTY), "{found:?}");
}

#[test]
fn a_library_that_is_closed_again_has_names() {
    let Some(lab) = Lab::open() else { return };
    let library_options =
        [&WITHOUT_FRAME_POINTERS[..], &["-shared", "-fPIC", "-Dmain=hot_main"]].concat();
    if build(&lab, "hot.c", "libhot.so", &library_options).is_none() {
        return;
    }
    let Some(program) = build(&lab, "open.c", "open", &WITHOUT_FRAME_POINTERS) else { return };
    let found = spinning(&lab, &[], &[&program, &lab.file("libhot.so"), "hot_main"]);
    assert!(found[0].contains(";main;") && found[0].ends_with(";seventy;spin"), "{found:?}");
}

#[test]
fn a_process_that_ends_at_once_has_names() {
    let Some(lab) = Lab::open() else { return };
    let Some(program) = build(&lab, "hot.c", "hot", &WITHOUT_FRAME_POINTERS) else { return };
    // Page faults come to every process, however short it is.
    let run =
        lab.ebrec(&["record", "-s", "faults", "--", "sh", "-c", &format!("{program} 1; true")]);
    assert_eq!(run.code, 0, "{run:?}");
    let named = lab.rows(
        "SELECT count(*), count(f.function) FROM (SELECT unnest(frames)['function'] AS function, \
         unnest(frames)['module'] AS module FROM page_faults JOIN stacks USING (stack_id) \
         WHERE comm = 'hot') f WHERE module LIKE '%/hot' OR module LIKE '%/libc.so.6'",
    );
    let numbers: Vec<i64> = named[0].split(',').map(|number| number.parse().unwrap()).collect();
    // The C library has a few places that belong to no function.
    assert!(numbers[0] > 5 && numbers[1] * 10 >= numbers[0] * 9, "{numbers:?}");
}

#[test]
fn code_that_a_process_made_is_named_by_its_perf_map() {
    let Some(lab) = Lab::open() else { return };
    let Some(program) = build(&lab, "made.c", "made", &WITHOUT_FRAME_POINTERS) else { return };
    let found = spinning(&lab, &[], &[&program]);
    assert!(found[0].ends_with("made_code"), "{found:?}");
    let pid = lab.value("SELECT DISTINCT pid FROM cpu_samples WHERE comm = 'made'");
    std::fs::remove_file(format!("/tmp/perf-{pid}.map")).expect("the program's map");
}

#[test]
fn a_stack_of_five_thousand_frames_is_cut_and_says_so() {
    let Some(lab) = Lab::open() else { return };
    let Some(program) = build(&lab, "deep.c", "deep", &WITHOUT_FRAME_POINTERS) else { return };
    for source in ["cpu", "allocations"] {
        let args = ["record", "-s", source, "--cpu-rate", "499", "--force", "--", &program, "5000"];
        let run = lab.ebrec(&args);
        assert_eq!((run.code, run.out.trim()), (0, "done"), "{run:?}");
        // What was inlined and what the kernel did for it have frames of their own.
        let deepest = lab.rows(
            "SELECT max(depth) BETWEEN 64 AND 140, bool_and(truncated) FROM stacks \
             WHERE folded LIKE '%dive;dive;dive%'",
        );
        assert_eq!(deepest, ["true,true"], "{source}");
    }
}

#[test]
fn page_faults_are_those_that_the_kernel_counts() {
    let Some(lab) = Lab::open() else { return };
    let Some(program) = build(&lab, "touch.c", "touch", &WITHOUT_FRAME_POINTERS) else { return };
    let run = lab.ebrec(&["record", "-s", "faults", "--", &program, "3000"]);
    assert_eq!(run.code, 0, "{run:?}");
    let touched = lab.value(
        "SELECT count(*) FROM page_faults JOIN stacks USING (stack_id) \
         WHERE fault = 'minor' AND folded LIKE '%;main;touch'",
    );
    assert_eq!(touched, 3000);
    // The program prints what getrusage(2) counted between two moments of its run.
    let counted: i64 = run.out.trim().parse().expect("a number");
    assert!((3000..3010).contains(&counted), "{counted}");
    // 3000 pages were resident at the end, and the peak was no less.
    let peak = lab.value("SELECT max(rss_peak_bytes) FROM memory_usage");
    assert!(peak >= 3000 * 4096, "{peak}");
    lab.assert_complete();
}

#[test]
fn memory_over_time_is_what_proc_says() {
    let Some(lab) = Lab::open() else { return };
    let Some(program) = build(&lab, "touch.c", "touch", &WITHOUT_FRAME_POINTERS) else { return };
    let mut child = Command::new(&program).args(["5000", "6"]).spawn().expect("starts");
    let pid = child.id().to_string();
    std::thread::sleep(std::time::Duration::from_millis(500));
    let run = lab.ebrec(&["record", "-s", "faults", "-p", &pid, "-d", "2500ms"]);
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).expect("it runs");
    child.wait().expect("ends");
    assert_eq!(run.code, 0, "{run:?}");
    let field = |name: &str| {
        let line = status.lines().find(|line| line.starts_with(name)).expect(name);
        line.split_whitespace().nth(1).expect(line).parse::<i64>().expect(line) * 1024
    };
    let rows = lab.rows(
        "SELECT rss_bytes, rss_peak_bytes, anonymous_bytes, file_bytes, virtual_bytes FROM memory_usage ORDER BY ts",
    );
    let expected = ["VmRSS:", "VmHWM:", "RssAnon:", "RssFile:", "VmSize:"].map(field);
    assert!(rows.len() >= 3, "{rows:?}");
    assert_eq!(rows.last().unwrap(), &expected.map(|number| number.to_string()).join(","));
}
