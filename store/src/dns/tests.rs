//! Messages as they should be, and as they should not.

use super::*;

/// A header, and what follows it. `flags` are its third and fourth byte.
fn message(flags: [u8; 2], counts: [u8; 4], rest: &[&[u8]]) -> Vec<u8> {
    let [questions, answers, authorities, others] = counts;
    let head = [0x12, 0x34, flags[0], flags[1]];
    let counts = [0, questions, 0, answers, 0, authorities, 0, others];
    [&head[..], &counts, &rest.concat()].concat()
}

/// The question `www.example.`, and the type.
fn question(rtype: u8) -> Vec<u8> {
    [b"\x03www\x07example\0\0", &[rtype][..], b"\0\x01"].concat()
}

/// A record whose name is that of the question.
fn record(rtype: u8, ttl_s: u8, data: &[u8]) -> Vec<u8> {
    let head = [0xc0, 12, 0, rtype, 0, 1, 0, 0, 0, ttl_s, 0, data.len() as u8];
    [&head[..], data].concat()
}

#[test]
fn a_query_and_its_response() {
    let query = message([0x01, 0x20], [1, 0, 0, 0], &[&question(1)]);
    let read = Decoded::read(&query, false);
    assert_eq!(
        (read.kind, read.id, read.name.as_deref()),
        (Some("query"), Some(0x1234), Some("www.example."))
    );
    assert_eq!((read.rtype.as_deref(), read.class.as_deref()), (Some("A"), Some("IN")));
    assert_eq!((read.flags.as_deref(), read.rcode.as_deref()), (Some("rd ad"), None));
    assert_eq!((read.answers, read.ttl_min_s, read.malformed), (None, None, None));

    let cname = record(5, 60, b"\x04host\xc0\x10");
    let address = record(1, 30, &[192, 0, 2, 1]);
    let response = message([0x85, 0x80], [1, 2, 0, 0], &[&question(1), &cname, &address]);
    let read = Decoded::read(&response, false);
    assert_eq!(read.answers.as_deref(), Some("CNAME host.example., 192.0.2.1"));
    assert_eq!((read.answer_count, read.ttl_min_s), (Some(2), Some(30)));
    assert_eq!((read.flags.as_deref(), read.rcode.as_deref()), (Some("aa rd ra"), Some("NOERROR")));
    assert_eq!(read.malformed, None);
}

#[test]
fn records_read_as_in_a_zone_file() {
    for (rtype, data, expected) in [
        (28, &[0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1][..], "2001:db8::1"),
        (2, b"\x02ns\xc0\x10", "NS ns.example."),
        (12, b"\x01a\0", "PTR a."),
        (15, b"\0\x0a\x04mail\xc0\x10", "MX 10 mail.example."),
        (16, b"\x05a \"b\x07\x01c", "TXT \"a \\\"b\\007\" \"c\""),
        (33, b"\0\x01\0\x02\0\x35\x01t\xc0\x10", "SRV 1 2 53 t.example."),
        (250, b"", ""),
    ] {
        let bytes = message([0x80, 0], [1, 1, 0, 0], &[&question(rtype), &record(rtype, 1, data)]);
        let read = Decoded::read(&bytes, false);
        assert_eq!(read.answers.as_deref().unwrap_or_default(), expected, "{read:?}");
        assert_eq!(read.malformed.is_some(), expected.is_empty(), "{read:?}");
    }
    // A type that nobody knows keeps its number.
    let odd = [0xc0, 12, 0xff, 0, 0, 1, 0, 0, 0, 0, 0, 2, 0xab, 0xcd];
    let read = Decoded::read(&message([0x80, 0], [1, 1, 0, 0], &[&question(1), &odd]), false);
    assert_eq!(read.answers.as_deref(), Some("TYPE65280 \\# 2 ab cd"));
}

#[test]
fn names_are_escaped_as_in_a_zone_file() {
    let name = b"\x07a.b\\c\x07 \x03\xffz\x1b\0\0\x01\0\x01";
    let read = Decoded::read(&message([1, 0], [1, 0, 0, 0], &[name]), false);
    assert_eq!(read.name.as_deref(), Some("a\\.b\\\\c\\007\\ .\\255z\\027."));
    let root = Decoded::read(&message([1, 0], [1, 0, 0, 0], &[b"\0\0\x02\0\x01"]), false);
    assert_eq!((root.name.as_deref(), root.rtype.as_deref()), (Some("."), Some("NS")));
}

