//! Goes over the stacks of a segment: which places are to be named, and what becomes of the frames.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use store::stacks::{Frame, JIT, Stack};
use store::{Folder, rewrite};

use crate::cache::{Cache, Key, Named, Place};
use crate::error::Result;
use crate::job::{Answer, Job};
use crate::options::Options;
use crate::report::{Module, Outcome, Report};
use crate::worker::Client;

/// Looks up the names of segments, one after the other.
pub struct Symbolizer {
    options: Options,
    client: Client,
    cache: Cache,
}

/// Looks up the names of one segment.
pub fn symbolize_segment(folder: &Folder, segment: u64, options: &Options) -> Result<Report> {
    Symbolizer::new(options.clone()).segment(folder, segment)
}

/// What was found of the places of a module.
struct Found {
    places: HashMap<u64, Place>,
    outcome: Outcome,
}

impl Symbolizer {
    /// Reads nothing yet.
    pub fn new(options: Options) -> Symbolizer {
        let client = Client::new(options.worker.clone());
        Symbolizer { options, client, cache: Cache::default() }
    }

    /// What is looked up with; it may be changed between segments.
    pub fn options(&mut self) -> &mut Options {
        &mut self.options
    }

    /// Names the stacks of a sealed segment. A name that is there and cannot be found any more stays.
    ///
    /// That a module has no names is no error, but told in the report.
    pub fn segment(&mut self, folder: &Folder, segment: u64) -> Result<Report> {
        let Some((stacks, host)) = rewrite::stacks(folder, segment)? else {
            return Ok(Report::default());
        };
        let mut found = BTreeMap::new();
        for (key, offsets) in wanted(&stacks) {
            let places = self.look_up(&key, offsets)?;
            found.insert(key, places);
        }
        // The memory of the last module is given back before the table is made.
        self.client.stop();
        let (named, report) = self.rename(&stacks, &found);
        if named != stacks {
            rewrite::replace_stacks(folder, segment, &host, &named)?;
        }
        Ok(report)
    }

    fn look_up(&mut self, key: &Key, offsets: BTreeSet<u64>) -> Result<Found> {
        let (mut places, mut unknown) = (HashMap::new(), Vec::new());
        for offset in offsets {
            match self.cache.get(key, offset) {
                Some(place) => drop(places.insert(offset, place.clone())),
                None => unknown.push(offset),
            }
        }
        let known = Outcome::Found { files: Vec::new(), debug: false };
        let mut found = Found { places, outcome: known };
        if unknown.is_empty() {
            return Ok(found);
        }
        let answer = self.client.ask(self.job(key, unknown.clone()))?;
        let new = unpack(&unknown, &answer);
        self.cache.keep(key, &new);
        found.places.extend(new);
        found.outcome = answer.outcome;
        Ok(found)
    }

    fn job(&self, key: &Key, offsets: Vec<u64>) -> Job {
        let options = &self.options;
        let name = (key.module.to_string(), key.build_id.as_deref().map(str::to_string));
        let of_process = || options.perf_maps.as_ref()?(key.pid?);
        Job {
            offsets,
            held: options.held.get(&name).map(|path| of_this_process(path)),
            module: name.0,
            build_id: name.1,
            perf_map: of_process().map(|path| of_this_process(&path)),
            debug_dirs: options.debug_dirs.clone(),
            same_boot: options.same_boot,
            inlines: options.inlines,
            lines: options.lines,
            dwarf: true,
            memory_bytes: options.memory_bytes,
        }
    }

    fn rename(&self, stacks: &[Stack], found: &BTreeMap<Key, Found>) -> (Vec<Stack>, Report) {
        let mut report = Report { stacks: stacks.len() as u64, ..Report::default() };
        let mut named = Vec::with_capacity(stacks.len());
        for stack in stacks {
            let mut frames = Vec::with_capacity(stack.frames.len());
            for group in groups(&stack.frames) {
                let key = key(stack, group);
                let found = key.as_ref().and_then(|key| found.get(key));
                let from = frames.len();
                self.rename_group(group, found, &mut frames);
                let is_named = frames[from..].last().is_some_and(|frame| frame.function.is_some());
                count(&mut report, group, found, is_named);
            }
            named.push(Stack { frames, ..stack.clone() });
        }
        (named, report)
    }

