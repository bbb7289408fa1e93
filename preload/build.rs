//! Builds the library that is loaded into programs, which is a package of its own: without `std`,
//! as a shared object, with a profile of its own.

use std::env;
use std::path::PathBuf;
use std::process::Command;

fn main() {
    for path in ["library/src", "library/Cargo.toml", "library/Cargo.lock", "src/layout.rs"] {
        println!("cargo::rerun-if-changed={path}");
    }
    println!("cargo::rerun-if-changed=../unwind/src");
    println!("cargo::rerun-if-changed=../unwind/Cargo.toml");

    let variable = |name: &str| env::var(name).unwrap_or_else(|_| panic!("cargo sets {name}"));
    let target = variable("TARGET");
    let target_dir = PathBuf::from(variable("OUT_DIR")).join("library");

    let mut cargo = Command::new(variable("CARGO"));
    cargo.args(["build", "--release", "--locked", "--manifest-path", "library/Cargo.toml"]);
    cargo.args(["--target", &target]).arg("--target-dir").arg(&target_dir);
    // Flags and profiles are for the outer build: `+crt-static`, coverage, sanitizers or linkers'
    // options would break a shared object that depends on nothing.
    for (name, _) in env::vars_os() {
        let text = name.to_string_lossy();
        let outer = ["CARGO_ENCODED_", "CARGO_PROFILE_", "CARGO_BUILD_", "CARGO_FEATURE_"];
        if outer.iter().any(|prefix| text.starts_with(prefix))
            || (text.starts_with("CARGO_TARGET_")
                && (text.ends_with("_RUSTFLAGS") || text == "CARGO_TARGET_DIR"))
            || text.starts_with("RUSTC_WRAPPER")
            || text.starts_with("RUSTC_WORKSPACE_WRAPPER")
            || text == "CARGO_MAKEFLAGS"
            || text == "MAKEFLAGS"
        {
            cargo.env_remove(&name);
        }
    }
    let flags = [
        "-Cforce-frame-pointers=yes",
        "-Ctarget-feature=-crt-static",
        // No C library and no start files: it is loaded next to whatever C library there is.
        "-Clink-arg=-nostdlib",
        "-Clink-arg=-nostartfiles",
        "-Clink-arg=-Wl,-z,now,-z,relro,-z,nodelete,--hash-style=both,-soname,libebrec.so",
    ];
    cargo.env("CARGO_ENCODED_RUSTFLAGS", flags.join("\x1f"));
    cargo.env_remove("RUSTFLAGS");

    let status = cargo.status().expect("cargo can be run");
    assert!(status.success(), "the library does not build");
    let library = target_dir.join(&target).join("release/libebrec_preload.so");
    println!("cargo::rustc-env=EBREC_PRELOAD_LIBRARY={}", library.display());
}
