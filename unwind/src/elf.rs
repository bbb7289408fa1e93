//! What the headers of an ELF file tell: where code, frame descriptions and the build id are.

use object::LittleEndian;
use object::elf::{
    EM_AARCH64, EM_X86_64, FileHeader64, PF_X, PT_GNU_EH_FRAME, PT_LOAD, PT_NOTE, ProgramHeader64,
    SHT_NOBITS, SHT_NOTE, SectionHeader64,
};
use object::read::elf::{FileHeader, ProgramHeader, SectionHeader};

use crate::error::{Error, Result};
use crate::frames::Header;
use crate::notes::build_id_of_notes;

const LE: LittleEndian = LittleEndian;

/// A part of the file that is mapped as code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TextSegment {
    /// Where it begins in the file.
    pub offset: u64,
    /// How much of it is in the file.
    pub file_size: u64,
    /// Where it is mapped, relative to the module's base.
    pub address: u64,
}

/// The build id of an ELF file of x86_64 or aarch64. Reads headers and notes only.
pub fn build_id(file: &[u8]) -> Option<Vec<u8>> {
    Elf::parse(file).ok()?.build_id()
}

/// The headers of a file.
pub(crate) struct Elf<'a> {
    file: &'a [u8],
    header: &'a FileHeader64<LittleEndian>,
    segments: &'a [ProgramHeader64<LittleEndian>],
}

/// The frame descriptions of a file.
pub(crate) struct Frames<'a> {
    /// From the beginning of `.eh_frame`.
    pub(crate) bytes: &'a [u8],
    /// Of `.eh_frame`.
    pub(crate) address: u64,
    /// When only segments tell where `.eh_frame` begins, but nothing where it ends.
    pub(crate) header: Option<Header<'a>>,
}

impl<'a> Elf<'a> {
    pub(crate) fn parse(file: &'a [u8]) -> Result<Self> {
        if !file.starts_with(b"\x7fELF") {
            return Err(Error::NotElf);
        }
        if file.get(4) == Some(&1) {
            return Err(Error::Bits32);
        }
        let header = FileHeader64::<LittleEndian>::parse(file).map_err(Error::Headers)?;
        let machine = header.e_machine(LE);
        if !header.is_little_endian() || ![EM_X86_64, EM_AARCH64].contains(&machine) {
            return Err(Error::Machine(machine));
        }
        let segments = header.program_headers(LE, file).map_err(Error::Headers)?;
        Ok(Elf { file, header, segments })
    }

    pub(crate) fn is_x86_64(&self) -> bool {
        self.header.e_machine(LE) == EM_X86_64
    }

    /// Ordered by address.
    pub(crate) fn text(&self) -> Vec<TextSegment> {
        let executable = self.segments_of(PT_LOAD).filter(|load| load.p_flags(LE) & PF_X != 0);
        let mut text: Vec<TextSegment> = executable
            .map(|load| TextSegment {
                offset: load.p_offset(LE),
                file_size: load.p_filesz(LE),
                address: load.p_vaddr(LE),
            })
            .collect();
        text.sort_by_key(|segment| segment.address);
        text
    }

    pub(crate) fn build_id(&self) -> Option<Vec<u8>> {
        let segments = self.segments_of(PT_NOTE).filter_map(|note| note.data(LE, self.file).ok());
        let sections = self.sections().iter().filter(|section| section.sh_type(LE) == SHT_NOTE);
        let sections = sections.filter_map(|section| section.data(LE, self.file).ok());
        segments.chain(sections).find_map(build_id_of_notes).map(<[u8]>::to_vec)
    }

    pub(crate) fn frames(&self) -> Option<Frames<'a>> {
        self.frames_of_section().or_else(|| self.frames_of_segment())
    }

    fn frames_of_section(&self) -> Option<Frames<'a>> {
        let sections = self.header.sections(LE, self.file).ok()?;
        let (_, section) = sections.section_by_name(LE, b".eh_frame")?;
        // In files of debug information it has no bytes.
        let bytes = match section.sh_type(LE) {
            SHT_NOBITS => &[],
            _ => section.data(LE, self.file).ok()?,
        };
        Some(Frames { bytes, address: section.sh_addr(LE), header: None })
    }

    fn frames_of_segment(&self) -> Option<Frames<'a>> {
        let segment = self.segments_of(PT_GNU_EH_FRAME).next()?;
        let bytes = segment.data(LE, self.file).ok()?;
        let header = Header::parse(bytes, segment.p_vaddr(LE))?;
        let address = header.eh_frame_address();
        let bytes = self.segments_of(PT_LOAD).find_map(|load| {
            let at = usize::try_from(address.checked_sub(load.p_vaddr(LE))?).ok()?;
            load.data(LE, self.file).ok()?.get(at..)
        })?;
        Some(Frames { bytes, address, header: Some(header) })
    }

    fn segments_of(&self, kind: u32) -> impl Iterator<Item = &'a ProgramHeader64<LittleEndian>> {
        self.segments.iter().filter(move |segment| segment.p_type(LE) == kind)
    }

    /// None when they are stripped or damaged: segments tell as much.
    fn sections(&self) -> &'a [SectionHeader64<LittleEndian>] {
        self.header.section_headers(LE, self.file).unwrap_or_default()
    }
}
