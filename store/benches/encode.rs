//! How fast a spool is written and encoded, and how many bytes an event takes in Parquet.
//!
//! `cargo bench -p store`. The records imitate a busy machine: skewed calls, a few hundred threads,
//! descriptors and pointers that repeat, one call in five with a path.

use std::collections::BTreeMap;
use std::fs::File;
use std::path::Path;
use std::time::Instant;

use parquet::file::reader::{FileReader, SerializedFileReader};

use schema::events::{self as ev, Header, KINDS, Stream, Tail};
use schema::types::*;
use store::{Folder, Meta, MetaWriter, SpoolWriter};
use zerocopy::IntoBytes;

const EVENTS: usize = 700_000;
const BLOCK_EVENTS: usize = 2_000;
const THREADS: u64 = 304;
const CPUS: u64 = 8;

/// Calls with their share in percent, arguments, and whether they have a path.
const CALLS: [(u32, u64, usize, bool); 10] = [
    (0, 25, 3, false),   // read
    (1, 15, 3, false),   // write
    (202, 15, 6, false), // futex
    (257, 10, 4, true),  // openat
    (3, 10, 1, false),   // close
    (262, 10, 4, true),  // newfstatat
    (232, 5, 4, false),  // epoll_wait
    (9, 4, 6, false),    // mmap
    (45, 4, 6, false),   // recvfrom
    (39, 2, 0, false),   // getpid
];

struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    /// Small numbers more often than large ones.
    fn skewed(&mut self, limit: u64) -> u64 {
        let draw = self.next() % limit;
        draw * (self.next() % limit) / limit
    }
}

fn header(ts_ns: u64, tid: u32) -> Header {
    Header {
        ts_ns,
        tid,
        pid: tid / 32 * 32,
        kind: 0,
        size: 0,
        fixed: 0,
        cpu: (u64::from(tid) % CPUS) as u16,
    }
}

fn push(out: &mut Vec<u8>, kind: u16, record: &[u8], path: Option<&str>) {
    let begin = out.len();
    out.extend_from_slice(record);
    if let Some(path) = path {
        out.extend_from_slice(&[Tail::Path as u8, 0]);
        out.extend_from_slice(&(path.len() as u16 + 1).to_le_bytes());
        out.extend_from_slice(path.as_bytes());
        out.push(0);
    }
    let size = (out.len() - begin) as u16;
    out[begin + 16..begin + 18].copy_from_slice(&kind.to_le_bytes());
    out[begin + 18..begin + 20].copy_from_slice(&size.to_le_bytes());
    out[begin + 20..begin + 22].copy_from_slice(&(record.len() as u16).to_le_bytes());
}

/// The thread that calls now: a CPU stays with one for about 100 us.
fn thread_now(random: &mut Random, ts_ns: u64) -> u32 {
    let cpu = random.next() % CPUS;
    let mut turn = Random((ts_ns / 100_000 + 1) * CPUS + cpu);
    turn.next();
    turn.next();
    // Threads of one CPU, so that none is on two at once.
    (1000 + turn.skewed(THREADS / CPUS) * CPUS + cpu) as u32
}

fn syscall(random: &mut Random, end_ns: u64, out: &mut Vec<u8>) {
    let mut share = random.next() % 100;
    let (call, _, args, has_path) = *CALLS
        .iter()
        .find(|(_, percent, ..)| {
            let found = share < *percent;
            share = share.saturating_sub(*percent);
            found
        })
        .unwrap_or(&CALLS[0]);
    let tid = thread_now(random, end_ns);
    let duration_ns = if random.next().is_multiple_of(20) {
        random.next() % 50_000_000
    } else {
        300 + random.next() % 3000
    };
    let pointer = 0x7f12_0000_0000 + u64::from(tid) * 0x10_0000 + random.skewed(30) * 4096;
    let all = [
        random.skewed(60),
        pointer,
        [1, 16, 4096, 8192, 65536][random.skewed(5) as usize],
        0,
        pointer + 64,
        0,
    ];
    let ret = if random.next().is_multiple_of(15) {
        -2 - random.skewed(9) as i64
    } else {
        random.skewed(4096) as i64
    };
    let record = ev::Syscall {
        header: header(end_ns.saturating_sub(duration_ns), tid),
        duration_ns: DurationNs(duration_ns),
        ret: Return(ret),
        call: SyscallId(call),
        reserved: Reserved(0),
        args: Args(all),
    };
    let path = format!(
        "/usr/lib/x86_64-linux-gnu/module{}/file{}.so",
        random.skewed(40),
        random.skewed(400)
    );
    push(out, 16, &record.as_bytes()[..48 + args * 8], has_path.then_some(path.as_str()));
}

fn slice(random: &mut Random, end_ns: u64, out: &mut Vec<u8>) {
    let duration_ns = 1000 + random.next() % 2_000_000;
    let record = ev::SchedSlice {
        header: header(end_ns.saturating_sub(duration_ns), 1000 + random.skewed(THREADS) as u32),
        duration_ns: DurationNs(duration_ns),
        wait_ns: DurationNs(random.next() % 50_000),
        end_state: TaskState([0, 1, 1, 1, 2][random.next() as usize % 5]),
        priority: Priority(120),
    };
    push(out, 32, record.as_bytes(), None);
}

