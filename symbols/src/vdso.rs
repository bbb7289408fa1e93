//! The code that the kernel puts into every process: it lies in no file, but in this process too.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};

use tempfile::NamedTempFile;

/// A vDSO is a few pages; more are something else.
const BYTES_MAX: u64 = 1 << 20;

/// The image of this process's own, as a file that goes away with it.
pub fn image() -> io::Result<NamedTempFile> {
    let maps = std::fs::read_to_string("/proc/self/maps")?;
    let range = maps.lines().find(|line| line.ends_with("[vdso]")).and_then(|line| {
        let (start, end) = line.split_once(' ')?.0.split_once('-')?;
        let parse = |text| u64::from_str_radix(text, 16).ok();
        Some((parse(start)?, parse(end)?))
    });
    let (start, end) = range.ok_or(io::ErrorKind::NotFound)?;
    if end.saturating_sub(start) > BYTES_MAX {
        return Err(io::ErrorKind::InvalidData.into());
    }
    let mut memory = File::open("/proc/self/mem")?;
    memory.seek(SeekFrom::Start(start))?;
    let mut bytes = vec![0; (end - start) as usize];
    memory.read_exact(&mut bytes)?;
    let mut file = NamedTempFile::new()?;
    file.write_all(&bytes)?;
    Ok(file)
}
