//! Records become rows.

use schema::events::{self as ev, Stream, Tail};
use schema::types::*;

use crate::build::*;

const SHELL: u32 = 100;

fn shell() -> Vec<u8> {
    thread(T, SHELL, SHELL, upid(2000, SHELL), "sh")
}

#[test]
fn a_call_is_of_the_thread_as_it_was_called_then() {
    let (_temp, folder) = trace();
    let (child, reused) = (upid(4001, 200), upid(4900, 200));
    let processes = [
        shell(),
        fork(T + 10, SHELL, 200, child),
        rename(T + 20, 200, 200, "ls"),
        exit(T + 30, 200, 0x100),
        fork(T + 40, SHELL, 200, reused),
        exit(T + 50, 200, 9),
    ];
    let call = |ts_ns, tid| {
        let mut record = syscall(ts_ns, tid, 39, 0, &[], &[]);
        record[12..16].copy_from_slice(&tid.to_le_bytes());
        record
    };
    let calls = [
        call(T + 45, 200),
        call(T - 5, SHELL),
        call(T + 15, 200),
        call(T + 25, 200),
        call(T + 20, 200),
        call(T, 999),
    ];
    Spool::new(&folder, 1)
        .block(Stream::Processes, &processes)
        .block(Stream::Syscalls, &calls)
        .encode();

    let found = rows(&folder, "syscalls", &["ts", "tid", "upid", "comm", "cgroup_id"]);
    let moment = |ns: u64| {
        format!("2023-11-14T22:13:{:02}.{:09}Z", 20 + ns / 1_000_000_000, ns % 1_000_000_000)
    };
    let expected = [
        format!("{} | 100 | {} | sh | 77", moment(T - 5), upid(2000, SHELL)),
        format!("{} | 999 | NULL | NULL | NULL", moment(T)),
        format!("{} | 200 | {child} | sh | 77", moment(T + 15)),
        format!("{} | 200 | {child} | sh | 77", moment(T + 20)),
        format!("{} | 200 | {child} | ls | 77", moment(T + 25)),
        format!("{} | 200 | {reused} | sh | 77", moment(T + 45)),
    ];
    assert_eq!(found, expected);
    let events = rows(
        &folder,
        "process_events",
        &["event", "comm", "new_comm", "child_pid", "exit_code", "signal"],
    );
    assert_eq!(
        events,
        [
            "fork | sh | NULL | 200 | NULL | NULL",
            "rename | sh | ls | NULL | NULL | NULL",
            "exit | ls | NULL | NULL | 1 | NULL",
            "fork | sh | NULL | 200 | NULL | NULL",
            "exit | sh | NULL | NULL | NULL | SIGKILL",
        ]
    );
    let found = rows(
        &folder,
        "processes",
        &["pid", "upid", "parent_pid", "comm", "exit_code", "signal", "gid"],
    );
    let expected = [
        format!("100 | {} | 1 | sh | NULL | NULL | NULL", upid(2000, SHELL)),
        format!("200 | {child} | 100 | ls | 1 | NULL | 100"),
        format!("200 | {reused} | 100 | sh | NULL | SIGKILL | 100"),
    ];
    assert_eq!(found, expected);
    assert_eq!(rows(&folder, "threads", &["tid", "comm"]), ["100 | sh", "200 | ls", "200 | sh"]);
}