fn threads(out: &mut Vec<u8>) {
    for tid in 1000..1000 + THREADS as u32 {
        let mut name = [0; 16];
        let text = format!("worker-{}", tid % 50);
        name[..text.len()].copy_from_slice(text.as_bytes());
        let pid = tid / 32 * 32;
        let record = ev::Thread {
            header: header(1, tid),
            upid: Upid(5000 << 22 | u64::from(pid)),
            parent_upid: Upid(1 << 22 | 1),
            cgroup_id: CgroupId(u64::from(pid % 7)),
            uid: Uid(1000),
            gid: Gid(1000),
            thread_comm: Comm(name),
            netns: Inode(4_026_531_833),
        };
        push(out, 1, record.as_bytes(), None);
    }
}

fn write(folder: &Folder) -> store::Result<()> {
    let spool = folder.create_spool(1)?;
    let mut meta = MetaWriter::create(&spool, 1)?;
    let start = Meta::Start {
        segment: 1,
        host: "machine".to_string(),
        kernel: "6.12.0".to_string(),
        arch: "x86_64".to_string(),
        cpus: 8,
        boot_id: "0".to_string(),
        os: None,
        recorder_pid: 1,
        sources: vec!["syscalls".to_string(), "sched".to_string()],
        options: serde_json::Value::Null,
    };
    meta.write(&[
        start,
        Meta::Clock { realtime_ns: 1_700_000_000_000_000_000, monotonic_ns: 1, boottime_ns: 1 },
    ])?;
    meta.finish()?;
    let mut records = Vec::new();
    threads(&mut records);
    let mut processes = SpoolWriter::create(&spool, 1, Stream::Processes, &[0; KINDS])?;
    processes.write_block(&records, true)?;
    processes.finish()?;
    let mut random = Random(42);
    for (stream, make) in
        [(Stream::Syscalls, syscall as fn(&mut Random, u64, &mut Vec<u8>)), (Stream::Sched, slice)]
    {
        let mut writer = SpoolWriter::create(&spool, 1, stream, &[0; KINDS])?;
        let (mut spent, mut now_ns) = (std::time::Duration::ZERO, 1_000_000_000);
        for _ in 0..EVENTS / BLOCK_EVENTS {
            records.clear();
            for _ in 0..BLOCK_EVENTS {
                now_ns += 200 + random.next() % 2000;
                make(&mut random, now_ns, &mut records);
            }
            let begin = Instant::now();
            writer.write_block(&records, false)?;
            spent += begin.elapsed();
        }
        let (bytes, rate) = (writer.bytes(), EVENTS as f64 / spent.as_secs_f64() / 1e6);
        writer.finish()?;
        println!(
            "spool {:>9}: {:5.1} B/event, written at {rate:6.1} M events/s",
            stream.name(),
            bytes as f64 / EVENTS as f64
        );
    }
    Ok(())
}

/// Which columns the bytes are in.
fn print_columns(path: &Path) -> Result<(), Box<dyn std::error::Error>> {
    let reader = SerializedFileReader::new(File::open(path)?)?;
    let metadata = reader.metadata();
    let mut sizes: BTreeMap<String, i64> = BTreeMap::new();
    for column in metadata.row_groups().iter().flat_map(|group| group.columns()) {
        *sizes.entry(column.column_path().string()).or_default() += column.compressed_size();
    }
    let rows = metadata.file_metadata().num_rows() as f64;
    let per_event = |(name, size): (String, i64)| format!("{name} {:.2}", size as f64 / rows);
    println!("{}", sizes.into_iter().map(per_event).collect::<Vec<_>>().join(", "));
    Ok(())
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let temp = tempfile::tempdir()?;
    let folder = Folder::create(&temp.path().join("trace"), false)?;
    write(&folder)?;
    let pool = rayon::ThreadPoolBuilder::new().num_threads(1).build()?;
    for _ in 0..3 {
        let begin = Instant::now();
        let encoded = pool.install(|| store::encode::segment(&folder, 1, folder.path()))?;
        println!(
            "encode on one thread: {:4.2} M events/s",
            2.0 * EVENTS as f64 / begin.elapsed().as_secs_f64() / 1e6
        );
        for size in encoded.tables.iter().filter(|size| size.rows >= EVENTS as u64) {
            println!("  {:>14}: {:5.2} B/event", size.table, size.bytes as f64 / size.rows as f64);
        }
    }
    for table in ["syscalls", "sched_slices"] {
        print_columns(&folder.table_file(table, 1))?;
    }
    if let Ok(status) = std::fs::read_to_string("/proc/self/status") {
        status.lines().filter(|line| line.starts_with("VmHWM")).for_each(|line| println!("{line}"));
    }
    Ok(())
}
