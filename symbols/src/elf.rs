//! The headers of an ELF file: what it is, which version of it, and where what lies in it.
//!
//! Only headers are read, however large the file is, and by reading rather than mapping: a file
//! that shrinks meanwhile gives an error.

use std::fmt::Write;
use std::fs::{File, OpenOptions};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use object::elf;
use object::read::ReadCache;
use object::read::elf::{CompressionHeader, FileHeader, ProgramHeader, SectionHeader};
use object::{Endianness, ReadRef};

/// A compressed section can not be that many times larger: a limit on what its header claims.
const INFLATION_MAX: u64 = 2048;

/// An ELF file as far as its headers tell.
#[derive(Debug)]
pub struct Image {
    /// Where it is.
    pub path: PathBuf,
    /// Its build-id, in hexadecimal.
    pub build_id: Option<String>,
    /// Whether it has the code, and not just what is said about it.
    pub has_code: bool,
    /// Whether it has debug information.
    pub has_dwarf: bool,
    /// Whether a compressed section claims a size that it cannot have.
    pub is_bomb: bool,
    /// Name and checksum of the file that has its debug information.
    pub debug_link: Option<(Vec<u8>, u32)>,
    /// A compressed ELF file with further symbols.
    pub debug_data: Option<Span>,
    /// The sections that have code, by address.
    code: Vec<(u64, u64)>,
    loads: Vec<Load>,
}

/// A part of a file.
#[derive(Clone, Copy, Debug)]
pub struct Span {
    /// Where it begins.
    pub offset: u64,
    /// Its bytes.
    pub size: u64,
}

/// A part of the file that lies in memory.
#[derive(Clone, Copy, Debug)]
struct Load {
    offset: u64,
    file_size: u64,
    address: u64,
    memory_size: u64,
    align: u64,
    is_code: bool,
}

/// Opens a file for reading if it is a regular one: anything else could keep us waiting.
pub fn open(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::custom_flags(&mut options, libc::O_NONBLOCK);
    let file = options.open(path)?;
    if !file.metadata()?.is_file() {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "it is not a regular file"));
    }
    Ok(file)
}

impl Image {
    /// Reads the headers of the file at `path`.
    pub fn open(path: &Path) -> io::Result<Image> {
        let mut file = open(path)?;
        let mut ident = [0; 5];
        let wrong = |what: &str| io::Error::new(io::ErrorKind::InvalidData, what.to_string());
        file.read_exact(&mut ident).map_err(|_| wrong("it is not an ELF file"))?;
        if ident[..4] != elf::ELFMAG {
            return Err(wrong("it is not an ELF file"));
        }
        let data = ReadCache::new(file);
        let image = match ident[4] {
            elf::ELFCLASS32 => read::<elf::FileHeader32<Endianness>>(&data),
            _ => read::<elf::FileHeader64<Endianness>>(&data),
        };
        let mut image = image.map_err(|error| wrong(&error.to_string()))?;
        image.path = path.to_path_buf();
        Ok(image)
    }

    /// The address that the file gives to what lies at `offset` of it, or of the file it tells about.
    pub fn address(&self, offset: u64) -> Option<u64> {
        self.loads.iter().find_map(|load| {
            let inside = offset.checked_sub(load.offset)?;
            (inside < load.file_size).then(|| load.address.wrapping_add(inside))
        })
    }

    /// The section of code that an address lies in, as its first address.
    pub fn code_section(&self, address: u64) -> Option<u64> {
        let holds =
            |(start, size): &&(u64, u64)| address.checked_sub(*start).is_some_and(|at| at < *size);
        self.code.iter().find(holds).map(|(start, _)| *start)
    }
}

