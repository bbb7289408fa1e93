//! All rules of a file, as rows ordered by file offset.

use gimli::{BaseAddresses, Section};

use crate::elf::{Elf, Frames, TextSegment};
use crate::error::Result;
use crate::frames::{Context, Fde, eh_frame, fde, u32_at};
use crate::row::{Row, Rule};
use crate::rule::{EhFrame, rule};

/// Rows that a table has at most: 32 MiB.
pub const ROWS_MAX: usize = 4 << 20;

/// The rules of a file.
#[derive(Debug, Clone, Default)]
pub struct Table {
    /// Ordered by offset, no two with the same; neighbours differ.
    pub rows: Vec<Row>,
    /// What tells this file from others of the same name.
    pub build_id: Option<Vec<u8>>,
    /// What is mapped as code, ordered by address.
    pub text: Vec<TextSegment>,
    /// The first thing found wrong with the frame descriptions; rows are of the sound ones.
    pub corrupt: Option<String>,
    /// There are more rules than [`ROWS_MAX`] rows.
    pub truncated: bool,
}

impl Table {
    /// The rule of the instruction at a file offset.
    pub fn rule(&self, offset: u32) -> Rule {
        let after = self.rows.partition_point(|row| row.offset <= offset);
        after.checked_sub(1).map_or(Rule::NONE, |index| self.rows[index].rule())
    }
}

/// The rules of an ELF file; none when it is of aarch64.
///
/// Of functions that overlap, the one that begins first counts; of those that begin at the same
/// address, the one described first. Functions beyond the first 4 GiB of the file have no rules.
pub fn table(file: &[u8]) -> Result<Table> {
    let elf = Elf::parse(file)?;
    let table = Table { build_id: elf.build_id(), text: elf.text(), ..Table::default() };
    Ok(match elf.frames() {
        Some(frames) if elf.is_x86_64() => Builder::new(table).build(&frames),
        _ => table,
    })
}

/// One function, in file offsets, and the first of its rows.
struct Function {
    start: u32,
    end: u32,
    first_row: usize,
    rows: usize,
}

struct Builder {
    table: Table,
    /// As described, not yet ordered.
    functions: Vec<Function>,
    rows: Vec<Row>,
}

impl Builder {
    fn new(table: Table) -> Self {
        Builder { table, functions: Vec::new(), rows: Vec::new() }
    }

    fn build(mut self, frames: &Frames) -> Table {
        let bases = BaseAddresses::default().set_eh_frame(frames.address);
        let section = eh_frame(frames.bytes);
        match &frames.header {
            Some(header) => self.add_all(&section, &bases, header.fde_offsets().map(Ok)),
            None => self.add_all(&section, &bases, Walk { bytes: frames.bytes, at: 0 }),
        }
        self.order();
        self.table
    }

    fn add_all(
        &mut self,
        section: &EhFrame,
        bases: &BaseAddresses,
        offsets: impl Iterator<Item = std::result::Result<usize, usize>>,
    ) {
        let mut context = Context::new_in();
        // Entries of a damaged `.eh_frame_hdr` could lead to the same long description each.
        let mut bytes_left = section.reader().len();
        for offset in offsets {
            if self.rows.len() >= ROWS_MAX {
                self.table.truncated = true;
                break;
            }
            let added = match offset {
                Ok(offset) => fde(section, bases, offset)
                    .and_then(|fde| {
                        bytes_left = bytes_left.saturating_sub(fde.entry_len());
                        self.add(section, bases, &mut context, &fde)
                    })
                    .map_err(|error| (offset, error.to_string())),
                Err(offset) => Err((offset, "no entry".to_string())),
            };
            if let Err((offset, error)) = added {
                let corrupt = format!("offset {offset:#x} of .eh_frame: {error}");
                self.table.corrupt.get_or_insert(corrupt);
            }
            if bytes_left == 0 {
                self.table.corrupt.get_or_insert("entries of .eh_frame overlap".to_string());
                break;
            }
        }
    }