#[test]
fn a_process_is_known_by_its_last_program_and_a_fork_by_its_parents() {
    let (_temp, folder) = trace();
    let found = store::Meta::Process {
        pid: SHELL,
        upid: upid(2000, SHELL),
        exe: Some("/bin/sh".to_string()),
        argv: vec!["sh".to_string(), "a b".to_string()],
        cwd: Some("/root".to_string()),
    };
    let id = "0123456789abcdef".repeat(4);
    let cgroup = store::Meta::Cgroup { id: 77, path: format!("/docker/{id}") };
    let tails: &[(Tail, u8, &[u8])] = &[
        (Tail::Path, 0, b"ls\0"),
        (Tail::Exe, 0, b"ls\0bin\0"),
        (Tail::Cwd, 1, b"c\0b\0"),
        (Tail::Argv, 0, b"ls\0-l\0"),
    ];
    let processes = [
        fork(T + 1, SHELL, 200, upid(4001, 200)),
        fork(T + 2, SHELL, 300, upid(4002, 300)),
        exec(T + 3, 200, upid(4001, 200), tails),
    ];
    let spool = Spool::new(&folder, 1)
        .meta([found, cgroup])
        .context(&[shell()])
        .block(Stream::Processes, &processes);
    spool.encode();
    let columns = ["pid", "exe", "argv", "cwd", "uid", "container_id"];
    let expected = [
        format!("100 | /bin/sh | sh 'a b' | /root | 1000 | {id}"),
        format!("200 | /bin/ls | ls -l | .../b/c | 0 | {id}"),
        format!("300 | /bin/sh | sh 'a b' | /root | 1000 | {id}"),
    ];
    assert_eq!(rows(&folder, "processes", &columns), expected);
    let exec = rows(&folder, "process_events", &["event", "path", "exe", "argv", "truncated"]);
    assert_eq!(exec[2], "exec | ls | /bin/ls | ls -l | true");
    assert_eq!(exec[1], "fork | NULL | NULL | NULL | false");
    // Records of context are known, and not stored.
    let stored = rows(&folder, "segments", &["kind", "stored", "emitted", "closed"]);
    assert_eq!(stored, ["fork | 2 | NULL | false", "exec | 1 | NULL | false"]);
}

#[test]
fn what_is_not_there_is_null() {
    let (_temp, folder) = trace();
    let mut address = vec![2, 0, 0, 80];
    address.extend_from_slice(&[10, 0, 0, 1]);
    let io_uring = ev::IoUring {
        header: header(17, T + 7, 100, 100),
        duration_ns: DurationNs(9),
        ret: Return(3),
        call: IoUringOp(18),
        reserved: Reserved(0),
        args: Args([5, 0, 0, 0, 0, 0]),
    };
    let fixed = size_of_val(&io_uring);
    let calls = [
        syscall(T + 1, 100, 257, -2, &[u64::MAX - 99, 2], &[(Tail::Path, 1, b"/etc/x\0")]),
        syscall(T + 2, 100, 60, NOT_RETURNED, &[], &[]),
        syscall(T + 3, 100, 42, 0, &[3, 4, 5, 6, 7, 8], &[(Tail::Address, 0, &address)]),
        syscall(T + 4, 100, 5 | SYSCALL_COMPAT, 7, &[], &[]),
        syscall(T + 5, 100, 4000, -4000, &[], &[]),
        cut(&io_uring, fixed - 40, &[]),
    ];
    Spool::new(&folder, 1).block(Stream::Syscalls, &calls).encode();
    let columns = [
        "syscall",
        "via",
        "ret",
        "error",
        "duration_ns",
        "arg0",
        "arg1",
        "arg5",
        "path",
        "address",
        "truncated",
    ];
    assert_eq!(
        rows(&folder, "syscalls", &columns),
        [
            "openat | syscall | -2 | ENOENT | 500 | -100 | 2 | NULL | /etc/x | NULL | true",
            "exit | syscall | NULL | NULL | NULL | NULL | NULL | NULL | NULL | NULL | false",
            "connect | syscall | 0 | NULL | 500 | 3 | 4 | 8 | NULL | 10.0.0.1:80 | false",
            "open | compat | 7 | NULL | 500 | NULL | NULL | NULL | NULL | NULL | false",
            "syscall_4000 | syscall | -4000 | errno_4000 | 500 | NULL | NULL | NULL | NULL | NULL | false",
            "openat | io_uring | 3 | NULL | 9 | 5 | NULL | NULL | NULL | NULL | false",
        ]
    );
}

