//! The SQL files of `queries/`, embedded by `build.rs`.

/// A file: the folder it is in, its name without the ending, its text.
pub type File = (&'static str, &'static str, &'static str);

/// Every file, sorted by folder and name.
pub const FILES: &[File] = include!(concat!(env!("OUT_DIR"), "/queries.rs"));

/// The files of one folder.
pub fn folder(name: &str) -> impl Iterator<Item = &'static File> + use<'_> {
    FILES.iter().filter(move |(folder, _, _)| *folder == name)
}
