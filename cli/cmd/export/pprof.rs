//! Profiles in the format of pprof: profile.proto, gzipped.

use std::collections::HashMap;
use std::io::Write;

use anyhow::Result;
use flate2::Compression;
use flate2::write::GzEncoder;
use store::stacks::{Frame, JIT};

use super::Weight;
use super::profile::{Owner, Profile};
use super::proto::Message;

/// Mappings end at a page.
const PAGE: u64 = 4096;

/// The bytes of a profile; the same from the same profile.
pub fn write(profile: &Profile, weights: &[Weight], shown: Weight) -> Result<Vec<u8>> {
    let mut builder = Builder::new();
    for weight in weights {
        let value_type = builder.value_type(*weight);
        builder.out.message(1, &value_type);
    }
    for (owner, values) in &profile.samples {
        builder.sample(profile, owner, &values[..weights.len()]);
    }
    let period_type = builder.value_type(shown);
    let default = builder.texts.index(shown.pprof_type().0);
    builder.out.message(11, &period_type).number(14, default);
    let mut gzip = GzEncoder::new(Vec::new(), Compression::default());
    gzip.write_all(&builder.finish())?;
    Ok(gzip.finish()?)
}

/// The tables of a profile. Ids begin with 1, those of texts with 0, which is "".
struct Builder {
    out: Message,
    texts: Texts,
    mappings: Vec<Mapping>,
    mapping_ids: HashMap<(String, String), usize>,
    functions: Vec<(u64, u64)>,
    function_ids: HashMap<(u64, u64), u64>,
    locations: Vec<Location>,
    location_ids: HashMap<Location, u64>,
}

#[derive(Default)]
struct Texts {
    list: Vec<String>,
    ids: HashMap<String, u64>,
}

/// A module. Its frames are known by their place in its file, so that is where its memory begins.
struct Mapping {
    file: u64,
    build_id: u64,
    /// The lowest address in it, of what is in no file; and the one behind the highest.
    start: u64,
    limit: u64,
    is_named: bool,
    has_lines: bool,
    has_inlined: bool,
}

#[derive(Clone, PartialEq, Eq, Hash)]
struct Location {
    mapping: u64,
    address: u64,
    /// Functions and lines, innermost first.
    lines: Vec<(u64, u64)>,
}

impl Texts {
    fn index(&mut self, text: &str) -> u64 {
        if let Some(index) = self.ids.get(text) {
            return *index;
        }
        let index = self.list.len() as u64;
        self.list.push(text.to_string());
        self.ids.insert(text.to_string(), index);
        index
    }
}

impl Builder {
    fn new() -> Builder {
        let mut texts = Texts::default();
        texts.index("");
        Builder {
            out: Message::default(),
            texts,
            mappings: Vec::new(),
            mapping_ids: HashMap::new(),
            functions: Vec::new(),
            function_ids: HashMap::new(),
            locations: Vec::new(),
            location_ids: HashMap::new(),
        }
    }

    fn value_type(&mut self, weight: Weight) -> Message {
        let (name, unit) = weight.pprof_type();
        let mut message = Message::default();
        message.number(1, self.texts.index(name)).number(2, self.texts.index(unit));
        message
    }

    fn sample(&mut self, profile: &Profile, owner: &Owner, values: &[i64]) {
        let frames = profile.stack(owner).map_or(&[][..], |stack| &stack.frames);
        let places = frames.split_inclusive(|frame| !frame.inlined);
        let locations: Vec<u64> = places.map(|place| self.location(place)).collect();
        let mut sample = Message::default();
        sample.numbers(1, locations).numbers(2, values.iter().map(|value| *value as u64));
        let numbers = [("pid", owner.pid), ("tid", owner.tid)];
        for (key, value) in numbers {
            if let Some(value) = value {
                let mut label = Message::default();
                label.number(1, self.texts.index(key)).signed(3, value.into());
                sample.message(3, &label);
            }
        }
        for (key, value) in [("comm", &owner.comm), ("host", &owner.host)] {
            let mut label = Message::default();
            label.number(1, self.texts.index(key)).number(2, self.texts.index(value));
            sample.message(3, &label);
        }
        self.out.message(2, &sample);
    }

