//! The kernel's own list of its functions, those of its modules and of BPF programs included.

use std::fs::File;
use std::io::{self, BufRead, BufReader};

use crate::job::{Answer, Job, Place};
use crate::name;
use crate::report::Outcome;

const LIST: &str = "/proc/kallsyms";

/// Bytes that a function can have; the list does not say where the last one before a gap ends.
const BYTES_MAX: u64 = 256 << 10;

/// Looks up addresses of the kernel.
pub fn resolve(job: &Job) -> Answer {
    if !job.same_boot {
        return Answer::none(job.offsets.len(), Outcome::OtherBoot);
    }
    let names = File::open(LIST).and_then(|file| lookup(BufReader::new(file), &job.offsets));
    match names {
        Ok(Some(names)) => {
            let place = |name: Option<String>| {
                name.map(|name| Place { name: Some(name), ..Place::default() })
                    .into_iter()
                    .collect()
            };
            let places: Vec<Vec<Place>> = names.into_iter().map(place).collect();
            Answer::new(&places, Outcome::Found { files: vec![LIST.to_string()], debug: false })
        }
        Ok(None) | Err(_) => Answer::none(job.offsets.len(), Outcome::Hidden),
    }
}

/// The functions that hold addresses, which ascend; none at all if the list has no addresses.
fn lookup(list: impl BufRead, addresses: &[u64]) -> io::Result<Option<Vec<Option<String>>>> {
    let mut symbols: Vec<(u64, String)> = Vec::new();
    for line in list.split(b'\n') {
        let line = line?;
        let line = String::from_utf8_lossy(&line);
        let mut words = line.split_ascii_whitespace();
        let (Some(address), Some(kind), Some(name)) = (words.next(), words.next(), words.next())
        else {
            continue;
        };
        let Ok(address) = u64::from_str_radix(address, 16) else { continue };
        if address != 0 && matches!(kind, "t" | "T" | "w" | "W") {
            symbols.push((address, name.to_string()));
        }
    }
    if symbols.is_empty() {
        return Ok(None);
    }
    let underscores = |name: &str| name.len() - name.trim_start_matches('_').len();
    symbols.sort_by(|a, b| {
        let key = |symbol: &(u64, String)| (symbol.0, underscores(&symbol.1));
        key(a).cmp(&key(b)).then_with(|| a.1.cmp(&b.1))
    });
    let name_of = |address: &u64| {
        let after = symbols.partition_point(|symbol| symbol.0 <= *address);
        let start = symbols[..after].last()?.0;
        // Of several names the first, in the order above.
        let first = symbols.partition_point(|symbol| symbol.0 < start);
        (address - start < BYTES_MAX).then(|| name::cut(&symbols[first].1))
    };
    Ok(Some(addresses.iter().map(name_of).collect()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn functions_are_found_by_any_address_in_them() {
        let list = "ffffffff81000000 T _stext\n\
            ffffffff81000000 T startup\n\
            ffffffff81000100 t helper\n\
            ffffffff81000180 d data\n\
            nonsense\n\
            ffffffffc0000000 t ext4_read\t[ext4]\n";
        let addresses =
            [0xffffffff80000000, 0xffffffff81000040, 0xffffffff810001ff, 0xffffffffc0000010];
        let names = lookup(list.as_bytes(), &addresses).expect("a list").expect("addresses");
        let names: Vec<&str> = names.iter().map(|name| name.as_deref().unwrap_or("-")).collect();
        assert_eq!(names, ["-", "startup", "helper", "ext4_read"]);
        let far = lookup(list.as_bytes(), &[0xffffffffc1000000]).expect("a list").expect("some");
        assert_eq!(far, [None]);
        let hidden = "0000000000000000 T startup\n";
        assert!(lookup(hidden.as_bytes(), &[1]).expect("a list").is_none());
    }
}
