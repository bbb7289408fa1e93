//! Stacks of addresses become stacks of places, each once, and names can be put into them later.

use schema::events as ev;
use schema::{Stream, Tail};
use store::meta::Meta;
use store::{rewrite, stacks};

use crate::build::*;
use schema::types::*;

const FILE: &[u8] = b"libc.so.6\0lib\0";

fn mapping(
    ts_ns: u64,
    pid: u32,
    start: u64,
    end: u64,
    offset: u64,
    inode: u64,
    file: &[u8],
) -> Vec<u8> {
    let record = ev::Mapping {
        header: header(49, ts_ns, pid, pid),
        start_address: Address(start),
        end_address: Address(end),
        offset_bytes: SizeBytes(offset),
        inode: Inode(inode),
        device: Device(8 << 20 | 1),
        reserved: Reserved(0),
    };
    let tails = [(Tail::File, 0, file)];
    whole(&record, if file.is_empty() { &[] } else { &tails })
}

fn stack(ts_ns: u64, pid: u32, raw_id: u64, kernel: u32, flags: u32, addresses: &[u64]) -> Vec<u8> {
    let record = ev::Stack {
        header: header(48, ts_ns, pid, pid),
        raw_id: RawId(raw_id),
        kernel_frames: Plain(kernel),
        stack_flags: Plain(flags),
    };
    let bytes: Vec<u8> = addresses.iter().flat_map(|address| address.to_le_bytes()).collect();
    whole(&record, &[(Tail::Frames, 0, &bytes)])
}

fn allocation(ts_ns: u64, pid: u32, address: u64, raw_id: u64) -> Vec<u8> {
    let record = ev::Allocation {
        header: header(40, ts_ns, pid, pid),
        address: Address(address),
        old_address: Address(0),
        size_bytes: SizeBytes(10),
        stack_id: StackId(raw_id),
        operation: AllocationOp(AllocationOperation::Malloc as u32),
        one_in: OneIn(1),
    };
    whole(&record, &[])
}

fn segment(folder: &store::Folder) {
    let records = [
        mapping(T, 100, 0x1000, 0x3000, 0x500, 42, FILE),
        mapping(T, 200, 0x9000, 0xb000, 0x500, 42, FILE),
        // The same code at another address of another process: the same stack.
        stack(T + 1, 100, 7, 0, 4, &[0x1101, 0x2001]),
        stack(T + 1, 200, 8, 0, 4, &[0x9101, 0xa001]),
        // In the kernel, in memory of no file, and nowhere; the outermost frames are missing.
        mapping(T, 100, 0x5000, 0x6000, 0, 0, b""),
        stack(T + 2, 100, 9, 1, 1, &[0xffff_ffff_8100_0001, 0x5010, 0x7000]),
        // Another file came to lie there later.
        mapping(T + 10, 100, 0x1000, 0x3000, 0, 43, b"other\0"),
        stack(T + 11, 100, 10, 0, 0, &[0x1101]),
    ];
    let allocations = [(7, 100), (8, 200), (9, 100), (10, 100), (99, 100)]
        .map(|(raw, pid)| allocation(T + 20, pid, raw, raw));
    Spool::new(folder, 1)
        .meta([Meta::Module { device: 8 << 20 | 1, inode: 42, build_id: Some("abcd".into()) }])
        .block(Stream::Stacks, &records)
        .block(Stream::Allocations, &allocations)
        .encode();
}

#[test]
fn the_same_code_is_the_same_stack_in_every_process() {
    let (_temp, folder) = trace();
    segment(&folder);
    let (found, host) = rewrite::stacks(&folder, 1).unwrap().unwrap();
    assert_eq!((found.len(), host.as_str()), (3, "box"));
    let frames = |folded: &str| found.iter().find(|stack| stack.folded() == folded).unwrap();
    // Return addresses are looked up at the call before them; an exact one is not.
    let libc = frames("libc.so.6+0x1500;libc.so.6+0x600");
    assert_eq!(libc.frames[0].module.as_deref(), Some("/lib/libc.so.6"));
    assert_eq!(libc.frames[0].build_id.as_deref(), Some("abcd"));
    assert_eq!((libc.pid, libc.truncated), (None, false));
    let mixed = frames("[unknown]+0x6fff;[jit]+0x5010;[kernel]+0xffffffff81000001");
    assert_eq!((mixed.pid, mixed.truncated), (Some(100), true));
    let other = frames("other+0x101");
    let ids = rows(&folder, "allocations", &["stack_id"]);
    let expected = [libc, libc, mixed, other].map(|stack| stack.id.to_string());
    assert_eq!(ids[..4], expected);
    // One that was lost on the way.
    assert_eq!(ids[4], "NULL");
    assert_eq!(
        rows(&folder, "mappings", &["device", "inode", "build_id", "file"])[0],
        "8:1 | 42 | abcd | /lib/libc.so.6"
    );
}

#[test]
fn names_put_in_later_are_there_and_the_seal_holds() {
    let (_temp, folder) = trace();
    segment(&folder);
    let (mut found, host) = rewrite::stacks(&folder, 1).unwrap().unwrap();
    for frame in found.iter_mut().flat_map(|stack| &mut stack.frames) {
        *frame = stacks::Frame { function: Some("f".into()), line: Some(3), ..frame.clone() };
    }
    rewrite::replace_stacks(&folder, 1, &host, &found).unwrap();
    assert_eq!(rewrite::stacks(&folder, 1).unwrap().unwrap().0, found);
    let seal = |folder: &store::Folder| std::fs::read(folder.table_file("segments", 1)).unwrap();
    let once = seal(&folder);
    rewrite::replace_stacks(&folder, 1, &host, &found).unwrap();
    assert_eq!(seal(&folder), once);
    let report = store::verify(&store::Trace::open(folder.path()).unwrap()).unwrap();
    assert!(!matches!(report.verdict, store::Verdict::Broken(_)), "{report:?}");
}
