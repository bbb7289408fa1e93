//! Damaged files: no panic, and an answer in time. Arithmetic is checked in test builds.

use std::fs;
use std::time::{Duration, Instant};

use unwind::{BaseAddresses, Error, build_id, build_id_of_notes, eh_frame_address, rule_at, table};

/// Small, so that thousands of variants take seconds; it has all common kinds of rules.
const FILE: &str = "/bin/true";

/// xorshift64*: the same sequence in each run.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    fn below(&mut self, limit: usize) -> usize {
        (self.next() % limit as u64) as usize
    }

    /// A byte that is likely to matter.
    fn byte(&mut self) -> u8 {
        const EDGES: [u8; 12] = [0, 1, 0x7f, 0x80, 0xff, 0x0a, 0x0b, 0x0c, 0x0f, 0x1b, 0x50, 0xfe];
        if self.below(2) == 0 { EDGES[self.below(EDGES.len())] } else { self.next() as u8 }
    }

    /// Overwrites up to eight runs of up to eight bytes in `range`.
    fn damage(&mut self, bytes: &mut [u8], range: std::ops::Range<usize>) {
        for _ in 0..=self.below(8) {
            let at = range.start + self.below(range.len());
            let end = range.end.min(at + 1 + self.below(8));
            bytes[at..end].fill_with(|| self.byte());
        }
    }
}

/// Offsets (which are addresses too, in this file) of `.eh_frame_hdr` and `.eh_frame`.
fn frames(file: &[u8]) -> (usize, usize) {
    let at = file
        .windows(4)
        .enumerate()
        .filter(|(at, bytes)| at % 4 == 0 && *bytes == [1, 0x1b, 3, 0x3b])
        .find_map(|(at, _)| {
            let frames = eh_frame_address(&file[at..], at as u64)? as usize;
            (frames > at && frames < file.len()).then_some((at, frames))
        });
    at.expect("a file with .eh_frame_hdr")
}

fn is_file(file: &std::io::Result<Vec<u8>>) -> bool {
    file.as_ref().is_ok_and(|file| file.get(18) == Some(&62))
}

#[test]
fn damaged_files_are_refused_or_read_in_part() {
    let file = fs::read(FILE);
    if !is_file(&file) {
        println!("skipped: no x86_64 {FILE}");
        return;
    }
    let file = file.expect("checked");
    let (header, frames) = frames(&file);
    let sound = table(&file).expect("a sound file").rows;
    let section_headers = u64::from_le_bytes(*file[40..].first_chunk().expect("8 bytes")) as usize;
    let ranges = [0..64, 64..64 + 13 * 56, section_headers..file.len(), header..frames];
    let ranges: Vec<_> = ranges.into_iter().chain(vec![frames..frames + 4000; 6]).collect();
    let mut random = Random(1);
    let (mut refused, mut corrupt, mut same, mut slowest) = (0, 0, 0, Duration::ZERO);
    let rounds = 6000;
    for round in 0..rounds {
        let mut damaged = file.clone();
        let range = ranges[random.below(ranges.len())].clone();
        random.damage(&mut damaged, range);
        // Without section headers the segments are asked.
        if random.below(3) == 0 {
            damaged[40..48].fill(0);
            damaged[60..62].fill(0);
        }
        if random.below(20) == 0 {
            damaged.truncate(random.below(file.len()));
        }
        let start = Instant::now();
        build_id(&damaged);
        match table(&damaged) {
            Ok(table) => {
                assert!(table.rows.is_sorted_by(|a, b| a.offset < b.offset), "round {round}");
                corrupt += usize::from(table.corrupt.is_some());
                same += usize::from(table.rows == sound);
            }
            Err(_) => refused += 1,
        }
        slowest = slowest.max(start.elapsed());
    }
    println!(
        "{rounds}: {refused} refused, {corrupt} corrupt, {same} the same, slowest {slowest:?}"
    );
    assert!(refused > 50 && corrupt > 500 && refused + corrupt + same < rounds);
    assert!(slowest < Duration::from_secs(5), "{slowest:?}");
}