#[test]
fn a_sleep_names_its_state_and_who_ended_it() {
    let (_temp, folder) = trace();
    let off = |ts_ns, state, waker, waker_pid| {
        let record = ev::Offcpu {
            header: header(33, ts_ns, 300, 300),
            duration_ns: DurationNs(100),
            wait_ns: DurationNs(u64::MAX),
            state: TaskState(state),
            waker: PeerTid(waker),
            waker_pid: Pid(waker_pid),
            reserved: Reserved(0),
            waker_comm: comm(if waker == 0 || waker == u32::MAX { "" } else { "sh" }),
            stack_id: StackId(0),
            waker_stack_id: StackId(0),
        };
        whole(&record, &[])
    };
    let sleeps = [
        off(T, 1, SHELL, SHELL),
        off(T + 1, 0x402, 0, 0),
        off(T + 2, u32::MAX, u32::MAX, u32::MAX),
        off(T + 3, 2, 5, 5),
    ];
    Spool::new(&folder, 1).context(&[shell()]).block(Stream::Sched, &sleeps).encode();
    let columns =
        ["state", "duration_ns", "wait_ns", "waker_tid", "waker_upid", "waker_pid", "waker_comm"];
    assert_eq!(
        rows(&folder, "offcpu", &columns),
        [
            format!("sleeping | 100 | NULL | 100 | {} | 100 | sh", upid(2000, SHELL)),
            "idle | 100 | NULL | NULL | NULL | NULL | NULL".to_string(),
            "NULL | 100 | NULL | NULL | NULL | NULL | NULL".to_string(),
            "disk sleep | 100 | NULL | 5 | NULL | 5 | sh".to_string(),
        ]
    );
    // The stream was recorded, so all its tables are there.
    assert_eq!(rows(&folder, "migrations", &["ts"]), [""; 0]);
}

#[test]
fn loss_clocks_and_cost_are_rows() {
    let (_temp, folder) = trace();
    let cost = store::Meta::Cost {
        source: None,
        monotonic_ns: T,
        duration_ns: 7,
        component: "encode".to_string(),
        run_count: None,
        cpu_ns: Some(5),
        bytes: None,
        memory_bytes: Some(1),
    };
    let step = |add: i64, monotonic_ns: u64| store::Meta::Clock {
        realtime_ns: EPOCH_NS + monotonic_ns as i64 + add,
        monotonic_ns,
        boottime_ns: monotonic_ns,
    };
    let meta = [
        step(999_999, T),
        step(1_000_000_000, T + 100),
        counters(T, &[(16, 10, 2)]),
        counters(T + 50, &[(16, 30, 2)]),
        counters(T + 150, &[(16, 40, 5), (34, 1, 1)]),
        cost,
    ];
    Spool::new(&folder, 1)
        .meta(meta)
        .block(
            Stream::Syscalls,
            &[syscall(T + 99, 1, 0, 0, &[], &[]), syscall(T + 100, 1, 0, 0, &[], &[])],
        )
        .encode();
    assert_eq!(
        rows(&folder, "loss", &["ts", "duration_ns", "kind", "cpu", "lost", "reason"]),
        [
            "2023-11-14T22:13:24.000000000Z | 1000000000 | syscall | 0 | 2 | ring_full",
            "2023-11-14T22:13:25.000000050Z | 100 | syscall | 0 | 3 | ring_full",
            "2023-11-14T22:13:25.000000050Z | 100 | migration | 0 | 1 | ring_full",
        ]
    );
    assert_eq!(
        rows(&folder, "clocks", &["monotonic_ns", "in_force"]),
        ["4000000000 | true", "5000000000 | false", "5000000100 | true"]
    );
    assert_eq!(
        rows(&folder, "syscalls", &["ts"]),
        ["2023-11-14T22:13:25.000000099Z", "2023-11-14T22:13:26.000000100Z"]
    );
    assert_eq!(rows(&folder, "cost", &["component", "cpu_ns", "bytes"]), ["encode | 5 | NULL"]);
    assert_eq!(rows(&folder, "hosts", &["host", "kernel", "os"]), ["box | 6.12 | NULL"]);
    assert_eq!(
        rows(
            &folder,
            "segments",
            &["segment", "kind", "stored", "stored_before", "emitted", "lost", "first_ts"]
        ),
        [
            "1 | syscall | 2 | 0 | 40 | 5 | 2023-11-14T22:13:25.000000099Z",
            "1 | migration | 0 | 0 | 1 | 1 | NULL",
        ]
    );
}
