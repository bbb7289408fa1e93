//! The compiled kernel side: one object for each capability of kernels, for this architecture.
//!
//! The objects are committed, so that building ebrec needs no clang; `make -C ebpf` makes them again
//! and a test holds them against their sources.

/// Which kernels an object is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flavour {
    /// State of threads in task storage: 5.11 and newer.
    TaskStorage,
    /// State of threads in a hash: 5.10.
    Hash,
}

/// Bytes at the alignment that ELF structures need.
#[repr(C, align(8))]
struct Aligned<Bytes: ?Sized>(Bytes);

macro_rules! object {
    ($name:literal, $arch:literal) => {{
        static OBJECT: &Aligned<[u8]> =
            &Aligned(*include_bytes!(concat!("../objects/", $name, ".", $arch, ".o")));
        &OBJECT.0
    }};
}

/// The programs that benchmarks compare with.
#[cfg(target_arch = "x86_64")]
pub fn minimal() -> &'static [u8] {
    object!("minimal", "x86_64")
}

/// The programs that benchmarks compare with.
#[cfg(target_arch = "aarch64")]
pub fn minimal() -> &'static [u8] {
    object!("minimal", "aarch64")
}

/// The object for `flavour`, as ELF with BTF.
#[cfg(target_arch = "x86_64")]
pub fn object(flavour: Flavour) -> &'static [u8] {
    match flavour {
        Flavour::TaskStorage => object!("ebrec", "x86_64"),
        Flavour::Hash => object!("ebrec-hash", "x86_64"),
    }
}

/// The object for `flavour`, as ELF with BTF.
#[cfg(target_arch = "aarch64")]
pub fn object(flavour: Flavour) -> &'static [u8] {
    match flavour {
        Flavour::TaskStorage => object!("ebrec", "aarch64"),
        Flavour::Hash => object!("ebrec-hash", "aarch64"),
    }
}
