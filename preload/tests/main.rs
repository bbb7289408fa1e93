//! Programs that know what they did, against what was recorded of them.

mod harness;
mod hostile;
mod languages;
mod limits;
mod truth;