    /// Appends the frames that one place becomes.
    fn rename_group(&self, old: &[Frame], found: Option<&Found>, out: &mut Vec<Frame>) {
        let Some(outermost) = old.last() else { return };
        let place = found
            .and_then(|found| found.places.get(&outermost.offset?))
            .filter(|place| !place.is_empty());
        let has_line = |frames: &[Frame]| frames.iter().any(|frame| frame.line.is_some());
        // Names that came from files that are gone, or were better ones, stay.
        let is_better = |place: &Place| {
            let is_named = place.last().is_some_and(|function| function.name.is_some());
            let lines = place.iter().any(|function| function.line.is_some());
            (is_named || outermost.function.is_none())
                && (lines || !has_line(old) || !self.options.lines)
        };
        match place.filter(|place| is_better(place)) {
            Some(place) => {
                let last = place.len() - 1;
                out.extend(place.iter().enumerate().map(|(at, function)| Frame {
                    function: function.name.as_deref().map(Into::into),
                    file: function.file.clone(),
                    line: function.line,
                    inlined: at < last,
                    ..outermost.clone()
                }));
            }
            None => out.extend_from_slice(old),
        }
    }
}

/// The frames of a stack by place: the inlined ones and the one whose code they are part of.
fn groups(frames: &[Frame]) -> impl Iterator<Item = &[Frame]> {
    frames.split_inclusive(|frame| !frame.inlined)
}

/// The module that the last frame of a group lies in.
fn key(stack: &Stack, group: &[Frame]) -> Option<Key> {
    let frame = group.last()?;
    let module = frame.module.clone()?;
    let pid = if &*module == JIT { stack.pid } else { None };
    Some(Key { module, build_id: frame.build_id.clone(), pid })
}

/// All places by module, each once and in order.
fn wanted(stacks: &[Stack]) -> BTreeMap<Key, BTreeSet<u64>> {
    let mut wanted: BTreeMap<Key, BTreeSet<u64>> = BTreeMap::new();
    for stack in stacks {
        for group in groups(&stack.frames) {
            if let (Some(key), Some(offset)) =
                (key(stack, group), group.last().and_then(|frame| frame.offset))
            {
                wanted.entry(key).or_default().insert(offset);
            }
        }
    }
    wanted
}

fn unpack(offsets: &[u64], answer: &Answer) -> HashMap<u64, Place> {
    let texts: Vec<Arc<str>> = answer.texts.iter().map(|text| text.as_str().into()).collect();
    let text = |index: u32| texts[index as usize].clone();
    let mut known: HashSet<Place> = HashSet::new();
    let places = answer.places.iter().map(|place| {
        let place: Place = place
            .iter()
            .map(|function| Named {
                name: function.name.map(text),
                file: function.file.map(text),
                line: function.line,
            })
            .collect();
        // Places of one line are the same.
        known.get(&place).cloned().unwrap_or_else(|| {
            known.insert(place.clone());
            place
        })
    });
    offsets.iter().copied().zip(places).collect()
}

fn count(report: &mut Report, group: &[Frame], found: Option<&Found>, is_named: bool) {
    report.frames += 1;
    report.named += u64::from(is_named);
    let frame = group.last();
    let text = |text: &Arc<str>| text.to_string();
    let module = frame.and_then(|frame| frame.module.as_ref()).map(text);
    let build_id = frame.and_then(|frame| frame.build_id.as_ref()).map(text);
    let outcome = found.map_or(&Outcome::NoModule, |found| &found.outcome);
    let module = report
        .modules
        .entry((module.unwrap_or_else(|| "[unknown]".to_string()), build_id))
        .or_insert_with(|| Module { frames: 0, named: 0, outcome: outcome.clone() });
    module.frames += 1;
    module.named += u64::from(is_named);
    // Of several processes, what went wrong is what to tell.
    if !outcome.is_found() && module.outcome.is_found() {
        module.outcome = outcome.clone();
    }
}

/// A path below `/proc/self` as another process has to write it.
fn of_this_process(path: &Path) -> PathBuf {
    match path.strip_prefix("/proc/self") {
        Ok(rest) => Path::new("/proc").join(std::process::id().to_string()).join(rest),
        Err(_) => path.to_path_buf(),
    }
}
