//! Encoding as a whole: the same bytes every time, rows in order, every kind, newer records.

use std::fs;

use schema::events::{self as ev, Stream};
use schema::types::*;
use store::Folder;

use crate::build::*;

#[test]
fn what_a_newer_minor_version_adds_is_passed_over() {
    let (_temp, folder) = trace();
    let mut newer = syscall(T, 100, 0, 0, &[], &[]);
    newer[16] = 63;
    let longer = [&syscall(T, 100, 0, 0, &[1, 2, 3, 4, 5, 6], &[])[..], &[7; 8]].concat();
    let mut longer = longer;
    let size = longer.len() as u16;
    longer[18..20].copy_from_slice(&size.to_le_bytes());
    longer[20..22].copy_from_slice(&size.to_le_bytes());
    let spool = Spool::new(&folder, 1).block(Stream::Syscalls, &[newer, longer]);
    let path = spool.write();
    let file = path.join("meta.spool");
    let text = r#"{"record":"weather","sun":true}"#;
    let mut bytes = fs::read(&file).unwrap();
    let at = bytes.windows(8).position(|window| window == br#"{"record"#).unwrap();
    // The records of the block, one more put before them, and a checksum to match.
    let payload = [text.as_bytes(), b"\n", &bytes[at..bytes.len() - 532]].concat();
    bytes.truncate(at - 20);
    let mut head = b"EBLK\0\0\0\0".to_vec();
    head.extend_from_slice(&(payload.len() as u32).to_le_bytes());
    head.extend_from_slice(&(payload.len() as u32).to_le_bytes());
    let crc = crc32fast::hash(&[&head[..], &payload].concat());
    fs::write(&file, [&bytes[..], &head, &crc.to_le_bytes(), &payload].concat()).unwrap();
    let encoded = store::encode::segment(&folder, 1, folder.path()).unwrap();
    assert_eq!(encoded.unknown, 1);
    assert_eq!(rows(&folder, "syscalls", &["syscall", "arg5", "path"]), ["read | 6 | NULL"]);
}

#[test]
fn every_declared_kind_becomes_rows() {
    let (_temp, folder) = trace();
    let mut spool = Spool::new(&folder, 1);
    for (event, fill) in
        ev::EVENTS.iter().flat_map(|event| [(event, 0u8), (event, 1), (event, 0xff)])
    {
        let mut record = vec![fill; event.size];
        for (at, half) in [(16, event.id), (18, event.size as u16), (20, event.size as u16)] {
            record[at..at + 2].copy_from_slice(&half.to_le_bytes());
        }
        // Whole, and ending after the header.
        let mut short = record[..24].to_vec();
        short[18..20].copy_from_slice(&24u16.to_le_bytes());
        short[20..22].copy_from_slice(&24u16.to_le_bytes());
        spool = spool.block(event.stream, &[record, short]);
        // Who woke a thread is looked up when its sleep ended.
        let has_peer = event.fields.iter().any(|field| field.ty == FieldType::PeerTid);
        assert!(!has_peer || event.fields[0].ty == FieldType::DurationNs, "{}", event.name);
    }
    let encoded = spool.encode();
    // Of what was recorded nobody knows the truth.
    assert!(encoded.tables.iter().all(|size| size.table != "truth"));
    for table in schema::tables::TABLES.iter().filter(|table| table.name != "truth") {
        let size = encoded.tables.iter().find(|size| size.table == table.name).unwrap();
        assert!(table.events().count() as u64 * 6 == size.rows || table.events().count() == 0);
    }
}

/// Many records whose order in the spool is not that of time.
fn scrambled(folder: &Folder) -> Spool {
    let mut random = Random(7);
    let mut spool = Spool::new(folder, 1)
        .block(Stream::Processes, &[thread(T, 100, 100, upid(2000, 100), "sh")]);
    for _ in 0..50 {
        let call = |_| {
            let draw = random.next();
            syscall(
                T + draw % 1_000_000,
                100,
                (draw % 300) as u32,
                (draw % 40) as i64 - 20,
                &[draw % 9],
                &[],
            )
        };
        let block: Vec<Vec<u8>> = (0..400).map(call).collect();
        spool = spool.block(Stream::Syscalls, &block);
    }
    spool
}

#[test]
fn rows_are_in_the_order_of_time() {
    let (_temp, folder) = trace();
    let encoded = scrambled(&folder).encode();
    let found = rows(&folder, "syscalls", &["ts"]);
    assert_eq!(found.len(), 20_000);
    assert!(found.is_sorted());
    let size = encoded.tables.iter().find(|size| size.table == "syscalls").unwrap();
    assert_eq!(size.rows, 20_000);
    assert_eq!(size.bytes, fs::metadata(folder.table_file("syscalls", 1)).unwrap().len());
}

#[test]
fn the_same_spool_gives_the_same_bytes_compressed_or_not() {
    let (_temp, folder) = trace();
    let spool = scrambled(&folder).write();
    let encode = |name: &str| {
        let out = folder.path().join(name);
        fs::create_dir(&out).unwrap();
        let encoded = store::encode::segment(&folder, 1, &out).unwrap();
        let read = |table: &str| fs::read(out.join(table).join("000001.parquet")).unwrap();
        encoded.tables.iter().map(|size| (size.table, read(size.table))).collect::<Vec<_>>()
    };
    let first = encode("one");
    assert!(first.iter().any(|(table, _)| *table == "threads"));
    assert!(first == encode("two"));
    let length = || fs::metadata(spool.join("syscalls.spool")).unwrap().len();
    let before = length();
    for file in ["meta", "processes", "syscalls"] {
        store::spool::compress(&spool.join(format!("{file}.spool"))).unwrap();
    }
    assert!(length() < before / 2);
    assert!(first == encode("three"));
}
