//! Tests that drive the command `ebrec` as its users do. One module per subject; `command` runs it.

mod command;
mod query;
#[allow(dead_code, reason = "not every test needs all of it")]
mod synthetic;
mod trace;
