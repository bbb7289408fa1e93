//! Perf maps: text files in which a process says what code it made. A line has the first address,
//! the number of bytes, and a name.
//!
//! The file is the work of the process that was recorded: lines can be wrong, overlap, or be
//! countless. Where lines overlap the later one holds, since memory is used again.

use std::io::{self, Read, Seek, SeekFrom};
use std::path::Path;

use crate::elf;
use crate::job::{Answer, Job, Place};
use crate::name;
use crate::report::Outcome;

/// Bytes that are read, from the end of the file: those lines hold.
const BYTES_MAX: u64 = 128 << 20;

/// Looks up addresses of memory that is of no file.
pub fn resolve(job: &Job) -> Answer {
    let none = |outcome| Answer::none(job.offsets.len(), outcome);
    let Some(path) = &job.perf_map else { return none(Outcome::NoPerfMap) };
    let file = path.display().to_string();
    let text = match read(path) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return none(Outcome::NoPerfMap),
        Err(error) => return none(Outcome::Corrupt { file, what: error.to_string() }),
    };
    let (names, wrong_lines) = lookup(&text, &job.offsets);
    let place = |name: Option<String>| {
        name.map(|name| Place { name: Some(name), ..Place::default() }).into_iter().collect()
    };
    let places: Vec<Vec<Place>> = names.into_iter().map(place).collect();
    Answer::new(&places, Outcome::PerfMap { file, wrong_lines })
}

fn read(path: &Path) -> io::Result<Vec<u8>> {
    let mut file = elf::open(path)?;
    let length = file.metadata()?.len();
    let left_off = length.saturating_sub(BYTES_MAX);
    file.seek(SeekFrom::Start(left_off))?;
    let mut text = Vec::new();
    file.take(BYTES_MAX).read_to_end(&mut text)?;
    if left_off > 0 {
        // The first line is the end of one.
        let first = text.iter().position(|byte| *byte == b'\n').map_or(text.len(), |at| at + 1);
        text.drain(..first);
    }
    Ok(text)
}

/// The names of addresses, which ascend, and how many lines are wrong.
fn lookup(text: &[u8], addresses: &[u64]) -> (Vec<Option<String>>, u64) {
    let mut names: Vec<Option<String>> = vec![None; addresses.len()];
    // The first address from each place on that has no name yet: each is named once, whatever the
    // number of lines that cover it.
    let mut next: Vec<usize> = (0..=addresses.len()).collect();
    let mut wrong_lines = 0;
    for line in text.rsplit(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
        let Some((start, end, name)) = parse(line) else {
            wrong_lines += 1;
            continue;
        };
        let mut at = first(&mut next, addresses.partition_point(|address| *address < start));
        while at < addresses.len() && addresses[at] < end {
            names[at] = Some(name::cut(&String::from_utf8_lossy(name)));
            next[at] = at + 1;
            at = first(&mut next, at);
        }
    }
    (names, wrong_lines)
}

fn parse(line: &[u8]) -> Option<(u64, u64, &[u8])> {
    let mut words = line.splitn(3, |byte| *byte == b' ');
    let mut number = || {
        let word = std::str::from_utf8(words.next()?).ok()?;
        u64::from_str_radix(word.trim_start_matches("0x"), 16).ok()
    };
    let (start, size) = (number()?, number()?);
    let name = words.next()?.trim_ascii();
    (!name.is_empty()).then_some((start, start.checked_add(size)?, name))
}

/// Follows `next` from a place to one that is its own, and shortens the way.
fn first(next: &mut [usize], from: usize) -> usize {
    let mut end = from;
    while next[end] != end {
        end = next[end];
    }
    let mut at = from;
    while next[at] != end {
        at = std::mem::replace(&mut next[at], end);
    }
    end
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_later_line_holds_and_wrong_lines_are_counted() {
        let text = b"1000 100 first\n\
            1040 10 inner function\n\
            nonsense\n\
            2000 0 empty\n\
            3000 10\n\
            ffffffffffffffff 10 beyond\n\
            0x4000 0x10 prefixed\r\n\
            1000 8 reused\n";
        let addresses = [0xfff, 0x1000, 0x1008, 0x1040, 0x1050, 0x1100, 0x2000, 0x4001];
        let (names, wrong_lines) = lookup(text, &addresses);
        let names: Vec<&str> = names.iter().map(|name| name.as_deref().unwrap_or("-")).collect();
        let expected = ["-", "reused", "first", "inner function", "first", "-", "-", "prefixed"];
        assert_eq!(names, expected);
        assert_eq!(wrong_lines, 3);
    }

    #[test]
    fn lines_that_cover_everything_cost_no_more_than_others() {
        let text: String = (0..20_000).map(|n| format!("0 ffffffff everything{n}\n")).collect();
        let addresses: Vec<u64> = (0..20_000).collect();
        let (names, _) = lookup(text.as_bytes(), &addresses);
        assert!(names.iter().all(|name| name.as_deref() == Some("everything19999")));
    }

    #[test]
    fn only_regular_files_are_read() {
        assert!(read(Path::new("/dev/zero")).is_err());
    }
}
