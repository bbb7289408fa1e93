//! What of a path or a name is different each time.
//!
//! A part of a path that is a number, a UUID, a hash or a made-up name becomes `*`, so that what two processes did in
//! the same way is called the same. The rules look at one part at a time and need nothing but the text: the same path
//! is always the same pattern, which lets a pattern be found again without trying all there are.
//!
//! In a pattern `*` stands for any characters but `/`; before a `*` or `\` that was in the path there is a `\`.

use std::borrow::Cow;

/// Digits in a row from which on they are taken for a number that counts, and not for part of a name: `libc.so.6`,
/// `x86_64` and `i386` are names, `sess_4711` is not.
const DIGITS_MIN: usize = 4;

/// Hexadecimal digits in a row from which on they are taken for a hash.
const HEX_MIN: usize = 8;

/// Letters and digits in a row from which on a mix of them is taken for made up, and the same in folders for temporary
/// files, where six are what `mkstemp` makes.
const MIXED_MIN: usize = 12;
const MIXED_MIN_TEMPORARY: usize = 6;

/// Folders whose files have made-up names.
const TEMPORARY: [&str; 5] =
    ["/tmp/", "/var/tmp/", "/dev/shm/", "/run/user/", "/var/lib/docker/tmp/"];

/// The pattern of a path.
pub fn path(path: &str) -> String {
    let is_temporary = TEMPORARY.iter().any(|folder| path.starts_with(folder));
    let parts: Vec<Cow<'_, str>> =
        path.split('/').map(|part| self::part(part, is_temporary)).collect();
    parts.join("/")
}

/// The pattern of the name of a thread: every number in it counts something.
pub fn comm(name: &str) -> String {
    let mut out = String::with_capacity(name.len());
    for c in name.chars() {
        match c {
            '0'..='9' if out.ends_with('*') => {}
            '0'..='9' => out.push('*'),
            c => out.push(c),
        }
    }
    out
}

/// What a program is called: the pattern of its file; of what is in no file, such as a deleted one or one in memory,
/// the name of its thread in brackets, as `ps` writes it.
pub fn program(exe: Option<&str>, thread: Option<&str>) -> String {
    let is_file = |exe: &&str| {
        exe.starts_with('/') && !exe.ends_with(" (deleted)") && !exe.starts_with("/memfd:")
    };
    match exe.filter(is_file) {
        Some(exe) => path(exe),
        None => format!("[{}]", comm(thread.unwrap_or("?"))),
    }
}

/// One part of a path.
fn part(part: &str, is_temporary: bool) -> Cow<'_, str> {
    // Most parts are words.
    let has_special = part.bytes().any(|b| b.is_ascii_digit() || b == b'*' || b == b'\\');
    let may_be_random = has_special || is_temporary && is_mixed_case(part);
    if !may_be_random {
        return Cow::Borrowed(part);
    }
    if !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit()) {
        return Cow::Borrowed("*");
    }
    let mut out = String::with_capacity(part.len());
    let mut rest = part;
    while !rest.is_empty() {
        if let Some(uuid) = rest.get(..36).filter(|text| is_uuid(text)) {
            star(&mut out);
            rest = &rest[uuid.len()..];
            continue;
        }
        let word = rest.find(|c: char| !c.is_ascii_alphanumeric()).unwrap_or(rest.len());
        if word == 0 {
            let c = rest.chars().next().unwrap_or_default();
            if matches!(c, '*' | '\\') {
                out.push('\\');
            }
            out.push(c);
            rest = &rest[c.len_utf8()..];
            continue;
        }
        self::word(&rest[..word], is_temporary, &mut out);
        rest = &rest[word..];
    }
    Cow::Owned(out)
}