    /// The id of a place: a frame and what is inlined there.
    fn location(&mut self, place: &[Frame]) -> u64 {
        let Some(outermost) = place.last() else { return 0 };
        let address = outermost.offset.unwrap_or(0);
        let named = place.iter().filter(|frame| frame.function.is_some());
        let lines = named.map(|frame| {
            let line = frame.line.unwrap_or(0).into();
            (self.function(frame), line)
        });
        let lines: Vec<(u64, u64)> = lines.collect();
        let mapping = self.mapping(place, address);
        let location = Location { mapping, address, lines };
        if let Some(id) = self.location_ids.get(&location) {
            return *id;
        }
        self.locations.push(location.clone());
        let id = self.locations.len() as u64;
        self.location_ids.insert(location, id);
        id
    }

    fn function(&mut self, frame: &Frame) -> u64 {
        let name = self.texts.index(frame.function.as_deref().unwrap_or_default());
        let file = self.texts.index(frame.file.as_deref().unwrap_or_default());
        if let Some(id) = self.function_ids.get(&(name, file)) {
            return *id;
        }
        self.functions.push((name, file));
        let id = self.functions.len() as u64;
        self.function_ids.insert((name, file), id);
        id
    }

    fn mapping(&mut self, place: &[Frame], address: u64) -> u64 {
        let Some(frame) = place.last() else { return 0 };
        let Some(module) = frame.module.as_deref() else { return 0 };
        let build_id = frame.build_id.as_deref().unwrap_or_default();
        let key = (module.to_string(), build_id.to_string());
        let index = self.mapping_ids.get(&key).copied().unwrap_or_else(|| {
            let is_file = !module.starts_with('[');
            self.mappings.push(Mapping {
                file: self.texts.index(module),
                build_id: self.texts.index(build_id),
                start: if is_file { 0 } else { u64::MAX },
                limit: 0,
                is_named: module != JIT,
                has_lines: false,
                has_inlined: false,
            });
            self.mapping_ids.insert(key, self.mappings.len() - 1);
            self.mappings.len() - 1
        });
        let mapping = &mut self.mappings[index];
        mapping.start = mapping.start.min(address / PAGE * PAGE);
        mapping.limit = mapping.limit.max((address / PAGE).saturating_add(1).saturating_mul(PAGE));
        mapping.is_named &= frame.function.is_some();
        mapping.has_lines |= frame.line.is_some();
        mapping.has_inlined |= place.len() > 1;
        index as u64 + 1
    }

    fn finish(mut self) -> Vec<u8> {
        for (index, mapping) in self.mappings.iter().enumerate() {
            let mut message = Message::default();
            message.number(1, index as u64 + 1).number(2, mapping.start).number(3, mapping.limit);
            message.number(5, mapping.file).number(6, mapping.build_id);
            message.number(7, mapping.is_named.into()).number(8, mapping.has_lines.into());
            message.number(9, mapping.has_lines.into()).number(10, mapping.has_inlined.into());
            self.out.message(3, &message);
        }
        for (index, location) in self.locations.iter().enumerate() {
            let mut message = Message::default();
            message.number(1, index as u64 + 1).number(2, location.mapping);
            message.number(3, location.address);
            for (function, line) in &location.lines {
                let mut inner = Message::default();
                inner.number(1, *function).number(2, *line);
                message.message(4, &inner);
            }
            self.out.message(4, &message);
        }
        for (index, (name, file)) in self.functions.iter().enumerate() {
            let mut message = Message::default();
            message.number(1, index as u64 + 1).number(2, *name).number(3, *name).number(4, *file);
            self.out.message(5, &message);
        }
        for text in &self.texts.list {
            self.out.bytes(6, text.as_bytes());
        }
        self.out.into_bytes()
    }
}
