//! Rings that hold anything: a program may write what it likes into its own.

use std::fs::{self, File};
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::time::{Duration, Instant};

use preload::layout::{
    HEAD_OFFSET, HEADER_BYTES, LOST_OFFSET, MAGIC, Operation, Position, SHORT_ALLOCATION_BYTES,
    SHORT_DEALLOCATION_BYTES, TAG_ALLOCATION, TAG_DEALLOCATION, TAG_RECORD, TAG_TENANT,
    TAIL_OFFSET, VERSION, first_word, mix,
};
use preload::{Collector, Settings};

const DATA_BYTES: usize = 64 << 10;
const SEEDS: u64 = 300;
const GOOD: u32 = 11;
const BAD: u32 = 12;

/// Numbers that are the same in each run.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        (mix(self.0) % limit as u64) as usize
    }
}

/// A sound ring of thread `tid`, with as many pairs as it says.
fn ring(tid: u32, pairs: u64) -> Vec<u8> {
    let mut bytes = vec![0; HEADER_BYTES + DATA_BYTES];
    let mut at = HEADER_BYTES;
    let mut push = |bytes: &mut Vec<u8>, words: &[u64]| {
        for word in words {
            bytes[at..at + 8].copy_from_slice(&word.to_le_bytes());
            at += 8;
        }
    };
    for pair in 0..pairs {
        let address = u64::from(tid) << 32 | pair << 4;
        let got = first_word(TAG_ALLOCATION | Operation::Malloc as u8, 1000 + 2 * pair);
        push(&mut bytes, &[got, address, 64, 7]);
        let given = first_word(TAG_DEALLOCATION | Operation::Free as u8, 1001 + 2 * pair);
        push(&mut bytes, &[given, address]);
    }
    let head = pairs * (SHORT_ALLOCATION_BYTES + SHORT_DEALLOCATION_BYTES) as u64;
    let mut word = |at: usize, value: u64| bytes[at..at + 8].copy_from_slice(&value.to_le_bytes());
    word(0, MAGIC);
    word(8, u64::from(VERSION) | u64::from(std::process::id()) << 32);
    word(16, u64::from(tid) | (DATA_BYTES as u64) << 32);
    // Now, or the process has begun after it.
    word(24, u64::MAX / 2);
    for (offset, value) in [(HEAD_OFFSET, head), (TAIL_OFFSET, 0)] {
        let [check, value] = Position::words(value);
        word(offset, check);
        word(offset + 8, value);
    }
    bytes
}

/// Damages some bytes: of the header, of the data, tags, sizes, positions.
fn damage(random: &mut Random, bytes: &mut [u8]) {
    for _ in 0..=random.below(6) {
        let place = match random.below(5) {
            0 => random.below(TAIL_OFFSET + 16),
            1 => HEAD_OFFSET + random.below(LOST_OFFSET - HEAD_OFFSET),
            2 => HEADER_BYTES + random.below(DATA_BYTES),
            // The beginning of a word, and what is first looked at.
            3 => HEADER_BYTES + 8 * random.below(64),
            _ => {
                // A position that is consistent, and anywhere.
                let value = mix(random.0) >> random.below(64);
                let words = Position::words(value);
                bytes[HEAD_OFFSET..HEAD_OFFSET + 8].copy_from_slice(&words[0].to_le_bytes());
                bytes[HEAD_OFFSET + 8..HEAD_OFFSET + 16].copy_from_slice(&words[1].to_le_bytes());
                continue;
            }
        };
        bytes[place] = match random.below(4) {
            0 => TAG_RECORD,
            1 => TAG_TENANT,
            2 => 255,
            _ => random.below(256) as u8,
        };
    }
    if random.below(8) == 0 {
        // Records with all fields at will.
        let begin = HEADER_BYTES + 48 * random.below(200);
        for byte in &mut bytes[begin..begin + 200] {
            *byte = random.below(256) as u8;
        }
        bytes[begin] = TAG_RECORD;
        bytes[begin + 16] = [40, 41, 48, 49][random.below(4)];
        bytes[begin + 17] = 0;
    }
}

fn write(folder: &Path, name: &str, bytes: &[u8]) -> File {
    let path = folder.join(name);
    fs::write(&path, bytes).unwrap();
    File::options().write(true).open(path).unwrap()
}

#[test]
fn damaged_rings_harm_nobody_else() {
    let pid = std::process::id();
    for seed in 0..SEEDS {
        let mut random = Random(seed << 32);
        let mut collector = Collector::create(&Settings::default()).unwrap();
        let folder = collector.environment()[1].1.clone();
        let folder = Path::new(&folder);
        let mut bytes = ring(BAD, 1000);
        damage(&mut random, &mut bytes);
        let bad = write(folder, "r2", &bytes);
        write(folder, "r1", &ring(GOOD, 1000));
        std::os::unix::fs::symlink("/etc/passwd", folder.join("r3")).unwrap();
        fs::create_dir(folder.join("r4")).unwrap();
        let begin = Instant::now();
        let (mut good, mut all) = (Vec::new(), 0u64);
        for turn in 0..6 {
            collector.drain(&mut |record| {
                let half = |at: usize| u32::from_le_bytes(record[at..at + 4].try_into().unwrap());
                let size = u16::from_le_bytes(record[18..20].try_into().unwrap());
                assert_eq!(usize::from(size), record.len(), "seed {seed}");
                let own = u32::from_le_bytes(bytes[12..16].try_into().unwrap());
                all += 1;
                let address = u64::from_le_bytes(record[24..32].try_into().unwrap());
                if half(12) == pid && half(8) == GOOD && address >> 32 == u64::from(GOOD) {
                    good.push((record[16], address));
                } else {
                    assert!([pid, own].contains(&half(12)), "seed {seed}");
                }
            });
            // While it is being read.
            damage(&mut random, &mut bytes);
            if turn == 3 && seed % 5 == 0 {
                bad.set_len(random.below(bytes.len()) as u64).unwrap();
            } else {
                bad.write_all_at(&bytes, 0).unwrap();
            }
        }
        let expected: Vec<_> = (0..1000u64)
            .flat_map(|pair| [40u8, 41].map(|kind| (kind, u64::from(GOOD) << 32 | pair << 4)))
            .collect();
        assert!(good == expected, "seed {seed}: {} of {} records", good.len(), expected.len());
        assert!(begin.elapsed() < Duration::from_secs(5), "seed {seed}");
        let counters = collector.counters();
        assert!(counters.iter().map(|totals| totals.emitted).sum::<u64>() >= all, "seed {seed}");
    }
}
