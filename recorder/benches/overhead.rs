//! What a system call costs while it is recorded, against the least it can cost.
//!
//! A child process makes `getppid` calls in a tight loop and reports its CPU time per call. Each
//! round runs it without probes, under a minimal hand-written pair that joins entry and exit into
//! one 64-byte record, under ebrec, beside an empty pair of raw tracepoints, and outside the scope
//! of a recording; rounds alternate and medians are compared. Needs root.
//!
//! `cargo bench -p recorder --bench overhead [-- ROUNDS CALLS]`

use std::io::{BufRead, BufReader, Write};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::Duration;

use aya::maps::RingBuf;
use aya::programs::{BtfTracePoint, RawTracePoint};
use aya::{Btf, EbpfLoader};
use recorder::{
    Allocations, Encode, Options, Retention, RingBytes, Rotation, Scope, Sources, Stacks, record,
};

const RESULT: &str = "EBREC_BENCH_RESULT";

/// Makes the calls and writes the nanoseconds of CPU time per call.
fn workload(calls: u64) {
    let now_ns = || {
        let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
        // SAFETY: the pointer is to a timespec of ours.
        unsafe { libc::clock_gettime(libc::CLOCK_THREAD_CPUTIME_ID, &mut time) };
        time.tv_sec as f64 * 1e9 + time.tv_nsec as f64
    };
    let begin = now_ns();
    for _ in 0..calls {
        // SAFETY: no pointers.
        unsafe { libc::syscall(libc::SYS_getppid) };
    }
    let per_call = (now_ns() - begin) / calls as f64;
    match std::env::var_os(RESULT) {
        Some(file) => std::fs::write(file, per_call.to_string()).expect("result can be written"),
        None => println!("{per_call}"),
    }
}

/// A workload that waits for a line before it begins.
fn waiting(calls: u64) -> Child {
    Command::new(std::env::current_exe().expect("has a path"))
        .args(["--wait", &calls.to_string()])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("the workload starts")
}

fn go(mut child: Child) -> f64 {
    child.stdin.take().expect("piped").write_all(b"\n").expect("the workload waits");
    let mut line = String::new();
    BufReader::new(child.stdout.take().expect("piped")).read_line(&mut line).expect("a result");
    child.wait().expect("it ends");
    line.trim().parse().expect("a number")
}

fn bare(calls: u64) -> f64 {
    go(waiting(calls))
}

fn minimal(calls: u64) -> f64 {
    let child = waiting(calls);
    let pid = child.id();
    let btf = Btf::from_sys_fs().expect("the kernel has BTF");
    let mut loader = EbpfLoader::new();
    loader.btf(Some(&btf)).allow_unsupported_maps().override_global("target_pid", &pid, true);
    let mut ebpf = loader.load(ebpf::minimal()).expect("loads");
    for (name, tracepoint) in [("minimal_enter", "sys_enter"), ("minimal_exit", "sys_exit")] {
        let program: &mut BtfTracePoint =
            ebpf.program_mut(name).expect("exists").try_into().expect("is one");
        program.load(tracepoint, &btf).expect("loads");
        program.attach().expect("attaches");
    }
    let mut ring = RingBuf::try_from(ebpf.take_map("ring").expect("exists")).expect("is one");
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !done.load(Relaxed) {
                while ring.next().is_some() {}
                std::thread::sleep(Duration::from_millis(10));
            }
        });
        let result = go(child);
        done.store(true, Relaxed);
        result
    })
}

fn empty_pair(calls: u64) -> f64 {
    let mut ebpf = EbpfLoader::new().allow_unsupported_maps().load(ebpf::minimal()).expect("loads");
    for (name, tracepoint) in [("empty_enter", "sys_enter"), ("empty_exit", "sys_exit")] {
        let program: &mut RawTracePoint =
            ebpf.program_mut(name).expect("exists").try_into().expect("is one");
        program.load().expect("loads");
        program.attach(tracepoint).expect("attaches");
    }
    bare(calls)
}

fn options(command: Vec<std::ffi::OsString>) -> Options {
    Options {
        output: std::env::temp_dir().join(format!("ebrec-bench-{}", std::process::id())),
        force: true,
        duration: None,
        sources: Sources::parse("syscalls").expect("a source"),
        syscalls: None,
        scope: Scope::default(),
        command: Some(command),
        rotation: Rotation { every: Duration::from_secs(60), bytes: 64 << 20 },
        retention: Retention::default(),
        keep_spool: false,
        encode: Encode::Later,
        rings: RingBytes::default(),
        stacks: Stacks::default(),
        allocations: Allocations::default(),
        dns_ports: vec![53],
        symbolizer: None,
        ..Options::for_check()
    }
}

