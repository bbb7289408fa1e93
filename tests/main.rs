//! Tests that drive the command `ebrec` as its users do. One module per subject; `command` runs it.
mod baseline;
mod browser;
mod checks;
mod command;
mod datasets;
mod falco;
mod files;
mod forgotten;
mod hardship;
#[cfg(all(feature = "record", target_os = "linux"))]
mod live;
mod locks;
mod objects;
mod page;
mod query;
mod reports;
mod skip;
mod stacks;
#[allow(dead_code, reason = "not every test needs all of it")]
mod synthetic;
mod tidy;
mod trace;
mod truth;
#[cfg(target_os = "linux")]
mod walks;