#[test]
fn lookups_in_damaged_sections_return() {
    let file = fs::read(FILE);
    if !is_file(&file) {
        println!("skipped: no x86_64 {FILE}");
        return;
    }
    let file = file.expect("checked");
    let (header, frames) = frames(&file);
    let table = table(&file).expect("a sound file");
    // As mapped high up, where additions could overflow.
    let bases = [0, 0x7fff_ffff_f000, u64::MAX - 0x4000];
    let mut random = Random(2);
    let (mut found, mut slowest) = (0, Duration::ZERO);
    let rounds = 60_000;
    for _ in 0..rounds {
        let mut damaged = file[header..].to_vec();
        let count = damaged.len().min(frames - header + 4000);
        match random.below(4) {
            0 => random.damage(&mut damaged, 0..frames - header),
            1 => {
                random.damage(&mut damaged, 0..12);
                random.damage(&mut damaged, 0..count);
            }
            _ => random.damage(&mut damaged, frames - header..count),
        }
        damaged.truncate(count);
        let (hdr, eh_frame) = damaged.split_at(frames - header);
        let base: u64 = bases[random.below(bases.len())];
        let row = table.rows[random.below(table.rows.len())];
        let pc = base.wrapping_add(u64::from(row.offset));
        let at = base.wrapping_add(header as u64);
        let start = Instant::now();
        let eh_at = eh_frame_address(hdr, at).unwrap_or(base.wrapping_add(frames as u64));
        found +=
            usize::from(rule_at(hdr, at, eh_frame, eh_at, &BaseAddresses::default(), pc).is_some());
        slowest = slowest.max(start.elapsed());
    }
    println!("{rounds}: {found} found, slowest {slowest:?}");
    assert!(found > rounds / 4 && found < rounds * 9 / 10, "{found}");
    assert!(slowest < Duration::from_secs(1), "{slowest:?}");
}

#[test]
fn notes_of_any_bytes_are_read() {
    let mut random = Random(3);
    let sound = [4, 0, 0, 0, 2, 0, 0, 0, 3, 0, 0, 0, b'G', b'N', b'U', 0, 7, 8, 0, 0];
    assert_eq!(build_id_of_notes(&sound), Some(&[7, 8][..]));
    for _ in 0..100_000 {
        let mut notes = [sound, sound].concat();
        let length = notes.len();
        random.damage(&mut notes, 0..length);
        notes.truncate(random.below(length + 1));
        build_id_of_notes(&notes);
    }
}

#[test]
fn what_is_no_file_of_ours_is_refused() {
    assert!(matches!(table(b""), Err(Error::NotElf)));
    assert!(matches!(table(b"#!/bin/sh\n"), Err(Error::NotElf)));
    assert!(matches!(table(b"\x7fELF\x01\x01\x01"), Err(Error::Bits32)));
    assert!(matches!(table(b"\x7fELF\x02\x01\x01"), Err(Error::Headers(_))));
    if let Ok(mut file) = fs::read(FILE) {
        file[18..20].copy_from_slice(&243_u16.to_le_bytes());
        assert!(matches!(table(&file), Err(Error::Machine(243))));
        file[18..20].copy_from_slice(&183_u16.to_le_bytes());
        let aarch64 = table(&file).expect("accepted");
        assert!(aarch64.rows.is_empty() && !aarch64.text.is_empty());
    }
}

#[test]
fn section_headers_are_not_needed() {
    let file = fs::read(FILE);
    if !is_file(&file) {
        println!("skipped: no x86_64 {FILE}");
        return;
    }
    let mut file = file.expect("checked");
    let sound = table(&file).expect("a sound file");
    file[40..48].fill(0);
    file[60..62].fill(0);
    let stripped = table(&file).expect("a sound file");
    assert_eq!((stripped.corrupt.as_deref(), &stripped.rows), (None, &sound.rows));
    assert_eq!(stripped.build_id, sound.build_id);
    assert!(sound.rows.len() > 100 && sound.build_id.is_some_and(|id| id.len() == 20));
}
