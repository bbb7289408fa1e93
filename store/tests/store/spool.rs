//! A spool survives its writer, and a reader survives any spool.

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};

use schema::events::{KINDS, Stream};
use store::spool::SpoolReader;
use store::{Error, SpoolWriter};
use tempfile::TempDir;

use crate::build::*;

/// A spool file of three blocks, the second of context.
fn file(sealed: bool) -> (TempDir, PathBuf) {
    let temp = TempDir::new().unwrap();
    let mut before = [0; KINDS];
    before[16] = 41;
    let mut writer = SpoolWriter::create(temp.path(), 3, Stream::Syscalls, &before).unwrap();
    let call = |number| syscall(T, 1, number, 0, &[1, 2], &[]);
    writer.write_block(&[call(1), call(2)].concat(), false).unwrap();
    writer.write_block(&call(3), true).unwrap();
    writer.write_block(&call(4), false).unwrap();
    let path = temp.path().join("syscalls.spool");
    assert_eq!(writer.bytes(), fs::metadata(&path).unwrap().len());
    if sealed {
        assert_eq!(writer.finish().unwrap()[16], 3);
    }
    (temp, path)
}

/// How many records can be read, and how many bytes are left over.
fn read(path: &Path) -> Result<(usize, u64), Error> {
    let mut reader = SpoolReader::open(path)?;
    let mut records = 0;
    reader.for_each(|_, _, _| records += 1)?;
    Ok((records, reader.torn_bytes()))
}

#[test]
fn what_was_written_is_read() {
    let (_temp, path) = file(true);
    let mut reader = SpoolReader::open(&path).unwrap();
    assert_eq!(
        (reader.header().unwrap().segment, reader.header().unwrap().stored_before[16]),
        (3, 41)
    );
    let mut found = Vec::new();
    reader
        .for_each(|block, offset, record| found.push((block.is_context(), offset, record[40])))
        .unwrap();
    assert_eq!(found, [(false, 0, 1), (false, 64, 2), (true, 0, 3), (false, 0, 4)]);
    assert_eq!(reader.end_counts().unwrap()[16], 3);
}

#[test]
fn a_large_write_becomes_blocks_that_a_reader_accepts() {
    let temp = TempDir::new().unwrap();
    let mut writer = SpoolWriter::create(temp.path(), 1, Stream::Syscalls, &[0; KINDS]).unwrap();
    let call = syscall(T, 1, 1, 0, &[], &[]);
    let count = (20 << 20) / call.len();
    writer.write_block(&call.repeat(count), false).unwrap();
    assert_eq!(writer.finish().unwrap()[16], count as u64);
    assert_eq!(read(&temp.path().join("syscalls.spool")).unwrap(), (count, 0));
}

#[test]
fn bytes_that_are_no_records_are_refused() {
    let temp = TempDir::new().unwrap();
    let mut writer = SpoolWriter::create(temp.path(), 1, Stream::Syscalls, &[0; KINDS]).unwrap();
    let mut call = syscall(T, 1, 1, 0, &[], &[]);
    assert!(matches!(writer.write_block(&call[1..], false), Err(Error::Records { .. })));
    call[16..18].copy_from_slice(&999u16.to_le_bytes());
    assert!(matches!(writer.write_block(&call, false), Err(Error::Records { .. })));
    assert_eq!(writer.finish().unwrap(), [0; KINDS]);
}

#[test]
fn a_writer_that_dies_loses_at_most_the_last_block() {
    let (temp, path) = file(false);
    let bytes = fs::read(&path).unwrap();
    let cut = temp.path().join("cut.spool");
    let mut counts = Vec::new();
    for length in 0..=bytes.len() {
        fs::write(&cut, &bytes[..length]).unwrap();
        counts.push(read(&cut).unwrap().0);
    }
    assert!(counts.is_sorted());
    counts.dedup();
    assert_eq!(counts, [0, 2, 3, 4]);
    // A machine that died can leave zeros instead.
    OpenOptions::new().append(true).open(&path).unwrap().write_all(&[0; 9000]).unwrap();
    assert_eq!(read(&path).unwrap(), (4, 9000));
    fs::write(&cut, [0; 9000]).unwrap();
    assert_eq!(read(&cut).unwrap(), (0, 9000));
}

#[test]
fn a_changed_byte_in_a_sealed_spool_is_found() {
    let (_temp, path) = file(true);
    let bytes = fs::read(&path).unwrap();
    for at in 0..bytes.len() {
        // The rest of the header is not in use.
        if (540..544).contains(&at) {
            continue;
        }
        for bit in [1, 0x80] {
            let mut changed = bytes.clone();
            changed[at] ^= bit;
            fs::write(&path, changed).unwrap();
            let result = read(&path);
            assert!(
                matches!(
                    result,
                    Err(Error::Corrupt { .. } | Error::NotSpool { .. } | Error::TooNew { .. })
                ),
                "byte {at}: {result:?}"
            );
        }
    }
    fs::write(&path, &bytes[..bytes.len() - 1]).unwrap();
    assert_eq!(read(&path).unwrap(), (4, 531));
}

#[test]
fn no_bytes_make_a_reader_fall() {
    let (_temp, path) = file(true);
    let bytes = fs::read(&path).unwrap();
    let mut random = Random(99);
    for round in 0..2000 {
        let mut noise = bytes.clone();
        let begin = if round % 4 == 0 { 0 } else { 544 };
        noise[begin..].iter_mut().for_each(|byte| {
            if random.next().is_multiple_of(3) {
                *byte = random.next() as u8;
            }
        });
        noise.truncate(random.next() as usize % (bytes.len() + 1));
        fs::write(&path, noise).unwrap();
        let _ = read(&path);
    }
}

#[test]
fn a_newer_format_is_named() {
    let (_temp, path) = file(true);
    let mut bytes = fs::read(&path).unwrap();
    bytes[8..12].copy_from_slice(&[2, 0, 5, 0]);
    fs::write(&path, bytes).unwrap();
    let error = SpoolReader::open(&path).err().unwrap().to_string();
    assert!(error.contains("trace format 2.5") && error.contains("use a newer ebrec"), "{error}");
}