/// Letters and digits in a row.
fn word(word: &str, is_temporary: bool, out: &mut String) {
    let has_digit = word.bytes().any(|b| b.is_ascii_digit());
    let is_hash = word.len() >= HEX_MIN && has_digit && word.bytes().all(|b| b.is_ascii_hexdigit());
    let least = if is_temporary { MIXED_MIN_TEMPORARY } else { MIXED_MIN };
    let is_random = word.len() >= least
        && match is_temporary {
            true => has_digit || is_mixed_case(word),
            false => has_digit && is_mixed_case(word),
        };
    if is_hash || is_random {
        return star(out);
    }
    let mut rest = word;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
        if digits >= DIGITS_MIN {
            star(out);
        } else {
            out.push_str(&rest[..digits]);
        }
        rest = &rest[digits..];
        let letters = rest.find(|c: char| c.is_ascii_digit()).unwrap_or(rest.len());
        out.push_str(&rest[..letters]);
        rest = &rest[letters..];
    }
}

/// Two in a row are one.
fn star(out: &mut String) {
    if !out.ends_with('*') || out.ends_with("\\*") {
        out.push('*');
    }
}

/// Whether capitals stand where those of a word do not: behind a small letter.
fn is_mixed_case(word: &str) -> bool {
    let bytes = word.as_bytes();
    bytes.windows(2).any(|pair| pair[0].is_ascii_lowercase() && pair[1].is_ascii_uppercase())
}

fn is_uuid(text: &str) -> bool {
    text.bytes().enumerate().all(|(at, b)| match at {
        8 | 13 | 18 | 23 => b == b'-',
        _ => b.is_ascii_hexdigit(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_different_each_time_is_a_star() {
        let cases = [
            ("/proc/4711/task/4712/stat", "/proc/*/task/*/stat"),
            ("/dev/pts/3", "/dev/pts/*"),
            ("/proc/self/fd/17", "/proc/self/fd/*"),
            ("/usr/lib/x86_64-linux-gnu/libc.so.6", "/usr/lib/x86_64-linux-gnu/libc.so.6"),
            ("/usr/bin/python3.11", "/usr/bin/python3.11"),
            ("/var/lib/php/sess_471100", "/var/lib/php/sess_*"),
            ("/var/log/app-20261122.log", "/var/log/app-*.log"),
            ("/run/4f9e2c1a-0b5d-4e8f-9a77-1234567890ab.sock", "/run/*.sock"),
            ("/objects/5f100b6aa01.pack", "/objects/*.pack"),
            ("/x/deadbeefcafe", "/x/deadbeefcafe"),
            ("/tmp/ccVTRgqP.s", "/tmp/*.s"),
            ("/tmp/tmp.Xy12Zabc/file", "/tmp/tmp.*/file"),
            ("/tmp/datasets/allocations", "/tmp/datasets/allocations"),
            ("/srv/MyDocuments/ReadMe", "/srv/MyDocuments/ReadMe"),
            ("/cache/Ab3dE9fGh1Jk/x", "/cache/*/x"),
            ("/odd/a*b\\c", "/odd/a\\*b\\\\c"),
            ("/both/*1234", "/both/\\**"),
            ("relative/12", "relative/*"),
            ("", ""),
            ("/", "/"),
        ];
        for (text, pattern) in cases {
            assert_eq!(path(text), pattern, "{text}");
        }
    }

    #[test]
    fn a_pattern_of_a_path_that_has_no_such_parts_is_the_path() {
        for text in ["/etc/ld.so.cache", "/usr/share/zoneinfo/Europe/Berlin", "/ünï/cødé"] {
            assert_eq!(path(text), text);
        }
    }

    #[test]
    fn what_is_in_no_file_has_the_name_of_its_thread() {
        assert_eq!(program(Some("/usr/bin/bash"), Some("x")), "/usr/bin/bash");
        assert_eq!(program(Some("/memfd:x (deleted)"), Some("x")), "[x]");
        assert_eq!(program(Some("/tmp/a.out (deleted)"), Some("a.out")), "[a.out]");
        assert_eq!(program(None, Some("kworker/u8:2-ev")), "[kworker/u*:*-ev]");
        assert_eq!(program(None, None), "[?]");
        assert_eq!(program(Some("/b/foo-0123456789abcdef/run"), None), "/b/foo-*/run");
    }
}
