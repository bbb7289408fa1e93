//! Why a file has no table.

/// The result of this crate's functions.
pub type Result<T> = std::result::Result<T, Error>;

/// A file that no table can be made of.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Its first bytes say so.
    #[error("not an ELF file")]
    NotElf,
    /// Of a 32-bit architecture.
    #[error("a 32-bit ELF file")]
    Bits32,
    /// Neither x86_64 nor aarch64, both little-endian.
    #[error("an ELF file of another architecture (machine {0})")]
    Machine(u16),
    /// Its headers lead out of the file.
    #[error("damaged ELF headers: {0}")]
    Headers(object::read::Error),
}
