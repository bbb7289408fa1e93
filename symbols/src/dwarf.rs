//! Functions, inlined functions and lines from DWARF, which blazesym reads.

use std::ffi::OsStr;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

use blazesym::symbolize::source::{Elf, Source};
use blazesym::symbolize::{CodeInfo, Input, Sym, Symbolized, Symbolizer};

use crate::job::Place;
use crate::name;

/// Inlined functions that one place can be in; more are a fault of the debug information.
const INLINED_MAX: usize = 64;

/// What the file at `path` says about addresses, innermost function first, or why it says nothing.
///
/// A panic is caught here; what ends a process is for the caller to survive.
pub fn lookup(path: &Path, addresses: &[u64], dirs: &[PathBuf]) -> Result<Vec<Vec<Place>>, String> {
    let read = || {
        let symbolizer = Symbolizer::builder()
            .enable_auto_reload(false)
            .enable_demangling(false)
            .set_debug_dirs(Some(dirs))
            .build();
        let source = Source::Elf(Elf::new(path));
        let found = symbolizer.symbolize(&source, Input::VirtOffset(addresses));
        let found = found.map_err(|error| format!("{error:#}"))?;
        Ok(found.iter().map(places).collect())
    };
    catch_unwind(AssertUnwindSafe(read))
        .unwrap_or_else(|_| Err("its debug information makes no sense".to_string()))
}

fn places(found: &Symbolized) -> Vec<Place> {
    let Symbolized::Sym(symbol) = found else { return Vec::new() };
    let inlined = symbol.inlined.iter().rev().take(INLINED_MAX);
    let mut places: Vec<Place> = inlined
        .map(|function| place(&function.name, function.code_info.as_ref()))
        // Its name is in a file that is shared between debug files, and blazesym does not look there.
        .filter(|place| place.name.is_some())
        .collect();
    places.push(outer(symbol));
    places
}

fn outer(symbol: &Sym) -> Place {
    place(&symbol.name, symbol.code_info.as_deref())
}

fn place(symbol: &str, code: Option<&CodeInfo>) -> Place {
    let file = code.map(|code| name::cut(&code.to_path().to_string_lossy()));
    Place {
        name: name::demangle(symbol),
        file: file.filter(|file| !file.is_empty() && OsStr::new(file) != "??"),
        line: code.and_then(|code| code.line).filter(|line| *line > 0),
        is_plain: !name::is_mangled(symbol),
    }
}
