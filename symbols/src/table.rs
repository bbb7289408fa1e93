//! The symbol tables of ELF files.

use std::borrow::Cow;
use std::io;
use std::path::Path;

use object::elf;
use object::read::elf::{FileHeader, Sym, SymbolTable};
use object::read::{ReadCache, ReadRef};
use object::{Endianness, FileKind};

use crate::elf::{Image, open};

/// Symbols before an address that are looked at: functions hardly lie within each other.
const STEPS_MAX: usize = 64;

/// One of the symbol tables of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Table {
    /// All symbols; what `strip` takes out.
    All,
    /// Those that other modules use.
    Dynamic,
}

struct Symbol {
    address: u64,
    size: u64,
    /// Where it is in the table.
    index: u32,
    /// Local, weak and global ones: the least is preferred.
    rank: u8,
}

/// The symbols that hold addresses, by a table of the file at `path`; `image` has the code.
pub fn lookup(
    path: &Path,
    table: Table,
    image: &Image,
    addresses: &[Option<u64>],
) -> io::Result<Vec<Option<String>>> {
    lookup_in(&ReadCache::new(open(path)?), table, image, addresses)
}

/// The same for a file that is in memory.
pub fn lookup_in<'data, R: ReadRef<'data>>(
    data: R,
    table: Table,
    image: &Image,
    addresses: &[Option<u64>],
) -> io::Result<Vec<Option<String>>> {
    let names = match FileKind::parse(data) {
        Ok(FileKind::Elf32) => {
            read::<elf::FileHeader32<Endianness>, R>(data, table, image, addresses)
        }
        _ => read::<elf::FileHeader64<Endianness>, R>(data, table, image, addresses),
    };
    names.map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error.to_string()))
}

fn read<'data, E: FileHeader<Endian = Endianness>, R: ReadRef<'data>>(
    data: R,
    table: Table,
    image: &Image,
    addresses: &[Option<u64>],
) -> object::read::Result<Vec<Option<String>>> {
    let header = E::parse(data)?;
    let endian = header.endian()?;
    let kind = match table {
        Table::All => elf::SHT_SYMTAB,
        Table::Dynamic => elf::SHT_DYNSYM,
    };
    let entries = header.sections(endian, data)?.symbols(endian, data, kind)?;
    let symbols = functions::<E, R>(&entries, endian);
    let name = |symbol: &Symbol| name::<E, R>(&entries, endian, symbol);
    let names = addresses.iter().map(|address| {
        let (holding, near) = around(&symbols, (*address)?);
        let best = best(holding, &name).or_else(|| {
            // Of unknown size: what comes after it in the same section. The dynamic table lacks most
            // of what comes after.
            let section = image.code_section((*address)?);
            let is_near = |symbol: &&Symbol| {
                table == Table::All
                    && section.is_some()
                    && image.code_section(symbol.address) == section
            };
            best(near.into_iter().filter(is_near).collect(), &name)
        });
        best.map(Cow::into_owned)
    });
    Ok(names.collect())
}

/// The symbols that can be functions, by address.
fn functions<'data, E: FileHeader<Endian = Endianness>, R: ReadRef<'data>>(
    entries: &SymbolTable<'data, E, R>,
    endian: Endianness,
) -> Vec<Symbol> {
    let mut symbols: Vec<Symbol> = entries
        .enumerate()
        .filter(|(_, symbol)| {
            matches!(symbol.st_type(), elf::STT_FUNC | elf::STT_GNU_IFUNC | elf::STT_NOTYPE)
                && symbol.st_shndx(endian) != elf::SHN_UNDEF
                && symbol.st_value(endian).into() != 0
        })
        .map(|(index, symbol)| Symbol {
            address: symbol.st_value(endian).into(),
            size: symbol.st_size(endian).into(),
            index: index.0 as u32,
            rank: match (symbol.st_type() == elf::STT_NOTYPE, symbol.st_bind()) {
                (true, _) => 3,
                (_, elf::STB_GLOBAL) => 0,
                (_, elf::STB_WEAK) => 1,
                _ => 2,
            },
        })
        .collect();
    symbols.sort_unstable_by_key(|symbol| (symbol.address, symbol.index));
    symbols
}

/// The symbols at the nearest address that hold `address`, and the nearest ones of unknown size.
fn around(symbols: &[Symbol], address: u64) -> (Vec<&Symbol>, Vec<&Symbol>) {
    let before = &symbols[..symbols.partition_point(|symbol| symbol.address <= address)];
    let (mut holding, mut near): (Vec<&Symbol>, Vec<&Symbol>) = (Vec::new(), Vec::new());
    for symbol in before.iter().rev().take(STEPS_MAX) {
        let is_level =
            |found: &[&Symbol]| found.first().is_none_or(|at| at.address == symbol.address);
        if address - symbol.address < symbol.size && is_level(&holding) {
            holding.push(symbol);
        }
        // Behind a function that ended, nothing is known.
        let is_last = before.last().is_some_and(|last| last.address == symbol.address);
        if symbol.size == 0 && is_last {
            near.push(symbol);
        }
    }
    (holding, near)
}

/// Of symbols at one address the one that people know it by.
fn best<'data>(
    symbols: Vec<&Symbol>,
    name: &dyn Fn(&Symbol) -> Option<Cow<'data, str>>,
) -> Option<Cow<'data, str>> {
    let named = symbols.into_iter().filter_map(|symbol| Some((symbol.rank, name(symbol)?)));
    let underscores = |name: &str| name.len() - name.trim_start_matches('_').len();
    named.min_by_key(|(rank, name)| (*rank, underscores(name), name.to_string())).map(|best| best.1)
}

fn name<'data, E: FileHeader<Endian = Endianness>, R: ReadRef<'data>>(
    entries: &SymbolTable<'data, E, R>,
    endian: Endianness,
    symbol: &Symbol,
) -> Option<Cow<'data, str>> {
    let entry = entries.symbol(object::SymbolIndex(symbol.index as usize)).ok()?;
    let name = String::from_utf8_lossy(entries.symbol_name(endian, entry).ok()?);
    // Those of assemblers, which say what kind of bytes follow.
    let is_mark = name.is_empty() || name.starts_with('$') || name.starts_with(".L");
    (!is_mark).then_some(name)
}