    fn add(
        &mut self,
        section: &EhFrame,
        bases: &BaseAddresses,
        context: &mut Context,
        fde: &Fde,
    ) -> gimli::Result<()> {
        // What was removed by the linker is described at address 0, or has no length.
        let Some((start, end)) = self.place(fde.initial_address(), fde.len()) else {
            return Ok(());
        };
        let offset = |address: u64| {
            let into = address.wrapping_sub(fde.initial_address());
            u32::try_from(into).ok()?.checked_add(start).filter(|offset| *offset < end)
        };
        let first_row = self.rows.len();
        let signal_frame = fde.is_signal_trampoline();
        let return_address = fde.cie().return_address_register();
        let mut next = fde.initial_address();
        let mut each = || -> gimli::Result<()> {
            let mut rows = fde.rows(section, bases, context)?;
            while let Some(row) = rows.next_row()? {
                let Some(offset) = offset(row.start_address()) else { break };
                if self.rows.len() >= ROWS_MAX {
                    self.table.truncated = true;
                    return Ok(());
                }
                let rule = rule(row, signal_frame, return_address, section);
                push(&mut self.rows, first_row, Row::new(offset, rule));
                next = row.end_address();
            }
            next = fde.end_address();
            Ok(())
        };
        let result = each();
        // What an error left undescribed.
        if let Some(offset) = offset(next) {
            push(&mut self.rows, first_row, Row::new(offset, Rule::NONE));
        }
        let rows = self.rows.len() - first_row;
        self.functions.push(Function { start, end, first_row, rows });
        result
    }

    /// The file offsets of a function, as far as it is code of this file.
    fn place(&self, address: u64, length: u64) -> Option<(u32, u32)> {
        let text = &self.table.text;
        let after = text.partition_point(|segment| segment.address <= address);
        let segment = text[after.checked_sub(1)?];
        let into = address - segment.address;
        let left = segment.file_size.checked_sub(into)?;
        let start = segment.offset.checked_add(into)?;
        let end = start.checked_add(length.min(left))?.min(u32::MAX.into());
        Some((start.try_into().ok()?, end.try_into().ok()?)).filter(|(start, end)| start < end)
    }

    fn order(&mut self) {
        self.functions.sort_by_key(|function| function.start);
        let rows = &mut self.table.rows;
        let mut covered = 0;
        for function in &self.functions {
            if function.end <= covered {
                continue;
            }
            if function.start > covered && !rows.is_empty() {
                push(rows, 0, Row::new(covered, Rule::NONE));
            }
            let from = function.start.max(covered);
            for row in &self.rows[function.first_row..][..function.rows] {
                push(rows, 0, Row { offset: row.offset.max(from), ..*row });
            }
            covered = function.end;
        }
        if !rows.is_empty() {
            push(rows, 0, Row::new(covered, Rule::NONE));
        }
        if rows.len() > ROWS_MAX {
            self.table.truncated = true;
            rows.truncate(ROWS_MAX);
            rows[ROWS_MAX - 1] = Row::new(rows[ROWS_MAX - 1].offset, Rule::NONE);
        }
        rows.shrink_to_fit();
    }
}

/// Appends to the rows from `first` on, which are ordered: the last of one offset counts.
fn push(rows: &mut Vec<Row>, first: usize, row: Row) {
    if rows[first..].last().is_some_and(|last| last.offset == row.offset) {
        rows.pop();
    }
    if rows[first..].last().is_none_or(|last| last.rule() != row.rule()) {
        rows.push(row);
    }
}

/// Offsets of the descriptions in a `.eh_frame`; of an entry that does not fit, as an error, and
/// then no more.
struct Walk<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl Iterator for Walk<'_> {
    type Item = std::result::Result<usize, usize>;

    fn next(&mut self) -> Option<Self::Item> {
        while self.at < self.bytes.len() {
            let start = self.at;
            let Some((id_at, end)) = self.entry() else {
                self.at = self.bytes.len();
                return Some(Err(start));
            };
            self.at = end;
            // A length of 0 ends the descriptions of one input file; linkers may leave more
            // behind. An id of 0 is that of a common part.
            if end > id_at && u32_at(self.bytes, id_at) != Some(0) {
                return Some(Ok(start));
            }
        }
        None
    }
}

impl Walk<'_> {
    /// Where the id of the next entry is, and where the entry ends.
    fn entry(&self) -> Option<(usize, usize)> {
        let (length, id_at) = match u32_at(self.bytes, self.at)? {
            u32::MAX => {
                let length = *self.bytes.get(self.at + 4..)?.first_chunk()?;
                (usize::try_from(u64::from_le_bytes(length)).ok()?, self.at + 12)
            }
            length => (length as usize, self.at + 4),
        };
        let end = id_at.checked_add(length)?;
        (end <= self.bytes.len()).then_some((id_at, end))
    }
}
