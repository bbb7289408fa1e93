//! Answers what is asked about one module.

use std::io::{self, Write};

use crate::elf::{self, Image};
use crate::find::{self, Found};
use crate::job::{Answer, Job, Place};
use crate::report::Outcome;
use crate::table::{self, Table};
use crate::{dwarf, kernel, name, perf_map, vdso};

/// Bytes of symbols that a compressed table may become.
const DEBUG_DATA_MAX: usize = 256 << 20;

/// Looks up the places of a job.
pub fn resolve(job: &Job) -> Answer {
    match job.module.as_str() {
        store::stacks::KERNEL => kernel::resolve(job),
        store::stacks::JIT => perf_map::resolve(job),
        store::stacks::VDSO => in_vdso(job),
        _ => in_files(job, find::find(job)),
    }
}

fn in_vdso(job: &Job) -> Answer {
    let none = |outcome| Answer::none(job.offsets.len(), outcome);
    if job.build_id.is_none() && !job.same_boot {
        return none(Outcome::OtherBoot);
    }
    let Ok(file) = vdso::image() else { return none(Outcome::NoFile) };
    let Ok(image) = Image::open(file.path()) else { return none(Outcome::NoFile) };
    if job.build_id.is_some() && job.build_id != image.build_id {
        return none(Outcome::OtherBoot);
    }
    let mut answer = in_files(job, Found::only(image));
    if let Outcome::Found { files, .. } = &mut answer.outcome {
        // That of the image goes away.
        *files = vec![job.module.clone()];
    }
    answer
}

fn in_files(job: &Job, found: Found) -> Answer {
    let Some(code) = found.code.as_ref().or(found.debug.as_ref()) else {
        return Answer::none(job.offsets.len(), found.problem());
    };
    let mut work = Work {
        addresses: job.offsets.iter().map(|offset| code.address(*offset)).collect(),
        places: vec![Vec::new(); job.offsets.len()],
        files: Vec::new(),
        has_debug: false,
        problem: None,
    };
    if let Some(debug) = found.debug.as_ref().filter(|image| image.has_dwarf && job.dwarf) {
        work.read_dwarf(debug, job);
    }
    if let Some(debug) = &found.debug {
        work.read_table(debug, Table::All, code);
    }
    if let Some(code) = &found.code {
        work.read_table(code, Table::All, code);
        work.read_debug_data(code);
        work.read_table(code, Table::Dynamic, code);
    }
    work.finish(job, code)
}

/// The places of a module on their way to names.
struct Work {
    /// Where they are by the file's own addresses.
    addresses: Vec<Option<u64>>,
    places: Vec<Vec<Place>>,
    files: Vec<String>,
    has_debug: bool,
    problem: Option<Outcome>,
}

impl Work {
    fn read_dwarf(&mut self, image: &Image, job: &Job) {
        if image.is_bomb {
            return self.fail(image, "a compressed section claims to be too large");
        }
        let addresses: Vec<u64> = self.addresses.iter().flatten().copied().collect();
        let mut dirs = job.debug_dirs.clone();
        dirs.extend(job.debug_dirs.iter().map(|dir| dir.join("usr/lib/debug")));
        dirs.push("/usr/lib/debug".into());
        match dwarf::lookup(&image.path, &addresses, &dirs) {
            Ok(found) => {
                let known = self.places.iter_mut().zip(&self.addresses);
                let known = known.filter(|(_, address)| address.is_some());
                known.zip(found).for_each(|((place, _), found)| *place = found);
                self.has_debug = true;
                self.files.push(image.path.display().to_string());
            }
            Err(what) => self.fail(image, &what),
        }
    }

    /// Names from a symbol table for what has none yet.
    fn read_table(&mut self, image: &Image, table: Table, code: &Image) {
        let unnamed = self.unnamed(table == Table::All);
        if unnamed.iter().all(Option::is_none) {
            return;
        }
        match table::lookup(&image.path, table, code, &unnamed) {
            Ok(names) => self.take(image, names),
            Err(error) => self.fail(image, &error.to_string()),
        }
    }

    /// The same from the compressed table of a stripped file.
    fn read_debug_data(&mut self, image: &Image) {
        let unnamed = self.unnamed(false);
        let Some(span) = image.debug_data.filter(|_| unnamed.iter().any(Option::is_some)) else {
            return;
        };
        let names = elf::bytes(&image.path, span)
            .and_then(|packed| unpack(&packed))
            .and_then(|bytes| table::lookup_in(bytes.as_slice(), Table::All, image, &unnamed));
        match names {
            Ok(names) => self.take(image, names),
            Err(error) => self.fail(image, &error.to_string()),
        }
    }

    /// Addresses of places that have no name yet, and of those whose name may be a short one.
    fn unnamed(&self, or_plain: bool) -> Vec<Option<u64>> {
        let is_named = |place: &[Place]| {
            place.last().is_some_and(|place| place.name.is_some() && !(or_plain && place.is_plain))
        };
        let places = self.addresses.iter().zip(&self.places);
        places.map(|(address, place)| address.filter(|_| !is_named(place))).collect()
    }

    fn take(&mut self, image: &Image, names: Vec<Option<String>>) {
        let mut is_used = false;
        for (place, symbol) in self.places.iter_mut().zip(names) {
            let Some(symbol) = symbol else { continue };
            if place.is_empty() {
                place.push(Place::default());
            }
            let Some(outermost) = place.last_mut() else { continue };
            // A line can be known without a name; and compilers leave it to the symbol table to say
            // which namespace or type a function is part of.
            if outermost.name.is_none() || name::is_mangled(&symbol) {
                is_used = true;
                outermost.name = name::demangle(&symbol);
                outermost.is_plain = false;
            }
        }
        let file = image.path.display().to_string();
        if is_used && !self.files.contains(&file) {
            self.files.push(file);
        }
    }

    fn fail(&mut self, image: &Image, what: &str) {
        let file = image.path.display().to_string();
        self.problem.get_or_insert(Outcome::Corrupt { file, what: what.to_string() });
    }

    fn finish(mut self, job: &Job, code: &Image) -> Answer {
        for place in &mut self.places {
            if !job.inlines && place.len() > 1 {
                place.drain(..place.len() - 1);
            }
            if !job.lines {
                place.iter_mut().for_each(|place| (place.file, place.line) = (None, None));
            }
            // A line of nobody knows which function tells too little.
            if place.iter().all(|place| place.name.is_none()) {
                place.clear();
            }
        }
        let outcome = match self.problem {
            Some(problem) => problem,
            None if self.files.is_empty() => {
                Outcome::NoSymbols { file: code.path.display().to_string() }
            }
            None => Outcome::Found { files: self.files, debug: self.has_debug },
        };
        Answer::new(&self.places, outcome)
    }
}

/// Unpacks an XZ stream.
fn unpack(packed: &[u8]) -> io::Result<Vec<u8>> {
    let mut out = Limited(Vec::new());
    lzma_rs::xz_decompress(&mut io::Cursor::new(packed), &mut out)
        .map_err(|error| io::Error::new(io::ErrorKind::InvalidData, format!("{error:?}")))?;
    Ok(out.0)
}

/// Bytes that come to an end.
struct Limited(Vec<u8>);

impl Write for Limited {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.0.len() + bytes.len() > DEBUG_DATA_MAX {
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        self.0.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