#[test]
fn what_is_wrong_is_told_with_what_could_be_read() {
    let label = [&[63][..], &[b'x'; 63]].concat();
    let long = [label.repeat(4), b"\0\0\x01\0\x01".to_vec()].concat();
    let short = record(1, 1, &[192, 0, 2]);
    let ok = record(1, 1, &[192, 0, 2, 1]);
    for (bytes, name, malformed) in [
        (vec![], None, "header: ends too early"),
        (vec![1, 2, 0x80], None, "header: ends too early"),
        // A pointer to itself, to what follows, and to a pointer that points to it.
        (
            message([1, 0], [1, 0, 0, 0], &[b"\xc0\x0c\0\x01\0\x01"]),
            None,
            "question: too many compression pointers",
        ),
        (
            message([1, 0], [1, 0, 0, 0], &[b"\xc0\xff\0\x01\0\x01"]),
            None,
            "question: too many compression pointers",
        ),
        (
            message([1, 0], [1, 0, 0, 0], &[b"\x01a\xc0\x0c\0\x01\0\x01"]),
            None,
            "question: long domain name",
        ),
        (message([1, 0], [1, 0, 0, 0], &[&long]), None, "question: long domain name"),
        (
            message([1, 0], [1, 0, 0, 0], &[b"\x40a\0\0\x01\0\x01"]),
            None,
            "question: invalid label type",
        ),
        (message([1, 0], [1, 0, 0, 0], &[b"\x03ww"]), None, "question: ends too early"),
        (
            message([0x80, 0], [1, 2, 0, 0], &[&question(1), &ok]),
            Some("www.example."),
            "answer 2: ends too early",
        ),
        (
            message([0x80, 0], [1, 2, 0, 0], &[&question(1), &short, &ok]),
            Some("www.example."),
            "answer 1: ends too early",
        ),
    ] {
        let read = Decoded::read(&bytes, false);
        assert_eq!(read.name.as_deref(), name, "{bytes:?}");
        assert_eq!(read.malformed.as_deref(), Some(malformed), "{bytes:?}");
    }
    // What follows a record that is wrong is shown all the same.
    let bytes = message([0x80, 0], [1, 2, 0, 0], &[&question(1), &short, &ok]);
    assert_eq!(Decoded::read(&bytes, false).answers.as_deref(), Some("192.0.2.1"));
    // Where the recorder cut it nothing is wrong with it.
    let whole = message([0x80, 0], [1, 2, 0, 0], &[&question(1), &ok, &ok]);
    for length in 0..whole.len() {
        assert_eq!(Decoded::read(&whole[..length], true).malformed, None, "{length}");
    }
}

#[test]
fn what_is_shown_is_bounded() {
    let text = [&[250][..], &[b'x'; 250]].concat();
    let record = record(16, 9, &text);
    let many = vec![&record[..]; 200];
    let bytes =
        [&message([0x80, 0], [1, 200, 0, 0], &[&question(16)])[..], &many.concat()].concat();
    let read = Decoded::read(&bytes, false);
    let answers = read.answers.unwrap();
    assert!(answers.len() < 2 * ANSWERS_MAX * ANSWER_BYTES && answers.ends_with(", ..."));
    assert_eq!((read.answer_count, read.malformed), (Some(200), None));
}

/// Bytes that differ each time, without a library.
struct Noise(u64);

impl Noise {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        self.0 >> 33
    }
}

#[test]
fn no_bytes_make_the_reader_fall() {
    let mut noise = Noise(1);
    let valid = message(
        [0x85, 0x80],
        [1, 4, 0, 0],
        &[
            &question(1),
            &record(5, 60, b"\x04host\xc0\x10"),
            &record(1, 30, &[192, 0, 2, 1]),
            &record(16, 1, b"\x03abc"),
            &record(65, 1, b"\0\x01\0\0\x01\0\x03\x02h2"),
        ],
    );
    for round in 0..40_000 {
        let bytes: Vec<u8> = if round % 2 == 0 {
            // Small numbers are lengths and counts, so they lead further than others.
            let length = noise.next() % 300;
            (0..length).map(|_| (noise.next() >> (noise.next() % 8)) as u8).collect()
        } else {
            let mut bytes = valid.clone();
            for _ in 0..=noise.next() % 4 {
                let at = noise.next() as usize % bytes.len();
                bytes[at] = noise.next() as u8;
            }
            bytes.truncate(noise.next() as usize % (bytes.len() + 1));
            bytes
        };
        let read = Decoded::read(&bytes, round % 3 == 0);
        for column in 0..DNS_COLUMNS.len() {
            let length = read.text(column).map_or(0, str::len);
            assert!(length < 2 * ANSWERS_MAX * ANSWER_BYTES, "{bytes:?}");
            let _ = read.number(column);
        }
    }
}

/// As many records as fit, whose names are chains of pointers.
#[test]
fn the_longest_chains_take_no_time() {
    let mut bytes = message([0x80, 0], [0, 0, 0, 0], &[]);
    bytes[6..8].copy_from_slice(&u16::MAX.to_be_bytes());
    bytes.extend(b"\0\0\x0a\0\x01\0\0\0\0\x07\xd0");
    let chain = bytes.len();
    bytes.push(0);
    bytes.push(0);
    for at in (chain..chain + 1998).step_by(2) {
        bytes.extend([0xc0 | (at >> 8) as u8, at as u8]);
    }
    while bytes.len() < 4080 {
        let last = chain + 1998;
        bytes.extend([0xc0 | (last >> 8) as u8, last as u8, 0, 2, 0, 1, 0, 0, 0, 0, 0, 2]);
        bytes.extend([0xc0 | (last >> 8) as u8, last as u8]);
    }
    let began = std::time::Instant::now();
    let read = Decoded::read(&bytes, false);
    assert!(read.malformed.is_some());
    assert!(began.elapsed().as_millis() < 500, "{:?}", began.elapsed());
}