fn read<E: FileHeader<Endian = Endianness>>(data: &ReadCache<File>) -> object::read::Result<Image> {
    let header = E::parse(data)?;
    let endian = header.endian()?;
    let sections = header.sections(endian, data)?;
    let mut image = Image {
        path: PathBuf::new(),
        build_id: None,
        has_code: false,
        has_dwarf: false,
        is_bomb: false,
        debug_link: None,
        debug_data: None,
        code: Vec::new(),
        loads: Vec::new(),
    };
    for section in sections.iter() {
        let name = sections.section_name(endian, section).unwrap_or_default();
        let flags: u64 = section.sh_flags(endian).into();
        let is_empty = section.sh_type(endian) == elf::SHT_NOBITS;
        let size: u64 = section.sh_size(endian).into();
        if flags & u64::from(elf::SHF_EXECINSTR) != 0 && flags & u64::from(elf::SHF_ALLOC) != 0 {
            image.has_code |= !is_empty;
            image.code.push((section.sh_addr(endian).into(), size));
        }
        if is_empty {
            continue;
        }
        match name {
            b".debug_info" | b".zdebug_info" => image.has_dwarf = true,
            b".gnu_debuglink" => image.debug_link = debug_link(section.data(endian, data)?, endian),
            b".gnu_debugdata" => {
                image.debug_data = Some(Span { offset: section.sh_offset(endian).into(), size });
            }
            _ => {}
        }
        if let Ok(Some((compression, ..))) = section.compression(endian, data) {
            let claimed: u64 = compression.ch_size(endian).into();
            image.is_bomb |= claimed > size.saturating_mul(INFLATION_MAX);
        }
        if image.build_id.is_none()
            && let Ok(Some(notes)) = section.notes(endian, data)
        {
            image.build_id = build_id::<E>(notes, endian);
        }
    }
    let segments = header.program_headers(endian, data)?;
    for segment in segments {
        if image.build_id.is_none()
            && let Ok(Some(notes)) = segment.notes(endian, data)
        {
            image.build_id = build_id::<E>(notes, endian);
        }
        if segment.p_type(endian) == elf::PT_LOAD {
            image.loads.push(Load {
                offset: segment.p_offset(endian).into(),
                file_size: segment.p_filesz(endian).into(),
                address: segment.p_vaddr(endian).into(),
                memory_size: segment.p_memsz(endian).into(),
                align: segment.p_align(endian).into(),
                is_code: segment.p_flags(endian) & elf::PF_X != 0,
            });
        }
    }
    // A file without section headers has all it has in its segments.
    image.has_code |= sections.is_empty() && !image.loads.is_empty();
    if !image.has_code && !image.loads.iter().any(|load| load.is_code && load.file_size > 0) {
        lay_out(&mut image.loads);
    }
    Ok(image)
}

/// Restores where the parts of a file were before its code was taken out, which `objcopy
/// --only-keep-debug` forgets: the linkers put each part at the next place in the file at which it
/// can be mapped.
fn lay_out(loads: &mut [Load]) {
    let mut end = 0u64;
    for load in loads {
        let align = load.align.max(1);
        let wanted = load.address % align;
        let at = end % align;
        let gap = if wanted >= at { wanted - at } else { align - at + wanted };
        load.offset = if end == 0 { 0 } else { end.saturating_add(gap) };
        load.file_size = load.memory_size;
        end = load.offset.saturating_add(load.file_size);
    }
}

fn build_id<E: FileHeader<Endian = Endianness>>(
    mut notes: object::read::elf::NoteIterator<'_, E>,
    endian: Endianness,
) -> Option<String> {
    while let Ok(Some(note)) = notes.next() {
        if note.name() == elf::ELF_NOTE_GNU && note.n_type(endian) == elf::NT_GNU_BUILD_ID {
            return (!note.desc().is_empty()).then(|| hex(note.desc()));
        }
    }
    None
}

/// The name in a section `.gnu_debuglink` and the checksum after it.
fn debug_link(section: &[u8], endian: Endianness) -> Option<(Vec<u8>, u32)> {
    let length = section.iter().position(|byte| *byte == 0)?;
    let sum = section.get((length + 4) & !3..)?.first_chunk::<4>()?;
    let sum = match endian {
        Endianness::Little => u32::from_le_bytes(*sum),
        Endianness::Big => u32::from_be_bytes(*sum),
    };
    Some((section[..length].to_vec(), sum))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut out, byte| {
        let _ = write!(out, "{byte:02x}");
        out
    })
}

/// The bytes of a part of a file.
pub fn bytes(path: &Path, span: Span) -> io::Result<Vec<u8>> {
    let data = ReadCache::new(open(path)?);
    let bytes = (&data).read_bytes_at(span.offset, span.size);
    bytes.map(<[u8]>::to_vec).map_err(|()| io::ErrorKind::UnexpectedEof.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_layout_of_a_stripped_file_is_restored() {
        let load = |address, memory_size| Load {
            offset: 77,
            file_size: 0,
            address,
            memory_size,
            align: 0x1000,
            is_code: true,
        };
        let check = |parts: &[(u64, u64)], expected: &[u64]| {
            let mut loads: Vec<Load> = parts.iter().map(|(at, size)| load(*at, *size)).collect();
            lay_out(&mut loads);
            let offsets: Vec<u64> = loads.iter().map(|load| load.offset).collect();
            assert_eq!(offsets, expected);
        };
        // As ld writes it, and as lld does.
        check(
            &[(0, 0x628), (0x1000, 0x185), (0x2000, 0x104), (0x3db8, 0x260)],
            &[0, 0x1000, 0x2000, 0x2db8],
        );
        check(&[(0x400000, 0x628), (0x401000, 0x185)], &[0, 0x1000]);
        check(&[(0, 0x5d4), (0x15e0, 0x180), (0x2760, 0x1a0)], &[0, 0x5e0, 0x760]);
    }

    #[test]
    fn a_link_to_a_debug_file_has_a_name_and_a_checksum() {
        let section = b"a.debug\0\x01\x02\x03\x04";
        let link = debug_link(section, Endianness::Little);
        assert_eq!(link, Some((b"a.debug".to_vec(), 0x0403_0201)));
        assert_eq!(debug_link(b"a.debug\0\x01\x02", Endianness::Little), None);
        assert_eq!(debug_link(b"endless", Endianness::Little), None);
    }
}
