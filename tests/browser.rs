//! The page in a browser: what `browser/drive.mjs` does with it as its readers do, and the types of its script.
//!
//! Needs Debian's chromium and node, and what `npm ci` puts into `target/browser` of `browser/package-lock.json`.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use crate::command::run;
use crate::page;
use crate::skip::{has_program, skip};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Where node finds what the driver needs; none, with the reason told, if it is not there.
fn modules(needs_browser: bool) -> Option<PathBuf> {
    let folder = root().join("target/browser");
    if !has_program("node", &["--version"]) {
        skip("node is not installed");
    } else if needs_browser && !has_program("chromium", &["--version"]) {
        skip("chromium is not installed");
    } else if !folder.join("node_modules/puppeteer-core").is_dir() {
        skip(
            "target/browser has no modules: copy tests/browser/package*.json there and run npm ci",
        );
    } else {
        return Some(folder);
    }
    None
}

/// Drives a page; everything that was checked must hold.
#[track_caller]
fn drive(modules: &Path, page: &Path) -> Value {
    let out = tempfile::tempdir().unwrap();
    let driver = root().join("tests/browser/drive.mjs");
    let output =
        Command::new("node").args([&driver, modules, page, out.path()]).output().expect("node");
    let run = run(output);
    assert_eq!(run.code, 0, "{}", run.err);
    let result: Value = serde_json::from_str(&run.out).unwrap();
    let failed = result["checks"].as_array().unwrap().iter().filter(|check| check["holds"] != true);
    let failed: Vec<String> =
        failed.map(|check| format!("{}: {}", check["name"], check["detail"])).collect();
    assert!(failed.is_empty(), "{}", failed.join("\n"));
    result
}

#[test]
fn readers_can_use_the_page() {
    let Some(modules) = modules(true) else { return };
    let folder = tempfile::tempdir().unwrap();
    for name in ["web", "memory", "intrusion"] {
        let trace = root().join("datasets").join(name).join("trace");
        let (page, _) = page::page(folder.path(), trace.to_str().unwrap(), &[]);
        let result = drive(&modules, &page);
        assert!(result["checks"].as_array().unwrap().len() > 25, "{name}: {result}");
        let open = result["times"]["open_ms"].as_u64().unwrap();
        assert!(open < 3_000, "{name}: {open} ms to open");
    }
}

#[test]
fn a_hostile_trace_runs_nothing_in_the_browser() {
    let Some(modules) = modules(true) else { return };
    let folder = tempfile::tempdir().unwrap();
    page::hostile(&folder.path().join("trace"));
    let (page, _) = page::page(folder.path(), "trace", &[]);
    drive(&modules, &page);
}

#[test]
fn the_script_has_types() {
    let Some(modules) = modules(false) else { return };
    let assets = std::fs::read_dir(root().join("page/assets")).unwrap();
    let mut scripts: Vec<PathBuf> = assets.map(|entry| entry.unwrap().path()).collect();
    scripts.retain(|path| path.extension().is_some_and(|extension| extension == "js"));
    scripts.sort();
    let output = Command::new(modules.join("node_modules/.bin/tsc"))
        .args(["--noEmit", "--allowJs", "--checkJs", "--strict", "--target", "es2022"])
        .args(["--lib", "es2023,dom,dom.iterable", "--moduleDetection", "legacy"])
        .args(&scripts)
        .output()
        .expect("tsc");
    let run = run(output);
    assert_eq!(run.code, 0, "{}", run.out);
}