/// Records the workload. Returns its time and the events lost.
fn recorded(calls: u64) -> (f64, u64) {
    let result = std::env::temp_dir().join(format!("ebrec-bench-result-{}", std::process::id()));
    // SAFETY: no other thread runs at this point.
    unsafe { std::env::set_var(RESULT, &result) };
    let exe = std::env::current_exe().expect("has a path");
    let options = options(vec![exe.into(), "--workload".into(), calls.to_string().into()]);
    let summary = record(&options, &mut |_| {}).expect("records");
    // SAFETY: as above.
    unsafe { std::env::remove_var(RESULT) };
    let _ = std::fs::remove_dir_all(&options.output);
    let per_call =
        std::fs::read_to_string(&result).expect("a result").trim().parse().expect("a number");
    let _ = std::fs::remove_file(result);
    (per_call, summary.lost.iter().map(|(_, lost)| lost).sum())
}

/// Runs the workload outside the scope of a recording.
fn outside(calls: u64) -> f64 {
    let child = waiting(calls);
    let result: PathBuf =
        std::env::temp_dir().join(format!("ebrec-bench-outside-{}", std::process::id()));
    let _ = std::fs::remove_file(&result);
    let until = format!("while [ ! -e {} ]; do sleep 0.05; done", result.display());
    let options = options(["sh", "-c", &until].map(Into::into).to_vec());
    let mut child = Some(child);
    let mut measured = None;
    let mut begun = None;
    let file = result.clone();
    // Signals of the recording stay held back in this process: the child is told by its pipe.
    record(&options, &mut |progress| {
        if progress.elapsed > Duration::from_millis(200)
            && let Some(child) = child.take()
        {
            let file = file.clone();
            begun = Some(std::thread::spawn(move || {
                let per_call = go(child);
                std::fs::write(&file, "").expect("can be written");
                per_call
            }));
        }
    })
    .expect("records");
    if let Some(thread) = begun {
        measured = thread.join().ok();
    }
    let _ = std::fs::remove_dir_all(&options.output);
    let _ = std::fs::remove_file(&result);
    measured.expect("the workload ran")
}

fn median(values: &mut [f64]) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

fn main() {
    let args: Vec<String> = std::env::args().skip(1).filter(|arg| arg != "--bench").collect();
    let number = |index: usize, default: u64| {
        args.get(index).and_then(|arg| arg.parse().ok()).unwrap_or(default)
    };
    match args.first().map(String::as_str) {
        Some("--workload") => return workload(number(1, 1)),
        Some("--wait") => {
            let _ = std::io::stdin().lock().read_line(&mut String::new());
            return workload(number(1, 1));
        }
        _ => {}
    }
    let (rounds, calls) = (number(0, 5), number(1, 5_000_000));
    let mut times: [Vec<f64>; 5] = Default::default();
    let mut lost = 0;
    for _ in 0..rounds {
        times[0].push(bare(calls));
        times[1].push(minimal(calls));
        let (per_call, lost_now) = recorded(calls);
        times[2].push(per_call);
        lost += lost_now;
        times[3].push(empty_pair(calls));
        times[4].push(outside(calls));
    }
    let [bare, minimal, recorded, empty, outside] = times.each_mut().map(|times| median(times));
    println!("getppid, {calls} calls, {rounds} rounds, CPU time per call (median)");
    println!("  no probes                    {bare:8.1} ns");
    println!("  minimal joined pair          {minimal:8.1} ns  (+{:.1})", minimal - bare);
    println!(
        "  recorded by ebrec            {recorded:8.1} ns  (+{:.1}), {lost} events lost",
        recorded - bare
    );
    println!("  empty raw tracepoint pair    {empty:8.1} ns  (+{:.1})", empty - bare);
    println!("  outside ebrec's scope        {outside:8.1} ns  (+{:.1})", outside - bare);
    println!(
        "recorded / minimal: {:.2} of the whole call, {:.2} of what is added",
        recorded / minimal,
        (recorded - bare) / (minimal - bare)
    );
    println!(
        "outside / empty:    {:.2} of the whole call, {:.2} of what is added",
        outside / empty,
        (outside - bare) / (empty - bare)
    );
}
