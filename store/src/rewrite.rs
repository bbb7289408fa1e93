//! Puts a table of a sealed segment anew: for what is learned of a trace after it was recorded.

use std::collections::BTreeMap;

use arrow::array::{Array, AsArray};

use crate::error::Result;
use crate::folder::Folder;
use crate::intact::{checksums, damaged, for_each_batch};
use crate::output::TableFile;
use crate::stacks::{self, Stack};

/// The stacks of a segment, in the order of their ids, and the name of the machine; none if it has
/// no such table.
pub fn stacks(folder: &Folder, segment: u64) -> Result<Option<(Vec<Stack>, String)>> {
    let path = folder.table_file("stacks", segment);
    if !path.exists() {
        return Ok(None);
    }
    let (mut all, mut host, mut is_sound) = (Vec::new(), String::new(), true);
    for_each_batch(&path, |batch| {
        match stacks::from_batch(&batch) {
            Some(rows) => all.extend(rows),
            None => is_sound = false,
        }
        let hosts = batch.column_by_name("host").and_then(|hosts| hosts.as_string_opt::<i32>());
        if let Some(name) = hosts.filter(|hosts| host.is_empty() && !hosts.is_empty()) {
            host = name.value(0).to_string();
        }
    })?;
    if !is_sound {
        return Err(damaged(&path, "it does not have the columns of stacks"));
    }
    Ok(Some((all, host)))
}

/// Replaces the stacks of a segment, given in the order of their ids, and its seal.
///
/// The two files are replaced one after the other: a machine that stops in between leaves a segment
/// that [`crate::verify`] complains about, and that is right again when this is repeated.
pub fn replace_stacks(folder: &Folder, segment: u64, host: &str, stacks: &[Stack]) -> Result<()> {
    let table = stacks::resolve::write(stacks, host, segment, folder.path())?;
    let path = folder.table_file("segments", segment);
    let mut sums: BTreeMap<String, u32> = checksums(&path)?;
    sums.insert("stacks".to_string(), table.crc);
    let mut file = TableFile::create(
        folder.path(),
        schema::tables::by_name("segments").expect("declared"),
        segment,
    )?;
    file.seal(sums.iter().map(|(table, crc)| (table.as_str(), *crc)));
    let mut written = Ok(());
    for_each_batch(&path, |batch| {
        if written.is_ok() {
            written = file.write(&batch);
        }
    })?;
    written?;
    let seal = file.finish()?;
    table.publish()?;
    seal.publish()
}
